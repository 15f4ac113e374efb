"""Child processes: started, watched, restarted with back-off, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from openwatch.cli.supervised import PARENT_VARIABLE

LOG_BYTES: Final = 10_000_000
LOG_FILES: Final = 3
FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 30.0
HEALTHY_AFTER_SECONDS: Final = 60.0  # a child that lived so long starts with the first wait again
STOP_SECONDS: Final = 25.0  # the API drains for 10 s; a worker needs up to 18 s to hand scans back
LAST_LINES: Final = 15
_LONGEST_LINE: Final = 1 << 20

Say = Callable[[str], None]


class Child:
    """One program of ours that must run for as long as we do."""

    def __init__(self, name: str, command: str, *, log_folder: Path, say: Say) -> None:
        """``command`` is a command of `openwatch`; its output goes to ``<name>.log``."""
        self.name = name
        self.log_file = log_folder / f"{name}.log"
        self.starts = 0
        self._command = command
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._released = asyncio.Event()
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._log = _rotating_log(self.log_file)

    @property
    def last_lines(self) -> list[str]:
        """What it said last, for the case that it ends."""
        return list(self._last_lines)

    async def run(self) -> None:
        """Keep it running until ``stop`` is called; every end is said with its reason."""
        wait = FIRST_WAIT_SECONDS
        while not self._stopping:
            began = time.monotonic()
            status = await self._run_once()
            if self._stopping:
                return
            if time.monotonic() - began > HEALTHY_AFTER_SECONDS:
                wait = FIRST_WAIT_SECONDS
            self._say(
                f"the {self.name} {_describe(status)}; starting it again in {wait:.0f} s"
                f" (its log: {self.log_file})"
            )
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def release(self) -> None:
        """Let it begin its work: until now it only loaded what it needs."""
        self._released.set()

    async def stop(self) -> None:
        """Ask it to end; after ``STOP_SECONDS`` it is killed."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._signal(process, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._say(f"the {self.name} did not end within {STOP_SECONDS:.0f} s and is killed")
            self._signal(process, signal.SIGKILL)
            await process.wait()

    def kill(self) -> None:
        """End it at once; leases bring its work back."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            self._signal(self._process, signal.SIGKILL)

    async def _run_once(self) -> int:
        self.starts += 1
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "openwatch.cli.main", self._command),  # -P: not from the current folder
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LONGEST_LINE,
            # Ctrl-C at the terminal is for us alone: we end the children in order.
            start_new_session=True,
            env={**os.environ, PARENT_VARIABLE: str(os.getpid())},
        )
        if self._stopping:
            self._signal(process, signal.SIGTERM)
        releasing = asyncio.create_task(self._release_when_told(process))
        try:
            await self._keep_output(process)
            return await process.wait()
        finally:
            releasing.cancel()

    async def _release_when_told(self, process: asyncio.subprocess.Process) -> None:
        await self._released.wait()
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it has ended; its status tells more
            process.stdin.write(b"go\n")
            await process.stdin.drain()

    async def _keep_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than the limit: what was read of it is dropped
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            self._last_lines.append(text)
            self._log.info("%s", text)

    @staticmethod
    def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)


def _describe(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _rotating_log(path: Path) -> logging.Logger:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = logging.getLogger(str(path))
    log.propagate = False
    log.setLevel(logging.INFO)
    log.addHandler(RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES - 1))
    return log
