"""How a rule is mended, as data: one closed mechanism a step. Nothing here changes a host.

Risk and the control channel (the way by which we reach the host) are derived from the mechanism
and its parameters, never declared by hand: a list kept by hand falls behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from openwatch.engine.rules.expectations import Variable
from openwatch.engine.subjects.base import Pattern
from openwatch.engine.subjects.files import Path
from openwatch.engine.subjects.settings import Format


class Risk(StrEnum):
    """How much can break when a step goes wrong."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class _Mechanism(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", description="One line.")]
Given = Text | int | Variable
"""A value to write: fixed, or of a variable of the site."""

_Octal = Annotated[str, Field(pattern=r"^[0-7]{3,4}$")]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9@._:+-]+$")]


class PackageFix(_Mechanism):
    """Install or remove packages of the distribution."""

    name: _Name | tuple[_Name, ...]
    ensure: Literal["present", "absent"]


class UnitFix(_Mechanism):
    """Bring a systemd unit into a state; what is not said stays as it is."""

    name: _Name | tuple[_Name, ...]
    enabled: bool | None = None
    active: bool | None = None
    masked: bool | None = None


class SysctlFix(_Mechanism):
    """Set a kernel parameter now and for the next boot."""

    key: str
    value: Given


class PermissionsFix(_Mechanism):
    """Take permissions away and set owner and group of what exists. Nothing is ever widened."""

    path: Path | tuple[Path, ...]
    no_more_than: _Octal | None = None
    owner: _Name | None = None
    group: _Name | None = None


class FileFix(_Mechanism):
    """Write a whole file, or remove it."""

    path: Path
    ensure: Literal["present", "absent"] = "present"
    content: str | Variable | None = None
    mode: _Octal | None = None


class SettingFix(_Mechanism):
    """Set a key in a file, in the form in which its reader reads it; or take it away."""

    file: Path
    key: Text
    value: Given | None = Field(default=None, description="None: the key is taken away.")
    format: Format = Format.EQUALS
    section: Text | None = None


class LineFix(_Mechanism):
    """Have a line in a file, or have none that matches a pattern."""

    file: Path | tuple[Path, ...]
    line: Text | None = None
    remove: Pattern | None = None

    @model_validator(mode="after")
    def _does_something(self) -> LineFix:
        if self.line is None and self.remove is None:
            raise ValueError("a line to have, or a pattern to remove")
        return self


class SshdFix(_Mechanism):
    """Set a directive of the SSH server for every connection."""

    key: Text
    value: Given


class ModuleFix(_Mechanism):
    """Keep a kernel module from being loaded, and unload it."""

    name: _Name


class MountFix(_Mechanism):
    """Add options to a mount point, in fstab(5) and now."""

    target: Path
    options: tuple[_Name, ...]


class KernelArgumentFix(_Mechanism):
    """Have an argument on the command line of every boot entry, or have it nowhere."""

    name: _Name
    value: Given | None = None
    ensure: Literal["present", "absent"] = "present"


class AuditFix(_Mechanism):
    """Have rules in the persisted audit rules and, where they are not locked, in the kernel."""

    rules: tuple[Text, ...] = Field(min_length=1)


class PamFix(_Mechanism):
    """Have a module in a PAM stack, or an argument of it, or have the argument nowhere."""

    service: _Name | tuple[_Name, ...]
    phase: Literal["auth", "account", "password", "session"]
    module: _Name
    control: Text | None = None
    argument: Text | None = None
    ensure: Literal["present", "absent"] = "present"


class AuthselectFix(_Mechanism):
    """Switch a feature of the authselect(8) profile on or off."""

    feature: _Name
    ensure: Literal["present", "absent"] = "present"


class SudoFix(_Mechanism):
    """Set an option of all users in a file of /etc/sudoers.d, checked by visudo(8)."""

    option: Text
    value: Given | None = None


class DconfFix(_Mechanism):
    """Set a key of the system database of dconf(7) and lock it."""

    key: Annotated[str, Field(pattern=r"^/[a-z0-9/.-]+[a-z0-9-]$")]
    value: Given
    lock: bool = True


class CryptoPolicyFix(_Mechanism):
    """Set the system-wide cryptographic policy, or add modules to it."""

    policy: _Name | None = None
    modules: tuple[_Name, ...] = ()


class SelinuxFix(_Mechanism):
    """Set the mode or a boolean of SELinux, now and for the next boot."""

    mode: Literal["enforcing", "permissive"] | None = None
    boolean: _Name | None = None
    value: bool | None = None


MECHANISMS: Final = (
    "package", "unit", "sysctl", "permissions", "file", "setting", "line", "sshd", "module",
    "mount", "kernel_argument", "audit", "pam", "authselect", "sudo", "dconf", "crypto_policy",
    "selinux",
)  # fmt: skip


class Step(BaseModel):
    """One step of a remedy: exactly one mechanism, and the units that have to notice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: PackageFix | None = None
    unit: UnitFix | None = None
    sysctl: SysctlFix | None = None
    permissions: PermissionsFix | None = None
    file: FileFix | None = None
    setting: SettingFix | None = None
    line: LineFix | None = None
    sshd: SshdFix | None = None
    module: ModuleFix | None = None
    mount: MountFix | None = None
    kernel_argument: KernelArgumentFix | None = None
    audit: AuditFix | None = None
    pam: PamFix | None = None
    authselect: AuthselectFix | None = None
    sudo: SudoFix | None = None
    dconf: DconfFix | None = None
    crypto_policy: CryptoPolicyFix | None = None
    selinux: SelinuxFix | None = None

    reload: tuple[_Name, ...] = Field(default=(), description="Units that reload afterwards.")
    restart: tuple[_Name, ...] = Field(default=(), description="Units that cannot reload.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Step:
        named = [name for name in MECHANISMS if getattr(self, name) is not None]
        if len(named) != 1:
            found = ", ".join(named) or "none"
            raise ValueError(f"a step names exactly one of {', '.join(MECHANISMS)}; not {found}")
        return self

    @property
    def mechanism(self) -> str:
        """The name of the mechanism of this step."""
        return next(name for name in MECHANISMS if getattr(self, name) is not None)

    @property
    def risk(self) -> Risk:
        """How much can break: by the mechanism, and by the paths and names that it touches."""
        touched = any(_HIGH.search(text) for text in self._touched())
        return Risk.HIGH if touched else _RISK[self.mechanism]

    @property
    def control_channel(self) -> bool:
        """Whether this step can cut the way by which the host is reached and administered."""
        if self.mechanism in _ALWAYS_CONTROL:
            return True
        return any(_CONTROL.search(text) for text in self._touched())

    def variables(self) -> Iterator[str]:
        """Yield the names of the variables that this step writes."""
        for value in self._parameters().values():
            if isinstance(value, Variable):
                yield value.var

    def _touched(self) -> Iterator[str]:
        parameters = self._parameters()
        for name in ("path", "file", "name", "key", "target", "service"):
            match parameters.get(name):
                case str(value):
                    yield value
                case tuple():
                    yield from cast("tuple[str, ...]", parameters[name])
                case _:
                    continue
        yield from (*self.reload, *self.restart)

    def _parameters(self) -> dict[str, Any]:
        return dict(getattr(self, self.mechanism))


_RISK: Final = {
    "permissions": Risk.LOW,
    "package": Risk.MEDIUM,
    "unit": Risk.MEDIUM,
    "sysctl": Risk.MEDIUM,
    "file": Risk.MEDIUM,
    "setting": Risk.MEDIUM,
    "line": Risk.MEDIUM,
    "audit": Risk.MEDIUM,
    "dconf": Risk.MEDIUM,
    "sshd": Risk.HIGH,
    "module": Risk.HIGH,
    "mount": Risk.HIGH,
    "kernel_argument": Risk.HIGH,
    "pam": Risk.HIGH,
    "authselect": Risk.HIGH,
    "sudo": Risk.HIGH,
    "crypto_policy": Risk.HIGH,
    "selinux": Risk.HIGH,
}

_HIGH: Final = re.compile(
    r"^/etc/(?:pam\.d|authselect|fstab|crypttab|default/grub|selinux|ssh/sshd|sudoers|netplan"
    r"|NetworkManager|nftables|firewalld|ufw|nsswitch\.conf|login\.defs|hosts\.(?:allow|deny))"
    r"|^/boot/|^net\."
)
"""What can keep a host from booting, or people from logging in to it."""

_ALWAYS_CONTROL: Final = frozenset(
    {"sshd", "pam", "authselect", "sudo", "crypto_policy", "selinux", "kernel_argument"}
)

_CONTROL: Final = re.compile(
    r"^/etc/(?:ssh|pam\.d|security|sudoers|sssd|nsswitch|firewalld|nftables|ufw|netplan"
    r"|NetworkManager|network|crypto-policies|passwd|shadow|group|profile|bash|login\.defs)"
    r"|^net\.|^(?:open)?ssh|^sudo|^(?:firewalld|nftables|ufw|iptables|sssd|NetworkManager"
    r"|systemd-(?:networkd|resolved|logind)|networking|dbus)(?:$|[.-])|^/home|^/root"
)
"""Paths, kernel parameters, packages and units on which a login over the network rests."""
