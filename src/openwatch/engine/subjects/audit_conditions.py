"""The conditions of audit rules, in one form for all ways of writing them: auditctl(8), -F, -C."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

UNSET: Final = 4294967295
"""The login id of a process that nobody logged in for; also written ``unset`` and ``-1``."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_CONDITION: Final = re.compile(r"([A-Za-z0-9_]+)(!=|>=|<=|&=|=|>|<|&)(.*)\Z", re.DOTALL)
_SPELLINGS: Final = {"loginuid": "auid", "sessionid": "ses"}
_USERS: Final = frozenset({"auid", "uid", "euid", "suid", "fsuid", "obj_uid"})
_GROUPS: Final = frozenset({"gid", "egid", "sgid", "fsgid", "obj_gid"})
_C_NUMBER: Final = re.compile(r"0[xX][0-9A-Fa-f]{1,16}|0[0-7]{1,22}|[1-9][0-9]{0,19}|0")
_ERROR: Final = re.compile(r"(-?)(E[A-Z0-9]+)")
_SUCCESS: Final = {"yes": "1", "no": "0"}

Filters = frozenset["Filter"]


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition, ``-F`` or ``-C``. Of a comparison of two fields (``-C``), ``field`` holds
    both, in alphabetical order.
    """

    field: str
    operator: str
    value: str

    @property
    def number(self) -> int | None:
        return int(self.value) if _INTEGER.fullmatch(self.value) else None

    def numbered(self, uids: Mapping[str, int], gids: Mapping[str, int]) -> Filter:
        """Return the condition with the number of the account or group that it names."""
        if self.field not in _USERS | _GROUPS:
            return self
        names = uids if self.field in _USERS else gids
        return replace(self, value=str(names.get(self.value, self.value)))

    def implies(self, other: Filter) -> bool:
        """Return whether everything for which this holds satisfies ``other`` too."""
        if self == other:
            return True
        mine, theirs = self.number, other.number
        if self.field == "exit" and self.operator == "=" and other.field == "success":
            return mine is not None and mine < 0 and (other.operator, theirs) == ("=", 0)
        if self.field != other.field or mine is None or theirs is None:
            return False
        match self.operator, other.operator:
            case "=", "!=":
                return mine != theirs
            case (("=" | ">="), ">="):
                return mine >= theirs
            case (("=" | ">="), ">"):
                return mine > theirs
            case ">=", "!=":
                return mine > theirs
            case ">", (">" | ">=" | "!="):
                return mine >= theirs
            case _:
                return False


def within(filters: Filters, wanted: Filters) -> bool:
    """Return whether a rule with these conditions matches all that is wanted."""
    if filters <= wanted:
        return True
    return all(any(want.implies(condition) for want in wanted) for condition in filters)


def condition_of(text: str) -> Filter:
    """Return a condition as it is written after ``-F``, in its one form."""
    match = _CONDITION.match(text)
    if match is None:
        return Filter(text, "", "")
    name, operator, value = match.groups()
    field = _SPELLINGS.get(name, name)
    if field in _USERS | _GROUPS:
        value = str(UNSET) if value in ("unset", "-1") else "0" if value == "root" else value
    elif field == "exit":
        value = _ERROR.sub(_error_number, value)
    elif field == "success":
        value = _SUCCESS.get(value, value)
    elif re.fullmatch(r"a[0-3]", field) and _C_NUMBER.fullmatch(value):
        # strtoul(3) with base 0 reads them.
        value = str(int(value, 8 if value[:2].isdigit() and value[0] == "0" else 0))
    if _INTEGER.fullmatch(value):
        value = str(int(value))
    return Filter(field, operator, value)


def _error_number(match: re.Match[str]) -> str:
    sign, name = match.groups()
    number = getattr(errno, name, None)
    return f"{sign}{number}" if isinstance(number, int) else match.group()


def compared(text: str) -> Filter:
    """Return a comparison of two fields as it is written after ``-C``, in its one form."""
    left, operator, right = text.partition("!=" if "!=" in text else "=")
    return Filter(" ".join(sorted((left, right))), operator, "")


def conditions(texts: Iterable[str]) -> Filters:
    """Return conditions as rules of ours write them: ``auid>=1000``, or ``-C euid!=uid``."""
    return frozenset(
        compared(text[2:].strip()) if text.startswith("-C") else condition_of(text)
        for text in texts
    )
