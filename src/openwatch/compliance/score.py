"""The one place where a score is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FORMULA: Final = "pass / (pass + fail + error)"
"""How the value of every score is computed; stored with it and shown beside it."""

DESCRIPTION: Final = (
    "The share of passed rules among the rules that gave or should have given an answer, between "
    "0 and 1. A rule that could not be measured counts as not passed. Rules that do not apply, "
    "that a person has to look at or that wait for a site value are outside the score; coverage "
    "says which share of all rules is inside. Without any such rule there is no score."
)

_STEPS: Final = 10_000
"""Four decimal places: a hundredth of a percent."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many outcomes of a scan have which verdict."""

    pass_: int = 0
    fail: int = 0
    error: int = 0
    not_applicable: int = 0
    manual: int = 0
    not_configured: int = 0

    @property
    def measured(self) -> int:
        """The denominator of the score."""
        return self.pass_ + self.fail + self.error

    @property
    def total(self) -> int:
        """All outcomes."""
        return self.measured + self.not_applicable + self.manual + self.not_configured


def score(counts: Counts) -> float | None:
    """Return the score as a fraction between 0 and 1, or ``None`` without data."""
    return _share(counts.pass_, counts.measured)


def coverage(counts: Counts) -> float | None:
    """Return the share of all rules that the score speaks of; ``None`` without data."""
    return _share(counts.measured, counts.total)


def _share(part: int, whole: int) -> float | None:
    if whole == 0:
        return None
    # Rounded down: 1 is shown only when nothing is missing.
    return part * _STEPS // whole / _STEPS
