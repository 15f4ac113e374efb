"""dconf: a key of the system databases, and whether users can change it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from pydantic import Field

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import read_files

DATABASES: Final = "/etc/dconf/db"
_KEYFILES: Final = f"{DATABASES}/*.d/*"
_LOCKS: Final = f"{DATABASES}/*.d/locks/*"
_GREETER: Final = "/usr/share/gdm/dconf"
_GREETER_DATABASES: Final = (
    "/usr/share/gdm/greeter-dconf-defaults",
    "/var/lib/gdm3/greeter-dconf-defaults",
)
"""Compiled from the keyfiles in /usr/share/gdm/dconf; on Debian at each start of GDM, and one of
them is a link to /etc/gdm3/greeter.dconf-defaults.
"""


@dataclass(frozen=True, slots=True)
class _Database:
    """One source of a profile: its keys and the keys that it locks."""

    values: Mapping[str, tuple[str, Source]] = field(default_factory=dict[str, tuple[str, Source]])
    locks: Mapping[str, Source] = field(default_factory=dict[str, Source])
    state: str = "current"


class DconfSubject(Subject):
    """A key as the system databases of a profile give it.

    dconf(7): sources stand in the order of the profile, the user's own first; a lock in the last
    source that has one keeps all sources above it from being asked. ``current`` tells whether every
    system database of the profile was compiled after its keyfiles were written.
    """

    LABEL: ClassVar[str] = "dconf"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "value": Kind.TEXT,
        "type": Kind.TEXT,
        "locked": Kind.FLAG,
        "current": Kind.FLAG,
    }

    key: str = Field(pattern=r"^(?:/[A-Za-z0-9.-]+){2,}$")
    profile: Literal["user", "gdm"] = "user"

    def requests(self) -> tuple[Request, ...]:
        own = (Request("content", _KEYFILES), Request("content", _LOCKS), Request("dconf"))
        profiles = tuple(Request("content", path) for path in self._profile_paths())
        if self.profile == "user":
            return (*own, *profiles)
        greeter = (f"{_GREETER}/*", f"{_GREETER}/locks/*")
        return (*own, *profiles, *(Request("content", path) for path in greeter))

    def _profile_paths(self) -> tuple[str, ...]:
        return (f"/etc/dconf/profile/{self.profile}", f"/usr/share/dconf/profile/{self.profile}")

    def select(self, snapshot: Snapshot) -> Selection:
        sources = self._sources(snapshot)
        if isinstance(sources, CouldNot):
            return Selection((Record(self.key, dict.fromkeys(self.FIELDS, sources)),))
        locks = [index for index, database in enumerate(sources) if self.key in database.locks]
        level = locks[-1] if locks else 0
        found = next((d.values[self.key] for d in sources[level:] if self.key in d.values), None)
        values: dict[str, Value] = {
            "value": None,
            "type": None,
            "locked": bool(locks),
            "current": _current(sources),
        }
        used: dict[str, Source] = {"locked": sources[level].locks[self.key]} if locks else {}
        if found is not None:
            kind, text = parse_variant(found[0])
            # An empty text would be shown as nothing at all.
            values |= {"type": kind, "value": "''" if (kind, text) == ("string", "") else text}
            used |= {"value": found[1], "type": found[1]}
        requests = {"current": Request("dconf"), "locked": Request("content", _LOCKS)}
        return Selection((Record(self.key, values, used, "not set", requests),))

    def _sources(self, snapshot: Snapshot) -> list[_Database] | CouldNot:
        """Return the sources of the profile without the user's own; none where there is none."""
        for path in self._profile_paths():
            files, problem = read_files(snapshot, (path,))
            if problem is not None:
                return problem
            if files:
                return self._read(snapshot, files[0])
        return []

    def _read(self, snapshot: Snapshot, profile: FileContent) -> list[_Database] | CouldNot:
        states: Mapping[str, str] | CouldNot = snapshot.read(Request("dconf"))
        if isinstance(states, CouldNot):
            return states
        sources: list[_Database] = []
        for _, line in profile.lines():
            kind, _, name = line.split("#")[0].strip().partition(":")
            if kind == "system-db":
                where = f"{DATABASES}/{name}.d/"
                database = _database(snapshot, _KEYFILES, _LOCKS, where, states.get(name, "empty"))
            elif kind == "file-db" and name in _GREETER_DATABASES and self.profile == "gdm":
                database = _database(
                    snapshot, f"{_GREETER}/*", f"{_GREETER}/locks/*", f"{_GREETER}/", "current"
                )
            elif kind in ("", "user-db"):
                continue
            else:
                return CouldNot(Reason.INCOMPLETE, f"The source {line.strip()[:60]} is not read.")
            if isinstance(database, CouldNot):
                return database
            sources.append(database)
        return sources


class DconfDatabaseSubject(Subject):
    """The system databases of dconf. ``current``: compiled after all of its keyfiles."""

    LABEL: ClassVar[str] = "dconf_database"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"name": Kind.TEXT, "current": Kind.FLAG}

    def requests(self) -> tuple[Request, ...]:
        return (Request("dconf"),)

    def select(self, snapshot: Snapshot) -> Selection:
        states: Mapping[str, str] | CouldNot = snapshot.read(Request("dconf"))
        if isinstance(states, CouldNot):
            return Selection(could_not=states)
        return Selection(
            tuple(
                Record(name, {"name": name, "current": _state(state)}, raw=f"{name}: {state}")
                for name, state in sorted(states.items())
            )
        )


def _state(state: str) -> Value:
    if state == "denied":
        return CouldNot(Reason.DENIED, "The keyfiles of the database may not be looked at.")
    return state in ("current", "empty")


def _current(sources: list[_Database]) -> Value:
    states = [_state(database.state) for database in sources]
    if False in states:
        return False
    return next((state for state in states if isinstance(state, CouldNot)), True)


def _database(
    snapshot: Snapshot, keyfiles: str, locks: str, directory: str, state: str
) -> _Database | CouldNot:
    files, problem = read_files(snapshot, (keyfiles,))
    lock_files, lock_problem = read_files(snapshot, (locks,))
    if problem or lock_problem:
        return problem or lock_problem or CouldNot(Reason.INCOMPLETE)
    values: dict[str, tuple[str, Source]] = {}
    for file in _below(files, directory):
        # dconf update: of two files that set a key the one that sorts last counts.
        found = _keyfile(file)
        if isinstance(found, CouldNot):
            return found
        values |= found
    locked = {
        line: Source(file.path, number, line)
        for file in _below(lock_files, f"{directory}locks/")
        for number, line in file.lines()
        if line.startswith("/")
    }
    return _Database(values, locked, state)


def _below(files: Iterable[FileContent], directory: str) -> list[FileContent]:
    return sorted(
        (f for f in files if f.path.startswith(directory) and "/" not in f.path[len(directory) :]),
        key=lambda file: file.path,
    )


def _keyfile(file: FileContent) -> dict[str, tuple[str, Source]] | CouldNot:
    """GKeyFile: groups, keys, comments with ``#``; of a key that stands twice the last counts."""
    group = ""
    values: dict[str, tuple[str, Source]] = {}
    for number, raw in file.lines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1]
            continue
        key, separator, value = line.partition("=")
        if not separator or not group:
            return CouldNot(Reason.UNPARSABLE, f"{file.path}:{number} is no line of a keyfile.")
        source = Source(file.path, number, line)
        values[f"/{group}/{key.strip()}"] = value.strip(), source
    return values


_TYPED: Final = re.compile(r"(boolean|byte|u?int(?:16|32|64)|double|string|@[a-z{}()]+)\s+(.*)")


_NOT_TEXT: Final = re.compile(r"(?s)true|false|[+-]?[0-9]+|\[.*\]|'.*'|\".*\"")


def parse_variant(text: str) -> tuple[str, str]:
    """Return the type and the value of a GVariant in text form; strings without their quotes."""
    typed = _TYPED.fullmatch(text)
    if typed is not None:
        kind = typed.group(1)
        return ("array" if kind.startswith("@a") else kind), parse_variant(typed.group(2))[1]
    if text in ("true", "false"):
        return "boolean", text
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        # A text that reads like a flag, a number or a list keeps its quotes: it is none of these.
        return "string", text if _NOT_TEXT.fullmatch(text[1:-1]) else text[1:-1]
    if re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        return "int32", text
    if text.startswith("[") and text.endswith("]"):
        return "array", re.sub(r"\s+", "", text)
    return "unknown", text
