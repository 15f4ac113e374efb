"""Recording a scan of a real host, for simulated hosts to play."""

from __future__ import annotations

from typing import Final

from lab.sim.recording import Recording
from openwatch.engine.rules import Corpus
from openwatch.engine.scan import scan
from openwatch.engine.transport import PrivilegeMode, Receiver, Stream, Traffic, Transport

DETECT: Final = "detect"
COLLECT: Final = "collect"


class RecordingTransport:
    """A transport that remembers what the host answered to each program."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.recording = Recording()

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def privilege(self) -> PrivilegeMode | None:
        return self._inner.privilege

    @property
    def traffic(self) -> Traffic:
        return self._inner.traffic

    def expect_privileged(self) -> None:
        """Tell the inner transport that a privileged program follows."""
        self._inner.expect_privileged()

    async def run(
        self,
        program: bytes,
        *,
        privileged: bool,
        receive: Receiver,
        deadline: float | None = None,
    ) -> int:
        """Run the program as the inner transport does; only a finished answer is remembered."""
        heard = {Stream.OUT: bytearray(), Stream.ERR: bytearray()}

        def receive_and_keep(stream: Stream, data: bytes) -> None:
            heard[stream] += data
            receive(stream, data)

        status = await self._inner.run(
            program, privileged=privileged, receive=receive_and_keep, deadline=deadline
        )
        self.recording.add(
            COLLECT if privileged else DETECT,
            program,
            bytes(heard[Stream.OUT]),
            bytes(heard[Stream.ERR]),
            status,
        )
        return status

    async def aclose(self) -> None:
        await self._inner.aclose()


async def record(transport: Transport, *, corpus: Corpus) -> Recording:
    """Scan the host behind ``transport`` with ``corpus``; return what it answered."""
    recorder = RecordingTransport(transport)
    await scan(recorder, corpus=corpus)
    return recorder.recording
