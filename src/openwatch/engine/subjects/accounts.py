"""Local accounts and groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.probes.accounts import Account, Group, Shadow
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import logical_lines, read_files

_NO_LOGIN: Final = frozenset(
    {"/sbin/nologin", "/usr/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/true"}
)
_EPOCH: Final = date(1970, 1, 1)
LOGIN_DEFS: Final = "/etc/login.defs"
SHELLS: Final = "/etc/shells"
_DEFAULT_UID_MIN: Final = 1000


class AccountSubject(Subject):
    """The accounts of passwd(5), each with its ageing of shadow(5)."""

    LABEL: ClassVar[str] = "account"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "name": Kind.TEXT,
        "uid": Kind.NUMBER,
        "gid": Kind.NUMBER,
        "home": Kind.TEXT,
        "shell": Kind.TEXT,
        "can_log_in": Kind.FLAG,
        "shadowed": Kind.FLAG,
        "password": Kind.TEXT,
        "algorithm": Kind.TEXT,
        "min_days": Kind.NUMBER,
        "max_days": Kind.NUMBER,
        "warn_days": Kind.NUMBER,
        "inactive_days": Kind.NUMBER,
        "changed_in_future": Kind.FLAG,
        "days_left": Kind.NUMBER,
        "same_name": Kind.NUMBER,
        "same_uid": Kind.NUMBER,
        "group_exists": Kind.FLAG,
        "interactive": Kind.FLAG,
        "valid_shell": Kind.FLAG,
    }

    def requests(self) -> tuple[Request, ...]:
        return (
            Request("passwd"),
            Request("shadow"),
            Request("group"),
            Request("content", LOGIN_DEFS),
            Request("content", SHELLS),
        )

    def select(self, snapshot: Snapshot) -> Selection:
        accounts: tuple[Account, ...] | CouldNot = snapshot.read(Request("passwd"))
        if isinstance(accounts, CouldNot):
            return Selection(could_not=accounts)
        shadow: tuple[Shadow, ...] | CouldNot = snapshot.read(Request("shadow"))
        groups: tuple[Group, ...] | CouldNot = snapshot.read(Request("group"))
        names = Counter(account.name for account in accounts)
        uids = Counter(account.uid for account in accounts)
        gids = groups if isinstance(groups, CouldNot) else frozenset(g.gid for g in groups)
        shells, first_person = _valid_shells(snapshot), _uid_min(snapshot)
        records: list[Record] = []
        for account in accounts:
            secret = _shadow_values(account, shadow, snapshot.day)
            values: dict[str, Value] = {
                "name": account.name,
                "uid": account.uid,
                "gid": account.gid,
                "home": account.home,
                # passwd(5): an empty shell is /bin/sh.
                "shell": account.shell or "/bin/sh",
                "can_log_in": account.shell not in _NO_LOGIN,
                "shadowed": account.password == "x",
                "same_name": names[account.name],
                "same_uid": uids[account.uid],
                "group_exists": gids if isinstance(gids, CouldNot) else account.gid in gids,
                "interactive": _is_interactive(account, first_person),
                "valid_shell": shells
                if isinstance(shells, CouldNot)
                else (account.shell or "/bin/sh") in shells,
            }
            text = f"{account.name} uid={account.uid} gid={account.gid} shell={account.shell}"
            source = Source("/etc/passwd", account.line, text)
            records.append(
                Record(
                    account.name,
                    values | secret,
                    dict.fromkeys(values, source),
                    text,
                    dict.fromkeys(secret, Request("shadow")),
                )
            )
        return Selection(tuple(records))


_NOBODY: Final = 65534
"""The id of who is nobody: a kernel constant, overflowuid of proc(5)."""


def _is_interactive(account: Account, first_person: int | CouldNot) -> Value:
    """A person's account: from UID_MIN, with a shell."""
    if account.shell in _NO_LOGIN or account.uid in (0, _NOBODY):
        return False
    return first_person if isinstance(first_person, CouldNot) else account.uid >= first_person


def _uid_min(snapshot: Snapshot) -> int | CouldNot:
    """Return UID_MIN of login.defs(5), 1000 where it is not set."""
    files, problem = read_files(snapshot, (LOGIN_DEFS,))
    if problem is not None:
        return problem
    found = [
        words[1]
        for file in files
        for _, line in logical_lines(file)
        if len(words := line.split()) > 1 and words[0] == "UID_MIN" and words[1].isdigit()
    ]
    return int(found[-1]) if found else _DEFAULT_UID_MIN


def _valid_shells(snapshot: Snapshot) -> frozenset[str] | CouldNot:
    """Return the shells of shells(5) in which somebody can work; without the file, sh and csh."""
    files, problem = read_files(snapshot, (SHELLS,))
    if problem is not None:
        return problem
    listed = {line for file in files for _, line in logical_lines(file)}
    return frozenset(listed if files else ("/bin/sh", "/bin/csh")) - _NO_LOGIN


_SECRET_FIELDS: Final = (
    "password", "algorithm", "min_days", "max_days", "warn_days", "inactive_days",
    "changed_in_future", "days_left",
)  # fmt: skip


def _shadow_values(
    account: Account, shadow: tuple[Shadow, ...] | CouldNot, day: date
) -> dict[str, Value]:
    """Return the fields that shadow(5) decides. An account that it lacks has no password at all,
    unless passwd(5) itself holds one.
    """
    if isinstance(shadow, CouldNot):
        return dict.fromkeys(_SECRET_FIELDS, shadow)
    entry = next((entry for entry in shadow if entry.name == account.name), None)
    if entry is None or account.password != "x":
        state = "empty" if account.password == "" else "none"
        state = "set" if account.password == "<hash>" else state
        return dict.fromkeys(_SECRET_FIELDS) | {"password": state, "changed_in_future": False}
    today = (day - _EPOCH).days
    return {
        "password": entry.password,
        "algorithm": entry.algorithm,
        "min_days": entry.min_days,
        "max_days": entry.max_days,
        "warn_days": entry.warn_days,
        "inactive_days": entry.inactive_days,
        "changed_in_future": entry.last_change is not None and entry.last_change > today,
        "days_left": None if entry.expires is None else entry.expires - today,
    }


class GroupSubject(Subject):
    """The groups of group(5)."""

    LABEL: ClassVar[str] = "group"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "name": Kind.TEXT,
        "gid": Kind.NUMBER,
        "members": Kind.WORDS,
        "same_name": Kind.NUMBER,
        "same_gid": Kind.NUMBER,
        "user_count": Kind.NUMBER,
    }

    def requests(self) -> tuple[Request, ...]:
        return (Request("group"), Request("passwd"))

    def select(self, snapshot: Snapshot) -> Selection:
        groups: tuple[Group, ...] | CouldNot = snapshot.read(Request("group"))
        if isinstance(groups, CouldNot):
            return Selection(could_not=groups)
        accounts: tuple[Account, ...] | CouldNot = snapshot.read(Request("passwd"))
        names = Counter(group.name for group in groups)
        gids = Counter(group.gid for group in groups)
        records: list[Record] = []
        for group in groups:
            values: dict[str, Value] = {
                "name": group.name,
                "gid": group.gid,
                "members": frozenset(group.members),
                "same_name": names[group.name],
                "same_gid": gids[group.gid],
                "user_count": _user_count(group, accounts),
            }
            text = f"{group.name}:x:{group.gid}:{','.join(group.members)}"
            source = Source("/etc/group", group.line, text)
            records.append(Record(group.name, values, dict.fromkeys(values, source), text))
        return Selection(tuple(records))


def _user_count(group: Group, accounts: tuple[Account, ...] | CouldNot) -> Value:
    """Return how many users a group has: members, and accounts whose primary group it is."""
    if isinstance(accounts, CouldNot):
        return accounts
    primary = {account.name for account in accounts if account.gid == group.gid}
    return len(primary | set(group.members))
