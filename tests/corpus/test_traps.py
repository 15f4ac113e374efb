"""No rule of the corpus walks into a known trap."""

from __future__ import annotations

import pytest

from openwatch.engine.rules.traps import traps
from tests.corpus.cases import corpus


@pytest.mark.ac("rules-10")
def test_no_rule_walks_into_a_trap() -> None:
    assert not traps(corpus()), "\n".join(map(str, traps(corpus())))
