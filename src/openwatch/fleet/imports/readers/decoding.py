"""Bytes to text: which encoding a file has, found without guessing where that is possible."""

from __future__ import annotations

import re
from typing import Final

from openwatch.fleet.imports import errors
from openwatch.kit.errors import OpenWatchError

ENCODINGS: Final = (
    "utf-8",
    "utf-16-le",
    "utf-16-be",
    "windows-1252",
    "iso-8859-1",
    "iso-8859-15",
)
"""The encodings that can be named."""

_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_BINARY: Final = (
    (b"PK\x03\x04", "it is an archive, or a workbook of Excel or LibreOffice"),
    (b"\xd0\xcf\x11\xe0", "it is an old workbook of Excel"),
    (b"%PDF", "it is a PDF"),
    (b"\x1f\x8b", "it is compressed by gzip"),
)

_SAMPLE_BYTES: Final = 4096
_NUL_SHARE: Final = 0.3
"""Text of Latin letters has a NUL in nearly every second byte of UTF-16, in UTF-8 never one."""

_C1: Final = re.compile(rb"[\x80-\x9f]")
# Where ISO 8859-1 has signs that never touch a letter, such as the broken bar and fractions,
# ISO 8859-15 has letters of French, Czech and Finnish; and the euro in place of a sign that nobody
# writes.
_LATIN_9: Final = re.compile(
    rb"\xa4|(?<=[A-Za-z\xc0-\xff])[\xa6\xa8\xb4\xb8\xbc\xbd\xbe]"
    rb"|[\xa6\xa8\xb4\xb8\xbc\xbd\xbe](?=[A-Za-z\xc0-\xff])"
)


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Return the text without a byte order mark, and the name of its encoding.

    ``encoding`` is one of ``ENCODINGS`` and overrides what is found. Raises ``import.not_text``.
    """
    for start, problem in _BINARY:
        if data.startswith(start):
            raise OpenWatchError(errors.IMPORT_NOT_TEXT, problem=problem)
    mark = next((mark for mark in _MARKS if data.startswith(mark[0])), None)
    chosen = encoding or (mark[1] if mark else _found(data))
    body = data[len(mark[0]) :] if mark and mark[1] == chosen else data
    try:
        return body.decode(chosen), chosen
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} is not {chosen}"
        raise OpenWatchError(errors.IMPORT_NOT_TEXT, problem=problem) from None


def _found(data: bytes) -> str:
    if wide := _wide(data[:_SAMPLE_BYTES]):
        return wide
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _eight_bits(data)
    return "utf-8"


def _wide(sample: bytes) -> str | None:
    pairs = len(sample) // 2
    if pairs and sample[1::2].count(0) > pairs * _NUL_SHARE and not sample[0::2].count(0):
        return "utf-16-le"
    if pairs and sample[0::2].count(0) > pairs * _NUL_SHARE and not sample[1::2].count(0):
        return "utf-16-be"
    return None


def _eight_bits(data: bytes) -> str:
    # ISO 8859 has control characters from 80 to 9F, which no text holds: there it is Windows-1252,
    # unless one of the five bytes is in it that Windows-1252 does not know.
    if _C1.search(data):
        try:
            data.decode("windows-1252")
        except UnicodeDecodeError:
            return "iso-8859-1"
        return "windows-1252"
    return "iso-8859-15" if _LATIN_9.search(data) else "iso-8859-1"
