"""Scans, from the request over the API to what the host then shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from lab.session import LabSession
from lab.sim import Fault, Recording, SimFleet
from tests.fixtures.machine import Clock
from tests.fixtures.worker import Platform, Workers


async def add_host(platform: Platform, fleet: SimFleet, number: int = 0, **fields: Any) -> str:
    credential = await platform.add_credential(f"k-{uuid4()}", private_key=fleet.user_key)
    host = fleet.hosts[number]
    return await platform.add_host(
        f"h-{uuid4()}", address=host.address, port=host.port, credential_id=credential, **fields
    )


@asynccontextmanager
async def simulated(sim_hosts: Any, recording: Recording, **how: Any) -> AsyncIterator[SimFleet]:
    async with sim_hosts(how.pop("count", 1), recording=recording, **how) as fleet:
        yield fleet


async def kinds(platform: Platform, scan_id: str) -> list[str]:
    return [e["kind"] for e in await platform.events() if e["subject"]["id"] == scan_id]


@pytest.mark.ac("scans-01", "scans-17")
async def test_a_real_host_is_scanned(
    platform: Platform, workers: Workers, lab: LabSession
) -> None:
    workers.start()
    credential = await platform.add_credential(private_key=lab.key_path.read_text())
    with lab.fresh("bookworm") as target:
        target.plant("root-login")
        host = await platform.add_host("real", address=target.address, credential_id=credential)
        queued = await platform.post(f"/hosts/{host}/scans", expect=202)
        assert (queued["state"], queued["attempts"]) == ("queued", 0)
        assert (await platform.get(f"/hosts/{host}"))["active_scan_id"] == queued["id"]
        assert (await platform.get(f"/hosts/{host}"))["state"] == "scanning"
        scan = await platform.wait_until_over(queued["id"])
    assert (scan["state"], scan["attempts"], scan["failure"]) == ("completed", 1, None), scan
    assert scan["os"]["id"] == "debian"
    assert scan["privilege"] == "sudo"
    assert 0 < scan["stats"]["round_trips"] <= 3
    assert {"connect", "detect", "collect", "assess", "store"} <= scan["stats"]["seconds"].keys()
    counts = scan["counts"]
    rules = await platform.get("/rules", limit=1)
    assert sum(counts.values()) == rules["total"]
    measured = counts["pass"] + counts["fail"] + counts["error"]
    assert scan["score"]["value"] == pytest.approx(counts["pass"] / measured, abs=1e-4)

    shown = await platform.get(f"/hosts/{host}")
    assert (shown["state"], shown["active_scan_id"]) == ("ok", None)
    assert shown["score"] == scan["score"]
    assert shown["failing"] == scan["failing"]
    assert shown["last_scan"]["id"] == scan["id"]
    assert sum(shown["failing"].values()) == counts["fail"]
    failing = await platform.get(f"/scans/{scan['id']}/outcomes", verdict="fail")
    assert "ssh-root-login-disabled" in [o["rule_id"] for o in failing["items"]]
    assert failing["facets"]["verdict"] == {v: n for v, n in counts.items() if n}
    history = await platform.get(f"/hosts/{host}/history")
    assert [point["scan_id"] for point in history["items"]] == [scan["id"]]
    assert await kinds(platform, scan["id"]) == ["scan.queued", "scan.started", "scan.completed"]


@pytest.mark.ac("scans-02")
async def test_of_scans_asked_for_at_once_one_is_accepted(
    platform: Platform, sim_hosts: Any, recording: Recording
) -> None:
    async with simulated(sim_hosts, recording) as fleet:
        host = await add_host(platform, fleet)
        answers = await asyncio.gather(
            *[platform.api.client.post(f"/api/v1/hosts/{host}/scans") for _ in range(6)]
        )
    accepted = [a.json() for a in answers if a.status_code == 202]
    refused = [a.json() for a in answers if a.status_code == 409]
    assert (len(accepted), len(refused)) == (1, 5)
    assert {problem["code"] for problem in refused} == {"scan.active"}
    assert {problem["active_scan_id"] for problem in refused} == {accepted[0]["id"]}
    assert (await platform.get("/scans", host_id=host))["total"] == 1


@pytest.mark.ac("scans-03")
async def test_a_repeated_request_gives_the_same_scan(
    platform: Platform, sim_hosts: Any, recording: Recording
) -> None:
    async with simulated(sim_hosts, recording, count=2) as fleet:
        host = await add_host(platform, fleet)
        other = await add_host(platform, fleet, 1)
        key = {"Idempotency-Key": str(uuid4())}
        client = platform.api.client
        first = await client.post(f"/api/v1/hosts/{host}/scans", headers=key)
        again = await client.post(f"/api/v1/hosts/{host}/scans", headers=key)
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json() == again.json()
        assert first.headers["location"] == again.headers["location"]
        elsewhere = await client.post(f"/api/v1/hosts/{other}/scans", headers=key)
        assert elsewhere.json()["code"] == "request.idempotency_reused"
        assert (await platform.get("/scans", host_id=host))["total"] == 1


@pytest.mark.ac("scans-04")
async def test_a_host_without_a_credential_is_refused_at_once(platform: Platform) -> None:
    host = await platform.add_host(f"h-{uuid4()}", address="10.0.0.1")
    problem = await platform.post(f"/hosts/{host}/scans", expect=422)
    assert problem["code"] == "credential.missing"
    await platform.post(f"/hosts/{uuid4()}/scans", expect=404)
    assert (await platform.get("/scans", host_id=host))["total"] == 0


@pytest.mark.ac("scans-05", "scans-14", "scans-17")
async def test_a_waiting_scan_is_cancelled_at_once(
    platform: Platform, sim_hosts: Any, recording: Recording
) -> None:
    async with simulated(sim_hosts, recording) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.scan(host)
        assert (await platform.post(f"/scans/{scan}/retry", expect=409))["code"] == "scan.not_over"
        cancelled = await platform.post(f"/scans/{scan}/cancel", expect=202)
        assert (cancelled["state"], cancelled["score"]) == ("cancelled", None)
        assert cancelled["finished_at"] is not None
        shown = await platform.get(f"/hosts/{host}")
        assert (shown["state"], shown["active_scan_id"]) == ("never_scanned", None)
        assert (await platform.post(f"/scans/{scan}/cancel", expect=409))["code"] == "scan.over"
        again = await platform.post(f"/scans/{scan}/retry", expect=202)
        assert (again["retry_of"], again["state"]) == (scan, "queued")
        assert await kinds(platform, scan) == ["scan.queued", "scan.cancelled"]
        await platform.post(f"/scans/{uuid4()}/retry", expect=404)


@pytest.mark.ac("scans-06", "scans-17")
async def test_a_running_scan_is_cancelled_within_two_seconds(
    platform: Platform,
    workers: Workers,
    sim_hosts: Any,
    recording: Recording,
    machine_clock: Clock,
) -> None:
    workers.start()
    async with simulated(sim_hosts, recording, faults={0: Fault.SLOW(60)}) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.scan(host)
        running = await platform.wait_for(scan, "running")
        assert running["progress"]["stage"] in ("connect", "detect", "collect")
        await asyncio.sleep(1)
        asked = machine_clock()
        await platform.post(f"/scans/{scan}/cancel", expect=202)
        over = await platform.wait_until_over(scan)
        assert machine_clock() - asked < 2.5
        assert (over["state"], over["failure"]) == ("cancelled", None)
        assert await kinds(platform, scan) == ["scan.queued", "scan.started", "scan.cancelled"]
        assert (await platform.get(f"/scans/{scan}/outcomes"))["total"] == 0
        fleet.hosts[0].fault = None
        assert (await platform.wait_until_over(await platform.scan(host)))["state"] == "completed"


@pytest.mark.ac("scans-10")
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.AUTH_REFUSED(), "auth.rejected"),
        (Fault.NOT_SSH(), "host.not_ssh"),
        (Fault.NO_SHELL(), "host.no_shell"),
        (Fault.GARBAGE(), None),
    ],
)
async def test_what_a_person_has_to_mend_fails_at_once(
    platform: Platform,
    workers: Workers,
    sim_hosts: Any,
    recording: Recording,
    fault: Any,
    code: str | None,
) -> None:
    workers.start()
    async with simulated(sim_hosts, recording, faults={0: fault}) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.wait_until_over(await platform.scan(host))
    assert (scan["state"], scan["attempts"]) == ("failed", 1), scan
    assert code in (None, scan["failure"]["code"])
    assert scan["failure"]["fix"]
    assert (scan["score"], scan["counts"], scan["root_hash"]) == (None, None, None)
    shown = await platform.get(f"/hosts/{host}")
    assert (shown["state"], shown["score"]) == ("failed", None)
    assert shown["last_scan"]["failure_code"] == scan["failure"]["code"]
    assert (await platform.get(f"/hosts/{host}/outcomes"))["total"] == 0
    bundle = await platform.api.client.get(f"/api/v1/scans/{scan['id']}/bundle")
    assert (bundle.status_code, bundle.json()["code"]) == (409, "scan.without_result")
    told = [e for e in await platform.events(host_id=host) if e["kind"] == "scan.failed"]
    assert told[0]["data"]["code"] == scan["failure"]["code"]


@pytest.mark.ac("scans-10")
async def test_a_host_that_is_not_there_fails_at_once(platform: Platform, workers: Workers) -> None:
    workers.start()
    credential = await platform.add_credential(f"k-{uuid4()}", password="pw")
    for address, port, code in (
        ("127.0.0.1", 1, "host.refused"),
        ("no-such-host.invalid", 22, "host.unresolvable"),
    ):
        host = await platform.add_host(
            f"h-{uuid4()}", address=address, port=port, credential_id=credential
        )
        scan = await platform.wait_until_over(await platform.scan(host))
        assert (scan["failure"]["code"], scan["attempts"]) == (code, 1)


@pytest.mark.ac("scans-11", "fleet-14")
async def test_a_changed_host_key_fails_the_scan(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    workers.start()
    async with simulated(sim_hosts, recording) as fleet:
        host = await add_host(platform, fleet)
        good = await platform.wait_until_over(await platform.scan(host))
        assert good["state"] == "completed", good
        fleet.hosts[0].rekey()
        scan = await platform.wait_until_over(await platform.scan(host))
        assert (scan["failure"]["code"], scan["attempts"]) == ("host.key_changed", 1)
        assert fleet.hosts[0].tally.programs == good["stats"]["round_trips"]
        shown = await platform.get(f"/hosts/{host}")
        assert (shown["state"], shown["score"]) == ("failed", good["score"])
        assert (await platform.get(f"/hosts/{host}/outcomes"))["total"] > 0


@pytest.mark.ac("scans-15")
async def test_a_scan_has_a_deadline(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    workers.start(OPENWATCH_SCAN_DEADLINE_SECONDS="2")
    async with simulated(sim_hosts, recording, faults={0: Fault.HANG()}) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.wait_until_over(await platform.scan(host))
    assert scan["state"] == "failed"
    assert scan["failure"]["code"] in ("scan.deadline", "host.command_timeout")
    assert scan["attempts"] == 1


@pytest.mark.ac("scans-16")
async def test_removing_a_host_ends_its_scan(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    async with simulated(sim_hosts, recording, faults={0: Fault.SLOW(60)}, count=2) as fleet:
        waiting = await add_host(platform, fleet, 1)
        waiting_scan = await platform.scan(waiting)
        await platform.delete(f"/hosts/{waiting}")
        workers.start()
        assert (await platform.wait_until_over(waiting_scan))["state"] == "cancelled"
        running = await add_host(platform, fleet)
        scan = await platform.scan(running)
        await platform.wait_for(scan, "running")
        await platform.delete(f"/hosts/{running}")
        assert (await platform.wait_until_over(scan))["state"] == "cancelled"


@pytest.mark.ac("scans-18")
async def test_scans_are_listed(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    async with simulated(sim_hosts, recording, count=2) as fleet:
        host, other = await add_host(platform, fleet), await add_host(platform, fleet, 1)
        first = await platform.scan(host)
        await platform.post(f"/scans/{first}/cancel", expect=202)
        workers.start()
        middle = (await platform.wait_until_over(await platform.scan(host)))["queued_at"]
        last = await platform.wait_until_over(await platform.scan(other))

    async def ids(**params: Any) -> list[str]:
        return [scan["id"] for scan in (await platform.get("/scans", **params))["items"]]

    own = await ids(host_id=host)
    assert len(own) == 2
    assert own[1] == first
    assert await ids(host_id=host, state="cancelled") == [first]
    assert first not in await ids(since=middle)
    assert last["id"] in await ids(since=middle)
    assert await ids(search=last["host_name"]) == [last["id"]]
    for sort in ("-queued_at", "queued_at", "finished_at", "state", "host_name"):
        whole = await ids(sort=sort)
        paged: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await platform.get("/scans", sort=sort, limit=2, **cursor)
            paged += [scan["id"] for scan in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert paged == whole
    naive = await platform.api.client.get("/api/v1/scans", params={"since": "2026-01-01T00:00:00"})
    assert naive.status_code == 422


@pytest.mark.ac("scans-17")
async def test_progress_is_announced_while_a_scan_runs(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    workers.start()
    heard: list[str] = []

    async def listen() -> None:
        async for payload in platform.api.database.listen("openwatch_signals"):
            heard.append(payload)  # noqa: PERF401 - it is read while it grows

    listening = asyncio.create_task(listen())
    await hear(platform, heard, "anybody there?")
    async with simulated(sim_hosts, recording, faults={0: Fault.SLOW(3)}) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.scan(host)
        assert (await platform.wait_until_over(scan))["state"] == "completed"
    # PostgreSQL delivers in the order of the commits: what came before this is heard with it.
    await hear(platform, heard, "that was all")
    listening.cancel()
    told = [payload for payload in heard if "scan.progress" in payload and scan in payload]
    assert any('"collect"' in payload for payload in told)
    assert len(told) >= 2


async def hear(platform: Platform, heard: list[str], payload: str) -> None:
    """Notify those who listen until one of them has heard it."""
    tell = text("SELECT pg_notify('openwatch_signals', :payload)")
    async with asyncio.timeout(20):
        while payload not in heard:
            async with platform.api.database.transaction() as tx:
                await tx.execute(tell, {"payload": payload})
            await asyncio.sleep(0.05)


@pytest.mark.ac("scans-23")
async def test_many_hosts_are_scanned_together(
    platform: Platform, workers: Workers, recording: Recording, sim_hosts: Any
) -> None:
    async with simulated(sim_hosts, recording, count=4) as fleet:
        ids = [await add_host(platform, fleet, n, tags=["together"]) for n in range(3)]
        nobody = await platform.add_host(f"h-{uuid4()}", address="192.0.2.1", tags=["together"])
        other = await add_host(platform, fleet, 3)
        active = (await platform.post(f"/hosts/{ids[0]}/scans", expect=202))["id"]

        body = {"filters": {"tag": ["together"]}}
        queued = await platform.post("/scans", body, expect=202)
        assert queued == {"hosts": 4, "queued": 2, "already_active": 1, "without_credential": 1}
        again = await platform.post("/scans", {"host_ids": [*ids, str(uuid4())]}, expect=202)
        assert again == {"hosts": 3, "queued": 0, "already_active": 3, "without_credential": 0}

        workers.start()
        for host_id in ids:
            scan = (await platform.get("/scans", host_id=host_id))["items"][0]
            over = await platform.wait_until_over(scan["id"])
            assert over["state"] == "completed", over
            assert "scan.queued" in await kinds(platform, scan["id"])
        assert (await platform.get("/scans", host_id=ids[0]))["items"][0]["id"] == active
        for untouched in (nobody, other):
            assert (await platform.get("/scans", host_id=untouched))["items"] == []


@pytest.mark.ac("scans-23")
@pytest.mark.parametrize(
    "body", [{}, {"host_ids": []}, {"host_ids": [], "filters": {}}, {"filters": {"tags": ["x"]}}]
)
async def test_hosts_are_chosen_in_one_way(platform: Platform, body: dict[str, Any]) -> None:
    refused = await platform.post("/scans", body, expect=422)
    assert refused["code"] == "request.invalid"
