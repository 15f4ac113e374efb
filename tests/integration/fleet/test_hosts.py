"""The inventory over the API."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, insert, text

from openwatch.db.engine import Database
from openwatch.fleet.hosts.model import hosts
from openwatch.fleet.hosts.store import SORT_KEYS
from openwatch.kit.clock import now
from openwatch.kit.ids import uuid7
from tests.fixtures.worker import Platform


async def empty(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("TRUNCATE hosts CASCADE"))


async def fill(database: Database, rows: list[dict[str, Any]]) -> None:
    """Write hosts as scans would have left them."""
    at = now()
    plain = {
        "port": 22, "description": "", "tags": [], "host_key_policy": "accept_new",
        "created_at": at, "updated_at": at, "environment": None, "os_id": None,
        "os_version": None, "os_name": None, "score": None, "current_scan_id": None,
        "failing_critical": None, "failing_high": None, "failing_medium": None,
        "failing_low": None, "last_scan_id": None, "last_scan_state": None,
        "last_scan_finished_at": None, "pass_count": None, "fail_count": None,
        "error_count": None, "not_applicable_count": None, "manual_count": None,
        "not_configured_count": None, "score_formula": None,
    }  # fmt: skip
    async with database.transaction() as tx:
        values = [plain | {"id": uuid7(), "address": row["name"]} | row for row in rows]
        await tx.execute(insert(hosts), values)


def scanned(name: str, *, score: float | None, high: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "current_scan_id": uuid4(), "score": score, "score_formula": "f",
        "pass_count": 1, "fail_count": high, "error_count": 0, "not_applicable_count": 0,
        "manual_count": 0, "not_configured_count": 0, "failing_critical": 0,
        "failing_high": high, "failing_medium": 0, "failing_low": 0, "last_scan_id": uuid4(),
        "last_scan_state": "completed", "last_scan_finished_at": now(), "os_id": "debian",
        "os_version": "12", "os_name": "Debian GNU/Linux 12 (bookworm)",
    } | more  # fmt: skip


@pytest.mark.ac("fleet-01")
async def test_the_life_of_a_host(platform: Platform) -> None:
    await empty(platform.api.database)
    client = platform.api.client
    created = await client.post(
        "/api/v1/hosts",
        json={
            "name": " Web 1 ",
            "address": "WEB-1.example.org",
            "port": 2222,
            "environment": "production",
            "description": "first\r\nline",
            "tags": ["dmz", "pci", "dmz"],
        },
    )
    assert created.status_code == 201
    host = created.json()
    assert created.headers["location"] == f"/api/v1/hosts/{host['id']}"
    assert created.headers["etag"] == '"1"'
    assert (host["name"], host["address"]) == ("Web 1", "web-1.example.org")
    assert (host["tags"], host["description"]) == (["dmz", "pci"], "first\nline")
    assert (host["state"], host["score"], host["os"], host["last_scan"]) == (
        "never_scanned", None, None, None,
    )  # fmt: skip

    changed = await client.patch(
        f"/api/v1/hosts/{host['id']}",
        json={"environment": None, "port": 22},
        headers={"If-Match": '"1"'},
    )
    assert changed.status_code == 200
    assert changed.headers["etag"] == '"2"'
    assert (changed.json()["environment"], changed.json()["name"]) == (None, "Web 1")

    await platform.delete(f"/hosts/{host['id']}")
    assert (await client.get(f"/api/v1/hosts/{host['id']}")).status_code == 404
    assert (await platform.get("/hosts"))["total"] == 0
    await platform.delete(f"/hosts/{host['id']}", expect=404)
    kinds = [e["kind"] for e in await platform.events(host_id=host["id"])]
    assert kinds == ["host.created", "host.updated", "host.deleted"]


@pytest.mark.ac("fleet-25")
async def test_a_deleted_host_comes_back_with_all_it_had(platform: Platform) -> None:
    await empty(platform.api.database)
    jump = await platform.post("/hosts", {"name": "jump", "address": "10.0.0.9"})
    body = {"name": "web", "address": "10.0.0.1", "tags": ["a"], "jump_host_id": jump["id"]}
    host = await platform.post("/hosts", body)
    group = await platform.post("/groups", {"name": f"g-{uuid4()}"})
    await platform.post(f"/groups/{group['id']}/members", {"add": [host["id"]]}, expect=200)
    refused = await platform.post(f"/hosts/{host['id']}/restore", expect=409)
    assert refused["code"] == "host.not_deleted"
    await platform.post(f"/hosts/{uuid4()}/restore", expect=404)

    await platform.delete(f"/hosts/{host['id']}")
    await platform.delete(f"/hosts/{jump['id']}")
    deleted = await platform.get("/hosts", deleted=True)
    assert [one["name"] for one in deleted["items"]] == ["jump", "web"]
    assert all(one["deleted_at"] for one in deleted["items"])
    assert (await platform.get("/hosts"))["total"] == 0
    queued = await platform.post("/scans", {"filters": {"deleted": True}}, expect=202)
    assert queued["hosts"] == 0

    taken = await platform.post("/hosts", {"name": "WEB", "address": "10.0.0.2"})
    refused = await platform.post(f"/hosts/{host['id']}/restore", expect=409)
    assert refused["code"] == "host.exists"
    await platform.delete(f"/hosts/{taken['id']}")

    back = await platform.post(f"/hosts/{host['id']}/restore", expect=200)
    assert (back["name"], back["tags"], back["jump_host_id"], back["deleted_at"]) == (
        "web", ["a"], None, None,
    )  # fmt: skip
    in_group = await platform.get("/hosts", group=group["id"])
    assert [one["id"] for one in in_group["items"]] == [host["id"]]
    kinds = [event["kind"] for event in await platform.events(host_id=host["id"])]
    assert kinds == ["host.created", "host.deleted", "host.restored"]


@pytest.mark.ac("fleet-02")
async def test_a_name_belongs_to_one_host_at_a_time(platform: Platform) -> None:
    await empty(platform.api.database)
    body = {"name": "db", "address": "10.0.0.1"}
    answers = await asyncio.gather(
        *[platform.api.client.post("/api/v1/hosts", json=body) for _ in range(5)]
    )
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409, 409]
    refused = next(a for a in answers if a.status_code == 409).json()
    assert refused["code"] == "host.exists"
    assert refused["errors"][0]["field"] == "name"
    await platform.post("/hosts", {**body, "name": "DB"}, expect=409)

    first = (await platform.get("/hosts"))["items"][0]
    other = await platform.post("/hosts", {**body, "name": "db-2"})
    renamed = await platform.api.client.patch(
        f"/api/v1/hosts/{other['id']}", json={"name": "Db"}, headers={"If-Match": "*"}
    )
    assert renamed.status_code == 409
    await platform.delete(f"/hosts/{first['id']}")
    await platform.post("/hosts", body)


@pytest.mark.ac("fleet-03")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", "web-1:22"),
        ("address", "10.0.0.999"),
        ("address", "-oProxyCommand=id"),
        ("port", 0),
        ("port", 65536),
        ("name", ""),
        ("name", "web\n1"),
        ("name", "x" * 256),
        ("tags", ["a\x00b"]),
        ("tags", [f"t{n}" for n in range(51)]),
        ("username", "ro ot"),
        ("username", "-l"),
        ("host_key_policy", "never"),
        ("trust_host_key", "SHA256:short"),
        ("unknown_field", 1),
    ],
)
async def test_a_bad_field_is_named(platform: Platform, field: str, value: Any) -> None:
    body = {"name": "bad", "address": "10.0.0.1"} | {field: value}
    problem = await platform.post("/hosts", body, expect=422)
    assert problem["code"] == "request.invalid"
    assert problem["errors"][0]["field"].startswith(field)


@pytest.mark.ac("fleet-03")
async def test_what_a_host_refers_to_has_to_exist(platform: Platform) -> None:
    body = {"name": "ref", "address": "10.0.0.1"}
    for field, code in (
        ("credential_id", "credential.not_found"),
        ("jump_host_id", "host.jump_host_unknown"),
    ):
        problem = await platform.post("/hosts", body | {field: str(uuid4())}, expect=422)
        assert problem["code"] == code
        assert problem["errors"][0]["field"] == field


@pytest.mark.ac("fleet-04")
@pytest.mark.parametrize("key", sorted(SORT_KEYS))
async def test_every_order_shows_every_host_once(platform: Platform, key: str) -> None:
    await empty(platform.api.database)
    rows: list[dict[str, Any]] = [
        scanned(f"s{n:02}", score=n % 4 / 4, high=n % 3, environment="ab"[n % 2]) for n in range(12)
    ]
    rows += [{"name": f"N{n:02}"} for n in range(5)]
    rows.append(scanned("empty", score=None))
    await fill(platform.api.database, rows)
    for sort in (key, f"-{key}"):
        whole = (await platform.get("/hosts", sort=sort, limit=200))["items"]
        assert len(whole) == len(rows)
        paged: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await platform.get("/hosts", sort=sort, limit=4, **cursor)
            assert page["total"] == len(rows)
            paged += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert [host["id"] for host in paged] == [host["id"] for host in whole]
        _assert_sorted(whole, key, descending=sort.startswith("-"))


def _assert_sorted(items: list[dict[str, Any]], key: str, *, descending: bool) -> None:
    read = {
        "name": lambda h: h["name"].lower(),
        "score": lambda h: h["score"] and h["score"]["value"],
        "environment": lambda h: h["environment"],
        "last_scan": lambda h: h["last_scan"] and h["last_scan"]["finished_at"],
        "failing": lambda h: h["last_scan"] and h["failing"]["high"],
    }.get(key)
    if read is None:
        return
    values = [read(host) for host in items]
    present = [value for value in values if value is not None]
    assert values[len(present) :] == [None] * (len(values) - len(present))
    assert present == sorted(present, reverse=descending)


@pytest.mark.ac("fleet-04")
async def test_a_host_that_comes_between_two_pages_shifts_nothing(platform: Platform) -> None:
    await empty(platform.api.database)
    await fill(platform.api.database, [{"name": f"h{n}"} for n in range(6)])
    first = await platform.get("/hosts", limit=3)
    await platform.add_host("a-new", address="10.0.0.1")
    second = await platform.get("/hosts", limit=3, cursor=first["next_cursor"])
    names = [host["name"] for host in first["items"] + second["items"]]
    assert names == [f"h{n}" for n in range(6)]


@pytest.mark.ac("fleet-04")
@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"sort": "password"}, "request.sort_invalid"),
        ({"cursor": "rubbish"}, "request.cursor_invalid"),
        ({"cursor": "WyJuYW1lIiwieCJd"}, "request.cursor_invalid"),
        ({"cursor": "WyItc2NvcmUiLCJ4IiwieSJd", "sort": "-score"}, "request.cursor_invalid"),
        ({"limit": 0}, "request.invalid"),
        ({"limit": 201}, "request.invalid"),
        ({"state": "odd"}, "request.invalid"),
    ],
)
async def test_a_bad_question_is_told(
    platform: Platform, params: dict[str, Any], code: str
) -> None:
    answer = await platform.api.client.get("/api/v1/hosts", params=params)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] == code


@pytest.mark.ac("fleet-04")
async def test_a_cursor_of_another_order_is_refused(platform: Platform) -> None:
    await empty(platform.api.database)
    await fill(platform.api.database, [{"name": f"h{n}"} for n in range(3)])
    cursor = (await platform.get("/hosts", limit=1))["next_cursor"]
    answer = await platform.api.client.get(
        "/api/v1/hosts", params={"sort": "-name", "cursor": cursor}
    )
    assert answer.json()["code"] == "request.cursor_invalid"


@pytest.mark.ac("fleet-05")
async def test_search_and_filters_narrow_on_the_server(platform: Platform) -> None:
    await empty(platform.api.database)
    await fill(
        platform.api.database,
        [
            scanned("web-1", score=0.9, environment="prod", tags=["dmz", "pci"]),
            scanned("web-2", score=0.4, environment="test", tags=["dmz"], last_scan_state="failed"),
            scanned("db_1", score=None, os_id="ubuntu", os_version="24.04", os_name="Ubuntu"),
            {"name": "new-100%", "address": "10.0.0.9", "tags": ["pci"]},
        ],
    )

    async def names(**params: Any) -> list[str]:
        page = await platform.get("/hosts", **params)
        assert page["total"] == len(page["items"])
        return [host["name"] for host in page["items"]]

    assert await names(search="WEB") == ["web-1", "web-2"]
    assert await names(search="100%") == ["new-100%"]
    assert await names(search="%") == ["new-100%"]
    assert await names(search="_") == ["db_1"]
    assert await names(search="10.0.0.9") == ["new-100%"]
    assert await names(search="bookworm") == ["web-1", "web-2"]
    assert await names(search="PCI") == ["new-100%", "web-1"]
    assert await names(search="nothing") == []
    assert await names(state="failed") == ["web-2"]
    assert await names(state=["failed", "never_scanned"]) == ["new-100%", "web-2"]
    assert await names(os="debian 12") == ["web-1", "web-2"]
    assert await names(environment=["prod", "test"]) == ["web-1", "web-2"]
    assert await names(tag="pci", search="web") == ["web-1"]
    assert await names(score_below=0.5) == ["web-2"]

    found = await platform.get("/hosts/facets", tag="dmz")
    assert found["environment"] == {"prod": 1, "test": 1}
    assert found["state"] == {"failed": 1, "ok": 1}
    assert found["os"] == {"debian 12": 2}
    assert found["tag"] == {"dmz": 2, "pci": 2}


@pytest.mark.ac("fleet-06")
async def test_a_page_takes_the_same_statements_whatever_its_size(platform: Platform) -> None:
    await empty(platform.api.database)
    await fill(platform.api.database, [scanned(f"h{n:03}", score=0.5) for n in range(120)])
    engine = platform.api.database._engine.sync_engine
    statements: list[str] = []

    def count(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "hosts" in statement:
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    try:
        seen = []
        for limit in (1, 120):
            statements.clear()
            assert len((await platform.get("/hosts", limit=limit))["items"]) == limit
            seen.append(len(statements))
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert seen == [2, 2]


@pytest.mark.ac("fleet-07")
async def test_a_change_of_an_old_version_is_refused(platform: Platform) -> None:
    host = await platform.add_host(f"v-{uuid4()}", address="10.0.0.1")
    path, client = f"/api/v1/hosts/{host}", platform.api.client
    without = await client.patch(path, json={"port": 23})
    assert (without.status_code, without.json()["code"]) == (428, "request.precondition_required")
    assert (await client.patch(path, json={"port": 23}, headers={"If-Match": '"1"'})).is_success
    stale = await client.patch(path, json={"port": 24}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "request.precondition_failed")
    assert (await client.get(path)).json()["port"] == 23


@pytest.mark.ac("fleet-07")
async def test_of_two_changes_at_once_one_is_refused(platform: Platform) -> None:
    host = await platform.add_host(f"v-{uuid4()}", address="10.0.0.1")
    answers = await asyncio.gather(
        *[
            platform.api.client.patch(
                f"/api/v1/hosts/{host}", json={"port": port}, headers={"If-Match": '"1"'}
            )
            for port in (1001, 1002)
        ]
    )
    assert sorted(a.status_code for a in answers) == [200, 412]


@pytest.mark.ac("fleet-17")
async def test_a_way_does_not_lead_through_itself(platform: Platform) -> None:
    names = [f"{name}-{uuid4()}" for name in "abc"]
    a = await platform.add_host(names[0], address="10.0.0.1")
    b = await platform.add_host(names[1], address="10.0.0.2", jump_host_id=a)
    c = await platform.add_host(names[2], address="10.0.0.3", jump_host_id=b)

    async def lead(host: str, over: str | None) -> Any:
        return await platform.api.client.patch(
            f"/api/v1/hosts/{host}", json={"jump_host_id": over}, headers={"If-Match": "*"}
        )

    looped = await lead(a, c)
    assert (looped.status_code, looped.json()["code"]) == (422, "host.jump_host_loop")
    assert " → ".join([names[0], names[2], names[1], names[0]]) in looped.json()["detail"]
    assert (await lead(a, a)).json()["code"] == "host.jump_host_loop"
    used = await platform.api.client.delete(f"/api/v1/hosts/{b}")
    assert (used.status_code, used.json()["code"]) == (409, "host.is_jump_host")
    assert names[2] in used.json()["detail"]
    assert (await lead(c, None)).is_success
    await platform.delete(f"/hosts/{b}")


@pytest.mark.ac("fleet-17")
async def test_a_way_has_an_end(platform: Platform) -> None:
    last = None
    for hop in range(6):
        last = await platform.add_host(
            f"hop-{hop}-{uuid4()}", address=f"10.0.1.{hop}", jump_host_id=last
        )
    problem = await platform.post(
        "/hosts", {"name": "far", "address": "10.0.1.9", "jump_host_id": last}, expect=422
    )
    assert problem["code"] == "host.jump_chain_too_long"
