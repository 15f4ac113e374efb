"""Refused rows as a file to correct and import again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from openwatch.fleet.imports.readers.delimited import FORMULA_STARTS, OURS


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet computes: an apostrophe in front makes it text."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def refused_csv(
    columns: Sequence[str], rows: Iterable[tuple[int, str, Sequence[str]]]
) -> Iterable[str]:
    """Yield the file in parts: line, problem and the cells of each row."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    # Spreadsheets take CSV for Windows-1252 unless it begins with a byte order mark.
    buffer.write("\ufeff")
    writer.writerow([*OURS, *map(harmless, columns)])
    for line, problem, cells in rows:
        writer.writerow([line, harmless(problem), *map(harmless, cells)])
        if buffer.tell() > io.DEFAULT_BUFFER_SIZE:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
