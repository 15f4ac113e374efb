"""Packages, units, kernel modules, sockets and capabilities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.kernel import Module
from openwatch.engine.probes.network import Socket
from openwatch.engine.probes.software import ENABLED_STATES, UNIT_NAME, Package, Unit
from openwatch.engine.probes.system import CAPABILITIES, Capabilities
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import (
    Kind,
    Record,
    Selection,
    Subject,
    TableSubject,
    Value,
    as_list,
)


class PackageSubject(Subject):
    """Packages by exact name; each gives one record, installed or not."""

    LABEL: ClassVar[str] = "package"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"installed": Kind.FLAG, "version": Kind.VERSION}

    name: str | tuple[str, ...]

    def requests(self) -> tuple[Request, ...]:
        return (Request("packages"),)

    def select(self, snapshot: Snapshot) -> Selection:
        packages: Mapping[str, Package] | CouldNot = snapshot.read(Request("packages"))
        if isinstance(packages, CouldNot):
            values: dict[str, Value] = {"installed": packages, "version": packages}
            return Selection(tuple(Record(name, values) for name in as_list(self.name)))
        return Selection(tuple(_package(n, packages.get(n)) for n in as_list(self.name)))


def _package(name: str, package: Package | None) -> Record:
    if package is None:
        return Record(name, {"installed": False, "version": None}, raw="not installed")
    # What is only configured (dpkg "config-files") has no program left on the disk; anything
    # between that and installed still has files there.
    installed: Value = package.installed
    if package.status not in ("installed", "config-files", "not-installed"):
        installed = CouldNot(Reason.INCOMPLETE, f"{name} is {package.status}.")
    version = package.version if package.installed else None
    raw = f"{name} {package.version} {package.arch} {package.status}"
    return Record(name, {"installed": installed, "version": version}, raw=raw)


def _unit_name(value: str) -> str:
    if not UNIT_NAME.match(value):
        raise ValueError(f"{value!r} is not the whole name of a unit, such as ssh.service")
    return value


_UnitName = Annotated[str, AfterValidator(_unit_name)]


class UnitSubject(Subject):
    """systemd units by name; each gives one record, known to systemd or not."""

    LABEL: ClassVar[str] = "unit"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "exists": Kind.FLAG,
        "enabled": Kind.FLAG,
        "active": Kind.FLAG,
        "masked": Kind.FLAG,
        "state": Kind.TEXT,
    }

    name: _UnitName | tuple[_UnitName, ...] = Field(
        description="With its suffix, for example ssh.service; no template, such as getty@.service."
    )

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request("unit", name) for name in as_list(self.name))

    def select(self, snapshot: Snapshot) -> Selection:
        return Selection(tuple(self._record(snapshot, name) for name in as_list(self.name)))

    def _record(self, snapshot: Snapshot, name: str) -> Record:
        unit: Unit | CouldNot = snapshot.read(Request("unit", name))
        if isinstance(unit, CouldNot):
            return Record(name, dict.fromkeys(self.FIELDS, unit))
        state = unit.unit_file_state or unit.load_state
        values: dict[str, Value] = {
            "exists": unit.load_state != "not-found",
            "enabled": unit.unit_file_state in ENABLED_STATES,
            # "activating" and "reloading" run too: what must be off must not be found starting.
            "active": unit.active_state in ("active", "activating", "reloading", "refreshing"),
            # What is masked in /run is free again after the next boot.
            "masked": unit.load_state == "masked" and unit.unit_file_state != "masked-runtime",
            "state": state,
        }
        return Record(name, values, raw=f"{name}: {state}, {unit.active_state}")


_NO_OP: Final = re.compile(r"(?:(?:/usr)?/s?bin/)?(?:true|false)(?:\s[^;&|`$()<>]*)?\Z")
"""A command that does nothing, alone: modprobe(8) gives the line to a shell."""


class ModuleSubject(Subject):
    """A kernel module. ``usable``: modprobe(8) would load it, or it is in the kernel already."""

    LABEL: ClassVar[str] = "module"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "loaded": Kind.FLAG,
        "built_in": Kind.FLAG,
        "available": Kind.FLAG,
        "blacklisted": Kind.FLAG,
        "usable": Kind.FLAG,
    }

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]+$")

    def requests(self) -> tuple[Request, ...]:
        return (Request("module", self.name),)

    def select(self, snapshot: Snapshot) -> Selection:
        module: Module | CouldNot = snapshot.read(Request("module", self.name))
        if isinstance(module, CouldNot):
            return Selection((Record(self.name, dict.fromkeys(self.FIELDS, module)),))
        unknown = CouldNot(
            Reason.INCOMPLETE, "The modules of the running kernel are not on the host."
        )
        values: dict[str, Value] = {
            "loaded": module.loaded,
            "built_in": unknown if module.built_in is None else module.built_in,
            "available": unknown if module.available is None else module.available,
            "blacklisted": module.blacklisted,
            "usable": _usable(module, unknown),
        }
        raw = f"loaded={module.loaded} install={module.install} blacklisted={module.blacklisted}"
        return Selection((Record(self.name, values, raw=raw),))


def _usable(module: Module, unknown: CouldNot) -> Value:
    if module.loaded or module.built_in:
        return True
    # modprobe.d(5): an install command replaces loading; a blacklist only stops aliases.
    if module.install is not None and _NO_OP.match(module.install):
        return False
    return unknown if module.available is None else module.available


class SocketSubject(TableSubject):
    """Listening sockets."""

    LABEL: ClassVar[str] = "socket"
    PROBE: ClassVar[str] = "sockets"
    NOUN: ClassVar[str] = "listening socket"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "protocol": Kind.TEXT,
        "address": Kind.TEXT,
        "port": Kind.NUMBER,
        "loopback": Kind.FLAG,
    }

    def record(self, row: Socket) -> Record:
        return _socket(row)


def _socket(socket: Socket) -> Record:
    address = f"[{socket.address}]" if ":" in socket.address else socket.address
    name = f"{socket.protocol} {address}:{socket.port}"
    values: dict[str, Value] = {
        "protocol": socket.protocol,
        "address": socket.address,
        "port": socket.port,
        "loopback": socket.loopback,
    }
    return Record(name, values, raw=name)


_UNTOLD: Final[Mapping[str, str]] = {
    "container": "It has processes of its own, as containers have, and no mark of a container.",
    "virtual": "Neither the processor nor the firmware tells whether it is a virtual machine.",
    "desktop": "The directories of desktop sessions may not be read.",
    "usb": "The kernel does not show its buses.",
}


class CapabilitySubject(Subject):
    """Whether the host can do something; the names are a closed list."""

    LABEL: ClassVar[str] = "capability"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"present": Kind.FLAG}

    name: str

    def model_post_init(self, context: object, /) -> None:
        if self.name not in CAPABILITIES:
            known = ", ".join(sorted(CAPABILITIES))
            raise ValueError(f"no capability {self.name!r}; there are: {known}")

    def requests(self) -> tuple[Request, ...]:
        return (Request("capabilities"),)

    def select(self, snapshot: Snapshot) -> Selection:
        value = self._value(snapshot.capabilities)
        return Selection((Record(self.name, {"present": value}, raw=f"{self.name}: {value}"),))

    def _value(self, capabilities: Capabilities | CouldNot) -> Value:
        if isinstance(capabilities, CouldNot):
            return capabilities
        if self.name in capabilities.unknown:
            return CouldNot(Reason.INCOMPLETE, _UNTOLD.get(self.name, ""))
        return self.name in capabilities
