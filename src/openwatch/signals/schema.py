"""API shapes of events."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from openwatch.signals.kinds import event_kinds


class EventSubject(BaseModel):
    """The thing that an event is about."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(examples=["scan"])
    id: UUID


class Event(BaseModel):
    """One line of the event log."""

    model_config = ConfigDict(frozen=True)

    id: int | None = Field(
        description="Ascending, with gaps. Null for an announcement, which is not in the log."
    )
    kind: str = Field(
        description="GET /meta tells what each means.",
        json_schema_extra={"enum": [kind.name for kind in event_kinds()]},
    )
    at: datetime
    subject: EventSubject
    host_id: UUID | None = Field(default=None, description="The host that it concerns, if any.")
    data: dict[str, Any] = Field(default_factory=dict[str, Any])
