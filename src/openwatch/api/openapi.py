"""The OpenAPI document. ``python -m openwatch.api.openapi`` prints it, without a database."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from openwatch.api.problems import MEDIA_TYPE, Problem
from openwatch.identity.access import Guard

DESCRIPTION: Final = (
    "Everything that the OpenWatch pages do, they do with this API. Errors are problem details "
    "(RFC 9457) with a stable `code`. Lists are paged with `cursor` and `limit`. Times are UTC. "
    "Requests that change something carry the session cookie and `X-CSRF-Token`."
)
PROBLEM_RESPONSE: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": "An error, as problem details.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def api_routes(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    """Yield every route of the app, however deep its router is included, with its whole path."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and context.path_format is not None:
            yield context.path_format, route


def guards_of(route: APIRoute) -> list[Guard]:
    """Return the guards among the dependencies of a route, at any depth."""
    return [d.call for d in _dependants(route.dependant) if isinstance(d.call, Guard)]


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of ``app``; every operation names its permission."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    made = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        openapi_version=app.openapi_version,
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for path, route in api_routes(app):
        for method in (route.methods or ()) if route.include_in_schema else ():
            made["paths"][path][method.lower()]["x-permission"] = _permission(route)
    app.openapi_schema = made
    return made


def _permission(route: APIRoute) -> str:
    guards = guards_of(route)
    if not guards:
        return "public"
    return next((g.permission for g in guards if g.permission is not None), "signed in")


def _dependants(dependant: Dependant) -> Iterator[Dependant]:
    for inner in dependant.dependencies:
        yield inner
        yield from _dependants(inner)


def _main() -> None:
    from openwatch.api.app import create_app

    json.dump(create_app().openapi(), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    _main()
