"""API shapes of host keys."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class KnownHostKey(BaseModel):
    """A key that a host showed, or must show."""

    model_config = ConfigDict(frozen=True)

    address: str
    port: int
    algorithm: str | None = Field(description="Null until the host shows the key.")
    fingerprint: str
    public_key: str | None = Field(description="Null until the host shows the key.")
    trusted: bool = Field(description="False: the host showed it, and it was refused.")
    first_seen_at: datetime
    last_seen_at: datetime | None
