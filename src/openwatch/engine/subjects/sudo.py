"""What sudo is told: its options, who may run what, and the files that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.sudoers import DROP_INS, MAIN_FILE, Policy, read_policy
from openwatch.engine.subjects.sudoers_syntax import Default, Permission

_NUMBERS: Final = frozenset(
    {"closefrom", "command_timeout", "loglinelen", "passwd_timeout", "passwd_tries",
     "timestamp_timeout"}
)  # fmt: skip
"""Options of which ``!option`` means 0 (sudoers(5): "used in a boolean context")."""


class _SudoSubject(Subject):
    """Shared by all: the files, and one record for each part that could not be looked at."""

    def requests(self) -> tuple[Request, ...]:
        return (Request("content", MAIN_FILE), Request("content", DROP_INS))

    def _unseen(self, policy: Policy) -> list[Record]:
        """What could not be read may hold anything: nobody can say that it holds nothing."""
        return [
            Record(str(problem), dict.fromkeys(self.fields_of(), problem), unseen=problem)
            for problem in dict.fromkeys(policy.problems)
        ]


class SudoDefaultSubject(_SudoSubject):
    """An option of sudo. One record is what it is for everybody: the last line wins. Each line
    that sets it for some users, hosts, commands or target users is a further one. ``effective`` is
    the value, or what is built in, of options of which that is known.
    """

    LABEL: ClassVar[str] = "sudo_default"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "enabled": Kind.FLAG,
        "value": Kind.TEXT,
        "effective": Kind.TEXT,
        "scope": Kind.TEXT,
    }

    option: str = Field(pattern=r"^[a-z_]+$")

    def select(self, snapshot: Snapshot) -> Selection:
        policy = read_policy(snapshot)
        mine = [default for default in policy.defaults if default.option == self.option]
        everybody = [default for default in mine if not default.scope]
        scoped = [self._record([default]) for default in mine if default.scope]
        unseen = self._unseen(policy)
        # What could not be read may set the option, and set it otherwise.
        effective = unseen or [self._record(everybody)]
        return Selection((*effective, *scoped))

    def _record(self, defaults: list[Default]) -> Record:
        if not defaults:
            built_in = _BUILT_IN.get(self.option)
            raw = f"not set: {built_in}, as sudo is built" if built_in else "not set"
            values = {"enabled": None, "value": None, "effective": built_in}
            return Record(self.option, values, raw=raw)
        last = defaults[-1]
        value = _value(defaults)
        values: dict[str, Value] = {
            "enabled": not last.negated,
            "value": value,
            "effective": value,
            "scope": last.scope or None,
        }
        source = last.source
        name = f"Defaults{last.scope} {self.option}" if last.scope else self.option
        return Record(name, values, dict.fromkeys(values, source), source.text)


# `sudo -V` as Debian and Ubuntu build it; others build in less (sudoers(5): timestamp_timeout).
_BUILT_IN: Final = {"timestamp_timeout": "15"}


def _value(defaults: Iterable[Default]) -> str | None:
    value: str | None = None
    for default in defaults:
        words = (value or "").split()
        added = (default.value or "").split()
        match default.operator:
            case _ if default.negated:
                value = "0" if default.option in _NUMBERS else None
            case "+=":
                value = " ".join(dict.fromkeys([*words, *added]))
            case "-=":
                value = " ".join(word for word in words if word not in added)
            case _:
                value = default.value
    return value


class SudoRuleSubject(_SudoSubject):
    """Who may run what: one record for each command of each user specification, aliases
    resolved. ``asks`` is whether a password is asked for, as far as tags decide it.
    """

    LABEL: ClassVar[str] = "sudo_rule"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "users": Kind.WORDS,
        "hosts": Kind.WORDS,
        "runas_users": Kind.WORDS,
        "runas_groups": Kind.WORDS,
        "command": Kind.TEXT,
        "denied": Kind.FLAG,
        "asks": Kind.FLAG,
        "tags": Kind.WORDS,
        "role": Kind.TEXT,
        "type": Kind.TEXT,
        "path": Kind.TEXT,
    }

    def select(self, snapshot: Snapshot) -> Selection:
        policy = read_policy(snapshot)
        known = [_rule(permission) for permission in policy.permissions]
        return Selection((*known, *self._unseen(policy)))


def _rule(permission: Permission) -> Record:
    values: dict[str, Value] = {
        "users": frozenset(permission.users),
        "hosts": frozenset(permission.hosts),
        "runas_users": frozenset(permission.runas_users),
        "runas_groups": frozenset(permission.runas_groups),
        "command": permission.command,
        "denied": permission.denied,
        "asks": "NOPASSWD" not in permission.tags,
        "tags": permission.tags,
        "role": permission.options.get("ROLE"),
        "type": permission.options.get("TYPE"),
        "path": permission.source.path,
    }
    name = f"{', '.join(permission.users)}: {permission.command}"
    source: Source = permission.source
    return Record(name, values, dict.fromkeys(values, source), source.text)


class SudoIncludeSubject(_SudoSubject):
    """The include directives of the files that sudo reads."""

    LABEL: ClassVar[str] = "sudo_include"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "path": Kind.TEXT,
        "directory": Kind.FLAG,
        "file": Kind.TEXT,
    }

    def select(self, snapshot: Snapshot) -> Selection:
        policy = read_policy(snapshot)
        records: list[Record] = []
        for include in policy.includes:
            values: dict[str, Value] = {
                "path": include.path.rstrip("/"),
                "directory": include.directory,
                "file": include.source.path,
            }
            records.append(
                Record(
                    include.path,
                    values,
                    dict.fromkeys(values, include.source),
                    include.source.text,
                )
            )
        denied = [problem for problem in policy.problems if _is_unread(problem, records)]
        return Selection((*records, *self._unseen(Policy(problems=denied))))


def _is_unread(problem: CouldNot, records: Iterable[Record]) -> bool:
    """An include of what nobody looked at is known as an include."""
    return not any(str(problem).startswith(f"{record.name} is included") for record in records)
