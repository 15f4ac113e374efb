"""Rules that are judged in place of others: what the outcome of the others is then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from openwatch.engine.assess.outcome import Outcome, Verdict
from openwatch.engine.rules.corpus import Corpus

_JUDGED: Final = (Verdict.PASS, Verdict.FAIL)


def superseded(corpus: Corpus, outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Return the outcomes, those of superseded rules as ``not_applicable``.

    A rule is superseded on this host only by one that passed or failed here. One that does not
    apply, waits for a person or a site value, or could not be measured leaves it as it was judged:
    no finding is lost for want of a better one.
    """
    if not corpus.superseding:
        return tuple(outcomes)
    found = {outcome.rule_id: outcome for outcome in outcomes}
    return tuple(_final(corpus.superseding, found, outcome) for outcome in outcomes)


def _final(
    superseding: Mapping[str, tuple[str, ...]], found: Mapping[str, Outcome], outcome: Outcome
) -> Outcome:
    if outcome.verdict is Verdict.NOT_APPLICABLE:
        return outcome
    by = _last(superseding, found, outcome.rule_id)
    if by == outcome.rule_id:
        return outcome
    return replace(
        outcome,
        verdict=Verdict.NOT_APPLICABLE,
        message=f"The rule {by} is judged in its place on this host.",
        reason=None,
        observations=(),
        facts=(),
        variables={},
    )


def _last(
    superseding: Mapping[str, tuple[str, ...]], found: Mapping[str, Outcome], rule_id: str
) -> str:
    """Return the rule that is judged in place of another, through all that are superseded too.

    The loader refuses circles.
    """
    for by in superseding.get(rule_id, ()):
        if by in found and found[by].verdict in _JUDGED:
            return _last(superseding, found, by)
    return rule_id
