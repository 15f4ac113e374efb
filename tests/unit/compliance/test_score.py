from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.compliance.score import Counts, coverage, score

numbers = st.integers(0, 100_000)


@pytest.mark.ac("scans-19")
def test_what_could_not_be_measured_counts_as_not_passed() -> None:
    assert score(Counts(pass_=1, fail=1, error=2)) == 0.25


@pytest.mark.ac("scans-19")
def test_what_has_no_answer_is_outside_the_score_and_inside_the_coverage() -> None:
    counts = Counts(pass_=3, fail=1, not_applicable=2, manual=1, not_configured=1)
    assert score(counts) == 0.75
    assert coverage(counts) == 0.5


@pytest.mark.ac("scans-19")
def test_no_data_is_no_score() -> None:
    assert score(Counts()) is None
    assert coverage(Counts()) is None
    assert score(Counts(not_applicable=5)) is None
    assert coverage(Counts(not_applicable=5)) == 0


@pytest.mark.ac("scans-19")
@given(numbers, numbers, numbers)
def test_only_what_passes_whole_is_whole(passed: int, failed: int, errors: int) -> None:
    value = score(Counts(pass_=passed, fail=failed, error=errors))
    if passed + failed + errors == 0:
        assert value is None
        return
    assert value is not None
    assert 0 <= value <= passed / (passed + failed + errors)
    assert (value == 1) == (failed + errors == 0)
