"""The queue behind its port, and the periodic work around it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from openwatch.db.engine import Database
from openwatch.jobs import port
from openwatch.jobs.health import worker_last_seen
from openwatch.jobs.periodic import Chore, Periodic, prune_jobs
from openwatch.kit.clock import now

QUEUE = "test"


async def count(database: Database, where: str = "true") -> int:
    async with database.read() as conn:
        query = f"SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'test' AND {where}"
        return (await conn.execute(text(query))).scalar_one()


async def enqueue(database: Database, task: str = "t", **how: Any) -> None:
    async with database.transaction() as tx:
        await port.enqueue(tx, task, {"n": 1}, queue=QUEUE, **how)


async def register(database: Database) -> int:
    async with database.transaction() as tx:
        return await port.register_worker(tx)


async def claim(database: Database, worker: int) -> port.Job | None:
    async with database.transaction() as tx:
        return await port.claim(tx, worker=worker, queues=[QUEUE])


async def finish(database: Database, job: port.Job, worker: int, *, succeeded: bool = True) -> None:
    async with database.transaction() as tx:
        await port.finish(tx, job, worker=worker, succeeded=succeeded)


@pytest.fixture(autouse=True)
async def clean(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE"))


@pytest.mark.ac("scans-20")
async def test_a_job_exists_only_if_its_transaction_commits(database: Database) -> None:
    with pytest.raises(LookupError):
        async with database.transaction() as tx:
            await port.enqueue(tx, "t", {}, queue=QUEUE)
            raise LookupError
    assert await count(database) == 0
    await enqueue(database)
    worker = await register(database)
    job = await claim(database, worker)
    assert job is not None
    assert (job.task, job.payload, job.attempts) == ("t", {"n": 1}, 0)
    assert await claim(database, worker) is None
    await finish(database, job, worker)
    assert await count(database) == 0


@pytest.mark.ac("fleet-49")
async def test_work_that_somebody_waits_for_comes_before_the_rest(database: Database) -> None:
    """Thousands of queued scans must not keep a person at the import wizard waiting."""
    await enqueue(database, "scan")
    await enqueue(database, "import", priority=1)
    worker = await register(database)
    first, second = await claim(database, worker), await claim(database, worker)
    assert first is not None
    assert second is not None
    assert (first.task, second.task) == ("import", "scan")


async def test_of_jobs_with_one_name_one_waits(database: Database) -> None:
    for _ in range(2):
        await enqueue(database, once="x")
    assert await count(database) == 1
    worker = await register(database)
    assert await claim(database, worker) is not None
    await enqueue(database, once="x")
    assert await count(database) == 2


async def test_of_jobs_with_one_lock_one_runs(database: Database) -> None:
    for _ in range(2):
        await enqueue(database, lock="host")
    worker = await register(database)
    first = await claim(database, worker)
    assert first is not None
    assert await claim(database, worker) is None
    await finish(database, first, worker)
    assert await claim(database, worker) is not None


async def test_a_job_waits_for_its_time(database: Database) -> None:
    worker = await register(database)
    await enqueue(database, at=now() + timedelta(hours=1))
    assert await claim(database, worker) is None
    await enqueue(database, at=now() - timedelta(seconds=1))
    job = await claim(database, worker)
    assert job is not None
    async with database.transaction() as tx:
        await port.give_back(tx, job, worker=worker, at=now() - timedelta(seconds=1))
    again = await claim(database, worker)
    assert again is not None
    assert (again.id, again.attempts) == (job.id, 1)


async def test_two_workers_never_get_the_same_job(database: Database) -> None:
    for _ in range(20):
        await enqueue(database)
    workers = [await register(database) for _ in range(4)]
    claimed = await asyncio.gather(*[claim(database, worker) for worker in workers * 6])
    ids = [job.id for job in claimed if job is not None]
    assert len(ids) == len(set(ids)) == 20


async def test_a_job_that_dies_too_often_is_given_up(database: Database) -> None:
    await enqueue(database, once="x")
    for attempt in range(3):
        worker = await register(database)
        assert await claim(database, worker) is not None
        async with database.transaction() as tx:
            await port.unregister_worker(tx, worker)
            assert await port.recover(tx, silent_for=timedelta(seconds=15), attempts=3) == 1
        assert await count(database, "status = 'todo'") == (attempt < 2)
    assert await count(database, "status = 'failed'") == 1


async def test_a_lost_job_whose_successor_waits_is_not_queued_twice(database: Database) -> None:
    await enqueue(database, once="x")
    worker = await register(database)
    assert await claim(database, worker) is not None
    await enqueue(database, once="x")
    async with database.transaction() as tx:
        await port.unregister_worker(tx, worker)
        await port.recover(tx, silent_for=timedelta(seconds=15), attempts=3)
    assert await count(database, "status = 'todo'") == 1


async def test_jobs_that_ended_long_ago_are_removed(database: Database) -> None:
    worker = await register(database)
    for _ in range(2):
        await enqueue(database)
        job = await claim(database, worker)
        assert job is not None
        await finish(database, job, worker, succeeded=False)
    async with database.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE procrastinate_events SET at = now() - interval '8 days' "
                "WHERE job_id = (SELECT min(id) FROM procrastinate_jobs)"
            )
        )
    await enqueue(database)
    assert await prune_jobs(database) == 1
    assert await count(database, "status = 'failed'") == 1
    assert await count(database, "status = 'todo'") == 1


async def test_a_worker_that_was_forgotten_notices(database: Database) -> None:
    async with database.read() as conn:
        assert await worker_last_seen(conn) is None
    worker = await register(database)
    async with database.transaction() as tx:
        assert await port.beat(tx, worker)
        await port.unregister_worker(tx, worker)
        assert not await port.beat(tx, worker)


async def test_one_worker_at_a_time_does_periodic_work(database: Database) -> None:
    at_work = 0
    most = 0
    done = 0

    async def work(_db: Database) -> None:
        nonlocal at_work, most, done
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.05)
        at_work -= 1
        done += 1

    async def broken(_db: Database) -> None:
        raise ValueError("this chore is broken")

    periodic = [
        Periodic(database, [Chore("broken", 0, broken), Chore("work", 0, work)]) for _ in range(3)
    ]
    for _ in range(3):
        await asyncio.gather(*[one.round() for one in periodic])
    assert most == 1
    assert done >= 3
