"""logrotate: which log files are rotated how often, and how many old ones are kept."""

from __future__ import annotations

import re
import shlex
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent, FileStat
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value

MAIN_FILE: Final = "/etc/logrotate.conf"
DIRECTORY: Final = "/etc/logrotate.d"
DROP_INS: Final = (f"{DIRECTORY}/*", f"{DIRECTORY}/.[A-Za-z0-9_]*")
"""logrotate reads hidden files of a directory as well."""

_FILES: Final = (MAIN_FILE, *DROP_INS)
_MOST_READS: Final = 2000
"""Files that include each other may be read again and again; logrotate stops at 16 levels."""
_DEEPEST: Final = 16

_DAYS: Final = {"hourly": 1, "daily": 1, "weekly": 7, "monthly": 31, "yearly": 366}
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SCRIPTS: Final = frozenset(
    {"prerotate", "postrotate", "preremove", "firstaction", "lastaction"}
)  # fmt: skip
_ALONE: Final = frozenset(
    {
        "allowhardlink", "compress", "copy", "copytruncate", "datehourago", "dateext",
        "dateyesterday", "delaycompress", "ifempty", "ignoreduplicates", "mailfirst", "maillast",
        "missingok", "noallowhardlink", "nocompress", "nocopy", "nocopytruncate", "nocreate",
        "nocreateolddir", "nodateext", "nodelaycompress", "nomail", "nomissingok", "noolddir",
        "norenamecopy", "nosharedscripts", "noshred", "notifempty", "renamecopy", "sharedscripts",
        "shred",
    }
)  # fmt: skip
"""Directives without a value: another one may follow them on the same line."""
_TABOO: Final = (
    "*,v", "*.bak", "*.cfsaved", "*.disabled", "*.dpkg-bak", "*.dpkg-del", "*.dpkg-dist",
    "*.dpkg-new", "*.dpkg-old", "*.rhn-cfg-tmp-*", "*.rpmnew", "*.rpmorig", "*.rpmsave", "*.swp",
    "*.ucf-dist", "*.ucf-new", "*.ucf-old", "*~",
)  # fmt: skip
"""logrotate(8): tabooext, "at startup"."""

_TOKEN: Final = re.compile(r"""[ \t\r\n]+|\#[^\n]*|(?P<word>[A-Za-z]+)|(?P<logs>["'/~])|[{}]|.""")
_SIZE: Final = re.compile(r"([0-9]{1,15})([kmg]?)")


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for a log file; without any the built-in values: by size, and nothing is kept."""

    days: int | None = None
    size: int | None = 1 << 20
    kept: int = 0
    max_age: int | None = None
    duplicates: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """What the configuration says of the log files that match some patterns."""

    logs: tuple[str, ...]
    options: Options
    source: Source


@dataclass(slots=True)
class Rotation:
    """All sections in the order in which logrotate reads them, and what nobody can say."""

    sections: list[Section] = field(default_factory=list[Section])
    problems: list[CouldNot] = field(default_factory=list[CouldNot])


class _File:
    """A file and where its lines begin."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self._breaks = [found.start() for found in re.finditer("\n", text)]

    def line(self, position: int) -> int:
        """Return the number of the line of a position, counted from 1."""
        return bisect_right(self._breaks, position - 1) + 1


class _MistakeError(Exception):
    """A line for which logrotate leaves the rest of a file, or more, aside."""

    def __init__(self, position: int, what: str) -> None:
        super().__init__(what)
        self.position = position


class _Reader:
    """Reads the files as logrotate does: an option holds for the sections that follow it, whatever
    file they are in; in a section the last of several counts.
    """

    def __init__(self, files: Mapping[str, FileContent]) -> None:
        self.files = files
        self.found = Rotation()
        self.options = Options()
        self.taboo = _TABOO
        self.reads = 0
        self.known: set[str] = set()

    def read(self, path: str, depth: int = 0) -> None:
        self.reads += 1
        if depth > _DEEPEST or self.reads > _MOST_READS:
            self._unseen(Reason.INCOMPLETE, f"{path} is included too often.")
            return
        file = _File(path, self.files[path].text)
        try:
            self._parse(file, depth)
        except _MistakeError as mistake:
            self._unseen(Reason.UNPARSABLE, f"{path}:{file.line(mistake.position)}: {mistake}")

    def _parse(self, file: _File, depth: int) -> None:
        text = file.text
        section: Section | None = None
        position = 0
        while position < len(text):
            token = _TOKEN.match(text, position)
            assert token is not None  # the last alternative takes any character
            start, position = position, token.end()
            if token["logs"]:
                if section is not None:
                    raise _MistakeError(start, "a section in a section")
                section, position = self._opened(file, start)
            elif token["word"]:
                position = self._directive(text, token, section, depth)
                if section is not None:
                    section = replace(section, options=self._inner)
            elif token[0] == "}":
                if section is None:
                    raise _MistakeError(start, "a } without a section")
                self._close(section, start)
                section = None
            elif token[0][0] not in "# \t\r\n":
                raise _MistakeError(start, "neither a directive nor a name of a log file")
        if section is not None:
            raise _MistakeError(len(text), "a section without its end")

    def _opened(self, file: _File, start: int) -> tuple[Section, int]:
        text = file.text
        brace = text.find("{", start)
        if brace < 0:
            raise _MistakeError(start, "names of log files without a section")
        try:
            logs = tuple(shlex.split(text[start:brace]))
        except ValueError as error:
            raise _MistakeError(start, f"names of log files: {error}") from None
        source = Source(file.path, file.line(start), " ".join(text[start:brace].split()))
        self._inner = self.options
        return Section(logs, self.options, source), brace + 1

    def _close(self, section: Section, position: int) -> None:
        again = sorted(self.known.intersection(section.logs))
        if again and not section.options.duplicates:
            raise _MistakeError(position, f"{again[0]} has a section already")
        self.known.update(section.logs)
        self.found.sections.append(section)

    def _directive(
        self, text: str, token: re.Match[str], section: Section | None, depth: int
    ) -> int:
        """Take one directive in and return where what follows it begins."""
        word, rest, end = token["word"], token.end(), _end(text, token.end())
        if word in _SCRIPTS:
            return _after_script(text, end)
        # A value ends with its line, whatever is in it.
        value = text[rest:end].strip(" \t\r=")
        before = self.options if section is None else self._inner
        changed = before
        match word:
            case "weekly":
                if not re.fullmatch(r"[0-7]?", value):
                    raise _MistakeError(rest, f"weekly {value}")
                changed = replace(before, days=7, size=None)
            case "hourly" | "daily" | "monthly" | "yearly":
                changed, end = replace(before, days=_DAYS[word], size=None), rest
            case "size":
                changed = replace(before, size=_bytes(value, rest), days=None)
            case "rotate":
                changed = replace(before, kept=_count(value, rest, least=-1))
            case "maxage":
                changed = replace(before, max_age=_count(value, rest))
            case "ignoreduplicates":
                changed, end = replace(before, duplicates=True), rest
            case "include" | "tabooext" | "taboopat":
                if section is not None:
                    raise _MistakeError(rest, f"{word} in a section")
                self._arrange(word, value, depth)
                return end
            case _ if word in _ALONE:
                end = rest
            case _:
                pass
        if section is None:
            self.options = changed
        else:
            self._inner = changed
        return end

    def _arrange(self, word: str, value: str, depth: int) -> None:
        if word == "include":
            self._include(value, depth)
            return
        added = value.startswith("+")
        names = re.split(r"[\s,]+", value.removeprefix("+").strip()) if word == "tabooext" else ()
        names = [f"*{name}" for name in names] or value.removeprefix("+").split()
        self.taboo = (*(self.taboo if added else ()), *names)

    def _include(self, value: str, depth: int) -> None:
        path = re.sub(r"/+", "/", value).rstrip("/")
        if path == DIRECTORY:
            for name in sorted(f for f in self.files if f.startswith(f"{DIRECTORY}/")):
                last = name.rpartition("/")[2]
                if not any(fnmatchcase(last, pattern) for pattern in self.taboo):
                    self.read(name, depth + 1)
        elif path in self.files:
            self.read(path, depth + 1)
        else:
            self._unseen(Reason.INCOMPLETE, f"{path} is included and was not looked at.")

    def _unseen(self, reason: Reason, detail: str) -> None:
        self.found.problems.append(CouldNot(reason, detail))

    _inner: Options = Options()
    """The options of the section that is being read."""


def _end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _after_script(text: str, position: int) -> int:
    found = re.compile(r"^[ \t]*endscript\b[^\n]*", re.MULTILINE).search(text, position)
    if found is None:
        raise _MistakeError(position, "a script without endscript")
    return found.end()


def _bytes(value: str, position: int) -> int:
    size = _SIZE.fullmatch(value.removeprefix("+").lower())
    if size is None:
        raise _MistakeError(position, f"size {value}")
    return int(size[1]) * _UNITS[size[2]]


def _count(value: str, position: int, *, least: int = 0) -> int:
    if re.fullmatch(r"-?(?:0|[1-9][0-9]{0,8})", value) is None or int(value) < least:
        raise _MistakeError(position, f"{value} is no number of them")
    return int(value)


def parse(files: Mapping[str, FileContent]) -> Rotation:
    """Return what logrotate does with these files; nothing without its main file."""
    reader = _Reader(files)
    if MAIN_FILE in files:
        reader.read(MAIN_FILE)
    return reader.found


def read_rotation(snapshot: Snapshot) -> Rotation | CouldNot:
    """Return what logrotate does; files that it ignores for their owner or mode are left out."""
    files: dict[str, FileContent] = {}
    for path in _FILES:
        texts: tuple[FileContent, ...] | CouldNot = snapshot.read(Request("content", path))
        stats: tuple[FileStat, ...] | CouldNot = snapshot.read(Request("stat", path))
        if isinstance(texts, CouldNot):
            return texts
        if isinstance(stats, CouldNot):
            return stats
        ignored = {stat.path for stat in stats if _is_ignored(stat)}
        for file in texts:
            if file.could_not:
                return file.could_not
            if file.path not in ignored:
                files[file.path] = file
    return parse(files)


def _is_ignored(stat: FileStat) -> bool:
    """logrotate(8): "configuration files must not be group-writable nor world-writable"."""
    return stat.type == "regular file" and (bool(stat.mode & 0o022) or stat.uid != 0)


class LogrotateSubject(Subject):
    """The sections of logrotate's configuration, as it reads them: options hold for the sections
    that follow them, an own one counts before them, the last of several counts; files are included
    in the order of their names, but for those of a taboo extension and those that others may
    write. ``days`` is not set where the size alone counts, ``size`` where time does. ``kept`` is
    -1 for all.
    """

    LABEL: ClassVar[str] = "logrotate"
    NOUN: ClassVar[str] = "rotated log"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "logs": Kind.WORDS,
        "days": Kind.NUMBER,
        "size": Kind.NUMBER,
        "kept": Kind.NUMBER,
        "max_age": Kind.NUMBER,
    }

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request(probe, path) for probe in ("content", "stat") for path in _FILES)

    def select(self, snapshot: Snapshot) -> Selection:
        found = read_rotation(snapshot)
        if isinstance(found, CouldNot):
            return Selection(could_not=found)
        unseen = (
            Record(str(p), dict.fromkeys(self.FIELDS, p), unseen=p)
            for p in dict.fromkeys(found.problems)
        )
        return Selection((*_records(found), *unseen))


def _records(found: Rotation) -> Iterator[Record]:
    for section in found.sections:
        options = section.options
        values: dict[str, Value] = {
            "logs": frozenset(section.logs),
            "days": options.days,
            "size": options.size,
            "kept": options.kept,
            "max_age": options.max_age,
        }
        name = " ".join(section.logs)
        yield Record(name, values, dict.fromkeys(values, section.source), section.source.text)
