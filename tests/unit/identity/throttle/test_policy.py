"""How long signing in is paused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.identity.throttle.policy import (
    PER_ADDRESS,
    PER_USER,
    Counter,
    Policy,
    network_of,
    pair_key,
    user_key,
)

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.ac("identity-06")
def test_the_first_failures_are_free_and_then_pauses_double() -> None:
    pauses = [PER_USER.pause_after(n) for n in range(1, 10)]
    assert pauses[:5] == [None] * 5
    assert pauses[5:] == [timedelta(seconds=s) for s in (2, 4, 8, 16)]


@pytest.mark.ac("identity-06")
@given(failures=st.integers(0, 10**9), policy=st.sampled_from([PER_USER, PER_ADDRESS]))
def test_no_pause_is_permanent(failures: int, policy: Policy) -> None:
    assert (policy.pause_after(failures) or timedelta()) <= policy.longest <= timedelta(minutes=15)


@given(st.lists(st.floats(0, 7200), max_size=40))
def test_a_counter_never_counts_more_than_there_were(gaps: list[float]) -> None:
    counter, now = Counter(), NOON
    for i, gap in enumerate(gaps, start=1):
        now += timedelta(seconds=gap)
        counter = counter.after_failure(PER_USER, now)
        assert 1 <= counter.failures <= i
        assert counter.seconds_left(now) <= PER_USER.longest.total_seconds()


def test_a_pause_is_told_in_whole_seconds_and_ends() -> None:
    paused = Counter(6, NOON, NOON + timedelta(seconds=1.2))
    assert paused.seconds_left(NOON) == 2
    assert paused.seconds_left(NOON + timedelta(seconds=1.2)) == 0
    assert Counter().seconds_left(NOON) == 0


def test_an_hour_without_failure_forgets() -> None:
    counter = Counter(20, NOON, NOON)
    assert counter.after_failure(PER_USER, NOON + timedelta(minutes=59)).failures == 21
    assert counter.after_failure(PER_USER, NOON + timedelta(minutes=61)).failures == 1


def test_taking_back_ends_the_pause_and_stops_at_zero() -> None:
    assert Counter(7, NOON, NOON).without_last() == Counter(6, NOON, None)
    assert Counter().without_last().failures == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "local"),
        ("not an address", "local"),
    ],
)
def test_what_one_person_controls_counts_as_one(address: str | None, network: str) -> None:
    assert network_of(address) == network


def test_keys_of_different_things_differ() -> None:
    assert user_key(" Ada ") == user_key("ada")
    assert pair_key("a", "192.0.2.1") != pair_key("a", "192.0.2.2")
    assert len(user_key("\ud800" * 1000)) == 32
