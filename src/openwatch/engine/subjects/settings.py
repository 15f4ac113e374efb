"""Settings in configuration files, with the precedence that their reader itself has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value, as_list
from openwatch.engine.subjects.files import ContentPath, logical_lines, read_files


class Format(StrEnum):
    """How a file writes a key and its value."""

    SPACED = "spaced"
    """``KEY value``, blanks or tabs between (login.defs(5))."""
    EQUALS = "equals"
    """``key = value`` (auditd.conf(5), pwquality.conf(5), sysctl.conf(5)); quotes belong to it."""
    SHELL = "shell"
    """``key=value`` as sh(1) reads it: no blanks, quotes that fall away, a comment behind it."""
    SECTIONED = "sectioned"
    """``key=value`` below ``[Section]`` (systemd.syntax(7)); a key above any section is lost."""


class Wins(StrEnum):
    """Which of several lines with one key counts for the program that reads them."""

    FIRST = "first"
    LAST = "last"


class SettingSubject(Subject):
    """The value of one key, as the program that reads the files would see it."""

    LABEL: ClassVar[str] = "setting"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"value": Kind.TEXT, "seconds": Kind.NUMBER}

    file: ContentPath | tuple[ContentPath, ...] = Field(
        description="The main file; of several, the first that exists is the one that is read."
    )
    drop_ins: tuple[ContentPath, ...] = Field(
        default=(),
        description="Directories whose *.conf are read after the main file, sorted by name; a "
        "file in a later directory hides one of the same name in an earlier one.",
    )
    drop_ins_first: bool = Field(
        default=False,
        description="The drop-ins are read before the main file (pwquality.conf(5)).",
    )
    key: str = Field(min_length=1)
    format: Format = Format.EQUALS
    section: str | None = None
    wins: Wins = Wins.LAST
    comment: str = "#;"
    ignore_case: bool = Field(default=False, description="Keys are the same in any case.")
    lower_case: bool = Field(
        default=False, description="Values are the same in any case; they are read in lower case."
    )

    def model_post_init(self, context: object, /) -> None:
        if (self.section is not None) != (self.format is Format.SECTIONED):
            raise ValueError("`section` and `format: sectioned` go together")

    def requests(self) -> tuple[Request, ...]:
        paths = (*as_list(self.file), *(f"{d}/*.conf" for d in self.drop_ins))
        return tuple(Request("content", path) for path in paths)

    def select(self, snapshot: Snapshot) -> Selection:
        name = self.key if self.section is None else f"[{self.section}] {self.key}"
        files, problem = self._files(snapshot)
        if problem is not None:
            return Selection((Record(name, {"value": problem, "seconds": problem}),))
        found = [hit for file in files for hit in self._hits(file)]
        if not found:
            return Selection((Record(name, {"value": None, "seconds": None}, raw="not set"),))
        value, source = found[0] if self.wins is Wins.FIRST else found[-1]
        values: dict[str, Value] = {"value": value, "seconds": timespan_seconds(value)}
        return Selection((Record(name, values, dict.fromkeys(values, source), source.text),))

    def _files(self, snapshot: Snapshot) -> tuple[tuple[FileContent, ...], CouldNot | None]:
        main: tuple[FileContent, ...] = ()
        for path in as_list(self.file):
            main, problem = read_files(snapshot, (path,))
            if problem is not None or main:
                break
        else:
            problem = None
        merged, drop_in_problem = merge_drop_ins(snapshot, self.drop_ins)
        files = (*merged, *main) if self.drop_ins_first else (*main, *merged)
        return files, problem or drop_in_problem

    def _hits(self, file: FileContent) -> Iterable[tuple[str, Source]]:
        wanted = self.key.lower() if self.ignore_case else self.key
        section = None
        # systemd.syntax(7): a backslash at the end of a line joins the next one to it.
        continued = "\\" if "/systemd/" in file.path else ""
        for number, line in logical_lines(file, comment=self.comment, continued=continued):
            if self.section is not None and line.startswith("["):
                section = line.strip("[] \t")
                continue
            key, value = split_setting(line, self.format)
            if (key.lower() if self.ignore_case else key) != wanted or section != self.section:
                continue
            yield value.lower() if self.lower_case else value, Source(file.path, number, line)


_UNITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86400),
    **dict.fromkeys(("w", "week", "weeks"), 604800),
}
_SPAN: Final = re.compile(r"\s*([0-9]{1,12})\s*([a-z]*)(?=\s|[0-9]|\Z)")


def timespan_seconds(text: str) -> int | None:
    """Return a time span of systemd.time(7) in seconds; ``None`` for what is none, or endless."""
    seconds, position = 0, 0
    while position < len(text.rstrip()):
        match = _SPAN.match(text, position)
        if match is None or match[2] not in _UNITS:
            return None
        seconds += int(match[1]) * _UNITS[match[2]]
        position = match.end()
    return seconds if position else None


_ASSIGNMENT: Final = re.compile(
    r"""(?:export\s+)?(?P<key>\w+)=(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|"""
    r"""(?P<plain>[^\s"';&|#]*))(?:\s*;|\s+#.*|\s*\Z)"""
)


def split_setting(line: str, form: Format) -> tuple[str, str]:
    """Return the key and the value of a line; a line without a value gives an empty one."""
    match form:
        case Format.SPACED:
            key, _, value = line.replace("\t", " ").partition(" ")
            value = value.strip()
            # shadow: quotes around the value of login.defs(5) fall away.
            quoted = len(value) >= 2 and value[0] == value[-1] == '"'
            return key, value[1:-1] if quoted else value
        case Format.SHELL:
            if found := _ASSIGNMENT.match(line):
                return found["key"], found["double"] or found["single"] or found["plain"] or ""
            key, _, value = line.partition("=")
            return key, value
        case _:
            key, _, value = line.partition("=")
            return key.strip(), value.strip()


def merge_drop_ins(
    snapshot: Snapshot, directories: Iterable[str]
) -> tuple[tuple[FileContent, ...], CouldNot | None]:
    """Return the drop-ins in the order in which they apply: by file name over all directories.

    systemd.unit(5), sysctl.d(5): files are sorted by name whatever their directory, and of two
    with one name the one in the directory of higher priority is read. Lowest priority first.
    """
    by_name: dict[str, FileContent] = {}
    for directory in directories:
        files, problem = read_files(snapshot, (f"{directory}/*.conf",))
        if problem is not None:
            return (), problem
        by_name |= {file.path.rpartition("/")[2]: file for file in files}
    return tuple(by_name[name] for name in sorted(by_name)), None
