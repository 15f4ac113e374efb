"""The policy files of sudo, read in its order (sudoers(5)); aliases resolved."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Source
from openwatch.engine.subjects.files import read_files
from openwatch.engine.subjects.sudoers_syntax import (
    Default,
    Include,
    Permission,
    SudoersError,
    alias_of,
    defaults_of,
    include_of,
    permissions_of,
    statements,
)

MAIN_FILE: Final = "/etc/sudoers"
DROP_IN_DIRECTORY: Final = "/etc/sudoers.d"
DROP_INS: Final = f"{DROP_IN_DIRECTORY}/*"

_DEPTH: Final = 128
"""sudoers(5): includes are nested up to 128 deep."""

_MAX_FILES: Final = 1000
"""More files than that are read only where they include each other."""


@dataclass(slots=True)
class Policy:
    """All that the files say. ``problems``: what of them could not be read or understood."""

    defaults: list[Default] = field(default_factory=list[Default])
    permissions: list[Permission] = field(default_factory=list[Permission])
    includes: list[Include] = field(default_factory=list[Include])
    problems: list[CouldNot] = field(default_factory=list[CouldNot])


def read_policy(snapshot: Snapshot) -> Policy:
    """Return the policy of a host; one without sudoers has an empty one."""
    return snapshot.derived(read_policy, lambda: _read_policy(snapshot))


def _read_policy(snapshot: Snapshot) -> Policy:
    reader = _Reader(snapshot)
    main, problem = read_files(snapshot, (MAIN_FILE,))
    if problem is not None:
        reader.policy.problems.append(problem)
        return reader.policy
    for file in main:
        reader.read(file, 0)
    return reader.finished()


@dataclass(slots=True)
class _Reader:
    """Goes through the files in the order in which sudo does."""

    snapshot: Snapshot
    policy: Policy = field(default_factory=Policy)
    aliases: dict[tuple[str, str], tuple[str, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[str, ...]]
    )
    resolved: dict[tuple[str, str], tuple[str, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[str, ...]]
    )
    files: int = 0

    def read(self, file: FileContent, depth: int) -> None:
        self.files += 1
        if file.could_not is not None:
            self.policy.problems.append(file.could_not)
            return
        for number, text in statements(file):
            source = Source(file.path, number, text)
            include = include_of(text, source)
            if include is not None:
                self.policy.includes.append(include)
                self._follow(include, depth)
                continue
            try:
                self._line(text, source)
            except SudoersError:
                self.policy.problems.append(
                    CouldNot(Reason.UNPARSABLE, f"{file.path}:{number} is not sudoers(5).")
                )

    def _line(self, text: str, source: Source) -> None:
        kind = re.match(r"(User|Runas|Host|Cmnd|Cmd)_Alias\s+", text)
        if kind is not None:
            for name, members in alias_of(text[kind.end() :], command=kind[1].startswith("C")):
                self.aliases.setdefault((kind[1][:2], name), members)
        elif re.match(r"Defaults(?:[:@>!]|\s|\Z)", text):
            self.policy.defaults += defaults_of(text, source)
        else:
            self.policy.permissions += permissions_of(text, source)

    def _follow(self, include: Include, depth: int) -> None:
        files = self._included(include)
        if files is None or depth >= _DEPTH or self.files >= _MAX_FILES:
            self.policy.problems.append(
                CouldNot(Reason.INCOMPLETE, f"{include.path} is included and was not looked at.")
            )
            return
        for file in files:
            self.read(file, depth + 1)

    def _included(self, include: Include) -> list[FileContent] | None:
        """Return the files that a directive names, or ``None`` when they were not collected."""
        path = include.path.rstrip("/") or "/"
        directory = path if include.directory else path.rpartition("/")[0]
        if directory != DROP_IN_DIRECTORY:
            return None
        files, problem = read_files(self.snapshot, (DROP_INS,))
        if problem is not None and not files:
            self.policy.problems.append(problem)
            return []
        if not include.directory:
            return [file for file in files if file.path == path] or None
        return [file for file in files if _is_read(file.path.rpartition("/")[2])]

    def finished(self) -> Policy:
        """Return the policy with its aliases resolved: they may be used before they are named."""
        self.policy.permissions = [
            replace(
                permission,
                users=self._resolved("Us", permission.users),
                hosts=self._resolved("Ho", permission.hosts),
                runas_users=self._resolved("Ru", permission.runas_users),
                runas_groups=self._resolved("Ru", permission.runas_groups),
                command=command,
            )
            for permission in self.policy.permissions
            for command in self._resolved("Cm", (permission.command,))
        ]
        return self.policy

    def _resolved(self, kind: str, names: tuple[str, ...]) -> tuple[str, ...]:
        found: list[str] = []
        for name in names:
            bare = name.lstrip("!")
            marks = name[: len(name) - len(bare)]
            found += [marks + member for member in self._members(kind, bare)]
        return tuple(dict.fromkeys(found))

    def _members(self, kind: str, name: str) -> tuple[str, ...]:
        key = (kind, name)
        if key not in self.aliases:
            return (name,)
        if key not in self.resolved:
            # An alias that names itself stands for nothing more.
            self.resolved[key] = (name,)
            self.resolved[key] = self._resolved(kind, self.aliases[key])
        return self.resolved[key]


def _is_read(name: str) -> bool:
    """sudoers(5): files of an included directory that end in ``~`` or hold a dot are left out."""
    return "." not in name and not name.endswith("~")
