"""API shape of a user."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class User(BaseModel):
    """A person who can sign in."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    username: str = Field(description="What the person types to sign in.", examples=["admin"])
    display_name: str = Field(description="What others read.", examples=["Site administrator"])
