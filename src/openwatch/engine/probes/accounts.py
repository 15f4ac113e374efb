"""Local accounts: passwd(5), group(5) and shadow(5). Password hashes never leave the host."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe


@dataclass(frozen=True, slots=True)
class Account:
    """One line of passwd(5). ``line`` counts from 1."""

    name: str
    password: str
    uid: int
    gid: int
    home: str
    shell: str
    line: int


@dataclass(frozen=True, slots=True)
class Group:
    """One line of group(5)."""

    name: str
    gid: int
    members: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Shadow:
    """One line of shadow(5) without the hash. Days are days; ``None`` is an empty field."""

    name: str
    password: str
    """``empty``, ``locked``, ``none`` (no password can match) or ``set``."""
    algorithm: str
    last_change: int | None
    min_days: int | None
    max_days: int | None
    warn_days: int | None
    inactive_days: int | None
    expires: int | None
    """The day on which the account ends, counted from 1970."""
    line: int


_NO_HASH_ON_HOST: Final = "/^[^:]*:(x|[*!]*):/!s/^([^:]*):[^:]*:/\\1:<hash>:/"
"""A password field that is not ``x``, empty or made of lock marks holds a hash, locked or not."""
_NO_HASH: Final = re.compile(rb"(?m)^([^:\n]*):(?!(?:x|[*!]*|<hash>):)[^:\n]*:")


class PasswdProbe(TableProbe):
    """passwd(5)."""

    name = "passwd"
    command = "cat /etc/passwd"
    body = f"sed -E '{_NO_HASH_ON_HOST}' /etc/passwd"

    def clean(self, output: bytes) -> bytes:
        return _NO_HASH.sub(rb"\1:<hash>:", output)

    def parse(self, text: str) -> tuple[Account, ...] | CouldNot:
        accounts: list[Account] = []
        for number, line in enumerate(text.split("\n"), start=1):
            if _skipped(line):
                continue
            parts = line.split(":")
            if len(parts) != 7 or not (parts[2].isdigit() and parts[3].isdigit()):
                return CouldNot(Reason.UNPARSABLE, f"/etc/passwd:{number} is not passwd(5).")
            name, password, uid, gid, _, home, shell = parts
            accounts.append(Account(name, password, int(uid), int(gid), home, shell, number))
        if not accounts:
            return CouldNot(Reason.UNPARSABLE, "/etc/passwd names no account.")
        return tuple(accounts)


class GroupProbe(TableProbe):
    """group(5)."""

    name = "group"
    command = "cat /etc/group"
    body = f"sed -E '{_NO_HASH_ON_HOST}' /etc/group"

    def clean(self, output: bytes) -> bytes:
        return _NO_HASH.sub(rb"\1:<hash>:", output)

    def parse(self, text: str) -> tuple[Group, ...] | CouldNot:
        groups: list[Group] = []
        for number, line in enumerate(text.split("\n"), start=1):
            if _skipped(line):
                continue
            parts = line.split(":")
            if len(parts) != 4 or not parts[2].isdigit():
                return CouldNot(Reason.UNPARSABLE, f"/etc/group:{number} is not group(5).")
            members = tuple(member for member in parts[3].split(",") if member)
            groups.append(Group(parts[0], int(parts[2]), members, number))
        if not groups:
            return CouldNot(Reason.UNPARSABLE, "/etc/group names no group.")
        return tuple(groups)


_HASH_ON_HOST: Final = (
    "s/^([^:]*):([!*]*)(\\$[^$:]*\\$)[^:]*:/\\1:\\2\\3<redacted>:/;"
    "s/^([^:]*):([!*]*)([^!*$:][^:]*):/\\1:\\2<redacted>:/"
)
"""Keeps the lock marks and the algorithm of crypt(5); the rest never leaves the host."""


class ShadowProbe(TableProbe):
    """shadow(5), with each hash cut down to its algorithm before it leaves the host."""

    name = "shadow"
    command = "cat /etc/shadow"
    body = f"sed -E '{_HASH_ON_HOST}' /etc/shadow"

    def clean(self, output: bytes) -> bytes:
        # The same once more on our side: what is stored must not depend on the host's sed.
        return b"".join(_redact(line) for line in re.findall(rb"[^\n]*\n|[^\n]+", output))

    def parse(self, text: str) -> tuple[Shadow, ...] | CouldNot:
        entries: list[Shadow] = []
        for number, line in enumerate(text.split("\n"), start=1):
            if _skipped(line):
                continue
            entry = _shadow(line, number)
            if entry is None:
                return CouldNot(Reason.UNPARSABLE, f"/etc/shadow:{number} is not shadow(5).")
            entries.append(entry)
        if not entries:
            return CouldNot(Reason.UNPARSABLE, "/etc/shadow names no account.")
        return tuple(entries)


_ALGORITHM: Final = re.compile(rb"([!*]*)(\$[^$:]*\$)?")


def _redact(line: bytes) -> bytes:
    name, separator, rest = line.partition(b":")
    password, colon, tail = rest.partition(b":")
    if not separator or not colon:
        return line
    match = _ALGORITHM.match(password)
    kept = match.group() if match else b""
    if len(password) > len(kept):
        kept += b"<redacted>"
    return name + separator + kept + colon + tail


def _shadow(line: str, number: int) -> Shadow | None:
    parts = line.split(":")
    if len(parts) != 9:
        return None
    try:
        days = [int(part) if part.strip() else None for part in parts[2:8]]
    except ValueError:
        return None
    state, algorithm = _password_state(parts[1])
    return Shadow(parts[0], state, algorithm, *days, line=number)


def _password_state(password: str) -> tuple[str, str]:
    """Return the state of a password field and its algorithm, as crypt(5) names it."""
    if password == "":
        return "empty", ""
    if set(password) <= {"!", "*"}:
        return "none", ""
    bare = password.lstrip("!*")
    algorithm = bare.split("$")[1] if bare.startswith("$") and bare.count("$") > 1 else "des"
    return ("locked" if password[0] in "!*" else "set"), algorithm


def _skipped(line: str) -> bool:
    """Empty lines, and the NIS compatibility entries of nsswitch.conf(5)."""
    return not line.strip() or line[0] in "+-#"
