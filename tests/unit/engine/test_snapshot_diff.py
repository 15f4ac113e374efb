"""What changed between two snapshots is said fact by fact."""

from __future__ import annotations

import pytest

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.snapshot_diff import Change, difference
from openwatch.kit.clock import now


def fact(name: str, output: bytes = b"", problem: Reason | None = None) -> Fact:
    could_not = None if problem is None else CouldNot(problem)
    return Fact(Request.from_id(name), "cat", output, could_not=could_not)


def snapshot(*facts: Fact) -> Snapshot:
    return make_snapshot(facts, taken_at=now(), privilege="root")


@pytest.mark.ac("snapshots-01")
def test_each_kind_of_change_is_told_apart() -> None:
    before = snapshot(
        fact("same", b"1\n"), fact("gone", b"1\n"), fact("other", b"a\nb\nc\n"),
        fact("lost", b"1\n"), fact("found", problem=Reason.DENIED),
        fact("worse", problem=Reason.DENIED),
    )  # fmt: skip
    after = snapshot(
        fact("same", b"1\n"), fact("new", b"2\n"), fact("other", b"a\nB\nc\n"),
        fact("lost", problem=Reason.TIMED_OUT), fact("found", b"1\n"),
        fact("worse", problem=Reason.TOOL_MISSING),
    )  # fmt: skip
    found = {change.fact: change for change in difference(before, after)}
    assert {name: change.change for name, change in found.items()} == {
        "gone": Change.REMOVED,
        "new": Change.ADDED,
        "other": Change.CHANGED,
        "lost": Change.LOST,
        "found": Change.FOUND,
        "worse": Change.CHANGED,
    }
    assert list(found["other"].lines(0)) == ["@@ -2 +2 @@", "-b", "+B"]
    assert list(found["new"].lines())[-1] == "+2"
    assert any("could not be measured" in line for line in found["lost"].lines())


@pytest.mark.ac("snapshots-01")
def test_equal_snapshots_differ_in_nothing() -> None:
    one = snapshot(fact("a", b"\xff\xfe"), fact("b", problem=Reason.DENIED))
    assert difference(one, one) == ()


def test_the_time_that_an_answer_took_is_no_change() -> None:
    slow = Fact(Request("a"), "cat", b"1", seconds=9.0)
    assert difference(snapshot(fact("a", b"1")), snapshot(slow)) == ()
