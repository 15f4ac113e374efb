"""The same snapshot judged twice: what new rules or other site values would have said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openwatch.engine.assess.assess import assess
from openwatch.engine.assess.outcome import Outcome, Verdict
from openwatch.engine.rules.corpus import Corpus
from openwatch.engine.rules.variables import Layer
from openwatch.engine.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Judgement:
    """Rules and the layers of site values with which a snapshot is judged."""

    corpus: Corpus
    layers: Sequence[Layer] = ()

    def outcomes(self, snapshot: Snapshot) -> dict[str, Outcome]:
        """Return the outcomes by rule id; raises ``variable.invalid``."""
        return {o.rule_id: o for o in assess(self.corpus, snapshot, self.layers)}


@dataclass(frozen=True, slots=True)
class Turn:
    """A rule whose verdict is another one; ``None``: one of the two does not have the rule."""

    rule_id: str
    before: Outcome | None
    after: Outcome | None

    def document(self) -> dict[str, Any]:
        """Return the two verdicts and what each rests on as JSON."""
        return {
            "rule": self.rule_id,
            "before": None if self.before is None else self.before.document(),
            "after": None if self.after is None else self.after.document(),
        }


@dataclass(frozen=True, slots=True)
class Reassessment:
    """All outcomes of both judgements, and the rules whose verdict differs, by id."""

    before: tuple[Outcome, ...]
    after: tuple[Outcome, ...]
    turns: tuple[Turn, ...]


def reassess(snapshot: Snapshot, before: Judgement, after: Judgement) -> Reassessment:
    """Return how the second judgement differs from the first; raises ``variable.invalid``."""
    ours, theirs = before.outcomes(snapshot), after.outcomes(snapshot)
    turns = (
        Turn(rule_id, ours.get(rule_id), theirs.get(rule_id))
        for rule_id in sorted(ours.keys() | theirs.keys())
    )
    return Reassessment(
        tuple(ours.values()),
        tuple(theirs.values()),
        tuple(turn for turn in turns if _verdict(turn.before) is not _verdict(turn.after)),
    )


def _verdict(outcome: Outcome | None) -> Verdict | None:
    return None if outcome is None else outcome.verdict
