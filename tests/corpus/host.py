"""A host on paper: described by what is on it, and seen through the real probes.

A description holds no facts. It is rendered to the bytes that the collector brings home from such
a host, and the probes read them; so a test of a rule also tests the parsers under it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from openwatch.engine.facts import Fact, Request
from openwatch.engine.probes import PROBES
from openwatch.engine.rules import yaml
from openwatch.engine.scan import IDENTITY
from openwatch.engine.snapshot import Snapshot, make_snapshot

PLATFORM_DIR: Final = Path(__file__).parent / "platforms"
PLATFORMS: Final = (
    "debian12", "debian13", "ubuntu2204", "ubuntu2404", "rhel8", "rhel9", "rhel10", "sles15",
)  # fmt: skip

TAKEN_AT: Final = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)
"""All hosts on paper are seen at this moment: day 20240 of shadow(5)."""

Trouble = Literal[
    "denied", "tool_missing", "timed_out", "truncated", "unparsable", "tool_failed", "incomplete"
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class File(_Model):
    """A regular file."""

    content: str = ""
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"


class Directory(_Model):
    """A directory."""

    mode: str = "0755"
    owner: str = "root"
    group: str = "root"


class Unit(_Model):
    """A unit that systemd knows. ``state`` is "<UnitFileState> <ActiveState>"."""

    state: str
    aliases: tuple[str, ...] = ()


class Mount(_Model):
    """A mounted file system."""

    type: str = "ext4"
    source: str = "/dev/vda1"
    options: str = "rw,relatime"


class Module(_Model):
    """A kernel module that the host has."""

    loaded: bool = False
    built_in: bool = False
    available: bool = True
    blacklisted: bool = False
    install: str | None = None


class Disk(_Model):
    """A block device. ``swap``: memory is swapped to it."""

    removable: bool = False
    dm_uuid: str = ""
    dm_name: str = ""
    parent: str = ""
    slaves: tuple[str, ...] = ()
    links: tuple[str, ...] = Field(default=(), description='For example "uuid/1234-ABCD".')
    swap: bool = False


class Profile(_Model):
    """A profile of AppArmor that is loaded."""

    mode: str = "enforce"
    attach: str = ""


class NftChain(_Model):
    """A chain of nftables. A rule is its expressions as JSON (libnftables-json(5))."""

    hook: str = ""
    priority: int = 0
    policy: Literal["accept", "drop"] = "accept"
    rules: tuple[str, ...] = ()


class Firewall(_Model):
    """The rules in the kernel. ``nft``: on, off (not in the kernel), missing (no such program)."""

    nft: Literal["on", "off", "missing"] = "off"
    chains: Mapping[str, NftChain] = Field(
        default_factory=dict, description='By family, table and name: "inet filter input".'
    )
    saved: Mapping[str, File] = Field(
        default_factory=dict, description='What iptables-save says: "ip nft", "ip6 legacy".'
    )
    unseen: tuple[str, ...] = ()

    @field_validator("saved", mode="before")
    @classmethod
    def _texts(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        return {n: {"content": v} if isinstance(v, str) else v for n, v in value.items()}


class SweepEntry(_Model):
    """A file or directory that the walk over the file systems reports."""

    path: str
    type: Literal["file", "directory"] = "file"
    mode: str = "0644"
    uid: int = 0
    gid: int = 0


class Audit(_Model):
    """What the kernel audits; the rules of the files, where ``loaded`` does not say otherwise."""

    missing: Literal["tool", "kernel"] | None = None
    loaded: str | None = Field(default=None, description="Rules as auditctl(8) lists them.")
    without: tuple[str, ...] = Field(default=(), description="Rules with this text are not loaded.")
    status: Mapping[str, str] = {}
    log_megabytes: int = 20480


class Timer(_Model):
    """A timer of systemd: "<UnitFileState> <ActiveState>", when it fires and what it starts."""

    state: str = "enabled active"
    calendar: str = "*-*-* 00:00:00"
    command: str


class Update(_Model):
    """What waits: a newer package or, with ``published``, an advisory of dnf."""

    name: str
    security: bool = True
    published: str = "2025-05-20"


class Updates(_Model):
    """What the package manager knows of its repositories; empty: it never asked."""

    asked: str = "2025-05-31"
    advisories: bool = True
    waiting: tuple[Update, ...] = ()


class CertificateFile(_Model):
    """A file that a directive names, or (without one) that lies among the authorities."""

    role: Literal["own", "key", "authority", "anchor", "include"] = "own"
    service: str = "nginx"
    directive: str = "ssl_certificate"
    configured: str = "/etc/nginx/nginx.conf"
    certificates: tuple[str, ...] = Field(default=(), description="Names of certificates.yml.")
    holds_key: bool = False
    state: Literal["there", "gone", "bundle", "large", "unreadable", "refused"] = "there"
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"


class Host(_Model):
    """Everything on a host that some rule may ask about. What is not named is not there."""

    os_release: Mapping[str, str]
    hostname: str = "paper"
    kernel: str = "6.1.0-31-amd64"
    arch: str = "x86_64"
    kernel_arguments: str = "ro quiet"
    packages: Mapping[str, str] = Field(
        description='Name to status, or to status and version: "installed 0:3.0-1".'
    )
    units: Mapping[str, Unit]
    files: Mapping[str, File]
    directories: Mapping[str, Directory]
    sysctl: Mapping[str, str]
    sshd: Mapping[str, str | tuple[str, ...]]
    modules: Mapping[str, Module]
    module_index: bool = True
    mounts: Mapping[str, Mount]
    sockets: tuple[str, ...] = Field(description='For example "tcp 0.0.0.0:22", "udp [::1]:323".')
    interfaces: Mapping[str, str] = Field(
        default={"eth0": "up", "lo": "up loopback"}, description="Name to its flags."
    )
    firewall: Firewall = Firewall()
    sweep: tuple[SweepEntry, ...] = ()
    directory_service: bool = False
    unwalked: tuple[str, ...] = Field(default=(), description="Mounts of others below /usr.")
    efi: bool = False
    disks: Mapping[str, Disk] = Field(default_factory=dict)
    links: Mapping[str, str] = Field(default_factory=dict, description="Path to its target.")
    processor_flags: str = "fpu msr pae nx lm"
    apparmor: Mapping[str, Profile] = Field(default_factory=dict)
    unconfined: tuple[str, ...] = Field(default=(), description="Programs that run unconfined.")
    contexts: Mapping[str, str] = Field(default_factory=dict, description="Path to its label.")
    device_labels: Mapping[str, str] = Field(default_factory=dict)
    selinux_booleans: Mapping[str, str] = Field(
        default_factory=dict, description='Name to "on" or "off", now and then in the store.'
    )
    deviations: Mapping[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Package to what `rpm -V` prints of it."
    )
    dconf: Mapping[str, str] = Field(default={}, description="Database to its state.")
    timers: Mapping[str, Timer] = {}
    updates: Updates = Updates()
    audit: Audit = Audit()
    certificates: Mapping[str, CertificateFile] = {}
    capabilities: Mapping[str, bool | Literal["unknown"]] = Field(
        description="Name to whether the host has it. Without a word it is no virtual machine."
    )

    @field_validator("files", "units", mode="before")
    @classmethod
    def _short_forms(cls, value: Mapping[str, Any], info: Any) -> dict[str, Any]:
        key = {"files": "content", "units": "state"}[info.field_name]
        return {n: {key: v} if isinstance(v, str) else v for n, v in value.items()}

    @property
    def package_format(self) -> Literal["dpkg", "rpm"]:
        return "dpkg" if self.os_release["ID"] in ("debian", "ubuntu") else "rpm"

    def ids(self, database: Literal["passwd", "group"]) -> dict[str, int]:
        """Return the numbers of the names in passwd(5) or group(5)."""
        text = self.files[f"/etc/{database}"].content
        rows = [line.split(":") for line in text.splitlines() if line.count(":") >= 3]
        return {row[0]: int(row[2]) for row in rows if row[2].isdigit()}

    def snapshot(
        self, requests: Iterable[Request], cannot: Mapping[str, Trouble] | None = None
    ) -> Snapshot:
        """Return what a scan of this host would have brought home for these requests.

        ``cannot`` names probes or single facts (by fact id) and the trouble that they have.
        """
        return make_snapshot(
            self._facts({*requests, *IDENTITY}, cannot or {}), taken_at=TAKEN_AT, privilege="root"
        )

    def _facts(self, requests: set[Request], cannot: Mapping[str, Trouble]) -> Iterable[Fact]:
        from tests.corpus.raw import answers

        by_probe: dict[str, list[Request]] = defaultdict(list)
        for request in sorted(requests):
            by_probe[request.probe].append(request)
        for name, asked in by_probe.items():
            probe = PROBES[name]
            yield from probe.facts(asked, answers(self, probe, asked, cannot))


def base_host(platform: str) -> Host:
    """Return the plain minimal server of a platform."""
    return Host.model_validate(description(platform))


def changed_host(platform: str, given: Mapping[str, Any]) -> Host:
    """Return the plain minimal server of a platform with changes."""
    return Host.model_validate(merged(description(platform), given))


@cache
def description(platform: str) -> dict[str, Any]:
    """Return the description of a platform with the parts that belong to it laid over it."""
    result = _based(platform)
    for path in sorted((PLATFORM_DIR / "parts").glob("*.yml")):
        part: dict[str, Any] = yaml.parse(path.read_text("utf-8"))
        for name in ("every", platform.rstrip("0123456789"), platform):
            result = merged(result, part.get(name, {}))
    return result


def _based(name: str) -> dict[str, Any]:
    """Return the description in platforms/<name>.yml laid over those that it is based on."""
    own: dict[str, Any] = yaml.parse((PLATFORM_DIR / f"{name}.yml").read_text("utf-8"))
    base = own.pop("based_on", None)
    return merged(_based(base) if base else {}, own)


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``change`` laid over it.

    Mappings are merged key by key; ``null`` takes a key away. A bare text keeps the mode and the
    owner of a file; ``append`` adds to its text and ``replace`` changes parts of it, which have to
    be there. ``packages`` may be a list of names: they are installed.
    """
    result = dict(base)
    for key, value in change.items():
        if value is None:
            if key not in result:
                raise ValueError(f"there is no {key!r} to take away")
            del result[key]
        elif key == "packages" and isinstance(value, list):
            result[key] = {**result.get(key, {}), **dict.fromkeys(value, "installed")}
        elif isinstance(value, Mapping) and value.keys() & {"append", "replace"}:
            result[key] = _edited(key, result.get(key), value)
        elif isinstance(value, Mapping):
            old = result.get(key, {})
            result[key] = merged({"content": old} if isinstance(old, str) else old, value)
        elif isinstance(value, str) and isinstance(result.get(key), Mapping):
            part = "state" if "state" in result[key] else "content"
            result[key] = {**result[key], part: value}
        else:
            result[key] = value
    return result


def _edited(path: str, old: Any, edit: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := edit.keys() - {"append", "replace", "mode", "owner", "group"}:
        raise ValueError(f"{path}: unknown keys {sorted(unknown)}")
    file = {"content": old} if isinstance(old, str) else dict(old or {})
    content = file.get("content", "")
    for part, new in edit.get("replace", {}).items():
        if part not in content:
            raise ValueError(f"{path} has no {part!r} to replace")
        content = content.replace(part, new)
    meta = {k: v for k, v in edit.items() if k not in ("append", "replace")}
    return {**file, **meta, "content": content + edit.get("append", "")}
