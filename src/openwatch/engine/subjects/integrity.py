"""Files that are not what their package brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.integrity import Deviation, Verified
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, Value


class PackageFileSubject(Subject):
    """The files of one package that deviate from it; the configuration of a site may."""

    LABEL: ClassVar[str] = "package_file"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "content_changed": Kind.FLAG,
        "mode_changed": Kind.FLAG,
        "owner_changed": Kind.FLAG,
        "group_changed": Kind.FLAG,
        "missing": Kind.FLAG,
        "configuration": Kind.FLAG,
        "path": Kind.TEXT,
    }

    package: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*$")

    def requests(self) -> tuple[Request, ...]:
        return (Request("verify", self.package),)

    def select(self, snapshot: Snapshot) -> Selection:
        found: Verified | CouldNot = snapshot.read(Request("verify", self.package))
        if isinstance(found, CouldNot):
            return Selection(could_not=found)
        if not found.installed:
            absent = CouldNot(Reason.INCOMPLETE, f"The package {self.package} is not installed.")
            return Selection(could_not=absent)
        return Selection(tuple(_record(deviation) for deviation in found.deviations))


def _record(deviation: Deviation) -> Record:
    values: dict[str, Value] = {
        "content_changed": _known(deviation.content),
        "mode_changed": _known(deviation.mode),
        "owner_changed": _known(deviation.owner),
        "group_changed": _known(deviation.group),
        "missing": deviation.missing,
        "configuration": deviation.configuration,
        "path": deviation.path,
    }
    return Record(deviation.path, values, raw=f"{deviation}")


def _known(value: bool | None) -> Value:
    return CouldNot(Reason.INCOMPLETE, "That was not looked at.") if value is None else value
