"""Ctrl-C cancels between two callbacks, never inside one."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from openwatch.cli.interrupt import run_interruptible


def test_a_result_is_returned() -> None:
    async def main() -> str:
        return "done"

    assert run_interruptible(main()) == "done"


def test_a_callback_is_never_interrupted_in_the_middle() -> None:
    seen: list[bool] = []

    async def main() -> None:
        waited = asyncio.get_running_loop().create_future()

        def connected() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                """Give a handler of the interpreter every chance to run here."""
            seen.append(waited.cancelled())
            if not waited.cancelled():
                waited.set_result(None)

        asyncio.get_running_loop().call_soon(connected)
        await waited
        await asyncio.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        run_interruptible(main())
    assert seen == [False]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_cancelled_program_is_no_interrupt() -> None:
    async def main() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_interruptible(main())
