"""Processes of tests end with the tests, also when those are killed and can tidy up nothing."""

from __future__ import annotations

import ctypes
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_LIBC: Final = ctypes.CDLL(None)


def end_with_tests() -> None:
    """Called in a child before its program starts: the kernel ends it with its parent."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
