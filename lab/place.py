"""Where a lab lives, and the names that it may use on the machine.

Every lab has a directory of its own; all names that the kernel keeps in one flat space (bridges,
links, network namespaces, control groups) carry a prefix made from that directory, so that labs of
two checkouts, or two labs of one checkout, never touch each other.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

DEFAULT_HOME = Path("/var/tmp/openwatch-lab")
CHECKOUT = Path(__file__).resolve().parent.parent
# An interface name has at most 15 characters (IFNAMSIZ): "ow" + id + kind + number.
ID_DIGITS = 6


def lab_home() -> Path:
    """The directory of all labs and of the image cache (``OPENWATCH_LAB_DIR``)."""
    configured = os.environ.get("OPENWATCH_LAB_DIR")
    return Path(configured).resolve() if configured else DEFAULT_HOME


@dataclass(frozen=True, slots=True)
class Place:
    """The directories and names of one lab."""

    home: Path
    name: str
    directory: Path
    id: str

    @classmethod
    def of(cls, name: str = "default", *, home: Path | None = None) -> Place:
        """The place of this checkout's lab called ``name``."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name):
            raise LabError(
                f"{name!r} cannot be the name of a lab.",
                "Use lower-case letters, digits and dashes.",
            )
        home = home or lab_home()
        directory = home / "labs" / f"{_digest(str(CHECKOUT))}-{name}"
        return cls(home=home, name=name, directory=directory, id=_digest(str(directory)))

    @classmethod
    def all(cls, *, home: Path | None = None) -> tuple[Place, ...]:
        """The places of this checkout's labs that left a directory behind, running or not."""
        home = home or lab_home()
        prefix = f"{_digest(str(CHECKOUT))}-"
        found = sorted((home / "labs").glob(f"{prefix}*"))
        return tuple(cls.of(path.name.removeprefix(prefix), home=home) for path in found)

    @property
    def images(self) -> Path:
        return self.home / "images"

    @property
    def keys(self) -> Path:
        return self.directory / "keys"

    @property
    def hosts(self) -> Path:
        return self.directory / "hosts"

    @property
    def state(self) -> Path:
        return self.directory / "state.json"

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def prefix(self) -> str:
        return f"ow{self.id}"

    @property
    def bridge(self) -> str:
        return f"{self.prefix}b"

    @property
    def private_bridge(self) -> str:
        return f"{self.prefix}p"

    def link(self, number: int, *, private: bool = False) -> str:
        """The machine's end of the cable to host ``number``."""
        return f"{self.prefix}{'q' if private else 'v'}{number}"

    def namespace(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    @property
    def control_group(self) -> str:
        return f"openwatch-lab-{self.id}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]
