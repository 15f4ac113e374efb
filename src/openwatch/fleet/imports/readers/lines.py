"""Plain text: one host per line, as ssh would be told, or two words as in hosts(5)."""

from __future__ import annotations

import ipaddress
from typing import Final

from openwatch.fleet.imports.readers.places import parse_place
from openwatch.fleet.imports.readers.sheet import MAX_ROWS, Format, Row, Sheet, too_many_rows

COLUMNS: Final = ("name", "address", "port", "username")
MAX_LINE: Final = 4096


def read_lines(text: str) -> Sheet:
    """Return one row per line that is neither blank nor a comment."""
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line[:MAX_LINE].partition("#")[0].replace("\0", "\ufffd").split()
        if not words:
            continue
        rows.append(_row(number, words, too_long=len(line) > MAX_LINE))
        if len(rows) > MAX_ROWS:
            raise too_many_rows()
    return Sheet(Format.TEXT, COLUMNS, tuple(rows))


def _row(number: int, words: list[str], *, too_long: bool) -> Row:
    if too_long:
        return Row(
            number, (words[0], "", "", ""), f"The line is longer than {MAX_LINE} characters."
        )
    match words:
        case [word]:
            place = parse_place(word)
            return Row(number, ("", place.address, place.port, place.username))
        case [first, second] if _is_ip(first) != _is_ip(second):
            address, name = (first, second) if _is_ip(first) else (second, first)
            return Row(number, (name, address, "", ""))
        case _:
            what = "A line holds one host, or an IP address and a name; this one holds other words."
            return Row(number, (" ".join(words), "", "", ""), what)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
