"""Mandatory access control: profiles of AppArmor, labels of SELinux."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.confinement import Booleans, Context, Profile
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, TableSubject, Value


class AppArmorSubject(TableSubject):
    """The profiles of AppArmor that are loaded. ``escaped``: programs that run without the
    profile that is meant for them.
    """

    LABEL: ClassVar[str] = "apparmor_profile"
    PROBE: ClassVar[str] = "apparmor"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "mode": Kind.TEXT,
        "name": Kind.TEXT,
        "escaped": Kind.WORDS,
    }

    def record(self, row: Profile) -> Record:
        return _profile(row)


def _profile(profile: Profile) -> Record:
    values: dict[str, Value] = {
        "mode": profile.mode,
        "name": profile.name,
        "escaped": profile.escaped or None,
    }
    return Record(profile.name, values, raw=f"{profile.name} ({profile.mode})")


class ContextSubject(Subject):
    """The SELinux label of a path."""

    LABEL: ClassVar[str] = "context"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "type": Kind.TEXT,
        "user": Kind.TEXT,
        "role": Kind.TEXT,
        "exists": Kind.FLAG,
    }

    path: str = Field(pattern=r"^/[A-Za-z0-9_./-]*$")

    def requests(self) -> tuple[Request, ...]:
        return (Request("context", self.path),)

    def select(self, snapshot: Snapshot) -> Selection:
        found: Context | CouldNot = snapshot.read(Request("context", self.path))
        if isinstance(found, CouldNot):
            return Selection((Record(self.path, dict.fromkeys(self.FIELDS, found)),))
        values: dict[str, Value] = {
            "type": found.type,
            "user": found.user,
            "role": found.role,
            "exists": found.type is not None,
        }
        return Selection((Record(self.path, values, raw=f"{self.path} {found.type}"),))


class DeviceLabelSubject(Subject):
    """Device files whose SELinux label is that of no device in particular."""

    LABEL: ClassVar[str] = "device_label"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"label": Kind.TEXT, "path": Kind.TEXT}

    def requests(self) -> tuple[Request, ...]:
        return (Request("device_labels"),)

    def select(self, snapshot: Snapshot) -> Selection:
        found: Mapping[str, str] | CouldNot = snapshot.read(Request("device_labels"))
        if isinstance(found, CouldNot):
            return Selection(could_not=found)
        return Selection(
            tuple(
                Record(path, {"label": label, "path": path}, raw=f"{label} {path}")
                for path, label in found.items()
            )
        )


class SelinuxBooleanSubject(Subject):
    """A boolean of the SELinux policy: what the kernel obeys now, and what the next boot loads
    from the policy store (`setsebool -P`). One that the policy does not have is neither.
    """

    LABEL: ClassVar[str] = "selinux_boolean"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "running": Kind.FLAG,
        "configured": Kind.FLAG,
        "exists": Kind.FLAG,
    }

    name: str = Field(pattern=r"^[A-Za-z0-9_]+$")

    def title(self) -> str:
        return f"SELinux boolean {self.name}"

    def requests(self) -> tuple[Request, ...]:
        return (Request("selinux_booleans"),)

    def select(self, snapshot: Snapshot) -> Selection:
        found: Booleans | CouldNot = snapshot.read(Request("selinux_booleans"))
        if isinstance(found, CouldNot):
            return Selection((Record(self.name, dict.fromkeys(self.FIELDS, found)),))
        running = found.running.get(self.name)
        values: dict[str, Value] = {
            "running": running,
            "configured": self._configured(found),
            "exists": running is not None,
        }
        return Selection((Record(self.name, values, raw=f"{self.name} = {running}"),))

    def _configured(self, found: Booleans) -> Value:
        # What was set for good is in the store as well; a store that differs was not built.
        if self.name in found.local:
            return found.local[self.name]
        if found.persisted is not None:
            return found.persisted.get(self.name)
        if self.name not in found.running:
            return None
        return CouldNot(
            Reason.TOOL_MISSING, "Only semanage(8) knows what the policy sets, and it is not there."
        )
