"""What a piece of work costs a lab host: CPU, memory and bytes on its cable."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.machine import cpu_group
from lab.session import LabHost

SAMPLE_SECONDS: Final = 0.025
KIB: Final = 1024


@dataclass(slots=True)
class Cost:
    """What a block cost. ``memory`` is the highest sum above what the host held before, in bytes.

    ``cpu`` counts all processes of the host by its control group, sshd and sudo included.
    """

    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    wire: int = 0


@contextmanager
def on_host(host: LabHost) -> Iterator[Cost]:
    """Measure a block."""
    cost = Cost()
    sampler = _Sampler(host)
    wire, cpu, began = _wire(host), host.cpu_seconds() or 0.0, time.perf_counter()
    sampler.start()
    try:
        yield cost
    finally:
        cost.wall = time.perf_counter() - began
        cost.cpu = (host.cpu_seconds() or 0.0) - cpu
        cost.wire = _wire(host) - wire
        cost.memory = sampler.stop()


class _Sampler(threading.Thread):
    """Adds up the memory of all processes of a host again and again, and keeps the highest sum."""

    def __init__(self, host: LabHost) -> None:
        super().__init__(daemon=True)
        group = cpu_group(f"{host.lab.place.control_group}/{host.name}")
        self._groups = [] if group is None else [group, *group.rglob("*/")]
        self._done = threading.Event()
        self._before = self._sum()
        self._highest = self._before

    def run(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self._highest = max(self._highest, self._sum())

    def stop(self) -> int:
        self._done.set()
        self.join()
        return self._highest - self._before

    def _sum(self) -> int:
        pids = {pid for group in self._groups for pid in _read(group / "cgroup.procs").split()}
        return sum(_pss(pid) for pid in pids)


def _pss(pid: str) -> int:
    """proc(5): Pss is what a process has for itself, and its share of what it shares."""
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * KIB
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


def _wire(host: LabHost) -> int:
    """Bytes over the host's cable, both ways, with all that the protocols add."""
    record = host.lab.host(host.name)
    link = Path("/sys/class/net") / host.lab.place.link(record.number, private=record.private)
    return sum(int((link / "statistics" / way).read_text()) for way in ("rx_bytes", "tx_bytes"))
