"""The one transaction that makes a measured scan a completed one.

Verdicts, signed root, the host's current scan and the events appear together or not at all. What is
large was stored before, by its hash. A worker that lost its lease changes nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance import score
from openwatch.compliance.history import store as history
from openwatch.compliance.history.store import Change
from openwatch.compliance.results import service as results
from openwatch.compliance.results.evidence import Findings
from openwatch.compliance.scans import service, shapes, store
from openwatch.compliance.scans.shapes import STAGES
from openwatch.compliance.scans.store import Lease
from openwatch.db.engine import Database
from openwatch.engine.rules.schema import Severity
from openwatch.engine.scan import ScanReport
from openwatch.engine.snapshot import Platform
from openwatch.fleet.hosts import service as hosts
from openwatch.fleet.hosts.service import EndedScan, Posture
from openwatch.kit.crypto import Keyring
from openwatch.signals.service import Subject, emit

TICK: Final = timedelta(microseconds=1)
"""The resolution of a PostgreSQL timestamp."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A scan that has been measured and judged, and whose findings are stored."""

    report: ScanReport
    findings: Findings
    corpus_hash: str
    rule_versions: Mapping[str, int]
    seconds: Mapping[str, float]


async def complete(
    db: Database, tx: AsyncConnection, keyring: Keyring, lease: Lease, measured: Measured
) -> bool:
    """Complete a scan; ``False``, and nothing is written, when the lease is lost.

    Raises ``host.unknown`` when the host was deleted.
    """
    await hosts.lock(tx, lease.host_id)
    before = await store.completed_at(tx, lease.host_id, None)
    at = _after(await store.clock(tx), before)
    row = await _signed_row(tx, keyring, lease, measured, before, at)
    if not await service.complete(tx, lease, row, at=at):
        return False
    changes: list[Change] = []
    if not _is_as_before(measured, before):
        changes = await history.apply(
            db,
            tx,
            host_id=lease.host_id,
            at=at,
            verdicts=(
                (o.rule_id, measured.rule_versions[o.rule_id], o.verdict.value, o.evidence)
                for o in measured.findings.outcomes
            ),
        )
    ended = EndedScan(lease.scan_id, "completed", at)
    await hosts.scan_completed(tx, lease.host_id, ended, _posture(measured))
    await _tell(tx, lease, measured, changes=changes if before is not None else [])
    return True


def _is_as_before(measured: Measured, before: RowMapping | None) -> bool:
    """Return whether the verdicts that the host has are those of this scan: the same rules gave
    the same outcomes in the scan that wrote them.
    """
    return before is not None and (before["tree_hash"], before["corpus_hash"]) == (
        measured.findings.manifest.hash,
        bytes.fromhex(measured.corpus_hash),
    )


def _after(clock: datetime, before: RowMapping | None) -> datetime:
    """Return the time of completion: later than that of the scan before, even if a clock is not."""
    return clock if before is None else max(clock, before["finished_at"] + TICK)


async def _signed_row(
    tx: AsyncConnection,
    keyring: Keyring,
    lease: Lease,
    measured: Measured,
    before: RowMapping | None,
    at: datetime,
) -> dict[str, Any]:
    values = _values(measured) | {"previous_root": before and before["root_hash"]}
    statement = shapes.statement(
        values | {"id": lease.scan_id, "host_id": lease.host_id, "finished_at": at}
    )
    return values | {
        "root_hash": bytes.fromhex(statement.root),
        "signature": keyring.signing_key.sign(statement.canonical()),
        "signing_key": await results.register_key(tx, keyring),
    }


def _values(measured: Measured) -> dict[str, Any]:
    report, findings = measured.report, measured.findings
    traffic = report.traffic
    return {
        **_found(findings),
        "facts_count": findings.facts_count,
        "subject_hash": findings.subject,
        "corpus_hash": bytes.fromhex(measured.corpus_hash),
        "tree_hash": findings.manifest.hash,
        "round_trips": traffic.round_trips,
        "bytes_sent": traffic.bytes_sent,
        "bytes_received": traffic.bytes_received,
        **{f"seconds_{stage}": measured.seconds.get(stage) for stage in STAGES},
    }


def _found(findings: Findings) -> dict[str, Any]:
    counts = {f"{name.rstrip('_')}_count": n for name, n in asdict(findings.counts).items()}
    failing = {f"failing_{s.value}": findings.failing.get(s, 0) for s in Severity}
    return counts | failing


def _platform(report: ScanReport) -> dict[str, Any]:
    platform = report.snapshot.identity.platform
    if not isinstance(platform, Platform):
        return {"os_family": None, "os_id": None, "os_version": None, "os_name": None}
    return {
        "os_family": platform.family,
        "os_id": platform.id,
        "os_version": platform.version_id,
        "os_name": platform.name,
    }


def _posture(measured: Measured) -> Posture:
    counts = measured.findings.counts
    return Posture(
        **_platform(measured.report),
        **_found(measured.findings),
        score=score.score(counts),
        coverage=score.coverage(counts),
        score_formula=score.FORMULA,
    )


async def _tell(
    tx: AsyncConnection, lease: Lease, measured: Measured, *, changes: list[Change]
) -> None:
    subject = Subject("scan", lease.scan_id)
    data = {"score": score.score(measured.findings.counts)}
    await emit(tx, "scan.completed", subject=subject, host_id=lease.host_id, data=data)
    if changes:
        listed = [{"before": c.before, "after": c.after, "rules": c.rules} for c in changes]
        data = {"changes": listed}
        await emit(tx, "outcome.changed", subject=subject, host_id=lease.host_id, data=data)
