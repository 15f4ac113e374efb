"""`openwatch serve`: one API and UI process."""

from __future__ import annotations

import sys
from typing import Any, Final

import typer
import uvicorn

from openwatch.api.server import ApiServer
from openwatch.cli.listening import listen
from openwatch.cli.supervised import follow_parent, wait_until_released
from openwatch.kit import logging
from openwatch.kit.certificate import certificate
from openwatch.kit.settings import Settings, get_settings

DRAIN_SECONDS: Final = 10  # requests that run when we are told to stop may end

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def serve() -> None:
    """Run one API and UI process until it is told to stop (SIGTERM, Ctrl-C)."""
    follow_parent()
    settings = get_settings()
    logging.configure(level=settings.log_level, log_format=settings.log_format)
    server = ApiServer(config(settings))
    server.config.load()  # every import is done now, beside the start of the database
    wait_until_released()
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
