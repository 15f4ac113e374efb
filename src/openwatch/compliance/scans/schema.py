"""API shapes of scans and their outcomes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from openwatch.compliance.rules.schema import RuleText
from openwatch.compliance.scans.model import ScanState
from openwatch.engine.assess import Verdict
from openwatch.engine.rules.schema import Category, Severity
from openwatch.fleet.hosts.schema import Failing, Os, Score
from openwatch.kit.paging import Page


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, serialize_by_alias=True)


class Progress(_Shape):
    """How far a running scan is: steps done of a stage."""

    stage: str
    done: int
    total: int


class Failure(_Shape):
    """Why a scan has no outcomes; on a scan that waits: why its last attempt had none."""

    code: str
    message: str
    fix: str


class VerdictCounts(_Shape):
    """How many outcomes have which verdict."""

    pass_: int = Field(alias="pass")
    fail: int
    error: int
    not_applicable: int
    manual: int
    not_configured: int


class ScanStats(_Shape):
    """What a scan cost."""

    round_trips: int
    bytes_sent: int
    bytes_received: int
    seconds: dict[str, float] = Field(description="By stage.")


class Queued(_Shape):
    """What became of a request to scan several hosts."""

    hosts: int = Field(description="How many were chosen.")
    queued: int
    already_active: int = Field(description="Their scan was not over yet.")
    without_credential: int = Field(description="Nobody can log in to them.")


class Scan(_Shape):
    """One run over one host."""

    id: UUID
    host_id: UUID
    host_name: str
    state: ScanState
    trigger: str
    requested_by: UUID | None
    retry_of: UUID | None
    attempts: int
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested: bool
    progress: Progress | None
    failure: Failure | None
    score: Score | None
    counts: VerdictCounts | None
    failing: Failing | None
    os: Os | None
    kernel: str | None
    privilege: str | None
    facts_count: int | None
    root_hash: str | None = Field(description="SHA-256 of the statement that was signed.")
    previous_root_hash: str | None = Field(description="The root of the host's scan before it.")
    tree_hash: str | None = Field(description="Equal for two scans that found the same.")
    signature: str | None = Field(description="Ed25519 over the statement, base64.")
    signing_key_id: str | None
    stats: ScanStats | None


class ScanOutcome(_Shape):
    """The verdict on one rule."""

    rule_id: str
    title: str
    severity: Severity
    category: Category
    verdict: Verdict
    reason: str | None = Field(description="Why it could not be measured; null otherwise.")
    message: str
    evidence_hash: str


class HostOutcome(ScanOutcome):
    """The verdict on one rule and for how long it has been so."""

    valid_from: datetime = Field(description="Since when verdict and evidence are the same.")
    last_observed: datetime = Field(description="When it was last seen to be so.")


class OutcomeFacets(_Shape):
    """How many outcomes there are by each value of a filter, all other filters applied."""

    verdict: dict[str, int]
    severity: dict[str, int]
    category: dict[str, int]


class ScanOutcomePage(Page[ScanOutcome]):
    """One page of the outcomes of a scan."""

    facets: OutcomeFacets


class HostOutcomePage(Page[HostOutcome]):
    """One page of the outcomes of a host."""

    facets: OutcomeFacets


class SourceLine(_Shape):
    """Where on the host a value was read."""

    path: str
    line: int | None = None
    text: str | None = None


class Observation(_Shape):
    """One value that was looked at."""

    fact: str
    subject: str = ""
    field: str
    expected: str
    actual: str
    satisfied: bool | None
    source: SourceLine | None = None
    command: str = ""
    raw: str = ""
    problem: str | None = None


class FactRef(_Shape):
    """A fact that an outcome rests on; its bytes are at GET /evidence/{hash}."""

    id: str
    hash: str
    command: str
    exit_status: int | None


class SiteValue(_Shape):
    """The value of a variable that an outcome rests on, and who gave it."""

    name: str
    value: str | int | list[str]
    origin: str
    looser_than_default: bool = False


class OutcomeDetail(_Shape):
    """The verdict on one rule with everything that it rests on."""

    rule_id: str
    verdict: Verdict
    severity: Severity
    reason: str | None
    message: str
    evidence_hash: str
    rule: RuleText
    observations: list[Observation]
    variables: list[SiteValue]
    facts: list[FactRef]


class HistoryPoint(_Shape):
    """The score of a host after one scan."""

    scan_id: UUID
    finished_at: datetime
    score: float | None
    pass_: int = Field(alias="pass")
    fail: int
    error: int
