"""Processes that die, databases that restart, cables that are cut: nothing lost, nothing stuck."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from lab.session import LabSession
from lab.sim import Fault, Recording
from openwatch.compliance import errors
from openwatch.compliance.scans import service, store
from openwatch.compliance.scans.store import Lease
from openwatch.db import embedded, migrate
from openwatch.jobs.periodic import recover_jobs
from openwatch.kit.ids import uuid7
from openwatch.kit.settings import Settings
from tests.fixtures.worker import ACTIVE, Platform, WorkerProcess, Workers, running_platform

RECOVERED_WITHIN = 60.0
"""Lease and heartbeat run out after 15 seconds; the rest is for a busy machine."""


async def add_host(platform: Platform, fleet: Any, number: int = 0) -> str:
    credential = await platform.add_credential(f"k-{uuid4()}", private_key=fleet.user_key)
    host = fleet.hosts[number]
    return await platform.add_host(
        f"h-{uuid4()}", address=host.address, port=host.port, credential_id=credential
    )


async def nothing_is_stuck(platform: Platform) -> None:
    """No scan is active, no host shows one, no job waits or runs."""
    for state in ("queued", "running"):
        assert (await platform.get("/scans", state=state))["total"] == 0
    async with platform.api.database.read() as conn:
        scanning = await conn.execute(
            text("SELECT count(*) FROM hosts WHERE active_scan_id IS NOT NULL")
        )
        assert scanning.scalar_one() == 0
    deadline = time.monotonic() + RECOVERED_WITHIN
    while time.monotonic() < deadline:
        async with platform.api.database.read() as conn:
            query = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
            if (await conn.execute(text(query))).scalar_one() == 0:
                return
        await asyncio.sleep(0.5)
    raise AssertionError("a job is stuck")


async def outcomes(platform: Platform, host: str) -> dict[str, str]:
    found: dict[str, str] = {}
    cursor: dict[str, str] = {}
    while True:
        page = await platform.get(f"/hosts/{host}/outcomes", limit=200, **cursor)
        found |= {item["rule_id"]: item["verdict"] for item in page["items"]}
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.ac("scans-07")
async def test_a_killed_worker_leaves_no_stuck_run(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    doomed = workers.start()
    async with sim_hosts(1, recording=recording, faults={0: Fault.SLOW(60)}) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.scan(host)
        await platform.wait_for(scan, "running")
        await asyncio.sleep(1)
        doomed.kill()
        fleet.hosts[0].fault = None
        workers.start()
        over = await platform.wait_until_over(scan, within=RECOVERED_WITHIN)
        assert (over["state"], over["attempts"], over["failure"]) == ("completed", 2, None), over
        await nothing_is_stuck(platform)
    kinds = [e["kind"] for e in await platform.events() if e["subject"]["id"] == scan]
    assert kinds == ["scan.queued", "scan.started", "scan.queued", "scan.started", "scan.completed"]
    assert (await platform.get(f"/hosts/{host}/history"))["total"] == 1


@pytest.mark.ac("scans-07")
async def test_a_cancelled_scan_of_a_killed_worker_ends(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    doomed = workers.start()
    async with sim_hosts(1, recording=recording, faults={0: Fault.SLOW(60)}) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.scan(host)
        await platform.wait_for(scan, "running")
        doomed.kill()
        pending = await platform.post(f"/scans/{scan}/cancel", expect=202)
        assert (pending["state"], pending["cancel_requested"]) == ("running", True)
        workers.start()
        over = await platform.wait_until_over(scan, within=RECOVERED_WITHIN)
        assert over["state"] == "cancelled"
        await nothing_is_stuck(platform)


@pytest.mark.ac("scans-21")
async def test_a_scan_that_kills_its_workers_is_given_up(platform: Platform) -> None:
    """Leases that run out, attempt after attempt, as when each worker is killed."""
    database = platform.api.database
    credential = await platform.add_credential(f"k-{uuid4()}", password="pw")
    host = UUID(
        await platform.add_host(f"h-{uuid4()}", address="10.0.0.1", credential_id=credential)
    )
    scan = UUID(await platform.scan(str(host)))
    for attempt in range(1, service.MAX_ATTEMPTS + 1):
        await _let_it_be_due(platform, scan)
        async with database.transaction() as tx:
            lease = await service.begin(tx, host, scan, worker_id=uuid7())
        assert lease is not None
        assert lease.attempt == attempt
        await _let_the_lease_run_out(platform, scan)
        assert await service.reap(database) == 1
    over = await platform.get(f"/scans/{scan}")
    assert (over["state"], over["failure"]["code"]) == ("failed", "scan.worker_lost")
    assert await service.reap(database) == 0


@pytest.mark.ac("scans-12")
async def test_a_worker_that_lost_its_lease_writes_nothing(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    """A worker process is frozen until its lease has run out, and wakes up in the middle."""
    frozen = workers.start()
    async with sim_hosts(1, recording=recording, faults={0: Fault.SLOW(60)}) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.scan(host)
        await platform.wait_for(scan, "running")
        os.kill(frozen.process.pid, signal.SIGSTOP)
        fleet.hosts[0].fault = None
        workers.start()
        over = await platform.wait_until_over(scan, within=RECOVERED_WITHIN)
        assert (over["state"], over["attempts"]) == ("completed", 2)
        os.kill(frozen.process.pid, signal.SIGCONT)
        await _said(
            frozen,
            "the scan was taken from this worker",
            "no longer held by this worker",
            "an attempt failed",
        )
        assert (await platform.get(f"/hosts/{host}/history"))["total"] == 1
        # The one that was frozen works again.
        await asyncio.to_thread(workers.started[1].stop)
        again = await platform.wait_until_over(await platform.scan(host))
        assert again["state"] == "completed"
        assert await platform.get(f"/scans/{scan}") == over
        await nothing_is_stuck(platform)


@pytest.mark.ac("scans-12")
async def test_every_write_of_a_lost_lease_is_refused(platform: Platform) -> None:
    database = platform.api.database
    credential = await platform.add_credential(f"k-{uuid4()}", password="pw")
    host = UUID(
        await platform.add_host(f"h-{uuid4()}", address="10.0.0.1", credential_id=credential)
    )
    scan = UUID(await platform.scan(str(host)))
    async with database.transaction() as tx:
        lost = await service.begin(tx, host, scan, worker_id=uuid7())
    assert lost is not None
    await _let_the_lease_run_out(platform, scan)
    await service.reap(database)
    await _let_it_be_due(platform, scan)
    async with database.transaction() as tx:
        held = await service.begin(tx, host, scan, worker_id=uuid7())
    assert held is not None
    problem = service.Problem("x.y", "Something.", "Do something.")
    stale = [lost, Lease(host, scan, held.worker_id, held.attempt - 1)]
    for lease in stale:
        async with database.transaction() as tx:
            at = await store.clock(tx)
            root = {"root_hash": b"r", "signature": b"s"}
            assert not await service.complete(tx, lease, root, at=at)
            assert not await service.fail(tx, lease, problem)
            assert not await service.stop(tx, lease)
            assert not await service.put_back(tx, lease, problem)
            assert not await store.progress(tx, lease, stage="collect", done=1, total=2)
    assert (await platform.get(f"/scans/{scan}"))["state"] == "running"
    async with database.transaction() as tx:
        assert await service.fail(tx, held, problem)


@pytest.mark.ac("scans-16")
async def test_a_scan_that_fails_because_its_host_was_removed_is_cancelled(
    platform: Platform,
) -> None:
    """The worker looked for the host before it had noticed that it should stop."""
    database = platform.api.database
    credential = await platform.add_credential(f"k-{uuid4()}", password="pw")
    host = await platform.add_host(f"h-{uuid4()}", address="10.0.0.1", credential_id=credential)
    scan = await platform.scan(host)
    async with database.transaction() as tx:
        lease = await service.begin(tx, UUID(host), UUID(scan), worker_id=uuid7())
    assert lease is not None
    await platform.delete(f"/hosts/{host}")
    problem = service.Problem("host.not_found", "There is no such host.", "Add it.")
    async with database.transaction() as tx:
        assert await service.fail(tx, lease, problem)
    over = await platform.get(f"/scans/{scan}")
    assert over["state"] == "cancelled"
    assert over["failure"]["code"] == errors.HOST_DELETED.code


@pytest.mark.ac("scans-06")
async def test_a_scan_that_fails_while_it_is_cancelled_is_cancelled(platform: Platform) -> None:
    database = platform.api.database
    credential = await platform.add_credential(f"k-{uuid4()}", password="pw")
    host = await platform.add_host(f"h-{uuid4()}", address="10.0.0.1", credential_id=credential)
    scan = await platform.scan(host)
    async with database.transaction() as tx:
        lease = await service.begin(tx, UUID(host), UUID(scan), worker_id=uuid7())
    assert lease is not None
    await platform.post(f"/scans/{scan}/cancel", expect=202)
    problem = service.Problem("host.lost", "The connection was lost.", "Look at the network.")
    async with database.transaction() as tx:
        assert await service.fail(tx, lease, problem)
    over = await platform.get(f"/scans/{scan}")
    assert (over["state"], over["failure"]) == ("cancelled", None)


@pytest.mark.ac("scans-20")
async def test_a_scan_whose_job_was_lost_is_found(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    async with sim_hosts(1, recording=recording) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.scan(host)
        async with platform.api.database.transaction() as tx:
            await tx.execute(text("DELETE FROM procrastinate_jobs"))
        workers.start()
        over = await platform.wait_until_over(scan, within=RECOVERED_WITHIN)
        assert over["state"] == "completed"


@pytest.mark.ac("scans-20")
async def test_a_job_of_a_dead_worker_is_queued_again(platform: Platform) -> None:
    """The worker died after it had taken the job and before it had begun the scan."""
    from openwatch.jobs import port

    database = platform.api.database
    credential = await platform.add_credential(f"k-{uuid4()}", password="pw")
    host = await platform.add_host(f"h-{uuid4()}", address="10.0.0.1", credential_id=credential)
    async with database.transaction() as tx:
        await tx.execute(text("DELETE FROM procrastinate_jobs"))
    scan = await platform.scan(host)
    async with database.transaction() as tx:
        dead = await port.register_worker(tx)
        job = await port.claim(tx, worker=dead, queues=[service.QUEUE])
        assert job is not None
        assert job.payload["scan_id"] == scan
        await tx.execute(
            text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
        )
    assert await recover_jobs(database) == 1
    async with database.transaction() as tx:
        number = await port.register_worker(tx)
        again = await port.claim(tx, worker=number, queues=[service.QUEUE])
        assert again is not None
        assert again.payload == job.payload
        await port.finish(tx, job, worker=dead, succeeded=True)
        await port.finish(tx, again, worker=number, succeeded=True)
    assert await recover_jobs(database) == 0
    await platform.post(f"/scans/{scan}/cancel", expect=202)


@pytest.mark.ac("scans-13")
async def test_a_stopping_worker_finishes_what_needs_seconds(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    worker = workers.start()
    async with sim_hosts(1, recording=recording, faults={0: Fault.SLOW(1.5)}) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.scan(host)
        await _collects(platform, scan)
        # In a thread: the simulated hosts answer in this one.
        assert await asyncio.to_thread(worker.stop) == 0
        over = await platform.get(f"/scans/{scan}")
        assert (over["state"], over["attempts"]) == ("completed", 1), over
        await nothing_is_stuck(platform)


@pytest.mark.ac("scans-13")
async def test_a_stopping_worker_hands_back_what_needs_longer(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    worker = workers.start()
    async with sim_hosts(2, recording=recording, faults={0: Fault.SLOW(90)}) as fleet:
        host, other = await add_host(platform, fleet), await add_host(platform, fleet, 1)
        scan = await platform.scan(host)
        await platform.wait_for(scan, "running")
        worker.process.send_signal(signal.SIGTERM)
        await _said(worker, "waiting for running scans")
        later = await platform.scan(other)
        # In a thread: the simulated hosts answer in this one.
        assert await asyncio.to_thread(worker.stop) == 0
        waiting = await platform.get(f"/scans/{scan}")
        assert (waiting["state"], waiting["attempts"]) == ("queued", 0)
        assert waiting["failure"]["code"] == "scan.interrupted"
        assert (await platform.get(f"/scans/{later}"))["state"] == "queued"
        fleet.hosts[0].fault = None
        workers.start()
        for each in (scan, later):
            over = await platform.wait_until_over(each, within=20)
            assert (over["state"], over["attempts"], over["failure"]) == ("completed", 1, None)
        await nothing_is_stuck(platform)


@pytest.mark.ac("scans-09")
async def test_a_connection_that_is_cut_is_no_result(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    workers.start()
    async with sim_hosts(1, recording=recording) as fleet:
        host = await add_host(platform, fleet)
        good = await platform.wait_until_over(await platform.scan(host))
        before = await outcomes(platform, host)
        assert "pass" in before.values()
        fleet.hosts[0].fault = Fault.DROP(9000)
        scan = await platform.wait_until_over(await platform.scan(host), within=RECOVERED_WITHIN)
        assert (scan["state"], scan["failure"]["code"]) == ("failed", "host.lost"), scan
        assert scan["attempts"] == service.MAX_ATTEMPTS
        assert scan["counts"] is None
        assert (await platform.get(f"/scans/{scan['id']}/outcomes"))["items"] == []
        assert await outcomes(platform, host) == before
        shown = await platform.get(f"/hosts/{host}")
        assert (shown["state"], shown["score"]) == ("failed", good["score"])
        await nothing_is_stuck(platform)

        fleet.hosts[0].fault = None
        mended = await platform.wait_until_over(await platform.scan(host))
        assert mended["state"] == "completed"
        assert mended["previous_root_hash"] == good["root_hash"]


@pytest.mark.ac("scans-09")
async def test_a_host_that_is_lost_once_is_scanned_again(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    workers.start()
    async with sim_hosts(1, recording=recording, faults={0: Fault.DROP(9000, once=True)}) as fleet:
        host = await add_host(platform, fleet)
        scan = await platform.scan(host)
        over = await platform.wait_until_over(scan, within=RECOVERED_WITHIN)
        assert (over["state"], over["attempts"], over["failure"]) == ("completed", 2, None)
        requeued = [
            event["data"]["code"]
            for event in await platform.events(host_id=host)
            if event["kind"] == "scan.queued" and "code" in event["data"]
        ]
        assert requeued == ["host.lost"]


@pytest.mark.ac("scans-09")
async def test_a_cable_that_is_pulled_is_no_result(
    platform: Platform, workers: Workers, lab: LabSession
) -> None:
    workers.start()
    credential = await platform.add_credential(f"k-{uuid4()}", private_key=lab.key_path.read_text())
    with lab.fresh("bookworm") as target:
        # A program that the collector asks never answers.
        target.exec(
            "cd /usr/bin && printf '#!/bin/sh\\ntouch /run/asked; exec sleep 600\\n' >asked "
            "&& chmod 755 asked && mv asked dpkg-query"
        )
        host = await platform.add_host(
            f"h-{uuid4()}", address=target.address, credential_id=credential
        )
        scan = await platform.scan(host)
        await platform.wait_for(scan, "running")
        deadline = time.monotonic() + RECOVERED_WITHIN
        while target.exec("test -e /run/asked", check=False).returncode != 0:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        target.cut()
        deadline = time.monotonic() + RECOVERED_WITHIN
        while (found := await platform.get(f"/scans/{scan}"))["failure"] is None:
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.2)
        assert found["failure"]["code"] in ("host.lost", "host.unreachable", "host.connect_timeout")
        over = await platform.wait_until_over(scan, within=RECOVERED_WITHIN)
        assert (over["state"], over["counts"]) == ("failed", None)
        assert (await platform.get(f"/hosts/{host}"))["state"] == "failed"
        assert (await platform.get(f"/hosts/{host}/outcomes"))["total"] == 0
        await nothing_is_stuck(platform)


@pytest.mark.ac("scans-08")
@pytest.mark.parametrize("away_seconds", [0.0, 20.0], ids=["restart", "long outage"])
async def test_a_database_that_restarts_loses_nothing(
    sim_hosts: Any, recording: Recording, tmp_path: Path, away_seconds: float
) -> None:
    async with own_database() as (settings, url):
        workers = Workers(tmp_path, url)
        try:
            async with (
                running_platform(url, tmp_path) as platform,
                sim_hosts(2, recording=recording, faults={0: Fault.SLOW(4)}) as fleet,
            ):
                workers.start()
                host, other = await add_host(platform, fleet), await add_host(platform, fleet, 1)
                scan = await platform.scan(host)
                await platform.wait_for(scan, "running")
                await asyncio.sleep(1)
                await asyncio.to_thread(embedded.stop, settings)
                await asyncio.sleep(away_seconds)
                await asyncio.to_thread(embedded.start, settings)
                await _answers_again(platform)
                over = await platform.wait_until_over(scan, within=RECOVERED_WITHIN)
                assert (over["state"], over["failure"]) == ("completed", None), over["failure"]
                assert workers.started[0].process.poll() is None
                later = await platform.wait_until_over(await platform.scan(other))
                assert (later["state"], later["attempts"]) == ("completed", 1)
                await nothing_is_stuck(platform)
                assert (await platform.get(f"/hosts/{host}/history"))["total"] == 1
        finally:
            workers.end_all()


@pytest.mark.ac("scans-08")
async def test_connections_that_are_cut_while_results_are_written_lose_nothing(
    platform: Platform,
    workers: Workers,
    sim_hosts: Any,
    recording: Recording,
    database_url: str,
) -> None:
    """Every connection is terminated again and again, at any moment of the scans."""
    async with sim_hosts(8, recording=recording) as fleet:
        hosts = [await add_host(platform, fleet, number) for number in range(8)]
        scans = [await platform.scan(host) for host in hosts]
        worker = await asyncio.to_thread(workers.start, OPENWATCH_WORKER_CONCURRENCY="2")
        cut = await asyncio.to_thread(_cut_connections, database_url)
        assert cut > 5
        assert worker.process.poll() is None
        await _answers_again(platform)
        for host, scan in zip(hosts, scans, strict=True):
            over = await platform.wait_until_over(scan, within=RECOVERED_WITHIN)
            assert (over["state"], over["failure"]) == ("completed", None), over["failure"]
            assert (await platform.get(f"/hosts/{host}/history"))["total"] == 1
            page = await platform.get(f"/hosts/{host}/outcomes", limit=1)
            assert page["total"] == sum(over["counts"].values())
        await nothing_is_stuck(platform)


def _cut_connections(url: str, times: int = 40, pause: float = 0.1) -> int:
    """Terminate all connections to a database but this one, time after time; count them."""
    with psycopg.connect(url, autocommit=True) as connection:
        cut = 0
        for _ in range(times):
            found = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            cut += len(found.fetchall())
            time.sleep(pause)
        return cut


@asynccontextmanager
async def own_database() -> AsyncIterator[tuple[Settings, str]]:
    """A database server of this test alone, so that it may stop it."""
    folder = Path(tempfile.mkdtemp(prefix=f"openwatch-test-{os.getpid()}-"))
    settings = Settings(data_dir=folder, database_url=None)
    try:
        url = (await asyncio.to_thread(embedded.start, settings)).uri
        await asyncio.to_thread(migrate.upgrade, url)
        yield settings, url
    finally:
        await asyncio.to_thread(embedded.stop, settings)
        shutil.rmtree(folder, ignore_errors=True)


async def _collects(platform: Platform, scan: str) -> None:
    """Wait until a scan is near its end: facts are being read, or were."""
    deadline = time.monotonic() + RECOVERED_WITHIN
    while (found := await platform.get(f"/scans/{scan}"))["state"] in ACTIVE:
        if found["progress"] and found["progress"]["stage"] not in ("connect", "detect"):
            return
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def _said(worker: WorkerProcess, *texts: str) -> None:
    """Wait until a worker's log has one of the texts."""
    deadline = time.monotonic() + RECOVERED_WITHIN
    while not any(text in worker.log.read_text() for text in texts):
        assert time.monotonic() < deadline, worker.log.read_text()
        await asyncio.sleep(0.05)


async def _answers_again(platform: Platform) -> None:
    deadline = time.monotonic() + 30
    while (await platform.api.client.get("/api/v1/hosts")).status_code != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)


async def _let_the_lease_run_out(platform: Platform, scan: UUID) -> None:
    await _run(platform, "lease_expires_at = now() - interval '1 second'", scan)


async def _let_it_be_due(platform: Platform, scan: UUID) -> None:
    await _run(platform, "available_at = now()", scan)


async def _run(platform: Platform, change: str, scan: UUID) -> None:
    async with platform.api.database.transaction() as tx:
        await tx.execute(text(f"UPDATE scans SET {change} WHERE id = :id"), {"id": scan})
