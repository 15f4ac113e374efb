"""The SSH client's system-wide settings: ssh_config(5), in the reader's order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import logical_lines, read_files
from openwatch.engine.subjects.sshd import included_patterns, split_directive

MAIN_FILE: Final = "/etc/ssh/ssh_config"
INCLUDED: Final = (
    "/etc/ssh/ssh_config.d/*.conf",
    "/etc/crypto-policies/back-ends/openssh.config",
)
"""What distributions include from the main file; other includes are said to be unseen."""

_DEPTH: Final = 16
_FOR_ALL: Final = re.compile(r"host \*|match (?:final +)?all", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Line:
    key: str
    value: str
    block: str
    """The Host or Match line that it stands below; empty where it is for every connection."""
    source: Source


class SshClientSubject(Subject):
    """A directive of the SSH client. One record is what the system-wide files give a connection
    to any host; each line that is for some hosts only is a further one.
    """

    LABEL: ClassVar[str] = "ssh_client"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "value": Kind.TEXT,
        "items": Kind.WORDS,
        "scope": Kind.TEXT,
    }

    key: str = Field(pattern=r"^[a-z0-9]+$", description="The directive in lower case.")

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request("content", path) for path in (MAIN_FILE, *INCLUDED))

    def select(self, snapshot: Snapshot) -> Selection:
        main, problem = read_files(snapshot, (MAIN_FILE,))
        included: list[FileContent] = []
        for path in INCLUDED:
            files, found = read_files(snapshot, (path,))
            included += files
            problem = problem or found
        reader = _Reader({file.path: file for file in included})
        lines = [line for file in main for line in reader.read(file, "", 0)]
        problem = problem or reader.unseen
        if problem is not None:
            return Selection((Record(self.key, dict.fromkeys(self.FIELDS, problem)),))
        mine = [line for line in lines if line.key == self.key]
        # ssh_config(5): the first value that is obtained is used.
        effective = next((line for line in mine if not line.block), None)
        some = (_record(f"{self.key} ({line.block})", line) for line in mine if line.block)
        return Selection((_record(self.key, effective), *some))


def _record(name: str, line: _Line | None) -> Record:
    if line is None:
        return Record(name, dict.fromkeys(SshClientSubject.FIELDS), raw="not set")
    items = frozenset(item for item in re.split(r"[,\s]+", line.value) if item)
    values: dict[str, Value] = {
        "value": line.value.lower(),
        "items": items,
        "scope": line.block or None,
    }
    return Record(name, values, dict.fromkeys(values, line.source), line.source.text)


@dataclass(slots=True)
class _Reader:
    """Reads files as ssh_config(5) says; an Include stands for what it names."""

    files: Mapping[str, FileContent]
    unseen: CouldNot | None = None

    def read(self, file: FileContent, block: str, depth: int) -> Iterator[_Line]:
        outer = block
        for number, text in logical_lines(file):
            key, value = split_directive(text)
            if key in ("host", "match"):
                line = f"{key} {' '.join(value.split())}"
                # A block in an included file narrows the one that the Include stands in.
                block = outer if _FOR_ALL.fullmatch(line) else line
            elif key == "include":
                yield from self._include(value, block, depth)
            else:
                yield _Line(key, value, block, Source(file.path, number, text))

    def _include(self, value: str, block: str, depth: int) -> Iterator[_Line]:
        for pattern in included_patterns(value):
            if pattern not in INCLUDED or depth >= _DEPTH:
                self.unseen = CouldNot(
                    Reason.INCOMPLETE, f"{pattern} is included and was not looked at."
                )
                continue
            for path, file in self.files.items():
                if fnmatch(path, pattern):
                    yield from self.read(file, block, depth + 1)
