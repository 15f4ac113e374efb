"""One row of a file as the host that it describes, or what is wrong with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic import Field as Shape

from openwatch.engine.transport.model import HostKey
from openwatch.fleet.fields import (
    Address,
    Description,
    Environment,
    Name,
    Port,
    Tags,
    Username,
)
from openwatch.fleet.imports.columns import Mapped
from openwatch.fleet.imports.readers.sheet import Row

MAX_GROUPS: Final = 20
_SEPARATED: Final = re.compile(r"[,;\n]")
_ALSO_SEPARATED: Final = re.compile(r"[,;|\n]")


class Given(BaseModel):
    """What a row says about a host; what it leaves out is not set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = ""
    address: Address = ""
    port: Port = 0
    username: Username = ""
    environment: Environment = ""
    description: Description = ""
    tags: Tags = []
    group: Annotated[list[Name], Shape(max_length=MAX_GROUPS)] = []
    credential: Name = ""
    jump_host: Name = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row that was understood. ``number`` counts the rows of the file from 0."""

    number: int
    line: int
    given: Mapping[str, Any]
    keys: tuple[HostKey, ...] = ()

    @property
    def name(self) -> str:
        return self.given["name"]

    @property
    def address(self) -> str:
        return self.given["address"]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be a host, and why."""

    number: int
    line: int
    name: str
    problem: str


def understand(rows: Sequence[Row], mapped: Mapped, *, key: str) -> list[Wanted | Refused]:
    """Return each row as what it wants, or why it is refused.

    Two rows for one host are one too many: the second is refused, and names the line of the first.
    ``key`` is what tells hosts apart besides their name, ``name`` or ``address``.
    """
    lines: dict[tuple[str, str], int] = {}
    found: list[Wanted | Refused] = []
    for number, row in enumerate(rows):
        understood = _understand(number, row, mapped)
        if isinstance(understood, Wanted):
            understood = _unless_twice(understood, lines, key=key)
        found.append(understood)
    return found


def _unless_twice(
    wanted: Wanted, lines: dict[tuple[str, str], int], *, key: str
) -> Wanted | Refused:
    mine = {("name", wanted.name.lower())}
    if key == "address":
        mine.add(("address", wanted.address))
    for own in sorted(mine, reverse=True):
        if own in lines:
            problem = f"Line {lines[own]} has the same {own[0]}, {wanted.given[own[0]]}."
            return Refused(wanted.number, wanted.line, wanted.name, problem)
    lines.update(dict.fromkeys(mine, wanted.line))
    return wanted


def _understand(number: int, row: Row, mapped: Mapped) -> Wanted | Refused:
    cells = {field.value: row.cells[column].strip() for field, column in mapped.items()}
    shown = cells.get("name") or cells.get("address") or ""
    if row.problem is not None:
        return Refused(number, row.line, shown, row.problem)
    given: dict[str, Any] = {name: cell for name, cell in cells.items() if cell}
    if not given.get("name") and not given.get("address"):
        return Refused(number, row.line, shown, "The row has neither a name nor an address.")
    given.setdefault("name", given.get("address"))
    given.setdefault("address", given["name"])
    if "tags" in given:
        given["tags"] = _listed(given["tags"], _ALSO_SEPARATED)
    if "group" in given:
        given["group"] = _listed(given["group"], _SEPARATED)
    try:
        checked = Given.model_validate(given)
    except ValidationError as error:
        return Refused(number, row.line, shown, _problem(error, cells))
    return Wanted(number, row.line, checked.model_dump(include=checked.model_fields_set), row.keys)


def _listed(text: str, separators: re.Pattern[str]) -> list[str]:
    return [part.strip() for part in separators.split(text) if part.strip()]


_SAID: Final = {
    "int_parsing": "it is no number",
    "less_than_equal": "it is greater than {le}",
    "greater_than_equal": "it is less than {ge}",
    "string_too_long": "it is longer than {max_length} characters",
    "too_long": "there are more than {max_length}",
}
SHOWN: Final = 60


def _problem(error: ValidationError, cells: Mapping[str, str]) -> str:
    """Return the first problem as a sentence that names the field and what stands there."""
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0])
    said = _SAID.get(first["type"], "").format(**first.get("ctx", {}))
    said = said or str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    value = cells.get(field) or cells.get("name" if field == "address" else "address") or ""
    shown = value if len(value) <= SHOWN else f"{value[:SHOWN]}…"
    return f"{field.replace('_', ' ')} {shown!r}: {said}."
