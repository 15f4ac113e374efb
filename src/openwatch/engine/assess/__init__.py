"""Assessment: rules and a snapshot go in, outcomes come out. Pure Python, no host needed."""

from __future__ import annotations

from openwatch.engine.assess.assess import assess
from openwatch.engine.assess.memo import Memo
from openwatch.engine.assess.outcome import (
    VERDICT_TEXT,
    Observation,
    Outcome,
    Verdict,
    count_verdicts,
)
from openwatch.engine.facts import REASON_TEXT, Reason

__all__ = [
    "REASON_TEXT",
    "VERDICT_TEXT",
    "Memo",
    "Observation",
    "Outcome",
    "Reason",
    "Verdict",
    "assess",
    "count_verdicts",
]
