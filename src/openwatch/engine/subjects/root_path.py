"""The search path of root: every directory that the start-up files of root put on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.probes.root_path import FILES, PathDirectory
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import logical_lines, read_files
from openwatch.engine.subjects.search_path import Element, assignments, path_elements

HOME: Final = "/root"
LOGIN_DEFS: Final = "/etc/login.defs"

_FOR_ROOT: Final = re.compile(r"\bif\b.*(?:\bid -u|\$\{?E?UID\b).*(?:-eq|=)\s*[\"']?0\b")
_IF: Final = re.compile(r"(?:^|[;\s])if\s")
_ELSE: Final = re.compile(r"(?:^|[;\s])(?:else|elif)(?:\s|;|\Z)")
_FI: Final = re.compile(r"(?:^|[;\s])fi(?:\s|;|\Z)")
_ASKS_FOR_DIRECTORY: Final = re.compile(r"\[\s+-[dex]\s")
_PATHMUNGE: Final = re.compile(r"(?:^|[;&\s])pathmunge\s+([^\s;&|(]+)")
_POSITIONAL: Final = re.compile(r"\$\{?[0-9]\}?\Z")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A directory on the search path. ``guarded``: only where it exists."""

    element: Element
    guarded: bool
    source: Source


@dataclass(slots=True)
class _Script:
    """Reads the statements of one start-up file, without what is for others than root."""

    variables: dict[str, str]
    branches: list[tuple[bool, bool]] = field(default_factory=list[tuple[bool, bool]])
    """For each open ``if``: whether it asks for root, and whether its other branch is read."""

    def entries(self, file: FileContent) -> Iterator[_Entry]:
        for number, line in logical_lines(file):
            source = Source(file.path, number, line)
            self._open(line)
            if not any(root and other for root, other in self.branches):
                guarded = bool(self.branches) or bool(_ASKS_FOR_DIRECTORY.search(line))
                for element in self._elements(line):
                    yield _Entry(element, guarded, source)
            if _FI.search(line) and self.branches:
                self.branches.pop()

    def _open(self, line: str) -> None:
        if _ELSE.search(line) and self.branches:
            self.branches[-1] = (self.branches[-1][0], True)
        elif _IF.search(line):
            self.branches.append((bool(_FOR_ROOT.search(line)), False))

    def _elements(self, line: str) -> Iterator[Element]:
        for element in path_elements(line, HOME, self.variables):
            # The argument of a function that puts directories on the path.
            if not _POSITIONAL.match(element.text):
                yield element
        for found in _PATHMUNGE.finditer(line):
            yield from path_elements(f"PATH={found[1]}", HOME, self.variables)
        for name, value in assignments(line):
            word = value.strip("\"'")
            if name != "PATH" and not re.search(r"[$`*?\"']", word):
                self.variables[name] = word


def _login_defs(file: FileContent) -> Iterator[_Entry]:
    for number, line in logical_lines(file):
        found = re.fullmatch(r"ENV_SUPATH\s+(?:PATH=)?(\S.*)", line)
        if found is not None:
            source = Source(file.path, number, line)
            for element in path_elements(f"PATH={found[1]}", HOME, {}):
                yield _Entry(element, False, source)


class RootPathSubject(Subject):
    """The directories on the search path of root, one record each, as the start-up files of a
    login set it. A directory that is only added where it exists is left out where it does not.
    """

    LABEL: ClassVar[str] = "root_path"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "directory": Kind.TEXT,
        "absolute": Kind.FLAG,
        "exists": Kind.FLAG,
        "uid": Kind.NUMBER,
        "mode": Kind.MODE,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("root_path"), *(Request("content", path) for path in FILES))

    def select(self, snapshot: Snapshot) -> Selection:
        directories: Mapping[str, PathDirectory] | CouldNot = snapshot.read(Request("root_path"))
        if isinstance(directories, CouldNot):
            return Selection(could_not=directories)
        files, problem = read_files(snapshot, FILES)
        if problem is not None:
            return Selection(could_not=problem)
        entries: dict[str, _Entry] = {}
        variables: dict[str, str] = {}
        for file in files:
            found = _login_defs(file) if file.path == LOGIN_DEFS else None
            for entry in found or _Script(variables).entries(file):
                kept = entries.get(entry.element.text)
                if kept is None or (kept.guarded and not entry.guarded):
                    entries[entry.element.text] = entry
        records = (_record(entry, directories) for entry in entries.values())
        return Selection(tuple(record for record in records if record is not None))


_UNKNOWN: Final = CouldNot(Reason.INCOMPLETE, "Only a shell can tell which directory this is.")
_UNSEEN: Final = CouldNot(Reason.INCOMPLETE, "The directory was not looked at.")


def _record(entry: _Entry, directories: Mapping[str, PathDirectory]) -> Record | None:
    text = entry.element.text
    found = directories.get(text) or directories.get(text.rstrip("/"))
    if found is not None and not found.type and entry.guarded:
        return None
    values: dict[str, Value] = {"directory": text or "(empty)"}
    if not entry.element.known:
        values |= dict.fromkeys(("absolute", "exists", "uid", "mode"), _UNKNOWN)
    elif not text.startswith("/"):
        # An empty element and a relative one both depend on where root stands.
        values |= {"absolute": False, "exists": None, "uid": None, "mode": None}
    elif found is None:
        values |= {"absolute": True, **dict.fromkeys(("exists", "uid", "mode"), _UNSEEN)}
    else:
        here = found.type == "directory"
        values |= {
            "absolute": ".." not in text.split("/"),
            "exists": here,
            "uid": found.uid if here else None,
            "mode": found.mode if here else None,
        }
    return Record(
        text or "(empty)",
        values,
        dict.fromkeys(values, entry.source),
        entry.source.text,
    )
