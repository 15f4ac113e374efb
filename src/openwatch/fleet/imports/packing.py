"""The rows of an import as bytes, from when it is asked for until it is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import zstandard

from openwatch.fleet.imports.readers.ansible import SECRET_NAME
from openwatch.fleet.imports.readers.sheet import Row, Sheet

_LEVEL: Final = 3
_MAX_BYTES: Final = 512 * 1024 * 1024


class Packed(msgspec.Struct, frozen=True):
    """What the work needs of a file."""

    rows: list[Row]
    inside: dict[str, str]


def pack(sheet: Sheet) -> bytes:
    """Return the rows compressed, cells of secret columns left empty."""
    secret = {i for i, name in enumerate(sheet.columns) if SECRET_NAME.search(name)}
    rows = [without(row, secret) for row in sheet.rows] if secret else list(sheet.rows)
    packed = msgspec.msgpack.encode(Packed(rows, dict(sheet.inside)))
    return zstandard.ZstdCompressor(level=_LEVEL).compress(packed)


def unpack(content: bytes) -> Packed:
    """Return what was packed."""
    packed = zstandard.ZstdDecompressor().decompress(content, max_output_size=_MAX_BYTES)
    return msgspec.msgpack.decode(packed, type=Packed)


def without(row: Row, secret: set[int]) -> Row:
    """Return a row whose cells in some columns are empty."""
    cells = tuple("" if i in secret else cell for i, cell in enumerate(row.cells))
    return Row(row.line, cells, row.problem, row.keys)


def first_rows(sheet: Sheet, number: int) -> Sequence[Row]:
    """Return the first rows as they may be shown."""
    secret = {i for i, name in enumerate(sheet.columns) if SECRET_NAME.search(name)}
    return [without(row, secret) for row in sheet.rows[:number]]
