"""The SSH server: what is in force for every connection, and what Match blocks change for some."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.probes.sshd import Directives
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import logical_lines, read_files

MAIN_FILE: Final = "/etc/ssh/sshd_config"
INCLUDED: Final = (
    "/etc/ssh/sshd_config.d/*.conf",
    "/etc/crypto-policies/back-ends/opensshserver.config",
)
"""What distributions include from the main file; other includes are said to be unseen."""

_DEPTH: Final = 16
"""sshd_config(5) nests includes up to 16 deep."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One directive as it stands in a file, and the Match block that it stands in."""

    key: str
    value: str
    match: str
    source: Source


class SshdSubject(Subject):
    """A directive of the SSH server. One record is the value in force (``sshd -T``); each line in
    a Match block that sets the directive as well is a further record.
    """

    LABEL: ClassVar[str] = "sshd"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "value": Kind.TEXT,
        "items": Kind.WORDS,
        "first": Kind.TEXT,
        "second": Kind.TEXT,
        "third": Kind.TEXT,
    }

    key: str = Field(pattern=r"^[a-z0-9]+$", description="The directive in lower case.")

    def requests(self) -> tuple[Request, ...]:
        return (
            Request("sshd"),
            Request("content", MAIN_FILE),
            *(Request("content", path) for path in INCLUDED),
        )

    def select(self, snapshot: Snapshot) -> Selection:
        directives: Directives | CouldNot = snapshot.read(Request("sshd"))
        if isinstance(directives, CouldNot):
            return Selection((_record(self.key, directives),))
        lines, unseen = snapshot.derived(_configuration, lambda: _configuration(snapshot))
        mine = [line for line in lines if line.key == self.key]
        source = next((line.source for line in mine if not line.match), None)
        values = directives.get(self.key)
        effective = _record(self.key, None if values is None else " ".join(values), source)
        conditional = [
            _record(f"{self.key} (Match {line.match})", line.value, line.source)
            for line in mine
            if line.match
        ]
        if unseen is not None:
            conditional.append(_record(f"{self.key} (Match blocks)", unseen))
        return Selection((effective, *conditional))


def _record(name: str, value: str | CouldNot | None, source: Source | None = None) -> Record:
    if isinstance(value, CouldNot):
        return Record(name, dict.fromkeys(SshdSubject.FIELDS, value))
    if value is None:
        return Record(name, dict.fromkeys(SshdSubject.FIELDS), raw="not set")
    values: dict[str, Value] = {
        "value": value.lower(),
        "items": frozenset(item for item in re.split(r"[,\s]+", value) if item),
    }
    # MaxStartups 10:30:60 and RekeyLimit 1073741824 3600 are several numbers in one.
    values |= zip(("first", "second", "third"), re.split(r"[:\s]+", value), strict=False)
    sources = dict.fromkeys(values, source) if source else {}
    return Record(name, values, sources, f"{name} {value}")


def _configuration(snapshot: Snapshot) -> tuple[list[_Line], CouldNot | None]:
    """Return all directives in the order in which the server reads them, and what of the
    configuration could not be looked at.
    """
    main, problem = read_files(snapshot, (MAIN_FILE,))
    included: list[FileContent] = []
    for path in INCLUDED:
        files, found = read_files(snapshot, (path,))
        included += files
        problem = problem or found
    reader = _Reader({file.path: file for file in included})
    lines = [line for file in main for line in reader.read(file, "", 0)]
    return lines, problem or reader.unseen


@dataclass(slots=True)
class _Reader:
    """Reads files as sshd_config(5) says: first value wins, Include stands for what it names."""

    files: Mapping[str, FileContent]
    unseen: CouldNot | None = None

    def read(self, file: FileContent, match: str, depth: int) -> Iterator[_Line]:
        for number, text in logical_lines(file):
            key, value = split_directive(text)
            if key == "match":
                match = "" if value.lower() == "all" else value
            elif key == "include":
                yield from self._include(value, match, depth)
            else:
                yield _Line(key, value, match, Source(file.path, number, text))

    def _include(self, value: str, match: str, depth: int) -> Iterator[_Line]:
        for pattern in included_patterns(value):
            if pattern not in INCLUDED or depth >= _DEPTH:
                self.unseen = CouldNot(
                    Reason.INCOMPLETE, f"{pattern} is included and was not looked at."
                )
            for path, file in self.files.items():
                if fnmatch(path, pattern):
                    # A Match block ends with the file that it stands in.
                    yield from self.read(file, match, depth + 1)


def included_patterns(value: str) -> tuple[str, ...]:
    """Return the patterns that an Include names: below /etc/ssh where they are not absolute."""
    words = value.replace('"', "").split()
    return tuple(word if word.startswith("/") else f"/etc/ssh/{word}" for word in words)


def split_directive(text: str) -> tuple[str, str]:
    """Return the directive of a line in lower case, and its value.

    sshd_config(5): keyword and arguments are separated by blanks, or blanks and one ``=``; both
    may stand in quotes.
    """
    found = re.match(r'"?([^\s"]+?)"?(?:\s*=\s*|\s+|\Z)(.*)', text)
    return ("", "") if found is None else (found[1].lower(), found[2].strip().strip('"'))
