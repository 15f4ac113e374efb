"""Files, the lines in them and the shared walk over the file systems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent, FileStat
from openwatch.engine.probes.mounts import (
    COMMAND_DIRECTORIES,
    LIBRARY_DIRECTORIES,
    Found,
    unwalked,
)
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import (
    Kind,
    Pattern,
    Record,
    Selection,
    Source,
    Subject,
    TableSubject,
    as_list,
)

_PATH: Final = re.compile(r"/[A-Za-z0-9_@%+=:,./*?\[\]{}~ -]*\Z")

_DETOUR: Final = re.compile(r"/\.{0,2}/|.+/\.{0,2}\Z")
"""``//``, ``/./``, ``/../`` and a slash at the end: a second spelling of a path."""

_NEVER_READ: Final = (
    "/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/etc/security/opasswd",
    "/etc/krb5.keytab", "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
)  # fmt: skip
"""Files of secrets: their content is asked for only by a probe that redacts it on the host."""


def _path(value: str) -> str:
    if not _PATH.match(value) or _DETOUR.search(value):
        raise ValueError("a path is absolute, made of plain characters and without detours")
    return value


def _readable(value: str) -> str:
    if any(fnmatchcase(secret, value) for secret in _NEVER_READ):
        raise ValueError(f"{value} holds secrets: its content is never read")
    return value


Path = Annotated[str, AfterValidator(_path)]
ContentPath = Annotated[str, AfterValidator(_path), AfterValidator(_readable)]


def is_pattern(path: str) -> bool:
    """Return whether a path is a glob."""
    return bool(re.search(r"[*?\[]", path))


class FileSubject(Subject):
    """Files and directories by path or pattern. A plain path always gives one record."""

    LABEL: ClassVar[str] = "file"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "exists": Kind.FLAG,
        "type": Kind.TEXT,
        "mode": Kind.MODE,
        "owner": Kind.TEXT,
        "group": Kind.TEXT,
        "uid": Kind.NUMBER,
        "gid": Kind.NUMBER,
        "empty": Kind.FLAG,
        "path": Kind.TEXT,
    }

    path: Path | tuple[Path, ...] = Field(description="A path or pattern, or several.")

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request("stat", path) for path in as_list(self.path))

    def select(self, snapshot: Snapshot) -> Selection:
        records: list[Record] = []
        for path in as_list(self.path):
            found: tuple[FileStat, ...] | CouldNot = snapshot.read(Request("stat", path))
            if isinstance(found, CouldNot):
                if is_pattern(path):
                    return Selection(could_not=found)
                records.append(Record(path, dict.fromkeys(self.FIELDS, found)))
            elif found or is_pattern(path):
                records += [_file_record(stat) for stat in found]
            else:
                records.append(Record(path, {"exists": False, "path": path}, raw="no such file"))
        return Selection(tuple(records))


def _file_record(stat: FileStat) -> Record:
    return Record(
        name=stat.path,
        values={
            "exists": True,
            "type": stat.type,
            "mode": stat.mode,
            "owner": stat.owner,
            "group": stat.group,
            "uid": stat.uid,
            "gid": stat.gid,
            "empty": stat.empty,
            "path": stat.path,
        },
        raw=f"{stat.mode:04o} {stat.owner}:{stat.group} {stat.type} {stat.path}",
    )


def read_files(
    snapshot: Snapshot, paths: tuple[str, ...]
) -> tuple[tuple[FileContent, ...], CouldNot | None]:
    """Return the files that the paths and patterns match, and the first that could not be read."""
    files: list[FileContent] = []
    for path in paths:
        found: tuple[FileContent, ...] | CouldNot = snapshot.read(Request("content", path))
        if isinstance(found, CouldNot):
            return tuple(files), found
        files += found
    problem = next((file.could_not for file in files if file.could_not), None)
    return tuple(files), problem


class LineSubject(Subject):
    """The lines of files that match a regular expression; its named groups are fields.

    Comment lines and empty lines never match. A line that ends with ``continued`` goes on in the
    next one.
    """

    LABEL: ClassVar[str] = "line"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"text": Kind.TEXT, "path": Kind.TEXT}

    file: ContentPath | tuple[ContentPath, ...] = Field(description="A path or pattern, or more.")
    pattern: Pattern = Field(description="A regular expression that a whole line has to match.")
    comment: str = Field(default="#", description="Characters that begin a comment line.")
    continued: str = Field(default="", max_length=1, description="Joins a line with the next.")
    last: bool = Field(
        default=False, description="Only the last matching line: a reader for which it wins."
    )

    def fields_of(self) -> Mapping[str, Kind]:
        return {**self.FIELDS, **dict.fromkeys(re.compile(self.pattern).groupindex, Kind.TEXT)}

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request("content", path) for path in as_list(self.file))

    def select(self, snapshot: Snapshot) -> Selection:
        files, problem = read_files(snapshot, as_list(self.file))
        if problem is not None:
            return Selection(could_not=problem)
        records = tuple(r for file in files for r in self._records(file))
        return Selection(records[-1:] if self.last else records)

    def _records(self, file: FileContent) -> list[Record]:
        pattern = re.compile(self.pattern)
        records: list[Record] = []
        for number, line in logical_lines(file, comment=self.comment, continued=self.continued):
            match = pattern.fullmatch(line)
            if match is None:
                continue
            values = {"text": line, "path": file.path} | match.groupdict()
            source = Source(file.path, number, line)
            records.append(
                Record(f"{file.path}:{number}", values, dict.fromkeys(values, source), line)
            )
        return records


def logical_lines(
    file: FileContent, *, comment: str = "#", continued: str = ""
) -> list[tuple[int, str]]:
    """Return the lines that say something, stripped, with their numbers; continuations joined."""
    lines: list[tuple[int, str]] = []
    pending, start = "", 0
    for number, raw in file.lines():
        line = raw.strip()
        if not pending and (not line or line[0] in comment):
            continue
        start = start if pending else number
        if continued and line.endswith(continued):
            pending += line[: -len(continued)].rstrip() + " "
            continue
        lines.append((start, (pending + line).strip()))
        pending = ""
    if pending:
        lines.append((start, pending.strip()))
    return lines


class Area(StrEnum):
    """A part of the host that only root may change."""

    LIBRARIES = "libraries"
    COMMANDS = "commands"


_AREAS: Final[Mapping[Area, tuple[str, ...]]] = {
    Area.LIBRARIES: LIBRARY_DIRECTORIES,
    Area.COMMANDS: COMMAND_DIRECTORIES,
}


class SweepSubject(TableSubject):
    """What the walk over the local file systems reports: files and directories that are writable
    by everybody, set-uid, set-gid, or owned by an id that nobody has; and in the directories of
    libraries and commands what does not belong to root alone or what its group may write;
    .shosts and shosts.equiv wherever they are.
    """

    LABEL: ClassVar[str] = "sweep"
    PROBE: ClassVar[str] = "sweep"
    NOUN: ClassVar[str] = "file or directory"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "path": Kind.TEXT,
        "type": Kind.TEXT,
        "mode": Kind.MODE,
        "uid": Kind.NUMBER,
        "gid": Kind.NUMBER,
        "world_writable": Kind.FLAG,
        "sticky": Kind.FLAG,
        "setuid": Kind.FLAG,
        "setgid": Kind.FLAG,
        "known_owner": Kind.FLAG,
        "known_group": Kind.FLAG,
    }

    area: Area | None = Field(
        default=None, description="Only in the directories of libraries, or of commands."
    )

    def select(self, snapshot: Snapshot) -> Selection:
        whole = super().select(snapshot)
        if self.area is None or whole.could_not is not None:
            return whole
        directories = _AREAS[self.area]
        sweep = snapshot.fact(Request("sweep"))
        for mount in unwalked(sweep) if sweep else ():
            if any(_inside(d, mount) or _inside(mount, d) for d in directories):
                unseen = CouldNot(Reason.INCOMPLETE, f"{mount} is not on a disk of the host.")
                return Selection(could_not=unseen)
        inside = (r for r in whole.records if any(_inside(r.name, d) for d in directories))
        return Selection(tuple(inside))

    def record(self, row: Found) -> Record:
        return _sweep_record(row)


def _inside(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


_DIRECTORY: Final = CouldNot(
    Reason.INCOMPLETE,
    "The owner may be known to a directory service that does not list its entries.",
)


def _sweep_record(found: Found) -> Record:
    return Record(
        name=found.path,
        values={
            "path": found.path,
            "type": found.type,
            "mode": found.mode,
            "uid": found.uid,
            "gid": found.gid,
            "world_writable": bool(found.mode & 0o002),
            "sticky": bool(found.mode & 0o1000),
            "setuid": bool(found.mode & 0o4000),
            "setgid": bool(found.mode & 0o2000),
            "known_owner": _DIRECTORY if found.known_owner is None else found.known_owner,
            "known_group": _DIRECTORY if found.known_group is None else found.known_group,
        },
        raw=f"{found.mode:04o} {found.uid}:{found.gid} {found.type} {found.path}",
    )
