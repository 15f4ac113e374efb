"""Imports over the API: the real queue, a real worker process, a real database."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from openwatch.fleet.hosts.model import LIVE, hosts
from openwatch.fleet.imports.runner import BATCH, run_import
from openwatch.fleet.imports.service import tidy_up
from tests.fixtures.worker import KEPT, Platform, Workers
from tests.integration.fleet.test_hosts import empty

OVER = ("completed", "failed")


async def send(platform: Platform, path: str, data: bytes | str, **wanted: Any) -> Any:
    return await platform.api.client.post(
        f"/api/v1/bulk/hosts/{path}",
        params=wanted,
        content=data.encode() if isinstance(data, str) else data,
        headers={"Content-Type": "application/octet-stream"},
    )


async def analyze(platform: Platform, data: bytes | str, **wanted: Any) -> dict[str, Any]:
    answer = await send(platform, "analyze-csv", data, **wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ask(platform: Platform, data: bytes | str, **wanted: Any) -> dict[str, Any]:
    answer = await send(platform, "import", data, **wanted)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def until_over(platform: Platform, import_id: str, *, within: float = 60.0) -> dict[str, Any]:
    deadline = time.monotonic() + within
    while True:
        found = await platform.get(f"/bulk/hosts/imports/{import_id}")
        if found["state"] in OVER:
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


async def load(platform: Platform, data: bytes | str, **wanted: Any) -> dict[str, Any]:
    return await until_over(platform, (await ask(platform, data, **wanted))["id"])


async def rows(platform: Platform, import_id: str, *outcomes: str) -> list[dict[str, Any]]:
    found = await platform.get(
        f"/bulk/hosts/imports/{import_id}/rows", outcome=list(outcomes), limit=200
    )
    return found["items"]


async def host(platform: Platform, name: str) -> dict[str, Any]:
    found = await platform.get("/hosts", search=name, limit=200)
    (one,) = [item for item in found["items"] if item["name"] == name]
    return one


async def number_of_hosts(platform: Platform) -> int:
    async with platform.api.database.read() as conn:
        statement = select(func.count()).select_from(hosts).where(LIVE)
        return (await conn.execute(statement)).scalar_one()


def counts(**some: int) -> dict[str, int]:
    return {
        "created": 0, "updated": 0, "unchanged": 0, "skipped": 0, "refused": 0, **some,
    }  # fmt: skip


@pytest.fixture
async def fleet(platform: Platform, workers: Workers) -> AsyncIterator[Platform]:
    """The platform without hosts, and a worker."""
    await empty(platform.api.database)
    workers.start()
    yield platform
    print(workers.logs())


FLEET_CSV = """Host Name;IP;SSH Port;Env;Labels;Site;Notes
web-1;10.0.0.1;22;production;web,pci;Berlin;"behind
the balancer"
web-2;10.0.0.2;2222;production;web;Berlin;=cmd|' /C calc'!A0
db-1;10.0.0.300;22;lab;;Hamburg;
db-2;2001:0DB8::5;;;db;"Hamburg,Databases";
web-1;10.0.0.9;;;;;again
"""


@pytest.mark.ac("fleet-40")
async def test_a_file_is_told_before_it_is_imported(platform: Platform) -> None:
    found = await analyze(platform, FLEET_CSV.encode("utf-16"))
    assert (found["format"], found["encoding"], found["delimiter"]) == ("csv", "utf-16-le", ";")
    assert [column["field"] for column in found["columns"]] == [
        "name", "address", "port", "environment", "tags", "group", "description",
    ]  # fmt: skip
    assert all(column["confidence"] >= 0.7 for column in found["columns"])
    assert (found["total"], found["refused"]) == (5, 2)
    assert [problem["line"] for problem in found["problems"]] == [5, 7]
    assert "10.0.0.300" in found["problems"][0]["text"]
    assert found["problems"][1]["text"] == "Line 2 has the same name, web-1."


@pytest.mark.ac("fleet-41")
async def test_row_by_row_what_is_right_comes_in(fleet: Platform) -> None:
    done = await load(fleet, FLEET_CSV, file_name="fleet.csv")
    assert (done["state"], done["total"], done["done"]) == ("completed", 5, 5)
    assert done["counts"] == counts(created=3, refused=2)
    web = await host(fleet, "web-1")
    assert (web["address"], web["environment"], web["tags"]) == (
        "10.0.0.1", "production", ["web", "pci"],
    )  # fmt: skip
    assert web["description"] == "behind\nthe balancer"
    second = await host(fleet, "web-2")
    assert (second["port"], second["description"]) == (2222, "=cmd|' /C calc'!A0")
    assert (await host(fleet, "db-2"))["address"] == "2001:db8::5"
    groups = {
        group["name"]: group["hosts"]["total"]
        for group in (await fleet.get("/groups", limit=200))["items"]
    }
    assert groups["Berlin"] == 2
    assert groups["Hamburg"] == groups["Databases"] == 1

    refused = await rows(fleet, done["id"], "refused")
    assert [(row["line"], row["name"]) for row in refused] == [(5, "db-1"), (7, "web-1")]
    kinds = [event["kind"] for event in await fleet.events(subject_id=done["id"])]
    assert kinds == ["import.created", "import.completed"]


@pytest.mark.ac("fleet-44")
async def test_refused_rows_are_corrected_in_their_file_and_come_in(fleet: Platform) -> None:
    bad = 'name,address,notes\n=1+1,10.0.0.999,"a, ""b"""\nok-1,10.0.0.1,\n-x,10.0.0.2,@home\n'
    done = await load(fleet, bad)
    assert done["counts"] == counts(created=2, refused=1)
    answer = await fleet.api.client.get(f"/api/v1/bulk/hosts/imports/{done['id']}/refused.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    told = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))
    assert told[0] == ["line", "problem", "name", "address", "notes"]
    assert told[1][0] == "2"
    assert "10.0.0.999" in told[1][1]
    assert told[1][2:] == ["'=1+1", "10.0.0.999", 'a, "b"']
    mended = await load(fleet, answer.text.replace("10.0.0.999", "10.0.0.99"))
    assert mended["counts"] == counts(created=1)
    assert (await host(fleet, "=1+1"))["description"] == 'a, "b"'


@pytest.mark.ac("fleet-41")
async def test_atomic_is_all_or_nothing(fleet: Platform) -> None:
    done = await load(fleet, FLEET_CSV, mode="atomic")
    assert (done["state"], done["failure"]["code"]) == ("failed", "import.rows_refused")
    assert done["counts"] == counts(refused=2)
    assert await number_of_hosts(fleet) == 0
    assert len(await rows(fleet, done["id"])) == 2
    good = "\n".join(FLEET_CSV.splitlines()[:4]) + "\n"
    done = await load(fleet, good, mode="atomic")
    assert (done["state"], done["counts"]) == ("completed", counts(created=2))


@pytest.mark.ac("fleet-42")
async def test_a_trial_says_what_would_happen_and_changes_nothing(fleet: Platform) -> None:
    trial = await load(fleet, FLEET_CSV, dry_run=True)
    assert (trial["state"], trial["counts"]) == ("completed", counts(created=3, refused=2))
    assert await number_of_hosts(fleet) == 0
    assert [row["host_id"] for row in await rows(fleet, trial["id"], "created")] == [None] * 3
    done = await load(fleet, FLEET_CSV)
    assert done["counts"] == trial["counts"]


@pytest.mark.ac("fleet-43")
async def test_hosts_that_are_known(fleet: Platform) -> None:
    first = "name,address,port,tags\na,10.0.0.1,22,x\nb,10.0.0.2,22,\n"
    await load(fleet, first)
    changed = "name,address,tags,group\nA,10.0.0.1,,\nb,10.0.0.22,y,Ring\nc,10.0.0.3,,\n"
    refused = await load(fleet, changed, on_existing="refuse")
    assert refused["counts"] == counts(created=1, refused=2)
    skipped = await load(fleet, changed)
    assert skipped["counts"] == counts(skipped=3)
    updated = await load(fleet, changed, on_existing="update")
    # An empty cell says nothing; a name in another case is another spelling of it.
    assert updated["counts"] == counts(updated=2, unchanged=1)
    assert (await host(fleet, "A"))["tags"] == ["x"]
    b = await host(fleet, "b")
    assert (b["address"], b["tags"], b["version"]) == ("10.0.0.22", ["y"], 2)
    again = await load(fleet, changed, on_existing="update")
    assert again["counts"] == counts(unchanged=3)

    renamed = "name,address\nbb,10.0.0.22\nA,10.0.0.3\n"
    by_address = await load(fleet, renamed, on_existing="update", key="address")
    assert by_address["counts"] == counts(updated=1, refused=1)
    assert (await host(fleet, "bb"))["id"] == b["id"]
    (problem,) = await rows(fleet, by_address["id"], "refused")
    assert "A host with the name A exists already" in problem["problem"]


@pytest.mark.ac("fleet-41")
async def test_what_rows_name(fleet: Platform) -> None:
    name = f"key {uuid4()}"
    key = await fleet.add_credential(name, password="x")
    other = await fleet.add_credential(f"other {uuid4()}", password="x")
    listed = (
        "name,address,credential,jump host\n"
        f"gate,10.0.0.1,{name.upper()},\n"
        "inner,10.0.0.2,,gate\n"
        "lost,10.0.0.3,,nowhere\n"
        "locked,10.0.0.4,no such key,\n"
    )
    rule = await fleet.post("/groups", {"name": f"rule {uuid4()}", "rule": "port = 1"})
    manual = await fleet.post("/groups", {"name": f"manual {uuid4()}"})
    wrong = await send(fleet, "import", listed, group_id=rule["id"])
    assert (wrong.status_code, wrong.json()["code"]) == (409, "group.holds_by_rule")
    wrong = await send(fleet, "import", listed, credential_id=str(uuid4()))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "credential.not_found")
    done = await load(
        fleet, listed, credential_id=other, group_id=manual["id"], tag=["new"], environment="lab"
    )
    assert done["counts"] == counts(created=2, refused=2)
    gate, inner = await host(fleet, "gate"), await host(fleet, "inner")
    assert (gate["credential_id"], inner["credential_id"]) == (key, other)
    assert inner["jump_host_id"] == gate["id"]
    assert (inner["tags"], inner["environment"]) == (["new"], "lab")
    assert (await fleet.get(f"/groups/{manual['id']}"))["hosts"]["total"] == 2
    problems = [row["problem"] for row in await rows(fleet, done["id"], "refused")]
    assert problems == [
        "The jump host nowhere is neither in the inventory nor in a line above this one.",
        "There is no credential with the name no such key.",
    ]
    loop = await load(fleet, "name,jump host\ngate,inner\n", on_existing="update")
    (row,) = await rows(fleet, loop["id"], "refused")
    assert "through itself" in row["problem"]


@pytest.mark.ac("fleet-45")
async def test_an_inventory_of_ansible(fleet: Platform) -> None:
    site = f"site_{uuid4().hex[:6]}"
    inventory = f"""
[web]
web[01:03].example.org ansible_port=2222 env=production
[db]
db1 ansible_host=10.9.0.1 ansible_password=hunter2-in-the-clear
db2 ansible_host=!vault
[{site}:children]
web
db
[{site}:vars]
ansible_user=scan
"""
    done = await load(fleet, inventory)
    assert done["counts"] == counts(created=4, refused=1)
    web = await host(fleet, "web02.example.org")
    assert (web["port"], web["username"], web["environment"]) == (2222, "scan", "production")
    groups = {group["name"]: group for group in (await fleet.get("/groups", limit=200))["items"]}
    assert groups[site]["hosts"]["total"] == 4
    assert groups["web"]["inside"][-1]["name"] == site
    (refused,) = await rows(fleet, done["id"], "refused")
    assert (refused["name"], refused["line"]) == ("db2", 6)
    assert "ansible_host of db2 is encrypted by Ansible Vault" in refused["problem"]


ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIE" + "A" * 41 + "E"


@pytest.mark.ac("fleet-45")
async def test_known_hosts_bring_their_keys(fleet: Platform) -> None:
    known = (
        f"web.example.org,10.0.0.1 ssh-ed25519 {ED25519}\n"
        f"[gate.example.org]:2222 ssh-ed25519 {ED25519}\n"
        f"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 {ED25519}\n"
    )
    done = await load(fleet, known)
    assert done["counts"] == counts(created=2, refused=1)
    gate = await host(fleet, "gate.example.org")
    assert gate["port"] == 2222
    (key,) = (await fleet.get(f"/hosts/{gate['id']}/host-keys"))["items"]
    assert key["trusted"]
    assert key["algorithm"] == "ssh-ed25519"
    (refused,) = await rows(fleet, done["id"], "refused")
    assert "hashed" in refused["problem"]


@pytest.mark.ac("fleet-46")
async def test_secrets_in_a_file_are_kept_nowhere(fleet: Platform, workers: Workers) -> None:
    secret = f"hunter2-{uuid4()}"
    listed = f"name,address,password\na,10.0.0.1,{secret}\nb,10.0.0.299,{secret}\n"
    found = await analyze(fleet, listed)
    assert secret not in str(found)
    assert [column["secret"] for column in found["columns"]] == [False, False, True]
    done = await load(fleet, listed)
    assert done["counts"] == counts(created=1, refused=1)
    answer = await fleet.api.client.get(f"/api/v1/bulk/hosts/imports/{done['id']}/refused.csv")
    assert secret not in answer.text
    async with fleet.api.database.read() as conn:
        for table in ("imports", "import_rows", "events", "procrastinate_jobs"):
            dump = await conn.execute(text(f"SELECT string_agg(t::text, '') FROM {table} AS t"))
            assert secret not in (dump.scalar_one() or ""), table
    assert secret not in workers.logs()


@pytest.mark.ac("fleet-46")
async def test_files_that_cannot_be_imported(platform: Platform) -> None:
    async def refused(data: bytes | str, **wanted: Any) -> tuple[int, str]:
        answer = await send(platform, "import", data, **wanted)
        return answer.status_code, answer.json()["code"]

    assert await refused("") == (422, "import.empty")
    assert await refused(b"PK\x03\x04rest") == (422, "import.not_text")
    assert await refused('name,address\n"a,10.0.0.1\nb,10.0.0.2\n') == (422, "import.unreadable")
    assert await refused("x,y\n1,2\n", map=["x=port"]) == (422, "import.no_name")
    assert await refused("x,y\n1,2\n", map=["z=name"]) == (422, "import.column_unknown")
    assert await refused("x,y\n1,2\n", map=["x=nme"]) == (422, "import.mapping_invalid")
    assert await refused("a\n" * 50_001) == (422, "import.too_many_rows")
    assert await refused("name,group\n" + "".join(f"h{i},g{i}\n" for i in range(501))) == (
        422, "import.too_many_groups",
    )  # fmt: skip


@pytest.mark.ac("fleet-46")
async def test_a_body_of_100_mb_is_refused_before_it_is_read(platform: Platform) -> None:
    answer = await platform.api.client.post(
        "/api/v1/bulk/hosts/import",
        content=b"",
        headers={"Content-Length": str(100 * 1024 * 1024)},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "request.too_large")
    fits = b"name,description\n" + b"".join(b"h%d,%s\n" % (i, b"x" * 200) for i in range(10_000))
    assert len(fits) > 1024 * 1024
    assert (await analyze(platform, fits))["total"] == 10_000


def many(number: int) -> str:
    lines = (
        f"host-{i:05},10.{i >> 16}.{i >> 8 & 255}.{i & 255},22,production,site-{i % 20},linux\n"
        for i in range(number)
    )
    return "name,address,port,environment,group,tags\n" + "".join(lines)


@pytest.mark.ac("fleet-47")
async def test_a_worker_that_is_killed_loses_nothing_and_does_nothing_twice(
    platform: Platform, workers: Workers
) -> None:
    await empty(platform.api.database)
    first = workers.start()
    asked = await ask(platform, many(20_000))
    path = f"/bulk/hosts/imports/{asked['id']}"
    deadline = time.monotonic() + 60
    while (await platform.get(path))["done"] < BATCH:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    first.kill()
    half = await platform.get(path)
    assert (half["state"], half["done"] < 20_000) == ("running", True)
    assert await number_of_hosts(platform) == half["done"] == half["counts"]["created"]
    workers.start()
    done = await until_over(platform, asked["id"], within=120)
    assert (done["state"], done["counts"]) == ("completed", counts(created=20_000))
    assert await number_of_hosts(platform) == 20_000


@pytest.mark.ac("fleet-47")
async def test_fifty_thousand_rows(fleet: Platform) -> None:
    listed = many(50_000)
    for wanted, expected in (
        ({"dry_run": True}, counts(created=50_000)),
        ({}, counts(created=50_000)),
        ({"on_existing": "update"}, counts(unchanged=50_000)),
    ):
        began = time.monotonic()
        done = await load(fleet, listed, **wanted)
        print(f"50,000 rows {wanted}: {time.monotonic() - began:.1f} s")
        assert done["counts"] == expected, done
    events = await fleet.events()
    assert sum(event["kind"] == "host.created" for event in events) == 0


def run_command(workers: Workers, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`openwatch hosts import` as a process of its own, on the database of the workers."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "openwatch.cli.main", "hosts", "import", *arguments],
        env={
            **kept,
            "OPENWATCH_DATABASE_URL": workers.database_url,
            "OPENWATCH_DATA_DIR": str(workers.folder),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.ac("fleet-48")
async def test_from_the_command_line(fleet: Platform, workers: Workers, tmp_path: Path) -> None:
    listed = tmp_path / "fleet.csv"
    listed.write_text("Box,Where\na,10.0.0.1\nb,10.0.0.999\n")

    async def run(*arguments: str) -> tuple[int, str]:
        done = await asyncio.to_thread(
            run_command, workers, str(listed), "--map", "Box=name", "--map", "Where=address",
            *arguments,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    code, said = await run("--dry-run")
    assert (code, "would be: 1 created, 1 refused" in said) == (1, True), said
    assert "line 3  b  address '10.0.0.999'" in said
    assert await number_of_hosts(fleet) == 0
    code, said = await run("--atomic")
    assert (code, "nothing was imported" in said) == (1, True), said
    code, said = await run("--tag", "new", "--format", "json")
    assert (code, json.loads(said)["counts"]) == (1, counts(created=1, refused=1))
    assert (await host(fleet, "a"))["tags"] == ["new"]
    listed.write_text("Box,Where\na,10.0.0.2\n")
    code, said = await run("--on-existing", "update")
    assert (code, said) == (0, "1 updated\n")
    code, said = await run("--map", "Nothing=port")
    assert (code, "has no column Nothing" in said) == (2, True), said
    code, said = await run("--environment", "x" * 65)
    assert code == 2, said


@pytest.mark.ac("fleet-47")
async def test_no_import_stays_behind(platform: Platform) -> None:
    """One whose job is gone is failed, old trials are forgotten, and the others are left alone."""
    waiting = await ask(platform, "a\nb\n")
    lost = await ask(platform, "c\n")
    trial = await ask(platform, "d\n", dry_run=True)
    done = await ask(platform, "e\n")
    database = platform.api.database
    for asked in (trial, done):
        await run_import(database, UUID(asked["id"]))
    async with database.transaction() as tx:
        # Only these four: the other tests have imports of their own in this database.
        await tx.execute(
            text(
                "UPDATE imports SET created_at = created_at - interval '1 hour', "
                "finished_at = finished_at - interval '2 days' WHERE id = ANY(:ours)"
            ),
            {"ours": [UUID(asked["id"]) for asked in (waiting, lost, trial, done)]},
        )
        of_lost = {"once": f"import:{lost['id']}"}
        await tx.execute(
            text("DELETE FROM procrastinate_jobs WHERE queueing_lock = :once"), of_lost
        )
    assert await tidy_up(database) == 2
    found = {
        name: (await platform.get(f"/bulk/hosts/imports/{asked['id']}"))["state"]
        for name, asked in (("waiting", waiting), ("lost", lost), ("done", done))
    }
    assert found == {"waiting": "queued", "lost": "failed", "done": "completed"}
    gone = await platform.api.client.get(f"/api/v1/bulk/hosts/imports/{trial['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "import.unknown")
    failed = await platform.get(f"/bulk/hosts/imports/{lost['id']}")
    assert failed["failure"]["code"] == "import.given_up"
    listed = await platform.get("/bulk/hosts/imports", limit=200)
    assert {waiting["id"], lost["id"], done["id"]} <= {item["id"] for item in listed["items"]}
    assert trial["id"] not in {item["id"] for item in listed["items"]}
