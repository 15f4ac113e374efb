"""Ctrl-C for programs that run an event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_interruptible(main: Coroutine[Any, Any, T]) -> T:
    """Return what ``main`` returns; on Ctrl-C cancel it and raise ``KeyboardInterrupt``.

    asyncio.run() cancels from within the signal handler, between any two instructions of a
    callback: a connection that is just being made then prints a traceback. Here the event loop
    itself cancels, between two callbacks.
    """
    interrupted = False

    async def guarded() -> T:
        nonlocal interrupted
        task = asyncio.current_task()
        assert task is not None

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True
            task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)
        return await main

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
