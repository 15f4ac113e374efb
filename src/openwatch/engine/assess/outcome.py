"""Outcomes: the verdict on one rule and the observations that it rests on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from openwatch.engine.facts import Reason
from openwatch.engine.rules.schema import Severity
from openwatch.engine.rules.variables import Bound
from openwatch.engine.subjects.base import Source
from openwatch.kit.canonical import canonical_json


class Verdict(StrEnum):
    """What can be said of one rule on one host."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    NOT_APPLICABLE = "not_applicable"
    MANUAL = "manual"
    NOT_CONFIGURED = "not_configured"


VERDICT_TEXT: Final[Mapping[Verdict, str]] = {
    Verdict.PASS: "The host is as the rule wants it.",
    Verdict.FAIL: "The host deviates from the rule.",
    Verdict.ERROR: "It could not be measured. This is never a pass.",
    Verdict.NOT_APPLICABLE: "The rule does not concern this host.",
    Verdict.MANUAL: "A person has to judge it.",
    Verdict.NOT_CONFIGURED: "A site value that the rule needs has not been set.",
}


@dataclass(frozen=True, slots=True)
class Observation:
    """One value that was looked at.

    ``satisfied`` is ``None`` when the value could not be measured; ``problem`` then says why.
    """

    fact: str
    subject: str
    field: str
    expected: str
    actual: str
    satisfied: bool | None
    command: str = ""
    source: Source | None = None
    raw: str = ""
    problem: Reason | None = None

    def document(self) -> dict[str, Any]:
        """Return this observation as evidence: only what the host and the rule say, no times."""
        document: dict[str, Any] = {
            "fact": self.fact,
            "subject": self.subject,
            "field": self.field,
            "expected": self.expected,
            "actual": self.actual,
            "satisfied": self.satisfied,
            "command": self.command,
            "raw": self.raw,
        }
        if self.source is not None:
            document["source"] = {
                "path": self.source.path,
                "line": self.source.line,
                "text": self.source.text,
            }
        if self.problem is not None:
            document["problem"] = self.problem.value
        return document


@dataclass(frozen=True)
class Outcome:
    """The verdict on one rule. ``reason`` is set when, and only when, the verdict is ``error``."""

    rule_id: str
    verdict: Verdict
    severity: Severity
    message: str
    reason: Reason | None = None
    observations: tuple[Observation, ...] = ()
    facts: tuple[str, ...] = ()
    variables: Mapping[str, Bound] = field(default_factory=dict[str, Bound])
    """The site values that the judgement rests on."""

    @cached_property
    def canonical(self) -> bytes:
        """The canonical bytes of the document (RFC 8785); they are what is hashed and kept."""
        return canonical_json(self.document())

    @cached_property
    def digest(self) -> bytes:
        """The SHA-256 of the canonical bytes."""
        return hashlib.sha256(self.canonical).digest()

    def document(self) -> dict[str, Any]:
        """Return the outcome as evidence."""
        document: dict[str, Any] = {
            "rule": self.rule_id,
            "verdict": self.verdict.value,
            "severity": self.severity.value,
            "message": self.message,
            "observations": [observation.document() for observation in self.observations],
            "facts": list(self.facts),
        }
        if self.reason is not None:
            document["reason"] = self.reason.value
        if self.variables:
            document["variables"] = {n: bound.document() for n, bound in self.variables.items()}
        return document


def count_verdicts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return how many outcomes have each verdict; every verdict has an entry."""
    counts = Counter(outcome.verdict.value for outcome in outcomes)
    return {verdict.value: counts[verdict.value] for verdict in Verdict}
