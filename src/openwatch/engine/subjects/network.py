"""The network interfaces of the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from openwatch.engine.probes.firewall import Interface
from openwatch.engine.subjects.base import Kind, Record, TableSubject


class InterfaceSubject(TableSubject):
    """Network interfaces. ``port``: it belongs to a bridge or a bond, which reads all packets."""

    LABEL: ClassVar[str] = "interface"
    PROBE: ClassVar[str] = "interfaces"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "name": Kind.TEXT,
        "up": Kind.FLAG,
        "loopback": Kind.FLAG,
        "promiscuous": Kind.FLAG,
        "port": Kind.FLAG,
    }

    def record(self, row: Interface) -> Record:
        words = [word for word in ("up", "loopback", "promiscuous", "port") if getattr(row, word)]
        return Record(
            name=row.name,
            values={
                "name": row.name,
                "up": row.up,
                "loopback": row.loopback,
                "promiscuous": row.promiscuous,
                "port": row.port,
            },
            raw=f"{row.name}: {' '.join(words)}",
        )
