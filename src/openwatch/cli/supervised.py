"""What `openwatch up` and the processes that it starts agree on."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

PARENT_VARIABLE: Final = "OPENWATCH_SUPERVISOR_PID"
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def follow_parent() -> None:
    """Under a supervisor: end with it, even when it is killed and can stop nobody."""
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before we asked to be told
        raise SystemExit(0)


def wait_until_released() -> None:
    """Under a supervisor: wait until database and schema are there, which it tells on our input.

    Until then the process imports what it needs, so that the start takes no longer than its
    slowest part.
    """
    if os.environ.get(PARENT_VARIABLE) is not None and not sys.stdin.readline():
        raise SystemExit(0)  # the supervisor ended
