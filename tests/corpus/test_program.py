"""The program that a whole corpus asks of a host: what fits into one."""

from __future__ import annotations

from typing import Final

import pytest

from openwatch.engine.assess.assess import concerns
from openwatch.engine.collector import grouped
from openwatch.engine.facts import Request
from openwatch.engine.probes import PROBES
from openwatch.engine.scan import IDENTITY
from tests.corpus.cases import corpus
from tests.corpus.host import PLATFORMS, base_host

MAX_ARGUMENT: Final = 128 * 1024
"""execve(2): MAX_ARG_STRLEN, 32 pages. The body of an item is one argument of sh -c."""


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_item_fits_into_one_argument(platform: str) -> None:
    seen = base_host(platform).snapshot(IDENTITY)
    asked: set[Request] = set(concerns(corpus(), seen))
    assert asked
    for name, requests in grouped(asked).items():
        for item in PROBES[name].items(requests):
            assert len(item.body.encode()) < MAX_ARGUMENT * 3 // 4, f"{item.id} grows too large"
