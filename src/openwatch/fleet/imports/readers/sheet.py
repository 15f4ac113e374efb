"""What every reader returns: a table of text, with the line that each row comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from openwatch.engine.transport.model import HostKey
from openwatch.fleet.imports import errors
from openwatch.kit.errors import OpenWatchError

MAX_ROWS: Final = 50_000
MAX_COLUMNS: Final = 200
MAX_PROBLEMS: Final = 200
"""How many remarks about a file are kept: more than that nobody reads."""


class Format(StrEnum):
    """The formats that hosts can be read from."""

    CSV = "csv"
    TEXT = "text"
    KNOWN_HOSTS = "known_hosts"
    ANSIBLE_INI = "ansible_ini"
    ANSIBLE_YAML = "ansible_yaml"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in a file that was not taken over, and why."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One host as the file has it. A row with a problem is refused, whatever its cells say."""

    line: int
    cells: tuple[str, ...]
    problem: str | None = None
    keys: tuple[HostKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as a table. ``inside`` says in which other group a group stands."""

    format: Format
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    remarks: tuple[Remark, ...] = ()
    encoding: str = "utf-8"
    delimiter: str | None = None
    inside: Mapping[str, str] = field(default_factory=dict[str, str])

    def checked(self) -> Sheet:
        """Return the sheet; raises ``import.empty`` and ``import.too_many_rows``."""
        if not self.rows:
            raise OpenWatchError(errors.IMPORT_EMPTY)
        if len(self.rows) > MAX_ROWS:
            raise too_many_rows()
        return replace(self, remarks=self.remarks[:MAX_PROBLEMS])


def too_many_rows() -> OpenWatchError:
    """Return the error for a file with more hosts than one import takes."""
    return OpenWatchError(errors.IMPORT_TOO_MANY_ROWS, limit=MAX_ROWS)


def unreadable(line: int, problem: str) -> OpenWatchError:
    """Return the error for a file that cannot be read from a line on."""
    return OpenWatchError(errors.IMPORT_UNREADABLE, line=line, problem=problem)
