"""API shapes of signing in."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from openwatch.identity.users.schema import User


class SignIn(BaseModel):
    """User name and password."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"username": "admin", "password": "correct horse battery staple"}]
        },
    )

    username: str = Field(min_length=1, max_length=256)
    password: str = Field(min_length=1, max_length=1024, repr=False)


class Session(BaseModel):
    """Who is signed in, what that person may do, and until when."""

    model_config = ConfigDict(frozen=True)

    user: User
    permissions: list[str] = Field(
        description="Names of the permissions that this session holds; see GET /meta.",
        examples=[["host:read", "scan:read"]],
    )
    csrf_token: str = Field(
        description="Send it as X-CSRF-Token with every request that changes something.",
        examples=["5f0c2c6c0f7f9a0e"],
    )
    expires_at: datetime = Field(description="The session ends then at the latest.")
    idle_expires_at: datetime = Field(description="The session ends then unless it is used before.")
