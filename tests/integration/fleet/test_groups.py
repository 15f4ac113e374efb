"""Groups over the API: by hand, by rule, in each other."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import uuid4

import pytest
import regex
from hypothesis import HealthCheck, given, settings
from sqlalchemy import select

from openwatch.fleet.groups.conditions import condition
from openwatch.fleet.groups.expression import (
    AllOf,
    AnyOf,
    Comparison,
    Expression,
    Kind,
    Not,
    Operator,
    parse,
)
from openwatch.fleet.groups.service import MAX_DEPTH
from openwatch.fleet.hosts.model import hosts
from tests.fixtures.worker import Platform
from tests.integration.fleet.test_hosts import empty, fill, scanned
from tests.unit.fleet.groups.test_expression import EXPRESSIONS


async def add(platform: Platform, *, expect: int = 201, **body: Any) -> dict[str, Any]:
    return await platform.post("/groups", {"name": f"g-{uuid4()}"} | body, expect=expect)


async def change(platform: Platform, group_id: str, **body: Any) -> Any:
    return await platform.api.client.patch(
        f"/api/v1/groups/{group_id}", json=body, headers={"If-Match": "*"}
    )


async def names(platform: Platform, *group_ids: str) -> list[str]:
    """The hosts that the list shows when it is narrowed to groups."""
    found = await platform.api.client.get("/api/v1/hosts", params={"group": list(group_ids)})
    assert found.status_code == 200, found.text
    return [host["name"] for host in found.json()["items"]]


async def put_in(platform: Platform, group_id: str, **changes: list[str]) -> dict[str, Any]:
    return await platform.post(f"/groups/{group_id}/members", changes, expect=200)


async def host_ids(platform: Platform) -> dict[str, str]:
    found = await platform.api.client.get("/api/v1/hosts", params={"limit": 200})
    return {host["name"]: host["id"] for host in found.json()["items"]}


FLEET = [
    scanned("web-1", score=0.57, high=3, tags=["web"], environment="production"),
    scanned("web-2", score=0.9, high=1, tags=["Web", "pci"], os_id="ubuntu", os_version="22.04"),
    scanned("db-1", score=None, tags=["db"], os_id="rhel", os_version="9.4"),
    {"name": "new-1", "address": "10.1.2.3", "environment": "lab"},
    {"name": "new-2", "address": "2001:db8::5", "tags": ["two words"]},
]


@pytest.fixture
async def fleet(platform: Platform) -> dict[str, str]:
    await empty(platform.api.database)
    await fill(platform.api.database, FLEET)
    return await host_ids(platform)


@pytest.mark.ac("fleet-20")
async def test_a_group_by_hand(platform: Platform, fleet: dict[str, str]) -> None:
    group = await add(platform, name=f"Web {uuid4()}", description="what faces the world")
    assert (group["membership"], group["rule"], group["hosts"]["total"]) == ("manual", None, 0)
    changed = await put_in(
        platform, group["id"], add=[fleet["web-1"], fleet["web-2"], fleet["web-1"]]
    )
    assert changed == {"added": 2, "removed": 0}
    assert await put_in(platform, group["id"], add=[fleet["web-1"]]) == {"added": 0, "removed": 0}
    assert await names(platform, group["id"]) == ["web-1", "web-2"]
    assert await put_in(platform, group["id"], add=[fleet["db-1"]], remove=[fleet["web-2"]]) == {
        "added": 1, "removed": 1,
    }  # fmt: skip
    assert await names(platform, group["id"]) == ["db-1", "web-1"]
    of_host = await platform.get(f"/hosts/{fleet['db-1']}/groups")
    assert {"id": group["id"], "name": group["name"], "membership": "manual"} in of_host["items"]

    unknown = await platform.post(
        f"/groups/{group['id']}/members", {"add": [str(uuid4())]}, expect=404
    )
    assert unknown["code"] == "host.unknown"
    removed = await platform.api.client.delete(f"/api/v1/hosts/{fleet['db-1']}")
    assert removed.status_code == 204
    assert await names(platform, group["id"]) == ["web-1"]
    assert (await platform.get(f"/groups/{group['id']}"))["hosts"]["total"] == 1


@pytest.mark.ac("fleet-20")
async def test_a_group_by_rule_holds_what_comes_later(
    platform: Platform, fleet: dict[str, str]
) -> None:
    group = await add(platform, rule="tag = web")
    assert await names(platform, group["id"]) == ["web-1", "web-2"]
    await fill(platform.api.database, [{"name": "web-3", "tags": ["WEB"]}])
    assert await names(platform, group["id"]) == ["web-1", "web-2", "web-3"]
    of_host = await platform.get(f"/hosts/{fleet['web-1']}/groups")
    assert {"id": group["id"], "name": group["name"], "membership": "rule"} in of_host["items"]
    refused = await platform.post(
        f"/groups/{group['id']}/members", {"add": [fleet["db-1"]]}, expect=409
    )
    assert refused["code"] == "group.holds_by_rule"

    by_hand = await change(platform, group["id"], rule=None)
    assert by_hand.json()["membership"] == "manual"
    assert await names(platform, group["id"]) == []
    await put_in(platform, group["id"], add=[fleet["db-1"]])
    by_rule = await change(platform, group["id"], rule="os = ubuntu")
    assert by_rule.json()["hosts"]["total"] == 1
    assert await names(platform, group["id"]) == ["web-2"]


@pytest.mark.ac("fleet-20")
async def test_hosts_are_added_up(platform: Platform, fleet: dict[str, str]) -> None:
    assert fleet
    group = await add(platform, rule="name ~ *-1")
    found = group["hosts"]
    assert (found["total"], found["measured"], found["mean_score"]) == (3, 1, 0.57)
    assert found["states"] == {"never_scanned": 1, "scanning": 0, "ok": 2, "failed": 0}
    assert found["failing"] == {"critical": 0, "high": 3, "medium": 0, "low": 0}


@pytest.mark.ac("fleet-20")
async def test_a_group_holds_what_the_groups_in_it_hold(
    platform: Platform, fleet: dict[str, str]
) -> None:
    site = await add(platform)
    rack = await add(platform, parent_id=site["id"])
    linux = await add(platform, parent_id=rack["id"], rule="os = rhel")
    await put_in(platform, rack["id"], add=[fleet["web-1"]])
    assert await names(platform, site["id"]) == ["db-1", "web-1"]
    assert await names(platform, linux["id"]) == ["db-1"]
    assert await names(platform, linux["id"], rack["id"]) == ["db-1", "web-1"]
    assert (await platform.get(f"/groups/{site['id']}"))["hosts"]["total"] == 2
    inside = (await platform.get(f"/groups/{linux['id']}"))["inside"]
    assert inside == [{"id": one["id"], "name": one["name"]} for one in (site, rack)]
    ours = {site["id"], rack["id"], linux["id"]}
    of_host = await platform.get(f"/hosts/{fleet['web-1']}/groups")
    assert [one["id"] for one in of_host["items"] if one["id"] in ours] == [rack["id"]]
    assert await names(platform, str(uuid4())) == []


@pytest.mark.ac("fleet-23")
async def test_groups_do_not_stand_in_themselves(platform: Platform) -> None:
    top = await add(platform)
    chain = [top]
    for _ in range(MAX_DEPTH - 1):
        chain.append(await add(platform, parent_id=chain[-1]["id"]))
    too_deep = await add(platform, parent_id=chain[-1]["id"], expect=422)
    assert too_deep["code"] == "group.too_deep"
    loop = await change(platform, top["id"], parent_id=chain[2]["id"])
    assert loop.json()["code"] == "group.loop"
    assert (
        f"{top['name']} in {chain[2]['name']} in {chain[1]['name']} in {top['name']}"
        in (loop.json()["detail"])
    )
    other = await add(platform)
    moved = await change(platform, top["id"], parent_id=other["id"])
    assert moved.json()["code"] == "group.too_deep"
    unknown = await add(platform, parent_id=str(uuid4()), expect=422)
    assert unknown["code"] == "group.not_found"

    kept = await platform.api.client.delete(f"/api/v1/groups/{top['id']}")
    assert kept.status_code == 409
    assert kept.json()["code"] == "group.has_groups"
    assert chain[1]["name"] in kept.json()["detail"]


@pytest.mark.ac("fleet-23")
async def test_a_removed_group_leaves_its_hosts(platform: Platform, fleet: dict[str, str]) -> None:
    group = await add(platform)
    await put_in(platform, group["id"], add=list(fleet.values()))
    taken = await add(platform, name=group["name"].upper(), expect=409)
    assert taken["code"] == "group.exists"
    removed = await platform.api.client.delete(f"/api/v1/groups/{group['id']}")
    assert removed.status_code == 204
    gone = await platform.api.client.get(f"/api/v1/groups/{group['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "group.unknown")
    assert await host_ids(platform) == fleet
    await add(platform, name=group["name"])


@pytest.mark.ac("fleet-07")
async def test_a_group_is_not_changed_over_a_later_change(platform: Platform) -> None:
    group = await add(platform)
    path = f"/api/v1/groups/{group['id']}"
    client = platform.api.client
    first = await client.patch(path, json={"description": "a"}, headers={"If-Match": '"1"'})
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    second = await client.patch(path, json={"description": "b"}, headers={"If-Match": '"1"'})
    assert (second.status_code, second.json()["code"]) == (412, "request.precondition_failed")


@pytest.mark.ac("fleet-24")
async def test_a_rule_is_tried(platform: Platform, fleet: dict[str, str]) -> None:
    found = await platform.post("/groups/preview", {"rule": " tag = web "}, expect=200)
    assert (found["total"], found["of"]) == (2, len(fleet))
    assert [host["name"] for host in found["hosts"]] == ["web-1", "web-2"]
    refused = await platform.post("/groups/preview", {"rule": "tag = "}, expect=422)
    assert refused["code"] == "group.rule_invalid"
    missing = await platform.post("/groups/preview", {"rule": "  "}, expect=422)
    assert missing["code"] == "group.rule_missing"
    fields = await platform.get("/groups/rule-fields")
    assert {"name": "tag", "kind": "tags"}.items() <= {
        field["name"]: field for field in fields["items"]
    }["tag"].items()


@pytest.mark.ac("fleet-21")
@pytest.mark.parametrize(
    ("rule", "held"),
    [
        ("os_version >= 12", ["web-1", "web-2"]),
        ("os_version = 9.4", ["db-1"]),
        ("os_version < 12", ["db-1"]),
        ("not os_version >= 12", ["db-1", "new-1", "new-2"]),
        ("score < 57.1", ["web-1"]),
        ("score = 57", ["web-1"]),
        ("score is not set", ["db-1", "new-1", "new-2"]),
        ("address = 10.0.0.0/8", ["new-1"]),
        ("address = 10.1.2.3", ["new-1"]),
        ("address in (2001:db8::/32, 10.1.2.0/24)", ["new-1", "new-2"]),
        ("address != 10.0.0.0/8", ["db-1", "new-2", "web-1", "web-2"]),
        ("environment != production", ["db-1", "new-1", "new-2", "web-2"]),
        ("environment is set", ["new-1", "web-1"]),
        ('tag = "two words" or tag ~ p?i', ["new-2", "web-2"]),
        ("tag is not set", ["new-1"]),
        ("name ~ new_1", []),
        ("state = never_scanned", ["new-1", "new-2"]),
    ],
)
async def test_what_a_rule_holds(
    platform: Platform, fleet: dict[str, str], rule: str, held: list[str]
) -> None:
    assert fleet
    found = await platform.post("/groups/preview", {"rule": rule}, expect=200)
    assert [host["name"] for host in found["hosts"]] == held


@pytest.mark.ac("fleet-21")
async def test_every_rule_holds_what_it_describes(
    platform: Platform, fleet: dict[str, str]
) -> None:
    """PostgreSQL and a plain reading of the rule agree, whatever the rule."""
    assert fleet
    async with platform.api.database.read() as conn:
        rows = [dict(row) for row in (await conn.execute(select(hosts))).mappings()]
        seen: list[Expression] = []

        @settings(
            max_examples=150,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
            database=None,
        )
        @given(EXPRESSIONS)
        def gather(expression: Expression) -> None:
            seen.append(expression)

        gather()
        for expression in seen:
            statement = select(hosts.c.name).where(condition(expression))
            held = set((await conn.execute(statement)).scalars())
            assert held == {row["name"] for row in rows if fulfils(row, expression)}, expression


def fulfils(host: Mapping[Any, Any], expression: Expression) -> bool:
    match expression:
        case Not(inner):
            return not fulfils(host, inner)
        case AllOf(parts):
            return all(fulfils(host, part) for part in parts)
        case AnyOf(parts):
            return any(fulfils(host, part) for part in parts)
        case Comparison():
            return compared(host, expression)


COLUMN = {"tag": "tags", "os": "os_id"}
OPPOSITE = {Operator.UNEQUAL: Operator.EQUAL, Operator.UNLIKE: Operator.LIKE}


def compared(host: Mapping[Any, Any], asked: Comparison) -> bool:
    if asked.operator in OPPOSITE:
        return not compared(host, Comparison(asked.field, OPPOSITE[asked.operator], asked.values))
    value = host[COLUMN.get(asked.field.name, asked.field.name)]
    has = value if isinstance(value, list) else [value]
    given_values = [
        one for one in has if one is not None and (one != "" or asked.field.name != "description")
    ]
    if asked.operator is Operator.SET:
        return bool(given_values)
    return any(equal(asked, one, wanted) for one in given_values for wanted in asked.values)


def equal(asked: Comparison, value: Any, wanted: str) -> bool:
    match asked.field.kind:
        case Kind.NUMBER:
            number = round(value * 100, 6) if asked.field.name == "score" else value
            return in_order(asked.operator, number, float(wanted))
        case Kind.VERSION:
            parts = [int(part) for part in value.split(".")]
            return in_order(asked.operator, parts, [int(part) for part in wanted.split(".")])
        case _ if asked.operator is Operator.LIKE:
            pattern = "".join(
                {"*": ".*", "?": "."}.get(character, regex.escape(character))
                for character in wanted
            )
            return regex.fullmatch(pattern, value, regex.IGNORECASE | regex.DOTALL) is not None
        case Kind.ADDRESS if "/" in wanted:
            return is_address(value) and ip_address(value) in ip_network(wanted, strict=False)
        case _:
            return value.lower() == wanted.lower()


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def in_order(operator: Operator, one: Any, other: Any) -> bool:
    return {
        Operator.EQUAL: one == other,
        Operator.LESS: one < other,
        Operator.AT_MOST: one <= other,
        Operator.MORE: one > other,
        Operator.AT_LEAST: one >= other,
    }[operator]


@pytest.mark.ac("fleet-22")
async def test_a_rule_cannot_reach_the_query(platform: Platform, fleet: dict[str, str]) -> None:
    for value in ("'; DROP TABLE hosts; --", "%", "_", "\\", "$1", ":name", "%(x)s", "é", "ß"):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        found = await platform.post("/groups/preview", {"rule": f'name ~ "{quoted}"'}, expect=200)
        assert found["total"] == 0, value
    assert await host_ids(platform) == fleet
    assert parse("name = a")
