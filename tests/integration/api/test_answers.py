"""What every answer has in common, and what is said when something goes wrong."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from openwatch.api import health
from openwatch.db import migrate
from openwatch.kit.errors import registered
from tests.fixtures.api import Api, running_app

MEMBERS = {"type", "title", "status", "code", "detail", "fix", "instance", "request_id"}


def _problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """Check what every problem must have, and return it."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert set(problem) >= MEMBERS
    # Asked for here: the application registers its errors when it is first used.
    kinds = {kind.code: kind for kind in registered()}
    assert problem["status"] == status == kinds[code].status
    assert problem["type"] == f"urn:openwatch:error:{code}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"].endswith(".")
    assert problem["fix"].endswith(".")
    assert answer.headers["cache-control"] == "no-store"
    return problem


@pytest.mark.ac("api-01")
async def test_an_unknown_address(api: Api) -> None:
    for path in ("/api/v1/nothing", "/api/v2/hosts", "/api/", "/api/v1/hosts/"):
        problem = _problem(await api.client.get(path), 404, "request.not_found")
        assert problem["instance"] == path


@pytest.mark.ac("api-01")
async def test_a_wrong_method_names_the_right_ones(api: Api) -> None:
    answer = await api.client.put("/api/v1/session")
    problem = _problem(answer, 405, "request.method_not_allowed")
    assert answer.headers["allow"] == "DELETE, GET, POST"
    assert "DELETE, GET, POST" in str(problem["fix"])


@pytest.mark.ac("api-01")
@pytest.mark.parametrize(
    ("content", "kind", "fields"),
    [
        (b"{", "application/json", [""]),
        (b"", "application/json", [""]),
        (b"null", "application/json", [""]),
        (b'{"username": "a"}', "application/json", ["password"]),
        (b'{"username": "a", "password": 7, "x": 1}', "application/json", ["password", "x"]),
        (b'{"username": "a", "password": "b"}', "text/plain", [""]),
        (b"\xff\xff", "application/json", None),
        (b"[" * 100_000, "application/json", None),
        (b'{"username": ' + b"9" * 5000 + b"}", "application/json", None),
    ],
)
async def test_a_body_that_cannot_be_accepted(
    api: Api, content: bytes, kind: str, fields: list[str] | None
) -> None:
    answer = await api.client.post(
        "/api/v1/session", content=content, headers={"Content-Type": kind}
    )
    if fields is None:
        _problem(answer, 400, "request.refused")
        return
    problem = _problem(answer, 422, "request.invalid")
    errors = problem["errors"]
    assert isinstance(errors, list)
    assert sorted(error["field"] for error in errors) == fields
    assert all(error["message"] for error in errors)


@pytest.mark.ac("api-01")
async def test_what_was_sent_is_not_sent_back(api: Api) -> None:
    body = {"username": "ada", "password": ["hunter2 hunter2"], "secret": "hunter2"}
    answer = await api.client.post("/api/v1/session", json=body)
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


@pytest.mark.ac("api-04")
async def test_every_answer_has_an_id_and_safe_headers(api: Api) -> None:
    paths = ("/", "/api/v1/docs", "/api/v1/session", "/api/v1/nothing", "/healthz", "/assets/x.js")
    for path in paths:
        headers = (await api.client.get(path)).headers
        assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])
        policy = headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in headers
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


@pytest.mark.ac("api-04")
@pytest.mark.parametrize(
    ("sent", "is_kept"),
    [("my-trace_01", True), ("x" * 65, False), ("a b", False), ("", False), ("<script>", False)],
)
async def test_a_client_may_choose_the_id_of_its_request(
    api: Api, sent: str, is_kept: bool
) -> None:
    answer = await api.client.get("/healthz", headers={"X-Request-Id": sent})
    assert (answer.headers["x-request-id"] == sent) is is_kept


@pytest.mark.ac("api-06")
async def test_a_strange_host_name_is_refused_except_for_health(api: Api) -> None:
    headers = {"Host": "rebound.example"}
    answer = await api.client.get("/api/v1/setup", headers=headers)
    _problem(answer, 421, "request.unknown_host_name")
    assert (await api.client.get("/", headers=headers)).status_code == 421
    assert (await api.client.get("/healthz", headers=headers)).status_code == 200


@pytest.mark.ac("api-05")
async def test_a_body_of_a_megabyte_and_more_is_refused(api: Api) -> None:
    body = json.dumps({"username": "x" * 1024 * 1024, "password": "x"}).encode()
    answer = await api.client.post("/api/v1/session", content=body)
    _problem(answer, 413, "request.too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    answer = await api.client.post(
        "/api/v1/session", content=chunks(), headers={"Content-Type": "application/json"}
    )
    _problem(answer, 413, "request.too_large")


def _break(app: FastAPI, failure: Exception, path: str) -> None:
    async def broken() -> None:
        raise failure

    app.add_api_route(f"/api/v1/{path}", broken)


@pytest.mark.ac("api-02")
async def test_a_fault_is_logged_with_the_id_and_nothing_of_it_is_told(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    _break(api.app, RuntimeError("the secret is swordfish"), "broken")
    answer = await api.client.get("/api/v1/broken")
    problem = _problem(answer, 500, "internal.error")
    assert "swordfish" not in answer.text
    assert "RuntimeError" not in answer.text
    logged = capsys.readouterr().err
    assert "swordfish" in logged
    assert str(problem["request_id"]) in logged


@pytest.mark.ac("api-03")
async def test_a_database_that_is_away_is_told_and_comes_back(api: Api) -> None:
    url = api.database.url
    async with api.database.read() as conn:
        name = (await conn.execute(text("SELECT current_database()"))).scalar_one()
    await _rename(url, name, "away")
    answer = await api.client.get("/api/v1/setup")
    ready = await api.client.get("/readyz")
    await _rename(url, "away", name)
    problem = _problem(answer, 503, "service.database_unavailable")
    assert problem["retryable"] is True
    assert url not in answer.text
    assert (ready.status_code, ready.json()["cause"]) == (503, "The database does not answer.")
    assert (await api.client.get("/api/v1/setup")).status_code == 200


async def _rename(url: str, old: str, new: str) -> None:
    """Rename a database under the feet of those who are connected."""
    import psycopg

    postgres = re.sub(r"/(test_\d+|away)\?", "/postgres?", url)
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as admin:
        for _ in range(50):
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [old]
            )
            try:
                await admin.execute(f'ALTER DATABASE "{old}" RENAME TO "{new}"'.encode())
            except psycopg.errors.ObjectInUse:
                continue
            return
    raise AssertionError("the database stays in use")


@pytest.mark.ac("api-07")
async def test_liveness_needs_nothing(tmp_path: Path) -> None:
    nowhere = "postgresql://openwatch@127.0.0.1:1/openwatch"
    async with running_app(nowhere, tmp_path) as api:
        assert (await api.client.get("/healthz")).json() == {"status": "alive"}
        answer = await api.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == [
        {"name": "database", "ok": False, "detail": "The database does not answer."}
    ]


@pytest.mark.ac("api-07")
async def test_readiness_names_what_is_missing(
    fresh_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_app(fresh_database_url, tmp_path) as api:
        answer = await api.client.get("/readyz")
        assert answer.status_code == 503
        assert "openwatch worker" in answer.json()["cause"]
        assert [check["name"] for check in answer.json()["checks"]] == [
            "database",
            "schema",
            "worker",
        ]
        monkeypatch.setattr(migrate, "head", lambda: "9999_future")
        cause = (await api.client.get("/readyz")).json()["cause"]
        assert "9999_future" in cause
        assert "owadm migrate" in cause
        async with api.database.transaction() as tx:
            await tx.execute(text("DROP TABLE alembic_version"))
        assert "empty" in (await api.client.get("/readyz")).json()["cause"]


@pytest.mark.ac("api-07")
@pytest.mark.parametrize(("age", "status"), [(5, 200), (59, 200), (61, 503)])
async def test_readiness_needs_a_worker_that_was_seen_within_a_minute(
    api: Api, monkeypatch: pytest.MonkeyPatch, age: int, status: int
) -> None:
    from datetime import timedelta

    from openwatch.kit.clock import now

    async def seen(_conn: object) -> object:
        return now() - timedelta(seconds=age)

    monkeypatch.setattr(health, "worker_last_seen", seen)
    answer = await api.client.get("/readyz")
    assert answer.status_code == status
    assert answer.json()["ready"] is (status == 200)
    assert (answer.json()["cause"] is None) is (status == 200)


@pytest.mark.ac("api-09")
async def test_the_vocabulary_comes_from_the_registries(signed_in_api: Api) -> None:
    meta = (await signed_in_api.client.get("/api/v1/meta")).json()
    session = (await signed_in_api.client.get("/api/v1/session")).json()
    assert {p["name"] for p in meta["permissions"]} == set(session["permissions"])
    assert [v["name"] for v in meta["verdicts"]] == [
        "pass",
        "fail",
        "error",
        "not_applicable",
        "manual",
        "not_configured",
    ]
    assert [s["name"] for s in meta["severities"]] == ["critical", "high", "medium", "low"]
    assert {"name": "access-control", "label": "Access control"} in meta["categories"]
    assert {"scan.completed", "scan.progress"} <= {kind["name"] for kind in meta["event_kinds"]}
    assert {code["code"] for code in meta["error_codes"]} >= {"auth.locked", "host.unreachable"}
    assert meta["score"]["formula"] == "pass / (pass + fail + error)"


@pytest.mark.ac("api-01")
def test_every_registered_error_is_a_sentence_with_a_way_out() -> None:
    for kind in registered():
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", kind.code)
        assert 400 <= kind.status <= 599, kind.code
        for sentence in (kind.message, kind.fix):
            assert sentence[-1] in ".}:", kind.code
            assert sentence == sentence.strip()
