"""The web server around the app."""

from __future__ import annotations

import socket
from typing import cast

import uvicorn
from fastapi import FastAPI

from openwatch.signals.hub import Hub


class ApiServer(uvicorn.Server):
    """Ends the live streams before it waits for running requests, so that it stops at once."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, end the streams, let the other requests finish, end the app."""
        app = cast("object", self.config.loaded_app)  # pyright: ignore[reportUnknownMemberType]
        hub = getattr(app.state, "hub", None) if isinstance(app, FastAPI) else None
        if isinstance(hub, Hub):
            hub.stop()
        await super().shutdown(sockets)
