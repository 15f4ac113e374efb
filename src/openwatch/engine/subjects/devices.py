"""Symbolic links, and protections that the processor gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.devices import Link
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, Value, as_list
from openwatch.engine.subjects.files import Path, is_pattern


class LinkSubject(Subject):
    """Paths and where they point to. A plain path always gives one record."""

    LABEL: ClassVar[str] = "link"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "exists": Kind.FLAG,
        "is_link": Kind.FLAG,
        "target": Kind.TEXT,
        "name": Kind.TEXT,
    }

    path: Path | tuple[Path, ...] = Field(description="A path or pattern, or several.")

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request("link", path) for path in as_list(self.path))

    def select(self, snapshot: Snapshot) -> Selection:
        records: list[Record] = []
        for path in as_list(self.path):
            found: tuple[Link, ...] | CouldNot = snapshot.read(Request("link", path))
            if isinstance(found, CouldNot):
                if is_pattern(path):
                    return Selection(could_not=found)
                records.append(Record(path, dict.fromkeys(self.FIELDS, found)))
            elif found or is_pattern(path):
                records += [_link(link) for link in found]
            else:
                values: dict[str, Value] = {"exists": False, "is_link": False}
                records.append(Record(path, values, raw="no such file"))
        return Selection(tuple(records))


def _link(link: Link) -> Record:
    values: dict[str, Value] = {
        "exists": True,
        "is_link": link.target is not None,
        "target": link.target,
        "name": link.path.rpartition("/")[2],
    }
    return Record(link.path, values, raw=f"{link.path} -> {link.target or 'no link'}")


_X86: Final = frozenset({"x86_64", "i386", "i486", "i586", "i686", "amd64"})


class ProcessorSubject(Subject):
    """The processor. ``execute_protection``: memory for data can be kept from being executed."""

    LABEL: ClassVar[str] = "processor"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "execute_protection": Kind.FLAG,
        "machine": Kind.TEXT,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("processor"),)

    def select(self, snapshot: Snapshot) -> Selection:
        found: tuple[str, frozenset[str]] | CouldNot = snapshot.read(Request("processor"))
        if isinstance(found, CouldNot):
            return Selection((Record("processor", dict.fromkeys(self.FIELDS, found)),))
        machine, flags = found
        protection: Value
        if machine in _X86:
            protection = "nx" in flags
        elif machine == "aarch64":
            # The architecture has the bit (UXN, PXN) in every page table; no flag tells of it.
            protection = True
        else:
            protection = CouldNot(Reason.INCOMPLETE, f"{machine} does not tell of this protection.")
        values: dict[str, Value] = {"execute_protection": protection, "machine": machine}
        raw = f"{machine}: {' '.join(sorted(flags))}"
        return Selection((Record("processor", values, raw=raw),))
