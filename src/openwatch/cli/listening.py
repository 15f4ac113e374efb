"""The address that the API listens on."""

from __future__ import annotations

import errno
import socket
from typing import Final

from openwatch.kit.errors import OpenWatchError, register
from openwatch.kit.settings import Settings

PORT_IN_USE: Final = register(
    "serve.port_in_use",
    status=503,
    message="Port {port} on {host} is in use by another program.",
    fix="Stop that program (`ss -ltnp 'sport = :{port}'` names it), or set OPENWATCH_PORT.",
)
CANNOT_LISTEN: Final = register(
    "serve.cannot_listen",
    status=503,
    message="OpenWatch cannot listen on {host}, port {port}: {problem}.",
    fix="Set OPENWATCH_HOST to an address of this machine; ports below 1024 need root.",
)

BACKLOG: Final = 2048


def listen(settings: Settings) -> socket.socket:
    """Return a bound socket; raises ``serve.port_in_use`` or ``serve.cannot_listen``."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        where = {"host": settings.host, "port": settings.port}
        if error.errno == errno.EADDRINUSE:
            raise OpenWatchError(PORT_IN_USE, **where) from None
        raise OpenWatchError(CANNOT_LISTEN, **where, problem=error.strerror or error) from None
