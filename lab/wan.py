"""A TCP proxy that behaves like a long, thin or broken line.

Many kernels of test machines have no netem, and netem needs root; this needs neither.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

CHUNK: Final = 65536
# About what a router queues before the sender is held up.
CHUNKS_IN_FLIGHT: Final = 256
LOOPBACK: Final = "127.0.0.1"


@dataclass(slots=True)
class Line:
    """The state of a line; changes apply to what passes from then on.

    ``latency`` is the round trip in seconds; ``rate`` bytes per second each way (0: no limit).
    ``cut_after`` is the number of bytes from the server after which the line is cut.
    """

    latency: float = 0.0
    rate: float = 0.0
    cut_after: int | None = None
    connections: int = 0
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Reset all connections that are open now."""
        for writer in list(self._writers):
            writer.transport.abort()

    def stall(self) -> None:
        """Let nothing through any more, but keep the connections: a line that hangs."""
        self._flowing.clear()

    async def join(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Pass bytes both ways until both sides have ended."""
        self.connections += 1
        ends = {client[1], server[1]}
        self._writers |= ends
        try:
            await asyncio.gather(
                self._pass(client[0], server[1], counted=False),
                self._pass(server[0], client[1], counted=True),
            )
        except OSError:
            return
        finally:
            self._writers -= ends
            for writer in ends:
                writer.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        clock = asyncio.get_running_loop().time
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_IN_FLIGHT)

        async def deliver() -> None:
            total, free_at = 0, 0.0
            while True:
                due, data = await queue.get()
                if self.rate:
                    due = free_at = max(free_at, due) + len(data) / self.rate
                if (wait := due - clock()) > 0:
                    await asyncio.sleep(wait)
                await self._flowing.wait()
                if not data:
                    with suppress(OSError):
                        writer.write_eof()
                    return
                total += len(data)
                if counted and self.cut_after is not None and total > self.cut_after:
                    self.cut()
                    return
                writer.write(data)
                await writer.drain()

        delivery = asyncio.create_task(deliver())
        try:
            while not delivery.done():
                data = await reader.read(CHUNK)
                await queue.put((clock() + self.latency / 2, data))
                if not data:
                    break
            await delivery
        finally:
            delivery.cancel()


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where the far end appears, and the line to it."""

    address: str
    port: int
    line: Line


@asynccontextmanager
async def wan(
    address: str, port: int, *, latency: float = 0.0, rate: float = 0.0
) -> AsyncIterator[Proxy]:
    """Serve ``address:port`` on a port of this machine, over a line with these properties."""
    line = Line(latency=latency, rate=rate)

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_connection(address, port)
        except OSError:
            writer.transport.abort()
            return
        no_delay(writer)
        no_delay(server[1])
        await line.join((reader, writer), server)

    listener = await asyncio.start_server(on_client, LOOPBACK, 0)
    async with listener:
        yield Proxy(LOOPBACK, listener.sockets[0].getsockname()[1], line)
        line.cut()


def no_delay(writer: asyncio.StreamWriter) -> None:
    """Without this the proxy adds the 40 ms of Nagle's algorithm and delayed acknowledgement."""
    connection: socket.socket = writer.get_extra_info("socket")
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
