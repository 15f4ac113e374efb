"""API shapes of hosts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from openwatch.fleet.fields import (
    DEFAULT_PORT,
    Address,
    Description,
    Environment,
    Fingerprint,
    Name,
    Port,
    Tags,
    Username,
)
from openwatch.fleet.hosts.model import HostKeyPolicy, HostState

MAX_CHOSEN: Final = 10_000
"""How many hosts one request may be about."""


class HostCreate(BaseModel):
    """A host to add. ``trust_host_key``: the key, by its fingerprint, that it must show."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    address: Address
    port: Port = DEFAULT_PORT
    username: Username | None = Field(
        default=None, description="Log in as this user instead of the credential's."
    )
    environment: Environment | None = None
    description: Description = ""
    tags: Tags = []
    credential_id: UUID | None = None
    jump_host_id: UUID | None = None
    host_key_policy: HostKeyPolicy = HostKeyPolicy.ACCEPT_NEW
    trust_host_key: Fingerprint | None = None


class HostUpdate(BaseModel):
    """What to change of a host; a field that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = ""
    address: Address = ""
    port: Port = DEFAULT_PORT
    username: Username | None = None
    environment: Environment | None = None
    description: Description = ""
    tags: Tags = []
    credential_id: UUID | None = None
    jump_host_id: UUID | None = None
    host_key_policy: HostKeyPolicy = HostKeyPolicy.ACCEPT_NEW

    def changes(self) -> dict[str, Any]:
        """Return the fields that were given."""
        return self.model_dump(include=self.model_fields_set)


class Os(BaseModel):
    """The operating system, as os-release(5) names it."""

    model_config = ConfigDict(frozen=True)

    family: str
    id: str
    version: str
    name: str


class Score(BaseModel):
    """A score with what it was made of."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    value: float | None = Field(description="Between 0 and 1; null: nothing was measured.")
    pass_: int = Field(alias="pass")
    fail: int
    error: int
    not_applicable: int
    manual: int
    not_configured: int
    coverage: float | None = Field(description="The share of all rules that the score speaks of.")
    formula: str


class Failing(BaseModel):
    """How many rules fail, by severity."""

    model_config = ConfigDict(frozen=True)

    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0


class LastScan(BaseModel):
    """The scan that ended last."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    state: str
    finished_at: datetime
    failure_code: str | None


class Host(BaseModel):
    """A host of the inventory and what its scans say."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    address: str
    port: int
    username: str | None
    environment: str | None
    description: str
    tags: list[str]
    credential_id: UUID | None
    jump_host_id: UUID | None
    host_key_policy: HostKeyPolicy
    state: HostState
    os: Os | None
    score: Score | None
    failing: Failing
    last_scan: LastScan | None
    active_scan_id: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int


class HostFilters(BaseModel):
    """Which hosts a list shows. Several values of one filter mean any of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    search: str | None = None
    state: list[HostState] = []
    os: list[str] = []
    environment: list[str] = []
    tag: list[str] = []
    group: list[UUID] = []
    score_below: float | None = None
    deleted: bool = Field(default=False, description="Those that were deleted, not the others.")

    def without(self, dimension: str) -> Self:
        """Return the filters without one of them."""
        return self.model_copy(update={dimension: []})


class HostChoice(BaseModel):
    """Several hosts: those with these ids, or all that the filters of the list let through."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_CHOSEN)] | None = None
    filters: HostFilters | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.host_ids is None) == (self.filters is None):
            raise ValueError("Give either host_ids or filters.")
        return self


class HostFacets(BaseModel):
    """How many hosts there are by each value of a filter, all other filters applied."""

    model_config = ConfigDict(frozen=True)

    state: dict[str, int]
    os: dict[str, int]
    environment: dict[str, int]
    tag: dict[str, int]
