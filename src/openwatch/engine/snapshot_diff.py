"""What changed on a host between two snapshots, fact by fact."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from openwatch.engine.facts import Fact
from openwatch.engine.snapshot import Snapshot


class Change(StrEnum):
    """How a fact differs. ``lost`` and ``found``: one of the two could not be measured."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    LOST = "lost"
    FOUND = "found"


@dataclass(frozen=True, slots=True)
class FactChange:
    """One fact that is not the same in both snapshots."""

    fact: str
    change: Change
    before: Fact | None
    after: Fact | None

    def lines(self, context: int = 3) -> Iterator[str]:
        """Yield the difference of the answers as a unified diff, without its file names."""
        diff = difflib.unified_diff(_lines(self.before), _lines(self.after), n=context, lineterm="")
        yield from list(diff)[2:]

    def document(self) -> dict[str, Any]:
        """Return the change as JSON; ``diff`` is a unified diff."""
        return {
            "fact": self.fact,
            "change": self.change.value,
            "before": None if self.before is None else self.before.hash,
            "after": None if self.after is None else self.after.hash,
            "diff": list(self.lines()),
        }


def difference(before: Snapshot, after: Snapshot) -> tuple[FactChange, ...]:
    """Return the facts that differ, by id. A fact that only one of them asked for is listed too."""
    names = sorted(before.facts.keys() | after.facts.keys())
    pairs = ((name, before.facts.get(name), after.facts.get(name)) for name in names)
    return tuple(
        FactChange(name, _change(one, other), one, other)
        for name, one, other in pairs
        if one != other
    )


def _change(before: Fact | None, after: Fact | None) -> Change:
    if before is None:
        return Change.ADDED
    if after is None:
        return Change.REMOVED
    match before.could_not, after.could_not:
        case None, None:
            return Change.CHANGED
        case None, _:
            return Change.LOST
        case _, None:
            return Change.FOUND
        case _:
            return Change.CHANGED


def _lines(fact: Fact | None) -> list[str]:
    if fact is None:
        return []
    lines = fact.output.decode("utf-8", "backslashreplace").splitlines()
    if fact.could_not is not None:
        return [f"could not be measured: {fact.could_not}"]
    return lines
