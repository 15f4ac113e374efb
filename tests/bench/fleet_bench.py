"""The list of hosts with 10,000 of them: how long each page takes.

`python -m tests.bench.fleet_bench` prints the figures; it needs nothing but the database programs.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from openwatch.db import embedded, migrate
from openwatch.db.engine import Database
from openwatch.fleet.hosts import service
from openwatch.fleet.hosts.model import HostState, hosts
from openwatch.fleet.hosts.schema import HostFilters
from openwatch.fleet.hosts.store import SORT_KEYS
from openwatch.kit.clock import now
from openwatch.kit.ids import uuid7
from openwatch.kit.settings import Settings
from tests.bench.figures import Report

HOSTS: Final = 10_000
PAGE: Final = 50
ROUNDS: Final = 3
"""Each page is asked for so often, and its best time counts: the machine does other things too."""

SYSTEMS: Final = (
    ("debian", "12", "Debian GNU/Linux 12 (bookworm)"),
    ("ubuntu", "24.04", "Ubuntu 24.04 LTS"),
    ("rocky", "9.5", "Rocky Linux 9.5"),
)
ENVIRONMENTS: Final = ("production", "staging", "test", None)
TAGS: Final = ("dmz", "pci", "db", "web", "backup", "legacy")


@dataclass(frozen=True, slots=True)
class Question:
    """One page that is asked for."""

    name: str
    filters: HostFilters
    sort: str
    deep: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """Milliseconds by question, and the time below which 95 of 100 lie."""

    by_question: dict[str, float]

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.by_question.values(), n=20)[-1]


def questions() -> Iterator[Question]:
    """Yield every order in both directions, at the start and deep inside, and every filter."""
    everything = HostFilters()
    for key in SORT_KEYS:
        for sort in (key, f"-{key}"):
            yield Question(f"sort={sort}", everything, sort)
            yield Question(f"sort={sort}, deep", everything, sort, deep=True)
    for name, filters in {
        "search": HostFilters(search="host-77"),
        "search, nothing found": HostFilters(search="no such thing"),
        "state": HostFilters(state=[HostState.FAILED]),
        "os": HostFilters(os=["rocky 9.5"]),
        "environment": HostFilters(environment=["production"]),
        "tag": HostFilters(tag=["pci"]),
        "score": HostFilters(score_below=0.5),
        "all at once": HostFilters(search="h", tag=["pci"], score_below=0.9, os=["debian 12"]),
    }.items():
        yield Question(name, filters, "-score")


async def fill(database: Database, count: int = HOSTS) -> None:
    """Write ``count`` hosts as scans would have left them."""
    columns = [column.name for column in hosts.columns if column.name != "state"]
    dice = random.Random(1)
    async with database.transaction() as tx:
        rows = (_row(dice, number) for number in range(count))
        await database.copy_rows(
            tx, hosts, columns, ([row.get(name) for name in columns] for row in rows)
        )


def _row(dice: random.Random, number: int) -> dict[str, Any]:
    at = now() - timedelta(minutes=dice.randrange(100_000))
    os_id, os_version, os_name = dice.choice(SYSTEMS)
    row: dict[str, Any] = {
        "id": uuid7(), "name": f"host-{number:05}.example.org", "address": f"host-{number:05}",
        "port": 22, "environment": dice.choice(ENVIRONMENTS), "description": "A host. " * 4,
        "tags": dice.sample(TAGS, 2), "host_key_policy": "accept_new", "created_at": at,
        "updated_at": at, "version": 1,
    }  # fmt: skip
    if dice.random() < 0.1:
        return row
    passed, failed = dice.randrange(400), dice.randrange(1, 200)
    return row | {
        "current_scan_id": uuid4(), "current_scan_at": at, "os_family": os_id, "os_id": os_id,
        "os_version": os_version, "os_name": os_name, "score": passed / (passed + failed),
        "score_formula": "pass / (pass + fail + error)", "coverage": 1.0, "pass_count": passed,
        "fail_count": failed, "error_count": 0, "not_applicable_count": 3, "manual_count": 0,
        "not_configured_count": 0, "failing_critical": 0, "failing_high": failed // 4,
        "failing_medium": failed // 2, "failing_low": failed // 4, "last_scan_id": uuid4(),
        "last_scan_state": dice.choice(("completed", "completed", "failed")),
        "last_scan_finished_at": at,
    }  # fmt: skip


async def measure(database: Database) -> Figures:
    """Return how long each page takes, from the question to the shapes that the API sends."""
    found: dict[str, float] = {}
    for question in questions():
        cursor = await _deep_cursor(database, question) if question.deep else None
        times: list[float] = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await _page(database, question, cursor)
            times.append((time.perf_counter() - began) * 1000)
        found[question.name] = min(times)
    began = time.perf_counter()
    async with database.read() as conn:
        await service.facets(conn, HostFilters())
    found["facets"] = (time.perf_counter() - began) * 1000
    return Figures(found)


async def _deep_cursor(database: Database, question: Question) -> str | None:
    cursor = None
    for _ in range(HOSTS // PAGE // 50):
        cursor = await _page(database, question, cursor, limit=200)
    return cursor


async def _page(
    database: Database, question: Question, cursor: str | None, limit: int = PAGE
) -> str | None:
    async with database.read() as conn:
        page = await service.list_hosts(
            conn, filters=question.filters, sort=question.sort, cursor=cursor, limit=limit
        )
    return page.next_cursor


async def run() -> Figures:
    """Measure on a database server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="openwatch-bench-"))
    settings = Settings(data_dir=folder, database_url=None)
    try:
        url = embedded.start(settings).uri
        migrate.upgrade(url)
        database = Database(url)
        await fill(database)
        figures = await measure(database)
        await database.aclose()
    finally:
        embedded.stop(settings)
        shutil.rmtree(folder, ignore_errors=True)
    return figures


async def hosts_list(report: Report) -> None:
    """Add the figures to a report of `./ow bench`."""
    figures = await run()
    slowest = max(figures.by_question.values())
    group = f"the list of {HOSTS:,} hosts, {len(figures.by_question)} different pages"
    report.add(group, "95 of 100 pages within", figures.p95 / 1000, "s")
    report.add(group, "the slowest page", slowest / 1000, "s")


def main() -> None:
    """Print the figures."""
    figures = asyncio.run(run())
    for name, milliseconds in sorted(figures.by_question.items(), key=lambda item: -item[1]):
        print(f"{name:<40} {milliseconds:8.1f} ms")
    print(f"{'95 of 100 pages within':<40} {figures.p95:8.1f} ms")


if __name__ == "__main__":
    main()
