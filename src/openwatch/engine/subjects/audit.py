"""What the persisted audit rules record: file accesses and system calls.

The rules are those of /etc/audit/rules.d, which augenrules(8) joins and loads at boot. Nothing is
said about what the kernel has loaded now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from pydantic import Field

from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, as_list
from openwatch.engine.subjects.files import Path, logical_lines, read_files

RULES: Final = "/etc/audit/rules.d/*.rules"
ALL_ACCESS: Final = frozenset("rwxa")
"""auditctl(8): a watch without ``-p`` records reads, writes, executions and attribute changes."""


@dataclass(frozen=True, slots=True)
class AuditRule:
    """One rule of audit.rules(7). ``filters`` are the conditions that narrow it."""

    always: bool
    queue: str
    path: str | None
    below: bool
    """Whether the rule reaches everything below ``path`` as well."""
    access: frozenset[str]
    syscalls: frozenset[str]
    arch: str | None
    filters: frozenset[str]
    source: Source

    def covers(self, path: str, *, directory: bool) -> bool:
        """Return whether the rule is about this path."""
        if self.path is None:
            return False
        if self.below and path.startswith(self.path.rstrip("/") + "/"):
            return True
        return path == self.path and (self.below or not directory)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The path that somebody asks about."""

    path: str
    directory: bool


def audit_rules(snapshot: Snapshot) -> tuple[AuditRule, ...] | CouldNot:
    """Return the persisted rules in the order in which they are loaded."""
    files, problem = read_files(snapshot, (RULES,))
    if problem is not None:
        return problem
    rules: list[AuditRule] = []
    for file in sorted(files, key=lambda file: _version_order(file.path)):
        for number, line in logical_lines(file):
            source = Source(file.path, number, line)
            words = line.split()
            if words[0] in ("-W", "-d"):
                gone = _parse([words[0].replace("W", "w").replace("d", "a"), *words[1:]], source)
                rules = [rule for rule in rules if gone is None or not _same(rule, gone)]
            elif (rule := _parse(words, source)) is not None:
                # -A puts a rule in front of all others.
                rules.insert(0 if words[0] == "-A" else len(rules), rule)
    return tuple(rules)


def _version_order(path: str) -> list[tuple[int, str]]:
    """augenrules(8) joins the files in the order of ``ls -v``: numbers count as numbers."""
    parts = re.findall(r"\d+|\D+", path)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _same(one: AuditRule, other: AuditRule) -> bool:
    return (one.queue, one.path, one.access, one.syscalls, one.arch, one.filters) == (
        other.queue, other.path, other.access, other.syscalls, other.arch, other.filters
    )  # fmt: skip


def _parse(words: list[str], source: Source) -> AuditRule | None:
    """Return the rule of a line, or ``None`` for a control option or what is no rule."""
    options = _options(words)
    if options is None:
        return None
    fields: dict[str, str] = {}
    filters: set[str] = {f"-C {value}" for key, value in options if key == "-C"}
    for value in (value for key, value in options if key == "-F"):
        name, equals, rest = value.partition("=")
        if equals and name in ("path", "dir", "perm", "arch", "key"):
            fields[name] = rest
        else:
            filters.add(value)
    lists = {word for key, value in options if key in ("-a", "-A") for word in value.split(",")}
    watch = next((value for key, value in options if key == "-w"), None)
    if (watch is None) == (not lists):
        return None
    perm = next((v for k, v in options if k == "-p"), fields.get("perm"))
    path = watch or fields.get("dir") or fields.get("path")
    calls = {call for key, value in options if key == "-S" for call in value.split(",")}
    return AuditRule(
        always=watch is not None or "always" in lists,
        queue="exit" if watch is not None else next(iter(lists - {"always", "never"}), ""),
        path=None if path is None else (path.rstrip("/") or "/"),
        below=watch is not None or "dir" in fields,
        access=ALL_ACCESS if perm is None else frozenset(perm),
        syscalls=frozenset(calls or {"all"}),
        arch=fields.get("arch"),
        filters=frozenset(filters),
        source=source,
    )


_WITH_VALUE: Final = ("-a", "-A", "-w", "-p", "-S", "-F", "-C", "-k")


def _options(words: list[str]) -> list[tuple[str, str]] | None:
    """Return the options of a line with their values, or ``None`` for any other line."""
    options: list[tuple[str, str]] = []
    rest = iter(words)
    for word in rest:
        key, value = word[:2], word[2:]
        if key not in _WITH_VALUE:
            return None
        value = value or next(rest, "")
        if not value:
            return None
        options.append((key, value))
    return options


def _silenced(rules: tuple[AuditRule, ...], rule: AuditRule, wanted: _Wanted | None) -> bool:
    """Return whether an unconditional ``never`` keeps this rule from recording what is wanted.

    audit.rules(7): the first rule that matches decides, and ``never`` on the task list switches
    the auditing of system calls off for every process.
    """
    never = [(i, r) for i, r in enumerate(rules) if not r.always and not r.filters]
    place = rules.index(rule)
    return any(
        other.queue == "task"
        or (other.queue == "exit" and i < place and _eclipses(other, rule, wanted))
        for i, other in never
    )


def _eclipses(never: AuditRule, rule: AuditRule, wanted: _Wanted | None) -> bool:
    """Return whether ``never`` matches all that ``rule`` records of what is wanted."""
    if never.arch not in (None, rule.arch):
        return False
    if "all" not in never.syscalls and not rule.syscalls <= never.syscalls:
        return False
    if never.path is None:
        return True
    if wanted is None or not rule.access <= never.access:
        return False
    return never.covers(wanted.path, directory=wanted.directory)


class AuditWatchSubject(Subject):
    """Which accesses to a path the persisted audit rules record, whoever makes them.

    A rule that is narrowed by a condition records only some of them and does not count; a rule for
    one of b32 and b64 counts together with one for the other.
    """

    LABEL: ClassVar[str] = "audit_watch"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"access": Kind.WORDS}

    path: Path | tuple[Path, ...] = Field(description="A path, or several.")
    directory: bool = Field(
        default=False, description="What lies below the path has to be recorded as well."
    )

    def requests(self) -> tuple[Request, ...]:
        return (Request("content", RULES),)

    def select(self, snapshot: Snapshot) -> Selection:
        rules = audit_rules(snapshot)
        if isinstance(rules, CouldNot):
            return Selection(tuple(Record(p, {"access": rules}) for p in as_list(self.path)))
        return Selection(tuple(self._record(path, rules) for path in as_list(self.path)))

    def _record(self, path: str, rules: tuple[AuditRule, ...]) -> Record:
        found = [
            rule
            for rule in rules
            if rule.always and rule.queue == "exit" and not rule.filters
            and "all" in rule.syscalls and rule.covers(path, directory=self.directory)
            and not _silenced(rules, rule, _Wanted(path, self.directory))
        ]  # fmt: skip
        access = _access(found, None) | (_access(found, "b64") & _access(found, "b32"))
        sources = {"access": found[0].source} if found else {}
        raw = "" if found else f"no rule records {path}"
        return Record(path, {"access": access}, sources, raw)


def _access(rules: Iterable[AuditRule], arch: str | None) -> frozenset[str]:
    return frozenset(letter for rule in rules if rule.arch == arch for letter in rule.access)


class AuditSyscallSubject(Subject):
    """Whether the persisted audit rules record a system call, for 64-bit and 32-bit programs."""

    LABEL: ClassVar[str] = "audit_syscall"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"b64": Kind.FLAG, "b32": Kind.FLAG}

    name: str | tuple[str, ...] = Field(description="A system call, or several.")
    filters: tuple[str, ...] = Field(
        default=(), description="Conditions that a rule may have, as they are written after -F."
    )

    def requests(self) -> tuple[Request, ...]:
        return (Request("content", RULES),)

    def select(self, snapshot: Snapshot) -> Selection:
        rules = audit_rules(snapshot)
        if isinstance(rules, CouldNot):
            values = dict.fromkeys(self.FIELDS, rules)
            return Selection(tuple(Record(name, values) for name in as_list(self.name)))
        return Selection(tuple(self._record(name, rules) for name in as_list(self.name)))

    def _record(self, name: str, rules: tuple[AuditRule, ...]) -> Record:
        found = [
            rule
            for rule in rules
            if rule.always and rule.queue == "exit" and rule.path is None
            and rule.filters <= set(self.filters) and rule.syscalls & {name, "all"}
            and not _silenced(rules, rule, None)
        ]  # fmt: skip
        # auditctl(8): without an arch a name stands for the call of the machine's own programs.
        sources = {
            field: rule.source
            for field, archs in (("b64", ("b64", None)), ("b32", ("b32",)))
            for rule in reversed(found)
            if rule.arch in archs
        }
        values = {field: field in sources for field in self.FIELDS}
        raw = "" if found else f"no rule records {name}"
        return Record(name, values, sources, raw)
