"""Three-valued logic: true, false, or nobody can say (Kleene's strong logic, OVAL 5.11 §5.3.6)."""

from __future__ import annotations

from collections.abc import Iterable


def conjunction(truths: Iterable[bool | None]) -> bool | None:
    """Return the three-valued AND."""
    unknown = False
    for truth in truths:
        if truth is False:
            return False
        unknown = unknown or truth is None
    return None if unknown else True


def disjunction(truths: Iterable[bool | None]) -> bool | None:
    """Return the three-valued OR."""
    unknown = False
    for truth in truths:
        if truth is True:
            return True
        unknown = unknown or truth is None
    return None if unknown else False


def negation(truth: bool | None) -> bool | None:
    """Return the three-valued NOT."""
    return None if truth is None else not truth
