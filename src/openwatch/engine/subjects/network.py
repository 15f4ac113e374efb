"""The network interfaces of the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.probes.firewall import Interface
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject


class InterfaceSubject(Subject):
    """Network interfaces. ``port``: it belongs to a bridge or a bond, which reads all packets."""

    LABEL: ClassVar[str] = "interface"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "name": Kind.TEXT,
        "up": Kind.FLAG,
        "loopback": Kind.FLAG,
        "promiscuous": Kind.FLAG,
        "port": Kind.FLAG,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("interfaces"),)

    def select(self, snapshot: Snapshot) -> Selection:
        found: tuple[Interface, ...] | CouldNot = snapshot.read(Request("interfaces"))
        if isinstance(found, CouldNot):
            return Selection(could_not=found)
        return Selection(tuple(_record(interface) for interface in found))


def _record(interface: Interface) -> Record:
    words = [word for word in ("up", "loopback", "promiscuous", "port") if getattr(interface, word)]
    return Record(
        name=interface.name,
        values={
            "name": interface.name,
            "up": interface.up,
            "loopback": interface.loopback,
            "promiscuous": interface.promiscuous,
            "port": interface.port,
        },
        raw=f"{interface.name}: {' '.join(words)}",
    )
