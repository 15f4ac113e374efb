"""The app: every router, every layer, and what lives as long as the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request

from openwatch import __version__
from openwatch.api import docs, health, meta, openapi, ui
from openwatch.api.context import RequestContext
from openwatch.api.gates import BodyLimit, Deadline, KnownNames, SameOrigin
from openwatch.api.problems import render, to_error
from openwatch.compliance.routes import router as compliance
from openwatch.compliance.rules import service as rules
from openwatch.db.engine import Database
from openwatch.db.url import database_url
from openwatch.fleet.imports.routes import FILE_PATHS, MAX_FILE_BYTES
from openwatch.fleet.routes import router as fleet
from openwatch.identity.routes import router as identity
from openwatch.kit.crypto import Keyring
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.resources import ui_dir
from openwatch.kit.settings import Settings, get_settings
from openwatch.signals.hub import Hub
from openwatch.signals.routes import router as signals

API_PREFIX: Final = "/api/v1"
LARGE_BODIES: Final = {API_PREFIX + path: MAX_FILE_BYTES for path in FILE_PATHS}

# The only routes that answer without a session; a test compares this list with the app.
PUBLIC_ROUTES: Final = frozenset(
    {
        "get_setup",
        "complete_setup",
        "sign_in",
        "get_liveness",
        "get_readiness",
        "get_openapi_document",
        "get_docs",
        "get_docs_style",
    }
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the app. It touches neither database nor files of state before it is started."""
    chosen = settings or get_settings()
    app = FastAPI(
        title="OpenWatch",
        version=__version__,
        description=openapi.DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses=openapi.PROBLEM_RESPONSE,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        middleware=[
            Middleware(RequestContext),
            Middleware(KnownNames, settings=chosen),
            Middleware(SameOrigin),
            Middleware(Deadline),
            Middleware(BodyLimit, larger=LARGE_BODIES),
        ],
        exception_handlers={
            OpenWatchError: _answer_failure,
            HTTPException: _answer_failure,
            RequestValidationError: _answer_failure,
        },
    )
    app.state.settings = chosen
    _mount(app)
    return app


def _mount(app: FastAPI) -> None:
    app.include_router(health.router)
    for router in (identity, meta.router, fleet, compliance, signals, docs.router(app)):
        app.include_router(router, prefix=API_PREFIX)
    app.router.default = ui.fallback(ui_dir())

    def document() -> dict[str, Any]:
        return openapi.document(app)

    app.openapi = document


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    settings: Settings = app.state.settings
    app.state.keyring = await asyncio.to_thread(Keyring.load, settings.data_dir)
    database = Database(await asyncio.to_thread(database_url, settings))
    hub = Hub(database)
    app.state.database = database
    app.state.hub = hub
    following = asyncio.create_task(hub.run())
    # Reading the rules takes a second: nobody's first request should.
    reading = asyncio.create_task(rules.preload())
    try:
        yield
    finally:
        hub.stop()
        following.cancel()
        await asyncio.gather(following, reading, return_exceptions=True)
        await database.aclose()


async def _answer_failure(request: Request, failure: Exception) -> Response:
    headers = None
    if isinstance(failure, HTTPException):
        if failure.status_code == status.HTTP_405_METHOD_NOT_ALLOWED:
            failure.headers = {"Allow": ", ".join(_methods_at(request))}
        headers = failure.headers
    return render(to_error(failure, request.scope), request.scope, headers)


def _methods_at(request: Request) -> list[str]:
    """Return every method that the path takes; a route knows only its own."""
    path = request.url.path
    contexts = iter_route_contexts(request.app.routes)
    found = (context.methods or set() for context in contexts if context.path_regex.match(path))
    return sorted(set[str]().union(*found))
