"""The queue behind a narrow port: enqueue, claim, finish, and what recovers lost work.

Behind it are procrastinate's tables and functions (its migrations made them), called on our own
connections, so that a job is queued in the very transaction of the row that it is for. A job only
says which row to look at: rows carry the state, so that a job which comes twice does nothing twice.

This module is below the domains, which enqueue; the rest of the package is above them and runs
what they registered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

CHANNEL_PREFIX: Final = "procrastinate_queue_v1#"
"""procrastinate announces a new job of queue Q on the channel ``procrastinate_queue_v1#Q``."""

FINISHED: Final = "('succeeded', 'failed', 'cancelled', 'aborted')"

_ENQUEUE: Final = text("""
    SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
        CAST(:queue AS varchar), CAST(:task AS varchar), CAST(:priority AS integer),
        CAST(:lock AS text),
        CAST(:once AS text), CAST(:payload AS jsonb), CAST(:at AS timestamptz)
    )]::procrastinate_job_to_defer_v1[])
""")
_WAITING: Final = text("""
    SELECT EXISTS (
        SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = :once AND status = 'todo'
    )
""")
_ALIVE: Final = text("""
    SELECT EXISTS (
        SELECT 1 FROM procrastinate_jobs
        WHERE queueing_lock = :once AND status IN ('todo', 'doing')
    )
""")
_CLAIM: Final = text("""
    SELECT id, task_name, args, attempts
    FROM procrastinate_fetch_job_v2(CAST(:queues AS varchar[]), :worker)
    WHERE id IS NOT NULL
""")
_FINISH: Final = text("""
    SELECT procrastinate_finish_job_v1(id, CAST(:status AS procrastinate_job_status), :forget)
    FROM procrastinate_jobs WHERE id = :job AND status = 'doing' AND worker_id = :worker
""")
_RETRY: Final = text("""
    SELECT procrastinate_retry_job_v2(id, CAST(:at AS timestamptz), NULL, NULL, NULL)
    FROM procrastinate_jobs WHERE id = :job AND status = 'doing' AND worker_id = :worker
""")
_REGISTER: Final = text("SELECT worker_id FROM procrastinate_register_worker_v1()")
_BEAT: Final = text("""
    UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = :worker RETURNING id
""")
_UNREGISTER: Final = text("SELECT procrastinate_unregister_worker_v1(:worker)")
_LAST_BEAT: Final = text("SELECT max(last_heartbeat) FROM procrastinate_workers")
# Jobs of workers that are silent or gone: done again, or given up after too many times.
_RECOVER: Final = text("""
    WITH lost AS (
        SELECT job.id, job.attempts, job.queueing_lock FROM procrastinate_jobs AS job
        LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
        WHERE job.status = 'doing'
          AND (worker.id IS NULL OR worker.last_heartbeat < now() - CAST(:silent AS interval))
        FOR UPDATE OF job SKIP LOCKED
    ), handled AS (
        SELECT CASE WHEN attempts + 1 < :attempts AND NOT EXISTS (
                SELECT 1 FROM procrastinate_jobs AS other
                WHERE other.queueing_lock = lost.queueing_lock AND other.status = 'todo'
            )
            THEN procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)
            ELSE procrastinate_finish_job_v1(id, 'failed', false)
        END FROM lost
    )
    SELECT count(*) FROM handled
""")
_FORGET_WORKERS: Final = text("""
    SELECT count(*) FROM procrastinate_prune_stalled_workers_v1(CAST(:seconds AS float))
""")
_PRUNE: Final = text(f"""
    DELETE FROM procrastinate_jobs WHERE id IN (
        SELECT job.id FROM procrastinate_jobs AS job
        WHERE job.status IN {FINISHED} AND NOT EXISTS (
            SELECT 1 FROM procrastinate_events AS event
            WHERE event.job_id = job.id AND event.at > now() - CAST(:age AS interval)
        )
        LIMIT :most
    )
""")


@dataclass(frozen=True, slots=True)
class Job:
    """A job that a worker has claimed. ``attempts`` counts the times before this one."""

    id: int
    task: str
    payload: Mapping[str, Any]
    attempts: int


async def enqueue(
    tx: AsyncConnection,
    task: str,
    payload: Mapping[str, Any],
    *,
    queue: str,
    lock: str | None = None,
    once: str | None = None,
    at: datetime | None = None,
    priority: int = 0,
) -> None:
    """Queue a job: it exists if, and only if, ``tx`` commits.

    Of the jobs that share ``lock``, one runs at a time. While a job with the same ``once`` waits,
    no second one is queued. ``at`` is the earliest time to run it. Of jobs
    that are due, those of the highest ``priority`` are run first.
    """
    if once is not None and (await tx.execute(_WAITING, {"once": once})).scalar_one():
        return
    await tx.execute(
        _ENQUEUE,
        {
            "queue": queue,
            "task": task,
            "lock": lock,
            "once": once,
            "payload": orjson.dumps(payload).decode(),
            "at": at,
            "priority": priority,
        },
    )


async def enqueue_all(
    tx: AsyncConnection, task: str, payloads: Mapping[str, Mapping[str, Any]], *, queue: str
) -> None:
    """Queue many jobs that nobody has queued before; ``payloads`` by what each is the once of."""
    rows = [
        {
            "queue": queue,
            "task": task,
            "lock": None,
            "once": once,
            "payload": orjson.dumps(payload).decode(),
            "at": None,
            "priority": 0,
        }
        for once, payload in payloads.items()
    ]
    if rows:
        await tx.execute(_ENQUEUE, rows)


async def is_waiting(conn: AsyncConnection, once: str) -> bool:
    """Return whether a job that was queued with this ``once`` waits for a worker."""
    return bool((await conn.execute(_WAITING, {"once": once})).scalar_one())


async def is_alive(conn: AsyncConnection, once: str) -> bool:
    """Return whether a job that was queued with this ``once`` waits, or a worker is at it."""
    return bool((await conn.execute(_ALIVE, {"once": once})).scalar_one())


async def claim(tx: AsyncConnection, *, worker: int, queues: Sequence[str]) -> Job | None:
    """Return the next job for a worker, which then has to finish it; ``None``: none is due."""
    parameters = {"queues": list(queues), "worker": worker}
    row = (await tx.execute(_CLAIM, parameters)).one_or_none()
    return None if row is None else Job(row.id, row.task_name, row.args, row.attempts)


async def finish(tx: AsyncConnection, job: Job, *, worker: int, succeeded: bool) -> None:
    """End a job. One that succeeded is forgotten; one that failed is kept for people to see.

    Nothing happens when the job was taken from the worker in the meantime.
    """
    status = "succeeded" if succeeded else "failed"
    parameters = {"job": job.id, "worker": worker, "status": status, "forget": succeeded}
    await tx.execute(_FINISH, parameters)


async def give_back(tx: AsyncConnection, job: Job, *, worker: int, at: datetime) -> None:
    """Put a job back into the queue, to be run at ``at`` or later."""
    await tx.execute(_RETRY, {"job": job.id, "worker": worker, "at": at})


async def register_worker(tx: AsyncConnection) -> int:
    """Return the number under which a new worker claims jobs."""
    return (await tx.execute(_REGISTER)).scalar_one()


async def beat(tx: AsyncConnection, worker: int) -> bool:
    """Note that a worker is alive; ``False`` when it was given up and has to register anew."""
    return (await tx.execute(_BEAT, {"worker": worker})).one_or_none() is not None


async def unregister_worker(tx: AsyncConnection, worker: int) -> None:
    """Forget a worker that ends."""
    await tx.execute(_UNREGISTER, {"worker": worker})


async def last_beat(conn: AsyncConnection) -> datetime | None:
    """Return when a worker was alive last; ``None`` when there is none."""
    return (await conn.execute(_LAST_BEAT)).scalar_one()


async def recover(tx: AsyncConnection, *, silent_for: timedelta, attempts: int) -> int:
    """Queue the jobs of dead workers again, each ``attempts`` times at most; return how many."""
    parameters = {"silent": silent_for, "attempts": attempts}
    return (await tx.execute(_RECOVER, parameters)).scalar_one()


async def forget_workers(tx: AsyncConnection, *, silent_for: timedelta) -> int:
    """Forget workers that have been silent for so long; return their number."""
    parameters = {"seconds": silent_for.total_seconds()}
    return (await tx.execute(_FORGET_WORKERS, parameters)).scalar_one()


async def prune(tx: AsyncConnection, *, older_than: timedelta, most: int) -> int:
    """Remove jobs that ended so long ago, ``most`` at a time; return their number."""
    return (await tx.execute(_PRUNE, {"age": older_than, "most": most})).rowcount
