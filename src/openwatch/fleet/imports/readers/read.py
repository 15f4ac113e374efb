"""One door to all readers: what format a file has, and its rows."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from openwatch.fleet.imports.readers.ansible_ini import read_ini
from openwatch.fleet.imports.readers.ansible_yaml import read_yaml
from openwatch.fleet.imports.readers.decoding import decode
from openwatch.fleet.imports.readers.delimited import detect_delimiter, read_delimited
from openwatch.fleet.imports.readers.known_hosts import read_known_hosts
from openwatch.fleet.imports.readers.lines import read_lines
from openwatch.fleet.imports.readers.sheet import Format, Sheet

_SAMPLE_LINES: Final = 200
_SAMPLE_CHARACTERS: Final = 65_536
_KNOWN_HOST: Final = re.compile(r"(?:@\S+ +)?\S+ +(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-\S+ +AAAA\S+")
_SECTION: Final = re.compile(r"\[[A-Za-z_][\w.-]*(?::(?:children|vars|hosts))?\]")
_ASSIGNMENT: Final = re.compile(r"\S+ +ansible_\w+=")
_YAML_TOP: Final = re.compile(r"(?:all|ungrouped|[A-Za-z_][\w-]*):(?:\s*(?:[#&].*)?)")
_YAML_INNER: Final = re.compile(r"\s+(?:hosts|children|vars):")

_HEADERS: Final = frozenset({"name", "hostname", "host", "address", "ip", "ip address", "fqdn"})
"""What a file of one column may begin with; a host of that name is none."""


def read(
    data: bytes,
    *,
    format: Format | None = None,  # noqa: A002 - the word that users know
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Sheet:
    """Return the hosts that a file names; what is not told is found out.

    Raises ``import.not_text``, ``import.unreadable``, ``import.empty``, ``import.too_many_rows``.
    """
    text, found = decode(data, encoding)
    sheet = _read(text, format or detect_format(text), delimiter)
    return replace(sheet, encoding=found).checked()


def _read(text: str, chosen: Format, delimiter: str | None) -> Sheet:
    match chosen:
        case Format.CSV:
            return read_delimited(text, delimiter)
        case Format.TEXT:
            return read_lines(text)
        case Format.KNOWN_HOSTS:
            return read_known_hosts(text)
        case Format.ANSIBLE_INI:
            return read_ini(text)
        case Format.ANSIBLE_YAML:
            return read_yaml(text)


def detect_format(text: str) -> Format:
    """Return the format that the first lines look like."""
    lines = text[:_SAMPLE_CHARACTERS].splitlines()[:_SAMPLE_LINES]
    told = [line for line in lines if line.strip() and not line.lstrip().startswith(("#", ";"))]
    if not told:
        return Format.TEXT
    if any(_KNOWN_HOST.match(line) for line in told) or told[0].startswith("|1|"):
        return Format.KNOWN_HOSTS
    if any(_SECTION.fullmatch(line.strip()) or _ASSIGNMENT.match(line) for line in told):
        return Format.ANSIBLE_INI
    first = next((line for line in told if line.strip() != "---"), "")
    if _YAML_TOP.fullmatch(first) and any(_YAML_INNER.match(line) for line in told):
        return Format.ANSIBLE_YAML
    if told[0].strip().strip('"').lower() in _HEADERS:
        return Format.CSV
    return Format.CSV if detect_delimiter(text)[1] > 1 else Format.TEXT
