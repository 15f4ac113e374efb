"""Home directories of people, and the files in them that can hand an account to others."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.homes import INIT_FILES, Home, HomeFile, InitLine
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.search_path import path_elements

_REMOTE: Final = CouldNot(
    Reason.INCOMPLETE, "The home is on a file system of another host, which is not looked at."
)


def _homes(snapshot: Snapshot, probe: str) -> tuple[Home, ...] | CouldNot:
    return snapshot.read(Request(probe))


def _problem(home: Home) -> CouldNot | None:
    return _REMOTE if home.state == "remote" else home.problem


class _HomeSubject(Subject):
    """Shared by what is in homes: one walk over them, and what could not be seen of one."""

    PROBE: ClassVar[str] = "homes"

    def requests(self) -> tuple[Request, ...]:
        return (Request(self.PROBE),)

    def select(self, snapshot: Snapshot) -> Selection:
        homes = _homes(snapshot, self.PROBE)
        if isinstance(homes, CouldNot):
            return Selection(could_not=homes)
        return Selection(tuple(record for home in homes for record in self._of(home)))

    def _of(self, home: Home) -> Iterator[Record]:
        problem = _problem(home)
        known = self._known_of_unseen(problem)
        if problem is not None and known is not None:
            # What was not seen may be anything.
            values: dict[str, Value] = dict.fromkeys(self.fields_of(), problem)
            values |= {"user": home.user, "uid": home.uid, **known}
            yield Record(home.path, values, unseen=problem)
        yield from self._records(home)

    def _known_of_unseen(self, problem: CouldNot | None) -> Mapping[str, Value] | None:
        """Return what is known of all that was not seen; ``None``: none of it matters here."""
        return {}

    @abstractmethod
    def _records(self, home: Home) -> Iterator[Record]:
        """Yield the records of what was seen in a home."""


class HomeSubject(Subject):
    """The home directory of root and of each account from UID_MIN (login.defs(5)) whose shell is
    one; on file systems of the host itself.
    """

    LABEL: ClassVar[str] = "home"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "user": Kind.TEXT,
        "uid": Kind.NUMBER,
        "path": Kind.TEXT,
        "defined": Kind.FLAG,
        "exists": Kind.FLAG,
        "mode": Kind.MODE,
        "owned": Kind.FLAG,
        "group_owned": Kind.FLAG,
        "shared": Kind.FLAG,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("homes"),)

    def select(self, snapshot: Snapshot) -> Selection:
        homes = _homes(snapshot, "homes")
        if isinstance(homes, CouldNot):
            return Selection(could_not=homes)
        users = Counter(home.path for home in homes)
        return Selection(tuple(_home_record(home, users[home.path] > 1) for home in homes))


def _home_record(home: Home, shared: bool) -> Record:
    here = home.state == "directory"
    measured: dict[str, Value] = {
        "exists": here,
        "mode": home.mode if here else None,
        "owned": home.owner == home.uid if here else None,
        "group_owned": home.group == home.gid if here else None,
    }
    if home.state == "remote":
        measured = dict.fromkeys(measured, _REMOTE)
    values: dict[str, Value] = {
        "user": home.user,
        "uid": home.uid,
        "path": home.path or None,
        "defined": _is_defined(home),
        "shared": shared,
    }
    raw = f"{home.user}: {home.path or 'no home'}"
    raw += f" {home.mode:04o} {home.owner}:{home.group}" if here else f" {home.state}"
    return Record(f"{home.user} ({home.path})", values | measured, raw=raw)


def _is_defined(home: Home) -> bool:
    """A home is a directory for one user, below another one: / and /tmp are none."""
    return home.uid == 0 or bool(re.match(r"/[^/]+/+[^/]", home.path))


class HomeFileSubject(_HomeSubject):
    """Dot files of homes: all that are not the user's own, or have a mode beyond 0740; and
    .bash_history, .forward, .netrc, .rhosts and .shosts whatever their mode is.
    """

    LABEL: ClassVar[str] = "home_file"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "user": Kind.TEXT,
        "uid": Kind.NUMBER,
        "path": Kind.TEXT,
        "name": Kind.TEXT,
        "init": Kind.FLAG,
        "mode": Kind.MODE,
        "owned": Kind.FLAG,
        "group_owned": Kind.FLAG,
    }

    def _known_of_unseen(self, problem: CouldNot | None) -> Mapping[str, Value] | None:
        if problem is None or problem.reason is not Reason.UNPARSABLE:
            return {}
        return {"name": "(with a line break)", "init": False}

    def _records(self, home: Home) -> Iterator[Record]:
        by_path = {file.path: file for file in (*home.files, *home.special)}
        for path in sorted(by_path):
            yield _file_record(home, by_path[path])


def _file_record(home: Home, file: HomeFile) -> Record:
    name = file.path.rpartition("/")[2]
    values: dict[str, Value] = {
        "user": home.user,
        "uid": home.uid,
        "path": file.path,
        "name": name,
        "init": name in INIT_FILES,
        "mode": file.mode,
        "owned": file.uid == home.uid,
        "group_owned": file.gid == home.gid,
    }
    return Record(file.path, values, raw=f"{file.mode:04o} {file.uid}:{file.gid} {file.path}")


class HomeTreeSubject(_HomeSubject):
    """The first files and directories in homes that are open beyond 0750 (``too_open``), or of a
    group that their user is not in (``foreign_group``); what begins with a dot is left out.
    """

    LABEL: ClassVar[str] = "home_tree"
    PROBE: ClassVar[str] = "home_tree"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "user": Kind.TEXT,
        "uid": Kind.NUMBER,
        "path": Kind.TEXT,
        "mode": Kind.MODE,
        "too_open": Kind.FLAG,
        "foreign_group": Kind.FLAG,
    }

    def _records(self, home: Home) -> Iterator[Record]:
        for files, foreign in ((home.too_open, False), (home.of_strangers, True)):
            for file in files:
                values: dict[str, Value] = {
                    "user": home.user,
                    "uid": home.uid,
                    "path": file.path,
                    "mode": file.mode,
                    "too_open": not foreign,
                    "foreign_group": foreign,
                }
                raw = f"{file.mode:04o} {file.uid}:{file.gid} {file.path}"
                yield Record(file.path, values, raw=raw)


class PrivateKeySubject(_HomeSubject):
    """Private keys in the .ssh directory of homes that no passphrase protects."""

    LABEL: ClassVar[str] = "open_private_key"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "user": Kind.TEXT,
        "uid": Kind.NUMBER,
        "path": Kind.TEXT,
    }

    def _records(self, home: Home) -> Iterator[Record]:
        for path in home.open_keys:
            yield Record(path, {"user": home.user, "uid": home.uid, "path": path}, raw=path)


class InitFileSubject(_HomeSubject):
    """What start-up files of users do: directories that they put on the search path (``path``),
    masks that they set (``umask``, with the permissions that are left), and programs that they
    name and everybody may write (``program``).
    """

    LABEL: ClassVar[str] = "init_file"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "user": Kind.TEXT,
        "uid": Kind.NUMBER,
        "file": Kind.TEXT,
        "kind": Kind.TEXT,
        "value": Kind.TEXT,
        "outside": Kind.FLAG,
        "allows": Kind.MODE,
    }

    def _known_of_unseen(self, problem: CouldNot | None) -> Mapping[str, Value] | None:
        # No start-up file has a line break in its name.
        unreadable = problem is not None and problem.reason is Reason.UNPARSABLE
        return None if unreadable else {}

    def _records(self, home: Home) -> Iterator[Record]:
        for line in home.lines:
            source = Source(line.path, line.number, line.text)
            for values in (*_path_values(home, line), *_umask_values(line)):
                all_values: dict[str, Value] = {
                    "user": home.user,
                    "uid": home.uid,
                    "file": line.path,
                    **values,
                }
                yield Record(
                    f"{line.path}:{line.number}",
                    all_values,
                    dict.fromkeys(all_values, source),
                    line.text,
                )
        for file, program in home.programs:
            named: dict[str, Value] = {
                "user": home.user,
                "uid": home.uid,
                "file": file,
                "kind": "program",
                "value": program,
            }
            yield Record(file, named, raw=f"{file} names {program}")


_UNKNOWN_DIRECTORY: Final = CouldNot(
    Reason.INCOMPLETE, "Only a shell can tell which directory this is."
)


def _path_values(home: Home, line: InitLine) -> Iterator[dict[str, Value]]:
    for element in path_elements(line.text, home.path, {"USER": home.user}):
        text = element.text
        inside = text == home.path or text.startswith(f"{home.path}/")
        outside: Value = not inside or ".." in text.split("/")
        if not element.known:
            outside = _UNKNOWN_DIRECTORY
        yield {"kind": "path", "value": text or "(empty)", "outside": outside}


_UMASK: Final = re.compile(r"(?:^|[\s;&|({])umask[ \t]+(?:-S[ \t]+)?([^\s;&|)}]+)")
_OCTAL: Final = re.compile(r"[0-7]{1,4}")
_UNKNOWN_MASK: Final = CouldNot(Reason.INCOMPLETE, "Only a shell can tell which mask this is.")


def _umask_values(line: InitLine) -> Iterator[dict[str, Value]]:
    for found in _UMASK.finditer(line.text):
        mask = found[1].strip("\"'")
        if mask in ("-S", "-p"):
            continue
        allows = permissions_left(mask)
        yield {
            "kind": "umask",
            "value": mask,
            "allows": _UNKNOWN_MASK if allows is None else allows,
        }


_CLASSES: Final = {"u": 0o700, "g": 0o070, "o": 0o007, "a": 0o777}
_BITS: Final = {"r": 0o444, "w": 0o222, "x": 0o111}


def permissions_left(mask: str) -> int | None:
    """Return the permissions that a umask(1) leaves, octal or ``u=rwx,g=,o=`` with all classes;
    ``None`` where that cannot be said.
    """
    if _OCTAL.fullmatch(mask):
        return 0o777 & ~int(mask, 8)
    allowed, said = 0, 0
    for clause in mask.split(","):
        found = re.fullmatch(r"([ugoa]*)=([rwx]*)", clause)
        if found is None:
            return None
        classes = 0
        for letter in found[1] or "a":
            classes |= _CLASSES[letter]
        said |= classes
        allowed &= ~classes
        for letter in found[2]:
            allowed |= _BITS[letter] & classes
    return allowed if said == 0o777 else None
