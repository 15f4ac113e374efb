"""API shapes of credentials: secrets go in, only facts about them come out."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, SecretStr

from openwatch.fleet.fields import Name, Password, PrivateKey, Username

SECRET_FIELDS: Final = ("private_key", "passphrase", "password", "sudo_password")


class Secrets(BaseModel):
    """What logs in to a host: a key, a password, or both. Never returned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: Username
    private_key: PrivateKey | None = None
    passphrase: Password | None = None
    password: Password | None = None
    sudo_password: Password | None = None


class CredentialCreate(Secrets):
    """A credential to keep."""

    name: Name


class CredentialUpdate(BaseModel):
    """What to change: a field that is left out stays, a secret that is null is removed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = ""
    username: Username = ""
    private_key: PrivateKey | None = None
    passphrase: Password | None = None
    password: Password | None = None
    sudo_password: Password | None = None

    def secrets(self) -> dict[str, SecretStr | None]:
        """Return the secrets that were given."""
        return {name: getattr(self, name) for name in SECRET_FIELDS if name in self.given}

    @property
    def given(self) -> set[str]:
        """The names of the fields that were given."""
        return self.model_fields_set


class Credential(BaseModel):
    """What may be known of a credential."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    username: str
    has_private_key: bool
    key_type: str | None
    key_fingerprint: str | None
    has_passphrase: bool
    has_password: bool
    has_sudo_password: bool
    hosts_count: int
    created_at: datetime
    updated_at: datetime
    version: int
