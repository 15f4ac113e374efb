"""What a scan found, in the form in which it is kept: documents, their hashes and a manifest.

Only what the host and the rules say is hashed; times and durations stay outside, so that two scans
of an unchanged host give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from openwatch.compliance.score import Counts
from openwatch.engine.assess import Outcome, Verdict, count_verdicts
from openwatch.engine.interchange.merkle import Manifest
from openwatch.engine.rules.schema import Severity
from openwatch.engine.snapshot import Platform, Snapshot
from openwatch.kit.canonical import canonical_json


@dataclass(frozen=True, slots=True)
class FoundOutcome:
    """The verdict on one rule and the address of its evidence."""

    rule_id: str
    verdict: Verdict
    evidence: bytes


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that a scan found. Hashes are SHA-256 digests; ``blobs`` is keyed by them."""

    outcomes: tuple[FoundOutcome, ...]
    counts: Counts
    failing: Mapping[Severity, int]
    manifest: Manifest
    subject: bytes
    facts_count: int
    blobs: Mapping[bytes, bytes]


def find(snapshot: Snapshot, outcomes: tuple[Outcome, ...], *, host: Mapping[str, Any]) -> Findings:
    """Return the findings of a scan. ``host`` says how the inventory knows the host."""
    found = tuple(FoundOutcome(o.rule_id, o.verdict, o.digest) for o in outcomes)
    facts = [(fact_id, digest.hex()) for fact_id, digest in snapshot.digests.items()]
    subject = canonical_json(_subject(snapshot, host))
    blobs = {
        **{outcome.digest: outcome.canonical for outcome in outcomes},
        **{snapshot.digests[fact_id]: data for fact_id, data in snapshot.documents.items()},
        (subject_hash := hashlib.sha256(subject).digest()): subject,
    }
    return Findings(
        outcomes=found,
        counts=_counts(outcomes),
        failing=Counter(o.severity for o in outcomes if o.verdict is Verdict.FAIL),
        manifest=Manifest.of(
            outcomes=[(o.rule_id, o.verdict.value, o.evidence.hex()) for o in found], facts=facts
        ),
        subject=subject_hash,
        facts_count=len(facts),
        blobs=blobs,
    )


def moment(at: datetime) -> str:
    """Return a time as statements write it: RFC 3339, UTC, microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _counts(outcomes: tuple[Outcome, ...]) -> Counts:
    verdicts = count_verdicts(outcomes)
    return Counts(
        pass_=verdicts["pass"],
        fail=verdicts["fail"],
        error=verdicts["error"],
        not_applicable=verdicts["not_applicable"],
        manual=verdicts["manual"],
        not_configured=verdicts["not_configured"],
    )


def _subject(snapshot: Snapshot, host: Mapping[str, Any]) -> dict[str, Any]:
    identity = snapshot.identity
    platform = identity.platform
    os = (
        {
            "family": platform.family,
            "id": platform.id,
            "version": platform.version_id,
            "name": platform.name,
        }
        if isinstance(platform, Platform)
        else None
    )
    return {
        "host": dict(host),
        "hostname": identity.hostname,
        "machine_id": identity.machine_id,
        "kernel": identity.kernel,
        "arch": identity.arch,
        "os": os,
        "privilege": snapshot.privilege,
    }
