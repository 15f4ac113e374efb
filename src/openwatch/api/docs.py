"""The API document as a page: made on the server, without scripts and outside assets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response

Json = dict[str, Any]

STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --quiet: #8889; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code { font: 13px ui-monospace, monospace; }
h2 { margin-top: 3rem; text-transform: capitalize; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; padding: .5rem; }
summary { cursor: pointer; }
summary b { display: inline-block; width: 4.5rem; font-family: ui-monospace, monospace; }
summary span { color: GrayText; float: right; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; }
tr + tr { border-top: 1px solid var(--line); }
"""

_CODE: Final = re.compile(r"`([^`]+)`")

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="docs.css"></head>
<body><h1>{title}</h1><p>{description}</p>
<p>The same as a machine-readable document: <a href="openapi.json">openapi.json</a>.</p>
{sections}</body></html>
"""


def router(app: FastAPI) -> APIRouter:
    """Return the routes of the document and its page. They need no session."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/openapi.json")
    async def get_openapi_document() -> Response:
        return JSONResponse(app.openapi())

    @routes.get("/docs")
    async def get_docs() -> Response:
        return HTMLResponse(page(app.openapi()))

    @routes.get("/docs.css")
    async def get_docs_style() -> Response:
        return Response(STYLE, media_type="text/css")

    return routes


def page(document: Json) -> str:
    """Return the page of an OpenAPI document."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(document, path, method, operation))
    sections = [f"<h2>{escape(tag)}</h2>{''.join(entries)}" for tag, entries in by_tag.items()]
    shapes = (
        f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{_text(schema.get("description", ""))}</p>'
        + _table(_fields(document, schema))
        for name, schema in document["components"]["schemas"].items()
    )
    sections.append(f"<h2>Shapes</h2>{''.join(shapes)}")
    info = document["info"]
    return _PAGE.format(
        title=escape(f"{info['title']} {info['version']}"),
        description=_text(info["description"]),
        sections="".join(sections),
    )


def _operation(document: Json, path: str, method: str, operation: Json) -> str:
    permission = operation.get("x-permission", "public")
    parts = [f"<p>{_text(operation.get('description', ''))}</p>"]
    if parameters := operation.get("parameters"):
        parts.append(_table(_parameter(document, parameter) for parameter in parameters))
    if body := operation.get("requestBody"):
        parts.append("<h4>Body</h4>" + _table(_fields(document, _schema_of(body))))
    for status, response in operation["responses"].items():
        if status != "default":
            parts.append(f"<h4>{escape(status)} {_text(response.get('description', ''))}</h4>")
            parts.append(_table(_fields(document, _schema_of(response))))
    return (
        f"<details><summary><b>{method.upper()}</b><code>{escape(path)}</code>"
        f"<span>{escape(permission)}</span></summary>{''.join(parts)}</details>"
    )


def _parameter(document: Json, parameter: Json) -> tuple[str, str, str]:
    schema = parameter.get("schema", {})
    name = f"{parameter['name']} ({parameter['in']})"
    return name, _type(document, schema), parameter.get("description", "")


def _schema_of(message: Json) -> Json:
    for content in message.get("content", {}).values():
        return content.get("schema", {})
    return {}


def _fields(document: Json, schema: Json) -> list[tuple[str, str, str]]:
    resolved = _resolve(document, schema)
    if "properties" not in resolved:
        return [("", _type(document, schema), "")] if schema else []
    return [
        (name, _type(document, field), field.get("description", ""))
        for name, field in resolved["properties"].items()
    ]


def _type(document: Json, schema: Json) -> str:
    """Return the type of a value as HTML; shapes are links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(document, choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return escape(", ".join(map(str, schema["enum"])))
    if schema.get("type") == "array":
        return f"list of {_type(document, schema.get('items', {}))}"
    return escape(schema.get("format") or schema.get("type", "any"))


def _resolve(document: Json, schema: Json) -> Json:
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema


def _text(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _table(rows: Iterable[tuple[str, str, str]]) -> str:
    lines = [
        f"<tr><th><code>{escape(name)}</code></th><td>{kind}</td><td>{_text(text)}</td></tr>"
        for name, kind, text in rows
    ]
    return f"<table>{''.join(lines)}</table>" if lines else ""
