"""TCP ports for tests: nobody else gets them by chance."""

from __future__ import annotations

import socket

ADDRESS = "127.0.0.1"
_kept: list[socket.socket] = []


def reserved_port() -> int:
    """Return a TCP port of 127.0.0.1 on which nothing listens, kept until this process ends.

    It is bound and does not listen: the kernel gives it to nobody who asks for any port, a
    connection to it is refused, and a server that sets SO_REUSEADDR, as all do, may listen on it.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind((ADDRESS, 0))
    _kept.append(kept)
    return int(kept.getsockname()[1])
