"""chrony: its configuration with all files that it takes in."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value, as_list
from openwatch.engine.subjects.files import logical_lines, read_files

_MAIN: Final = ("/etc/chrony/chrony.conf", "/etc/chrony.conf")
"""Debian's place, and that of all others."""
_INCLUDED: Final = (
    "/etc/chrony/conf.d/*.conf", "/etc/chrony/sources.d/*.sources", "/etc/chrony.d/*.conf",
    "/etc/chrony.d/*.sources", "/run/chrony-dhcp/*.sources",
)  # fmt: skip

_SOURCES: Final = ("server", "pool", "peer", "refclock")
"""Directives that may stand several times and name a source each time."""

_DEPTH: Final = 10
"""chrony.conf(5) nests includes up to 10 deep."""

_FLAGS: Final = frozenset({"prefer", "noselect", "trust", "require", "iburst", "burst", "nts"})


@dataclass(frozen=True, slots=True)
class _Line:
    directive: str
    value: str
    source: Source


class ChronySubject(Subject):
    """Directives of chrony.conf(5), in the order in which chronyd reads them. ``server``, ``pool``,
    ``peer`` and ``refclock`` give a record each time that they stand; of any other directive the
    last one counts, and there is one record.
    """

    LABEL: ClassVar[str] = "chrony"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "value": Kind.TEXT,
        "address": Kind.TEXT,
        "directive": Kind.TEXT,
        "minpoll": Kind.NUMBER,
        "maxpoll": Kind.NUMBER,
        "options": Kind.WORDS,
    }

    directive: str | tuple[str, ...] = Field(description="In lower case.")

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request("content", path) for path in (*_MAIN, *_INCLUDED))

    def select(self, snapshot: Snapshot) -> Selection:
        main, problem = read_files(snapshot, _MAIN)
        included, missing = read_files(snapshot, _INCLUDED)
        if problem or missing:
            return Selection(could_not=problem or missing)
        reader = _Reader({file.path: file for file in included})
        lines = list(reader.read(main[0], 0)) if main else []
        if reader.unseen:
            text = f"{reader.unseen} is read by chronyd and was not looked at."
            return Selection(could_not=CouldNot(Reason.INCOMPLETE, text))
        wanted = as_list(self.directive)
        records = [_source(line) for line in lines if line.directive in {*wanted} & {*_SOURCES}]
        for directive in wanted:
            if directive not in _SOURCES:
                found = [line for line in lines if line.directive == directive]
                records.append(_last(directive, found))
        return Selection(tuple(records))


def _last(directive: str, lines: list[_Line]) -> Record:
    if not lines:
        return Record(directive, {"directive": directive, "value": None}, raw="not set")
    line = lines[-1]
    values: dict[str, Value] = {"directive": directive, "value": line.value}
    return Record(directive, values, dict.fromkeys(values, line.source), line.source.text)


def _source(line: _Line) -> Record:
    words = line.value.split()
    numbers: dict[str, Value] = {"minpoll": None, "maxpoll": None}
    for key, value in itertools.pairwise(words):
        if key.lower() in numbers and re.fullmatch(r"[+-]?\d{1,3}", value):
            numbers[key.lower()] = int(value)
    values: dict[str, Value] = {
        "directive": line.directive,
        "value": line.value,
        "address": words[0] if words else "",
        "options": frozenset(word.lower() for word in words[1:]) & _FLAGS,
        **numbers,
    }
    name = f"{line.directive} {words[0] if words else ''}".strip()
    return Record(name, values, dict.fromkeys(values, line.source), line.source.text)


@dataclass(slots=True)
class _Reader:
    """Reads files as chrony.conf(5) says; a file that is not there is passed over."""

    files: Mapping[str, FileContent]
    unseen: str = ""

    def read(self, file: FileContent, depth: int) -> Iterator[_Line]:
        for number, text in logical_lines(file, comment="#!;%"):
            key, _, value = text.replace("\t", " ").partition(" ")
            key, value = key.lower(), " ".join(value.split())
            match key:
                case "include":
                    yield from self._take(value, depth)
                case "confdir" | "sourcedir":
                    suffix = "conf" if key == "confdir" else "sources"
                    # Of two files with one name the one in the directory that stands first counts.
                    seen: set[str] = set()
                    for directory in value.split():
                        yield from self._take(f"{directory.rstrip('/')}/*.{suffix}", depth, seen)
                case _:
                    yield _Line(key, value, Source(file.path, number, text))

    def _take(self, pattern: str, depth: int, seen: set[str] | None = None) -> Iterator[_Line]:
        if not _is_known(pattern) or depth >= _DEPTH:
            self.unseen = pattern
            return
        for path, file in sorted(self.files.items()):
            name = path.rpartition("/")[2]
            if not fnmatchcase(path, pattern) or (seen is not None and name in seen):
                continue
            if seen is not None:
                seen.add(name)
            yield from self.read(file, depth + 1)


def _is_known(pattern: str) -> bool:
    """Return whether all files that a pattern may match were asked for."""
    return any(pattern == known or fnmatchcase(pattern, known) for known in _INCLUDED)
