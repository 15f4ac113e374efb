"""`openwatch serve`: one API and UI process."""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any, Final

import typer
import uvicorn

from openwatch.cli.supervised import follow_parent
from openwatch.kit import logging
from openwatch.kit.certificate import certificate
from openwatch.kit.errors import OpenWatchError, register
from openwatch.kit.settings import Settings, get_settings

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
DRAIN_SECONDS: Final = 10  # requests that run when we are told to stop may end

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def serve() -> None:
    """Run one API and UI process until it is told to stop (SIGTERM, Ctrl-C)."""
    follow_parent()
    settings = get_settings()
    logging.configure(level=settings.log_level, log_format=settings.log_format)
    server = uvicorn.Server(config(settings))
    server.run(sockets=[listen(settings)])
    if not server.started:
        sys.exit(1)


def config(settings: Settings) -> uvicorn.Config:
    """Return how the API is served: over TLS wherever others can reach it."""
    tls = certificate(settings)
    secured: dict[str, Any] = {}
    if tls is not None:
        secured = {"ssl_certfile": tls.cert_file, "ssl_keyfile": tls.key_file}
    return uvicorn.Config(
        "openwatch.api.app:create_app",
        factory=True,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        **secured,
    )


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
