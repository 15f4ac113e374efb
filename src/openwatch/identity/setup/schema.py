"""API shapes of first run."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SetupState(BaseModel):
    """Whether the first administrator is still to be made."""

    model_config = ConfigDict(frozen=True)

    required: bool


class SetupRequest(BaseModel):
    """The first administrator, and the token that `openwatch up` printed."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "token": "kZ0mJr5vW8yq3bTn1cXe7uHf9gLs2dAo4iPz6wQxRtY",
                    "username": "admin",
                    "display_name": "Site administrator",
                    "password": "correct horse battery staple",
                }
            ]
        },
    )

    token: str = Field(min_length=1, max_length=256, repr=False)
    username: str = Field(min_length=1, max_length=64)
    display_name: str = Field(min_length=1, max_length=128)
    password: str = Field(min_length=1, max_length=4096, repr=False)
