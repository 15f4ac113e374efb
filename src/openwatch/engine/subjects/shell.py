"""What the start-up files of the shells make of a variable, and the umasks that they set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value, as_list
from openwatch.engine.subjects.files import ContentPath, read_files
from openwatch.engine.subjects.homes import permissions_left
from openwatch.engine.subjects.shell_script import Command, commands

PROFILE: Final = "/etc/profile"
RC_FILES: Final = ("/etc/bash.bashrc", "/etc/bashrc")
"""bash(1): the one that is compiled in on Debian, and the one that ~/.bashrc reads on RHEL."""
STARTUP_FILES: Final = (PROFILE, "/etc/profile.d/*.sh", "/etc/profile.d/sh.local", *RC_FILES)

_DEPTH: Final = 8
_MOST_CHARACTERS: Final = 100_000
"""A start-up file that is longer than this is not read as a script."""
_MAX_STATES: Final = 64
_MOST_READ: Final = 1000
"""More files than any shell reads: files that read each other again and again."""


@dataclass(frozen=True, slots=True)
class _State:
    """What a variable may be after the files were read; ``None``: it is not set."""

    value: str | None = None
    readonly: bool = False
    exported: bool = False
    source: Source | None = None


class ShellVariableSubject(Subject):
    """A variable as the start-up files of the system leave it to an interactive shell.

    The files are read in the order in which the shell reads them; the first read-only assignment
    stays. Each value that the variable may have gives a record, also that it is not set.
    """

    LABEL: ClassVar[str] = "shell_variable"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "value": Kind.TEXT,
        "readonly": Kind.FLAG,
        "exported": Kind.FLAG,
    }

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request("content", path) for path in STARTUP_FILES)

    def select(self, snapshot: Snapshot) -> Selection:
        files, problem = _scripts(snapshot, STARTUP_FILES)
        if problem is not None:
            return Selection(could_not=problem)
        by_path = {file.path: file for file in files}
        login = _Walk(self.name, by_path).run((PROFILE,))
        inner = _Walk(self.name, by_path).run(RC_FILES)
        if isinstance(login, CouldNot):
            return Selection(could_not=login)
        if isinstance(inner, CouldNot):
            return Selection(could_not=inner)
        records = [self._record("a login shell", state) for state in login]
        records += (
            self._record("an interactive shell", state)
            for state in inner
            if state.value is not None and state not in login
        )
        return Selection(tuple(records))

    def _record(self, shell: str, state: _State) -> Record:
        value: Value = state.value
        if state.value is not None and re.search(r"[$`]", state.value):
            value = CouldNot(Reason.INCOMPLETE, f"{state.value} is computed by the shell.")
        values: dict[str, Value] = {
            "value": value,
            "readonly": state.readonly,
            "exported": state.exported,
        }
        sources = {} if state.source is None else dict.fromkeys(values, state.source)
        return Record(f"{self.name} in {shell}", values, sources, "it may be left unset")


def _scripts(
    snapshot: Snapshot, paths: tuple[str, ...]
) -> tuple[tuple[FileContent, ...], CouldNot | None]:
    """Return the files, and the first that could not be read or is too long for a script."""
    files, problem = read_files(snapshot, paths)
    long = next((file.path for file in files if len(file.text) > _MOST_CHARACTERS), None)
    if problem is None and long is not None:
        problem = CouldNot(Reason.TRUNCATED, f"{long} is too long for a start-up file.")
    return files, problem


class _Walk:
    """Reads files as a shell does, as far as one variable is concerned."""

    def __init__(self, name: str, files: Mapping[str, FileContent]) -> None:
        self._name = name
        self._files = files
        self._states: list[_State] = [_State()]
        self._count = 0
        self._known: dict[str, tuple[Command, ...]] = {}

    def run(self, paths: Iterable[str]) -> list[_State] | CouldNot:
        for path in paths:
            self._file(path, conditional=False, depth=0)
        if self._count > _MOST_READ:
            return CouldNot(Reason.TRUNCATED, f"The start-up files read {self._count} files.")
        return self._states

    def _file(self, path: str, *, conditional: bool, depth: int) -> None:
        file = self._files.get(path)
        self._count += 1
        if file is None or depth > _DEPTH or self._count > _MOST_READ:
            return
        if path not in self._known:
            self._known[path] = commands(file)
        for command in self._known[path]:
            if command.in_function:
                continue
            maybe = conditional or command.conditional
            if command.words[0] in ("return", "exit") and not maybe:
                return
            if command.words[0] in (".", "source"):
                for included in self._included(command):
                    self._file(included, conditional=maybe, depth=depth + 1)
                continue
            self._apply(command, maybe=maybe)

    def _included(self, command: Command) -> Iterator[str]:
        wanted = command.words[1] if len(command.words) > 1 else ""
        patterns = command.loop_values if wanted.startswith("$") else (wanted,)
        for pattern in patterns:
            if "/etc/profile.d" in pattern and "run-parts" in pattern:
                pattern = "/etc/profile.d/*.sh"
            yield from (path for path in sorted(self._files) if fnmatchcase(path, pattern))

    def _apply(self, command: Command, *, maybe: bool) -> None:
        changes = tuple(_changes(command, self._name))
        if not changes:
            return
        states = self._states
        for change in changes:
            states = [change.after(state) for state in states]
        self._states = list(dict.fromkeys([*self._states, *states] if maybe else states))
        del self._states[_MAX_STATES:]


@dataclass(frozen=True, slots=True)
class _Change:
    value: str | None
    source: Source
    assigns: bool = True
    readonly: bool = False
    exported: bool = False

    def after(self, state: _State) -> _State:
        if state.readonly and self.assigns:
            return state
        if self.assigns:
            state = replace(state, value=self.value, source=self.source)
        return replace(
            state,
            readonly=state.readonly or self.readonly,
            exported=state.exported or self.exported,
        )


def _changes(command: Command, name: str) -> Iterator[_Change]:
    """Yield what a command does to a variable."""
    first, *rest = command.words
    assignment = re.match(r"[A-Za-z_]\w*=", first)
    if assignment is not None:
        # With a command behind them, assignments hold for that command alone.
        words = command.words
        if all(re.match(r"[A-Za-z_]\w*=", word) for word in words):
            found = [word for word in words if word.startswith(f"{name}=")]
            yield from (_Change(w.partition("=")[2], command.source) for w in found)
        return
    if first not in ("export", "readonly", "declare", "typeset", "local", "unset"):
        return
    options = "".join(word for word in rest if word.startswith("-"))
    readonly = first == "readonly" or (first in ("declare", "typeset") and "r" in options)
    exported = first == "export" or (first in ("declare", "typeset") and "x" in options)
    for word in rest:
        key, equals, value = word.partition("=")
        if key != name:
            continue
        if first == "unset":
            yield _Change(None, command.source)
        else:
            yield _Change(value, command.source, bool(equals), readonly, exported)


class UmaskSubject(Subject):
    """The masks for new files that files set: ``umask`` of shells, ``UMASK`` of login.defs(5).

    ``allows`` is the most open mode that a new directory gets under the mask.
    """

    LABEL: ClassVar[str] = "umask"
    NOUN: ClassVar[str] = "umask in"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "mask": Kind.TEXT,
        "allows": Kind.MODE,
        "path": Kind.TEXT,
    }

    file: ContentPath | tuple[ContentPath, ...] = Field(description="A path or pattern, or more.")

    def requests(self) -> tuple[Request, ...]:
        return tuple(Request("content", path) for path in as_list(self.file))

    def select(self, snapshot: Snapshot) -> Selection:
        files, problem = _scripts(snapshot, as_list(self.file))
        if problem is not None:
            return Selection(could_not=problem)
        return Selection(tuple(umask_record(*found) for file in files for found in umasks(file)))


def umasks(file: FileContent) -> Iterator[tuple[str, Source]]:
    """Yield the masks that a file sets, with their places."""
    if file.path.endswith("/login.defs"):
        yield from _of_login_defs(file)
        return
    for command in commands(file):
        words = [word for word in command.words[1:] if word not in ("-S", "-p")]
        if command.words[0] == "umask" and words and words[0] not in ("<", ">"):
            yield words[0], command.source


_UMASK: Final = re.compile(r"\s*(umask)(?:([ \t=])(.*))?", re.IGNORECASE)


def _of_login_defs(file: FileContent) -> Iterator[tuple[str, Source]]:
    """pam_umask(8) takes the first line, in whatever case its key is, with a blank or ``=`` behind
    it; the programs of shadow take the last one.
    """
    lines = [
        (hit, Source(file.path, number, line.strip()))
        for number, line in file.lines()
        if (hit := _UMASK.fullmatch(line))
    ]
    shadow = [line for line in lines if line[0][1] == "UMASK" and line[0][2] != "="]
    taken = {source: hit[3] or "" for hit, source in (*lines[:1], *shadow[-1:])}
    for source, mask in taken.items():
        yield mask.strip(), source


_MASK_OF_SHADOW: Final = 0o022
"""Its own, where it cannot read what login.defs(5) says."""


def _left_by_shadow(mask: str) -> int:
    """pam_umask(8) reads an octal number and nothing behind it; shadow, which makes homes, a
    number as C writes it, and none where anything stands behind.
    """
    plain = re.fullmatch(r"[0-9]+", mask)
    number = _MASK_OF_SHADOW if plain is None else int(mask, 8 if mask[0] == "0" else 10)
    return 0o777 & ~number


def umask_record(mask: str, source: Source) -> Record:
    """Return the record of one mask."""
    of_login_defs = source.path.endswith("/login.defs")
    word = mask.split()[0] if of_login_defs and mask else mask
    allows = permissions_left(word)
    if allows is not None and of_login_defs:
        allows |= _left_by_shadow(mask)
    unknown = CouldNot(Reason.UNPARSABLE, f"{source.path}:{source.line}: no mask: {mask}")
    values: dict[str, Value] = {
        "mask": mask,
        "allows": unknown if allows is None else allows,
        "path": source.path,
    }
    name = f"{source.path}:{source.line}"
    return Record(name, values, dict.fromkeys(values, source), source.text)
