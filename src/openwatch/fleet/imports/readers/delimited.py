"""CSV (RFC 4180) with the separators and the liberties that spreadsheets take.

A cell is text and stays text: one that begins with ``=`` is never computed.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from openwatch.fleet.imports.readers.sheet import (
    MAX_COLUMNS,
    MAX_ROWS,
    Format,
    Remark,
    Row,
    Sheet,
    too_many_rows,
    unreadable,
)

DELIMITERS: Final = (",", ";", "\t", "|")
MAX_CELL: Final = 131_072
"""The limit of Python's csv module: a cell that long is a quotation mark that was never closed."""

_SAMPLE_RECORDS: Final = 50
_NAMED: Final = re.compile(r'"?sep=([,;|\t])"?\r?\n')
"""Excel writes this line so that Excel elsewhere knows the separator."""

_NUL: Final = "\0"

OURS: Final = ("line", "problem")
"""The first columns of a file of refused rows."""

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes spreadsheets compute a cell (OWASP, CSV Injection)."""


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    cells: list[str]


def read_delimited(text: str, delimiter: str | None = None) -> Sheet:
    """Return the table. Raises ``import.unreadable``, ``import.too_many_rows``."""
    skipped = 0
    if named := _NAMED.match(text):
        text, skipped = text[named.end() :], 1
        delimiter = delimiter or named[1]
    chosen = delimiter or detect_delimiter(text)[0]
    records = _records(text, chosen, skipped)
    first = next(records, None)
    if first is None:
        return Sheet(Format.CSV, (), (), delimiter=chosen)
    if tuple(first.cells[: len(OURS)]) == OURS:
        first, records = _without_ours(first), map(_without_ours, records)
    if len(first.cells) > MAX_COLUMNS:
        raise unreadable(first.line, f"it has more than {MAX_COLUMNS} columns.")
    remarks: list[Remark] = []
    rows: list[Row] = []
    if _is_header(first.cells):
        columns = _columns(first, remarks)
    else:
        columns = tuple(f"column {i + 1}" for i in range(len(first.cells)))
        rows.append(_row(first, len(columns)))
    for record in records:
        rows.append(_row(record, len(columns)))
        if len(rows) > MAX_ROWS:
            raise too_many_rows()
    return Sheet(Format.CSV, columns, tuple(rows), tuple(remarks), delimiter=chosen)


def _without_ours(record: _Record) -> _Record:
    """Return a row of a file of refused rows as it stood in the file that was refused."""
    return _Record(record.line, [_as_it_was(cell) for cell in record.cells[len(OURS) :]])


def _as_it_was(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


def detect_delimiter(text: str) -> tuple[str, int]:
    """Return the separator that gives the most rows the same number of cells, and that number."""
    sample = "".join(line for _, line in zip(range(_SAMPLE_RECORDS), _Lines(text), strict=False))
    best: tuple[float, int, str] = (0.0, 1, DELIMITERS[0])
    for delimiter in DELIMITERS:
        widths = Counter(len(cells) for cells in _parsed(sample, delimiter) if any(cells))
        if not widths:
            continue
        width, number = max(widths.items(), key=lambda item: (item[1], item[0]))
        share = number / widths.total()
        if width > 1 and (share, width) > best[:2]:
            best = (share, width, delimiter)
    return best[2], best[1]


def _parsed(text: str, delimiter: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error:
        return


def _records(text: str, delimiter: str, skipped: int) -> Iterator[_Record]:
    """Yield the records that are not blank, each with the number of its first line."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        begins = reader.line_num + 1 + skipped
        try:
            cells = next(reader, None)
        except csv.Error:
            raise _unclosed(begins) from None
        if cells is None:
            return
        # A record is over at the end of its line. Only one whose quotation mark is open asks for
        # lines until there are none.
        if lines.ended:
            raise _unclosed(begins)
        if any(cell.strip() for cell in cells):
            yield _Record(begins, cells)


class _Lines:
    """The lines of a text, and whether more of them were asked for than there are."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._lines.readline()
        if not line:
            self.ended = True
            raise StopIteration
        return line


def _unclosed(line: int) -> Exception:
    return unreadable(line, "a quotation mark that opens there is never closed.")


def _is_header(cells: Sequence[str]) -> bool:
    """A first row that holds an address or a bare number is a host already."""
    return not any(_is_address(cell.strip()) or cell.strip().isdigit() for cell in cells)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _columns(header: _Record, remarks: list[Remark]) -> tuple[str, ...]:
    names: list[str] = []
    seen: set[str] = set()
    for i, cell in enumerate(header.cells):
        name = " ".join(cell.replace(_NUL, " ").split()) or f"column {i + 1}"
        unique, number = name, 1
        while unique.lower() in seen:
            number += 1
            unique = f"{name} ({number})"
        if unique != name:
            what = f"The column {name} stands there twice; the second is called {unique} here."
            remarks.append(Remark(header.line, what))
        seen.add(unique.lower())
        names.append(unique)
    return tuple(names)


def _row(record: _Record, width: int) -> Row:
    cells = record.cells
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        cells = cells[:width]
    problem = None
    if len(cells) > width:
        problem = f"The row has {len(cells)} cells, but there are {width} columns."
    elif any(_NUL in cell for cell in cells):
        problem = "The row holds a NUL character, which no text has."
    padded = [cell.replace(_NUL, "\ufffd") for cell in cells[:width]]
    padded += [""] * (width - len(padded))
    return Row(record.line, tuple(padded), problem)
