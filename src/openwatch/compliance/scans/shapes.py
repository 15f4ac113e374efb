"""From rows to what the API shows."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping

from openwatch.compliance import score
from openwatch.compliance.results.evidence import moment
from openwatch.compliance.scans.model import ScanState
from openwatch.compliance.scans.schema import (
    Failure,
    HistoryPoint,
    Progress,
    Scan,
    ScanStats,
    VerdictCounts,
)
from openwatch.compliance.score import Counts
from openwatch.engine.interchange.bundle import Statement
from openwatch.fleet.hosts.schema import Failing, Os, Score

Row = RowMapping | Mapping[str, Any]


STAGES: Final = ("connect", "detect", "collect", "assess", "store", "total")
"""The parts of a scan whose time is kept, and all of it together."""


def scan(row: Row, subject: Mapping[str, Any] | None) -> Scan:
    """Return what the API shows of a scan. ``subject`` is the document that its row names."""
    completed = row["state"] == ScanState.COMPLETED
    counts = _counts(row) if completed else None
    return Scan(
        id=row["id"],
        host_id=row["host_id"],
        host_name=row["host_name"],
        state=row["state"],
        trigger=row["trigger"],
        requested_by=row["requested_by"],
        retry_of=row["retry_of"],
        attempts=row["attempts"],
        queued_at=row["queued_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        cancel_requested=row["cancel_requested_at"] is not None,
        progress=_progress(row),
        failure=_failure(row),
        score=score_of(counts) if counts is not None else None,
        counts=VerdictCounts(**_by_verdict(counts)) if counts is not None else None,
        failing=_failing(row) if completed else None,
        os=Os(**subject["os"]) if subject and subject["os"] else None,
        kernel=subject["kernel"] or None if subject else None,
        privilege=subject["privilege"] if subject else None,
        facts_count=row["facts_count"],
        root_hash=_hex(row["root_hash"]),
        previous_root_hash=_hex(row["previous_root"]),
        tree_hash=_hex(row["tree_hash"]),
        signature=base64.b64encode(row["signature"]).decode() if completed else None,
        signing_key_id=row["key_id"],
        stats=_stats(row) if completed else None,
    )


def score_of(counts: Counts) -> Score:
    """Return the score that counts make, with what it was made of."""
    return Score(
        value=score.score(counts),
        coverage=score.coverage(counts),
        formula=score.FORMULA,
        **_by_verdict(counts),
    )


def history_point(row: Row) -> HistoryPoint:
    """Return a completed scan as a point of its host's history."""
    counts = _counts(row)
    return HistoryPoint(
        scan_id=row["id"],
        finished_at=row["finished_at"],
        score=score.score(counts),
        **{"pass": counts.pass_},
        fail=counts.fail,
        error=counts.error,
    )


def statement(row: Row) -> Statement:
    """Return the statement that was signed for a completed scan, rebuilt from its row."""
    return Statement(
        scan=str(UUID(str(row["id"]))),
        host=str(UUID(str(row["host_id"]))),
        finished_at=moment(row["finished_at"]),
        subject=row["subject_hash"].hex(),
        corpus=row["corpus_hash"].hex(),
        outcomes=_counts(row).total,
        facts=row["facts_count"],
        tree=row["tree_hash"].hex(),
        previous=_hex(row["previous_root"]),
    )


def _counts(row: Row) -> Counts:
    return Counts(
        pass_=row["pass_count"],
        fail=row["fail_count"],
        error=row["error_count"],
        not_applicable=row["not_applicable_count"],
        manual=row["manual_count"],
        not_configured=row["not_configured_count"],
    )


def _by_verdict(counts: Counts) -> dict[str, int]:
    return {
        "pass": counts.pass_,
        "fail": counts.fail,
        "error": counts.error,
        "not_applicable": counts.not_applicable,
        "manual": counts.manual,
        "not_configured": counts.not_configured,
    }


def _progress(row: Row) -> Progress | None:
    if row["progress_stage"] is None:
        return None
    return Progress(
        stage=row["progress_stage"], done=row["progress_done"], total=row["progress_total"]
    )


def _failure(row: Row) -> Failure | None:
    if row["failure_code"] is None:
        return None
    return Failure(code=row["failure_code"], message=row["failure_message"], fix=row["failure_fix"])


def _failing(row: Row) -> Failing:
    return Failing(
        critical=row["failing_critical"],
        high=row["failing_high"],
        medium=row["failing_medium"],
        low=row["failing_low"],
    )


def _stats(row: Row) -> ScanStats:
    seconds = {stage: row[f"seconds_{stage}"] for stage in STAGES}
    return ScanStats(
        round_trips=row["round_trips"],
        bytes_sent=row["bytes_sent"],
        bytes_received=row["bytes_received"],
        seconds={stage: round(value, 3) for stage, value in seconds.items() if value is not None},
    )


def _hex(digest: bytes | None) -> str | None:
    return digest.hex() if digest is not None else None
