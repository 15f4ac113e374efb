"""API shapes of connection tests."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from openwatch.engine.transport import PrivilegeMode, Step
from openwatch.engine.transport.model import StepStatus
from openwatch.fleet.credentials.schema import Secrets
from openwatch.fleet.fields import DEFAULT_PORT, Address, Fingerprint, Port, Username
from openwatch.fleet.hosts.schema import Os


class ConnectionTestRequest(BaseModel):
    """A host to try, before it is added. The credential is a kept one or stands in the request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: Address
    port: Port = DEFAULT_PORT
    username: Username | None = None
    credential_id: UUID | None = None
    credential: Secrets | None = None
    jump_host_id: UUID | None = None
    trust_host_key: Fingerprint | None = Field(
        default=None, description="Go on only when the host shows this key."
    )

    @model_validator(mode="after")
    def _has_one_credential(self) -> Self:
        if self.credential_id is not None and self.credential is not None:
            raise ValueError("Give either credential_id or credential, not both.")
        return self


class SavedConnectionTestRequest(BaseModel):
    """What to do beside trying a saved host."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trust_host_key: Fingerprint | None = Field(
        default=None, description="Trust this key of the host from now on."
    )


class ConnectionStep(BaseModel):
    """How one step went."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    step: Step
    status: StepStatus
    message: str
    fix: str | None
    code: str | None
    duration_ms: int


class SeenHostKey(BaseModel):
    """The key that the host showed."""

    model_config = ConfigDict(frozen=True)

    algorithm: str
    fingerprint: str
    known: bool = Field(description="True: a host at this address is trusted by this key.")


class ConnectionTest(BaseModel):
    """Which step of a connection failed, if one did. The steps come in their order."""

    model_config = ConfigDict(frozen=True)

    ok: bool
    steps: list[ConnectionStep]
    host_key: SeenHostKey | None
    privilege: PrivilegeMode | None = Field(description="How programs become root there.")
    os: Os | None = Field(description="The operating system, when the log-in worked.")
