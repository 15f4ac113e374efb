"""What a lab remembers between two commands."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.machine import Process
from lab.place import Place


@dataclass(slots=True)
class HostRecord:
    """One host: what it is, and the process that runs it (None while it is off)."""

    name: str
    number: int
    image: str
    init: str
    address: str
    private: bool = False
    jump: bool = False
    host_key: str = ""
    process: Process | None = None


@dataclass(slots=True)
class State:
    """The hosts of a lab. A lab with an owner ends with it: its leftovers may be swept away."""

    hosts: dict[str, HostRecord] = field(default_factory=dict)
    owner: Process | None = None

    def next_number(self) -> int:
        used = {host.number for host in self.hosts.values()}
        return next(number for number in range(1, len(used) + 2) if number not in used)


def load(place: Place) -> State:
    """The state of a lab; an empty one when it never started."""
    try:
        raw: dict[str, Any] = json.loads(place.state.read_text())
        hosts = {
            name: HostRecord(**{**host, "process": _process(host["process"])})
            for name, host in raw["hosts"].items()
        }
        return State(hosts=hosts, owner=_process(raw["owner"]))
    except FileNotFoundError:
        return State()
    except (ValueError, KeyError, TypeError) as damage:
        raise LabError(
            f"{place.state} cannot be read ({damage}).", "Remove the lab: lab down"
        ) from damage


def save(place: Place, state: State) -> None:
    """Write the state so that a reader sees the old or the new one, never a part."""
    place.directory.mkdir(parents=True, exist_ok=True)
    new = place.state.with_suffix(".new")
    new.write_text(json.dumps(asdict(state), indent=1))
    new.rename(place.state)


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """One command at a time may change a lab."""
    locks = place.home / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with Path(locks / place.directory.name).open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _process(raw: dict[str, int] | None) -> Process | None:
    return None if raw is None else Process(**raw)
