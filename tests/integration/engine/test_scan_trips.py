"""However many items hang: a scan takes at most three round trips, and all that can be is known."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from openwatch.engine import collector
from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes import PROBES
from openwatch.engine.probes.base import TableProbe
from openwatch.engine.scan import take_snapshot
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.transport import connect_local


class _Table(TableProbe):
    """A probe made for a test."""

    def __init__(self, name: str, body: str) -> None:
        self.name = name  # type: ignore[misc]
        self.command = name  # type: ignore[misc]
        self.body = body  # type: ignore[misc]
        self.seconds = 1  # type: ignore[misc]

    def parse(self, text: str) -> str:
        return text


async def taken(
    monkeypatch: pytest.MonkeyPatch, probes: Mapping[str, TableProbe]
) -> tuple[Snapshot, int]:
    """Return a snapshot of this machine for these probes, and the round trips that it took."""
    identity = {name: PROBES[name] for name in ("os_release", "kernel", "capabilities")}
    monkeypatch.setattr(collector, "PROBES", identity | dict(probes))
    transport = connect_local()
    transport.expect_privileged()
    try:
        snapshot, _ = await take_snapshot(transport, lambda _: map(Request, probes))
    finally:
        await transport.aclose()
    return snapshot, transport.traffic.round_trips


def reason(snapshot: Snapshot, probe: str) -> Reason | None:
    could_not = snapshot.facts[probe].could_not
    return could_not.reason if isinstance(could_not, CouldNot) else None


@pytest.mark.ac("engine-11")
@pytest.mark.parametrize(
    ("hang", "trips"),
    [((), 2), (("slow",), 3), (("capabilities",), 3), (("capabilities", "slow"), 3)],
)
async def test_hanging_items_cost_one_round_trip_more_in_all(
    monkeypatch: pytest.MonkeyPatch, hang: tuple[str, ...], trips: int
) -> None:
    fine = {name: _Table(name, f"echo {name}") for name in ("fine", "slow", "last")}
    slow = {name: _Table(name, "sleep 30") for name in hang}
    snapshot, taken_trips = await taken(monkeypatch, fine | slow)
    assert taken_trips == trips
    assert {name for name in (*fine, *slow) if reason(snapshot, name)} == set(hang)
    assert all(reason(snapshot, name) is Reason.TIMED_OUT for name in hang)
    assert snapshot.facts["last"].output == b"last\n"
