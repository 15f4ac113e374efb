"""The list of hosts of a large fleet."""

from __future__ import annotations

import pytest

from openwatch.db.engine import Database
from tests.bench.fleet_bench import HOSTS, fill, measure

# Far above what `./ow bench list` measures: this finds a question that reads the whole fleet, and
# a busy machine does not fail it.
MILLISECONDS = 2000.0


@pytest.mark.ac("fleet-19")
async def test_pages_of_ten_thousand_hosts_are_quick(database: Database) -> None:
    await fill(database)
    figures = await measure(database)
    assert HOSTS == 10_000
    assert len(figures.by_question) > 40
    assert figures.p95 < MILLISECONDS, figures.by_question
