"""The system-wide cryptographic policy: what is configured, in force, and changed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.devices import Link
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import logical_lines, read_files

_CONFIGURED: Final = "/etc/crypto-policies/config"
_IN_FORCE: Final = "/etc/crypto-policies/state/current"
_BACK_ENDS: Final = "/etc/crypto-policies/back-ends/*.config"
_LOCAL: Final = "/etc/crypto-policies/local.d/*.config"
_SHIPPED: Final = "/usr/share/crypto-policies/"
_NEVER_LINKED: Final = "nss.config"
"""update-crypto-policies(8) writes it anew each time: its reader does not follow a link."""


class CryptoPolicySubject(Subject):
    """The policy of update-crypto-policies(8). ``overridden``: parts that do not come from it."""

    LABEL: ClassVar[str] = "crypto_policy"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "policy": Kind.TEXT,
        "modules": Kind.WORDS,
        "current": Kind.TEXT,
        "current_modules": Kind.WORDS,
        "applied": Kind.FLAG,
        "overridden": Kind.WORDS,
    }

    def requests(self) -> tuple[Request, ...]:
        return (
            Request("content", _CONFIGURED),
            Request("content", _IN_FORCE),
            Request("link", _BACK_ENDS),
            Request("link", _LOCAL),
        )

    def select(self, snapshot: Snapshot) -> Selection:
        configured, source = _first_line(snapshot, _CONFIGURED)
        current, current_source = _first_line(snapshot, _IN_FORCE)
        applied: Value = _unknown(configured) or _unknown(current)
        if applied is None:
            applied = configured is not None and configured == current
        values: dict[str, Value] = {
            "policy": _base(configured),
            "modules": _modules(configured),
            "current": _base(current),
            "current_modules": _modules(current),
            "applied": applied,
            "overridden": _overridden(snapshot, current),
        }
        sources = {f: source for f in ("policy", "modules") if source is not None}
        sources |= {
            f: current_source
            for f in ("current", "current_modules", "applied")
            if current_source is not None
        }
        back_ends = Request("link", _BACK_ENDS)
        requests = dict.fromkeys(("current", "current_modules", "applied"),
                                 Request("content", _IN_FORCE))  # fmt: skip
        record = Record(
            "crypto policy", values, sources, f"{configured}", {**requests, "overridden": back_ends}
        )
        return Selection((record,))


def _first_line(snapshot: Snapshot, path: str) -> tuple[str | CouldNot | None, Source | None]:
    files, problem = read_files(snapshot, (path,))
    if problem is not None:
        return problem, None
    for file in files:
        for number, line in logical_lines(file):
            return line.split()[0].upper(), Source(path, number, line)
    return None, None


def _unknown(value: str | CouldNot | None) -> CouldNot | None:
    return value if isinstance(value, CouldNot) else None


def _base(value: str | CouldNot | None) -> Value:
    return value.partition(":")[0] if isinstance(value, str) else value


def _modules(value: str | CouldNot | None) -> Value:
    if not isinstance(value, str):
        return value
    return frozenset(word for word in value.split(":")[1:] if word) or None


def _overridden(snapshot: Snapshot, current: str | CouldNot | None) -> Value:
    """Return the parts that do not come from the policy: local additions, links that lead
    elsewhere, and files where a policy without modules has links.
    """
    links: tuple[Link, ...] | CouldNot = snapshot.read(Request("link", _BACK_ENDS))
    local: tuple[Link, ...] | CouldNot = snapshot.read(Request("link", _LOCAL))
    for part in (links, local, current):
        if isinstance(part, CouldNot):
            return part
    assert not isinstance(links, CouldNot)
    assert not isinstance(local, CouldNot)
    assert not isinstance(current, CouldNot)
    if current is None or not links:
        return CouldNot(Reason.INCOMPLETE, "The host has no crypto policy in force.")
    policy = current.partition(":")[0]
    plain = ":" not in current
    wrong = {f"local.d/{link.path.rpartition('/')[2]}" for link in local}
    for link in links:
        name = link.path.rpartition("/")[2]
        if name == _NEVER_LINKED and link.target is None:
            continue
        if link.target is None:
            # With modules, or for a policy of the site, the tool writes files in place of links.
            custom = not plain or policy not in _SHIPPED_POLICIES
            wrong |= set() if custom else {name}
        elif not link.target.startswith(f"{_SHIPPED}{policy}/"):
            wrong.add(name)
    return frozenset(wrong) or None


_SHIPPED_POLICIES: Final = frozenset({"DEFAULT", "LEGACY", "FUTURE", "FIPS", "EMPTY", "NEXT"})
