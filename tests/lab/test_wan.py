"""A line with latency, a limited rate, a cut and a stall."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lab.wan import wan

pytestmark = pytest.mark.ac("lab-13")
SIZE = 200_000


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[int]:
    """A server that sends ``SIZE`` bytes for "big", and back what it gets otherwise."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(bytes(SIZE) if data == b"big" else data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_round_trip_takes_the_latency(echo: int) -> None:
    async with wan("127.0.0.1", echo, latency=0.1) as proxy:
        reader, writer = await asyncio.open_connection(proxy.address, proxy.port)
        taken: list[float] = []
        for _ in range(5):
            started = time.monotonic()
            writer.write(b"ping")
            assert await reader.read(4) == b"ping"
            taken.append(time.monotonic() - started)
        assert min(taken) >= 0.1
        # Whatever else the machine does only adds to it.
        assert min(taken) < 0.3
        writer.close()


async def test_latency_does_not_limit_what_is_under_way(echo: int) -> None:
    async with wan("127.0.0.1", echo, latency=0.1) as proxy:
        reader, writer = await asyncio.open_connection(proxy.address, proxy.port)
        taken: list[float] = []
        for _ in range(5):
            started = time.monotonic()
            writer.write(b"big")
            await reader.readexactly(SIZE)
            taken.append(time.monotonic() - started)
        assert min(taken) < 0.5
        writer.close()


async def test_a_rate_is_kept(echo: int) -> None:
    async with wan("127.0.0.1", echo, rate=SIZE * 2) as proxy:
        reader, writer = await asyncio.open_connection(proxy.address, proxy.port)
        started = time.monotonic()
        writer.write(b"big")
        await reader.readexactly(SIZE)
        assert time.monotonic() - started >= 0.45
        writer.close()


async def test_a_line_is_cut_in_the_middle(echo: int) -> None:
    async with wan("127.0.0.1", echo) as proxy:
        proxy.line.cut_after = SIZE // 2
        reader, writer = await asyncio.open_connection(proxy.address, proxy.port)
        writer.write(b"big")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(SIZE)
        writer.close()


async def test_a_stalled_line_stays_open_and_silent(echo: int) -> None:
    async with wan("127.0.0.1", echo) as proxy:
        reader, writer = await asyncio.open_connection(proxy.address, proxy.port)
        writer.write(b"ping")
        assert await reader.read(4) == b"ping"
        proxy.line.stall()
        writer.write(b"ping")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(4), 0.3)
        writer.close()


async def test_the_end_of_one_direction_is_passed_on(echo: int) -> None:
    async with wan("127.0.0.1", echo, latency=0.02) as proxy:
        reader, writer = await asyncio.open_connection(proxy.address, proxy.port)
        writer.write(b"last")
        writer.write_eof()
        assert await reader.read() == b"last"
        writer.close()
