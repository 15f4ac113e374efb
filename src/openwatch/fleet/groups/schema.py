"""API shapes of groups."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from openwatch.fleet.fields import Description, Name
from openwatch.fleet.groups.expression import MAX_LENGTH, Kind, Operator
from openwatch.fleet.groups.model import Membership
from openwatch.fleet.hosts.model import HostState
from openwatch.fleet.hosts.schema import Failing

MEMBERS_AT_ONCE = 1000


def _stripped(text: str) -> str:
    return text.strip()


Rule = Annotated[str, Field(max_length=MAX_LENGTH), AfterValidator(_stripped)]


class GroupCreate(BaseModel):
    """A group to add. With a rule it holds the hosts that the rule finds, now and later."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    description: Description = ""
    parent_id: UUID | None = None
    rule: Rule | None = Field(
        default=None, examples=["os = debian and os_version >= 12 and not tag = lab"]
    )


class GroupUpdate(BaseModel):
    """What to change of a group; a field that is left out stays as it is.

    A rule that is null makes it a group by hand; a group by hand that gets a rule forgets its
    hosts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = ""
    description: Description = ""
    parent_id: UUID | None = None
    rule: Rule | None = None

    def changes(self) -> dict[str, Any]:
        """Return the fields that were given."""
        return self.model_dump(include=self.model_fields_set)


class GroupHosts(BaseModel):
    """The hosts of a group and of all groups in it, added up."""

    model_config = ConfigDict(frozen=True)

    total: int
    measured: int = Field(description="How many of them have a score.")
    mean_score: float | None = Field(
        description="The mean of the scores of the measured hosts, from 0 to 1."
    )
    states: dict[HostState, int]
    failing: Failing


class GroupName(BaseModel):
    """A group that another stands in."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str


class Group(BaseModel):
    """A group and what the scans say about its hosts."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    description: str
    parent_id: UUID | None
    inside: list[GroupName] = Field(description="The groups that it stands in, outermost first.")
    membership: Membership
    rule: str | None
    hosts: GroupHosts
    created_at: datetime
    updated_at: datetime
    version: int


class GroupOfHost(BaseModel):
    """A group that holds a host itself, not through a group in it."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    membership: Membership


class MembersChange(BaseModel):
    """Hosts to put into a group by hand and hosts to take out of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    add: Annotated[list[UUID], Field(max_length=MEMBERS_AT_ONCE)] = []
    remove: Annotated[list[UUID], Field(max_length=MEMBERS_AT_ONCE)] = []


class MembersChanged(BaseModel):
    """How many hosts came and went; those that were there, or were not, do not count."""

    model_config = ConfigDict(frozen=True)

    added: int
    removed: int


class RulePreviewRequest(BaseModel):
    """A rule that is being written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Rule


class PreviewedHost(BaseModel):
    """A host that a rule finds."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    address: str
    os: str | None


class RulePreview(BaseModel):
    """What a rule would hold at this moment: how many hosts, and the first of them by name."""

    model_config = ConfigDict(frozen=True)

    total: int
    of: int = Field(description="How many hosts there are.")
    hosts: list[PreviewedHost]


class RuleField(BaseModel):
    """Something that a rule can ask for, and how."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    description: str
    operators: list[Operator]
