"""Every route of the app: guarded, described, and safe against what it does not expect."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from openwatch.api.app import PUBLIC_ROUTES, create_app
from openwatch.api.openapi import api_routes, guards_of
from openwatch.identity.access import Guard
from openwatch.identity.permissions import permissions
from openwatch.identity.sessions import service as sessions
from openwatch.kit.settings import Settings
from tests.fixtures.api import Api

APP = create_app(Settings())
ROUTES = {route.name: (path, route) for path, route in api_routes(APP)}
UUID = "0190c0de-0000-7000-8000-000000000000"


GUARDED = [
    (name, method, re.sub(r"\{[^}]*\}", UUID, path))
    for name, (path, route) in ROUTES.items()
    if name not in PUBLIC_ROUTES
    for method in route.methods or ()
]


@pytest.mark.ac("identity-10")
@pytest.mark.parametrize("name", ROUTES)
def test_every_route_has_a_guard_or_is_public(name: str) -> None:
    guards = guards_of(ROUTES[name][1])
    if name in PUBLIC_ROUTES:
        assert guards == []
    else:
        assert len(guards) == 1, f"{name} needs exactly one of requires() and signed_in()"


@pytest.mark.ac("identity-10")
def test_the_public_list_names_only_routes_that_exist() -> None:
    assert set(ROUTES) >= PUBLIC_ROUTES


@pytest.mark.ac("identity-10")
def test_routes_without_a_permission_are_few_and_known() -> None:
    unrestricted = {
        name
        for name, (_, route) in ROUTES.items()
        if name not in PUBLIC_ROUTES and guards_of(route) == [Guard(None)]
    }
    assert unrestricted == {"get_session", "sign_out", "get_meta"}


@pytest.mark.ac("identity-10")
def test_a_route_that_only_reads_never_asks_for_a_permission_to_write() -> None:
    for name, (_, route) in ROUTES.items():
        for guard in guards_of(route):
            if route.methods == {"GET"} and guard.permission is not None:
                assert guard.permission.endswith(":read"), name


@pytest.mark.ac("identity-10")
@pytest.mark.parametrize(("name", "method", "path"), GUARDED)
async def test_nothing_is_answered_without_a_session(
    api: Api, name: str, method: str, path: str
) -> None:
    answer = await api.client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.required"), name


@pytest.mark.ac("identity-10")
async def test_without_the_permission_every_guarded_route_refuses(
    signed_in_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "permissions_of", lambda _: frozenset[str]())
    for name, method, path in GUARDED:
        needed = guards_of(ROUTES[name][1])[0].permission
        if needed is None:
            continue
        answer = await signed_in_api.client.request(method, path)
        assert answer.status_code == 403, (name, answer.text)
        assert answer.json()["code"] == "auth.forbidden"
        assert answer.json()["permission"] == needed


@pytest.mark.ac("identity-05")
async def test_every_change_needs_the_csrf_token(signed_in_api: Api) -> None:
    del signed_in_api.client.headers["X-CSRF-Token"]
    for name, method, path in GUARDED:
        if method != "GET":
            answer = await signed_in_api.client.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (403, "auth.csrf"), name


HOSTILE: list[Any] = [
    None,
    [],
    "text",
    {"name": "a\u0000b", "username": "a\u0000b", "password": "a\u0000b"},
    {"name": "\ud800", "\ud800": "\ud800", "address": "\ud800"},
    {"name": 10**400, "port": -1, "tags": [[[]]], "version": 1e308},
    {"name": "x" * 100_000},
]


@pytest.mark.ac("api-01")
@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body)[:30])
async def test_no_route_stumbles_over_a_body(signed_in_api: Api, body: Any) -> None:
    """Whatever is sent, the answer is a problem with a registered code below 500, or a success."""
    for name, method, path in GUARDED:
        if method in {"POST", "PATCH"}:
            answer = await signed_in_api.client.request(
                method,
                path,
                content=json.dumps(body),
                headers={"Content-Type": "application/json", "If-Match": '"1"'},
            )
            assert answer.status_code < 500, (name, answer.text)


@pytest.mark.ac("api-01")
@pytest.mark.parametrize("value", ["%00", "%ff", "-1", "99999999999999999999", "'", "a" * 3000, ""])
async def test_no_route_stumbles_over_a_parameter(signed_in_api: Api, value: str) -> None:
    for name, (path, route) in ROUTES.items():
        if route.methods != {"GET"} or name in {"follow_events", *PUBLIC_ROUTES}:
            continue
        declared = APP.openapi()["paths"][path]["get"].get("parameters", [])
        names = [p["name"] for p in declared if p["in"] == "query"]
        plain = re.sub(r"\{[^}]*\}", UUID, path)
        for parameter in names:
            answer = await signed_in_api.client.get(f"{plain}?{parameter}={value}")
            assert answer.status_code < 500, (name, parameter, answer.text)
        if "{" in path:
            answer = await signed_in_api.client.get(re.sub(r"\{[^}]*\}", value or "%20", path))
            assert answer.status_code < 500, (name, answer.text)


@pytest.mark.ac("api-08")
def test_the_document_needs_no_database_and_names_operations_by_their_functions() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "openwatch.api.openapi"],
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    document = json.loads(printed.stdout)
    assert document["openapi"].startswith("3.1")
    ids: list[str] = []
    for path, operations in document["paths"].items():
        for operation in operations.values():
            ids.append(operation["operationId"])
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"])
            assert operation["description"], path
            assert operation["tags"], path
            default = operation["responses"]["default"]["content"]
            assert default["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
    assert len(ids) == len(set(ids))
    assert document["components"]["securitySchemes"]["session"]["in"] == "cookie"


@pytest.mark.ac("api-08")
def test_the_document_gives_each_operation_its_permission() -> None:
    known = {p.name for p in permissions()} | {"public", "signed in"}
    paths = APP.openapi()["paths"]
    given = {op["operationId"]: op["x-permission"] for ops in paths.values() for op in ops.values()}
    assert set(given.values()) <= known
    assert given["list_hosts"] == "host:read"
    assert given["sign_in"] == "public"


@pytest.mark.ac("api-08")
def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = APP.openapi()
    text = json.dumps(document)
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in document["components"]["schemas"], name


@pytest.mark.ac("api-08")
async def test_document_and_page_are_public_and_load_nothing_from_outside(api: Api) -> None:
    document = await api.client.get("/api/v1/openapi.json")
    assert document.json()["info"]["title"] == "OpenWatch"
    page = await api.client.get("/api/v1/docs")
    assert page.status_code == 200
    assert "list_hosts" not in page.text
    assert "/api/v1/hosts/{host_id}" in page.text
    assert "<script" not in page.text
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {link for link in links if not link.startswith("#")} == {"docs.css", "openapi.json"}
    anchors = set(re.findall(r'id="([^"]+)"', page.text))
    assert {link[1:] for link in links if link.startswith("#")} <= anchors
    style = await api.client.get("/api/v1/docs.css")
    assert style.headers["content-type"].startswith("text/css")
