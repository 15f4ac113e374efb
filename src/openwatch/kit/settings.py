"""Every setting, read once from ``OPENWATCH_*`` environment variables."""

from __future__ import annotations

import ipaddress
import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from openwatch.kit.errors import OpenWatchError, register

SETTINGS_INVALID: Final = register(
    "settings.invalid",
    status=500,
    message="A setting cannot be used: {problems}",
    fix="Correct the environment variable that is named, then start again.",
)

PREFIX: Final = "OPENWATCH_"
SYSTEM_DATA_DIR: Final = Path("/var/lib/openwatch")


def default_data_dir() -> Path:
    """Return the folder for state: the system's for root, else the user's (XDG)."""
    if os.geteuid() == 0 and os.access(SYSTEM_DATA_DIR.parent, os.W_OK):
        return SYSTEM_DATA_DIR
    base = os.environ.get("XDG_DATA_HOME") or ""
    # XDG Base Directory Specification: a relative path is invalid and must be ignored.
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return root / "openwatch"


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class Settings(BaseSettings):
    """The settings of one process. Field ``x`` is read from ``OPENWATCH_X``; empty means unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    data_dir: AbsolutePath = Field(default_factory=default_data_dir)
    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=1, le=65535)
    allowed_hosts: str = ""
    database_url: str | None = Field(default=None, repr=False)
    postgres_bin: AbsolutePath | None = None
    admin_password_file: AbsolutePath | None = None
    admin_username: str = Field(default="admin", min_length=1, max_length=64)
    worker_concurrency: int = Field(default=16, ge=1, le=1000)
    scan_deadline_seconds: float = Field(default=600, ge=1, le=86_400)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    session_idle_minutes: int = Field(default=60, ge=1, le=1440)
    session_absolute_hours: int = Field(default=12, ge=1, le=720)
    tls_cert_file: AbsolutePath | None = None
    tls_key_file: AbsolutePath | None = None

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can reach the address that is served."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def serves_tls(self) -> bool:
        """True for every address that others can reach, and wherever a certificate is given."""
        return not self.is_loopback or self.tls_cert_file is not None

    @property
    def base_url(self) -> str:
        """The address that a browser on this machine opens, without a trailing slash."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.serves_tls else 'http'}://{shown}:{self.port}"


def load_settings() -> Settings:
    """Read the environment now.

    Raises ``settings.invalid`` naming every variable that is wrong, never its value: it may be
    a secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise OpenWatchError(SETTINGS_INVALID, problems=problems) from None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read on first use."""
    return load_settings()
