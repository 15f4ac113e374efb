"""Audit rules, in one form for all ways of writing them: audit.rules(7), auditctl(8).

A rule is known by what it records. The order of fields, ``-k`` or ``-F key=``, a watch or its
long form, the names of an unset login id, lists of system calls: none of them makes a difference.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final

from openwatch.engine.probes.files import FileContent
from openwatch.engine.subjects.audit_conditions import Filters, compared, condition_of, within
from openwatch.engine.subjects.base import Source
from openwatch.engine.subjects.files import logical_lines

ALL_ACCESS: Final = frozenset("rwxa")
"""auditctl(8): a watch without ``-p`` records reads, writes, executions and attribute changes."""

ARCHES: Final = ("b64", "b32")

EVERY_CALL: Final = frozenset({"all"})


@dataclass(frozen=True, slots=True)
class AuditRule:
    """One rule. ``filters`` are the conditions that narrow it."""

    always: bool
    queue: str
    path: str | None
    below: bool
    """Whether the rule reaches everything below ``path`` as well."""
    access: frozenset[str]
    syscalls: frozenset[str]
    arch: str | None
    filters: Filters
    keys: frozenset[str]
    source: Source

    @property
    def form(self) -> tuple[object, ...]:
        """What the rule does, without its keys: two rules of one form are one rule.

        A watch says by itself whether it is of a directory; its long form has to. auditctl(8)
        since 4.0 writes ``-F perm=`` with an arch out as the system calls that it stands for.
        """
        access = self.access if self.path else None
        whole = bool(access) and all(self.reaches(letter) for letter in self.access)
        calls = EVERY_CALL if whole else self.syscalls
        return self.always, self.queue, self.path, access, calls, self.arch, self.filters

    def covers(self, path: str, *, directory: bool) -> bool:
        """Return whether the rule is about this path."""
        if self.path is None:
            return False
        if self.below and path.startswith(self.path.rstrip("/") + "/"):
            return True
        return path == self.path and (self.below or not directory)

    def reaches(self, letter: str) -> bool:
        """Return whether an access of this kind is recorded, whatever system call makes it."""
        every = "all" in self.syscalls or _CALLS_OF[letter] <= self.syscalls
        return letter in self.access and every


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks about: accesses to a path, or a system call, of those programs for
    which all ``filters`` hold.
    """

    filters: Filters = frozenset()
    path: str | None = None
    directory: bool = False


class Ruleset:
    """Rules in the order in which the kernel asks them, and the options that come with them."""

    def __init__(
        self,
        rules: Sequence[AuditRule],
        options: dict[str, tuple[int, Source]],
        *,
        usr_merged: bool = True,
    ) -> None:
        self.rules = tuple(rules)
        self.usr_merged = usr_merged
        self.options = options
        """The last value of ``-e``, ``-f``, ``-b``, ``-r``, ``-c`` and ``--loginuid-immutable``."""

    @cached_property
    def _of_paths(self) -> dict[str, list[AuditRule]]:
        found: dict[str, list[AuditRule]] = defaultdict(list)
        for rule in self.rules:
            if rule.always and rule.queue == "exit" and rule.path is not None:
                found[rule.path].append(rule)
        return found

    def _about(self, path: str) -> Iterator[AuditRule]:
        """Yield the rules of a path and of all directories above it."""
        while path:
            yield from self._of_paths.get(path, ())
            path = "" if path == "/" else path.rpartition("/")[0] or "/"

    @cached_property
    def _of_calls(self) -> dict[str, list[AuditRule]]:
        found: dict[str, list[AuditRule]] = defaultdict(list)
        for rule in self.rules:
            if rule.always and rule.queue == "exit" and rule.path is None:
                for call in rule.syscalls:
                    found[call].append(rule)
        return found

    @cached_property
    def _places(self) -> dict[int, int]:
        return {id(rule): place for place, rule in enumerate(self.rules)}

    @cached_property
    def _never(self) -> tuple[tuple[int, AuditRule], ...]:
        return tuple((i, r) for i, r in enumerate(self.rules) if is_never(r))

    def accesses(self, wanted: Wanted) -> tuple[frozenset[str], Source | None]:
        """Return which accesses to the path are recorded, and the first rule that records any.

        A rule for one of b32 and b64 counts together with one for the other.
        """
        path = canonical(wanted.path or "/", usr_merged=self.usr_merged)
        wanted = replace(wanted, path=path)
        found = [
            rule
            for rule in self._about(path)
            if rule.covers(path, directory=wanted.directory)
            and within(rule.filters, wanted.filters)
            and not self._silenced(rule, wanted)
        ]
        access = _access(found, None) | (_access(found, "b64") & _access(found, "b32"))
        telling = [rule for rule in found if access & rule.access]
        return access, telling[0].source if telling else found[0].source if found else None

    def arches(self, call: str, wanted: Wanted) -> tuple[frozenset[str], Source | None]:
        """Return for which programs, 64-bit and 32-bit, a system call is recorded."""
        found = [
            rule
            for rule in (*self._of_calls.get(call, ()), *self._of_calls.get("all", ()))
            if within(rule.filters, wanted.filters) and not self._silenced(rule, wanted)
        ]
        # auditctl(8): without an arch a name stands for the call of the machine's own programs.
        arches = frozenset(rule.arch or "b64" for rule in found)
        return arches, found[0].source if found else None

    def _silenced(self, rule: AuditRule, wanted: Wanted) -> bool:
        """Return whether a ``never`` keeps this rule from recording anything that is wanted.

        audit.rules(7): the first rule that matches decides, ``never`` on the task list switches
        the auditing of system calls off, and the exclude list drops whole kinds of records.
        """
        place = self._places[id(rule)]
        return any(
            within(other.filters, wanted.filters)
            and (
                other.queue in ("task", "exclude") or (i < place and _eclipses(other, rule, wanted))
            )
            for i, other in self._never
        )


def is_never(rule: AuditRule) -> bool:
    """Return whether a rule keeps something from being recorded."""
    return rule.queue == "exclude" or (not rule.always and rule.queue in ("task", "exit"))


def _eclipses(never: AuditRule, rule: AuditRule, wanted: Wanted) -> bool:
    """Return whether ``never`` matches all that ``rule`` records of what is wanted."""
    if never.arch not in (None, rule.arch):
        return False
    if "all" not in never.syscalls and not rule.syscalls <= never.syscalls:
        return False
    if never.path is None:
        return True
    if wanted.path is None or not rule.access <= never.access:
        return False
    return never.covers(wanted.path, directory=wanted.directory)


def _access(rules: Iterable[AuditRule], arch: str | None) -> frozenset[str]:
    return frozenset(
        letter for rule in rules if rule.arch == arch for letter in rule.access
        if rule.reaches(letter)
    )  # fmt: skip


_CALLS_OF: Final = {
    "r": frozenset({"openat", "readlinkat"}),
    "w": frozenset({"openat", "truncate", "renameat", "unlinkat", "linkat"}),
    "x": frozenset({"execve"}),
    "a": frozenset({"fchmodat", "fchownat", "setxattr", "removexattr"}),
}
"""Without these a list of system calls misses accesses of the kind (the kernel's own classes, in
include/asm-generic/audit_*.h, hold more)."""

NOT_THERE: Final = {
    "b64": {
        "x86_64": frozenset({"umount", "stime"}),
        "aarch64": frozenset({
            "chmod", "chown", "creat", "create_module", "lchown", "mkdir", "open", "query_module",
            "rename", "rmdir", "stime", "umount", "unlink",
        }),
    },
    "b32": {"aarch64": frozenset({"create_module", "query_module", "stime", "umount"})},
}  # fmt: skip
"""System calls that programs of an architecture do not have: auditctl(8) refuses to name them."""


def persisted(files: Iterable[FileContent], *, joined: bool, usr_merged: bool = True) -> Ruleset:
    """Return the rules of files: of those that augenrules(8) joins, or of audit.rules itself."""
    return _persisted(tuple(files), joined, usr_merged)


@lru_cache(maxsize=16)
def _persisted(files: tuple[FileContent, ...], joined: bool, usr_merged: bool) -> Ruleset:
    # Many rules ask about the same files: they are read once.
    ordered = sorted(files, key=lambda file: _version_order(file.path))
    lines = ((file.path, *line) for file in ordered for line in logical_lines(file))
    sources = (Source(*line) for line in lines)
    return _ruleset(sources, joined=joined, usr_merged=usr_merged)


@lru_cache(maxsize=16)
def loaded(lines: tuple[str, ...], origin: str, *, usr_merged: bool = True) -> Ruleset:
    """Return the rules that auditctl(8) lists."""
    sources = (Source(origin, number, line) for number, line in enumerate(lines, start=1))
    return _ruleset(sources, joined=True, usr_merged=usr_merged)


def _ruleset(sources: Iterable[Source], *, joined: bool, usr_merged: bool) -> Ruleset:
    rules: list[AuditRule] = []
    options: dict[str, tuple[int, Source]] = {}
    for source in sources:
        words = source.text.split()
        if not words:
            continue
        if words[0] == "-D":
            # augenrules(8) puts a bare -D in front of everything.
            if len(words) > 1 or not joined:
                key = words[-1].removeprefix("-k")
                rules = [rule for rule in rules if len(words) > 1 and key not in rule.keys]
        elif words[0][:2] in ("-W", "-d"):
            added = [words[0].replace("W", "w").replace("d", "a", 1), *words[1:]]
            gone = parse(added, source, usr_merged=usr_merged)
            rules = [rule for rule in rules if gone is None or rule.form != gone.form]
        elif (rule := parse(words, source, usr_merged=usr_merged)) is not None:
            # -A puts a rule in front of all others.
            rules.insert(0 if words[0].startswith("-A") else len(rules), rule)
        elif (option := _option(words)) is not None:
            options[option[0]] = option[1], source
    return Ruleset(rules, options, usr_merged=usr_merged)


def _version_order(path: str) -> list[tuple[int, str]]:
    """augenrules(8) joins the files in the order of ``ls -v``: numbers count as numbers."""
    parts = re.findall(r"\d+|\D+", path)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _option(words: list[str]) -> tuple[str, int] | None:
    """Return an option of the whole system (``-e 2``) with its value: auditctl(8) obeys it before
    it complains of what stands behind.
    """
    if words in (["--loginuid-immutable"], ["-c"]):
        return words[0], 1
    key, value = words[0][:2], words[0][2:] or next(iter(words[1:]), "")
    if key not in ("-e", "-f", "-b", "-r") or not re.fullmatch(r"[0-9]{1,9}", value):
        return None
    return key, int(value)


def parse(words: list[str], source: Source, *, usr_merged: bool = True) -> AuditRule | None:
    """Return the rule of a line, or ``None`` for a control option or what is no rule."""
    options = _options(words)
    if options is None:
        return None
    fields: dict[str, str] = {}
    filters = {compared(value) for key, value in options if key == "-C"}
    keys = {value for key, value in options if key == "-k"}
    for value in (value for key, value in options if key == "-F"):
        condition = condition_of(value)
        if condition.operator == "=" and condition.field in ("path", "dir", "perm", "arch"):
            fields[condition.field] = condition.value
        elif condition.field == "key":
            keys.add(condition.value)
        else:
            filters.add(condition)
    lists = {word for key, value in options if key in ("-a", "-A") for word in value.split(",")}
    watch = next((value for key, value in options if key == "-w"), None)
    if (watch is None) == (not lists) or not lists <= _LISTS:
        return None
    perm = next((v for k, v in options if k == "-p"), fields.get("perm"))
    path = watch or fields.get("dir") or fields.get("path")
    calls = {call for key, value in options if key == "-S" for call in value.split(",") if call}
    queue = "exit" if watch is not None else next(iter(lists - {"always", "never"}), "")
    if queue == "exclude":
        kinds = {f for f in filters if f.field == "msgtype"}
        if kinds and all(k.operator == "=" and k.value not in _SYSCALL_RECORDS for k in kinds):
            # It drops records of which none tells that something was done.
            return None
        filters -= kinds
    return AuditRule(
        always=watch is not None or "always" in lists,
        queue=queue,
        path=None if path is None else canonical(path, usr_merged=usr_merged),
        below=watch is not None or "dir" in fields,
        access=ALL_ACCESS if perm is None else frozenset(perm),
        syscalls=frozenset(calls) or EVERY_CALL,
        arch=_arch(fields.get("arch")),
        filters=frozenset(filters),
        keys=frozenset(keys),
        source=source,
    )


_SYSCALL_RECORDS: Final = ("SYSCALL", "1300")
_WITH_VALUE: Final = ("-a", "-A", "-w", "-p", "-S", "-F", "-C", "-k")
_LISTS: Final = frozenset(
    {"always", "never", "task", "exit", "user", "exclude", "filesystem", "io_uring"}
)


def numbered(rule: AuditRule, uids: Mapping[str, int], gids: Mapping[str, int]) -> AuditRule:
    """Return a rule with the numbers of the accounts and groups that its conditions name."""
    return replace(rule, filters=frozenset(f.numbered(uids, gids) for f in rule.filters))


_MACHINE: Final = re.compile(
    r"(?P<b64>x86_64|ia64|ppc64(?:le)?|s390x|aarch64|riscv64)|i[3-6]86|ppc|s390|arm\w*|riscv32"
)
"""ausyscall(8): the machines that auditctl(8) knows by name."""


def _arch(name: str | None) -> str | None:
    """Return b64 or b32 for a machine; a name that auditctl(8) refuses stays what it is."""
    machine = _MACHINE.fullmatch(name or "")
    if machine is None:
        return name
    return "b64" if machine["b64"] else "b32"


_MERGED: Final = re.compile(r"/(bin|sbin|lib|lib32|lib64)(?=/|\Z)")


def canonical(path: str, *, usr_merged: bool) -> str:
    """Return the one name of a path: /var/run is a link (Filesystem Hierarchy Standard: /run),
    and with a merged /usr so are /bin, /sbin and /lib.
    """
    path = path.rstrip("/") or "/"
    if path == "/var/run" or path.startswith("/var/run/"):
        return path.removeprefix("/var")
    return f"/usr{path}" if usr_merged and _MERGED.match(path) else path


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
