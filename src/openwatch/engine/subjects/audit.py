"""What is recorded of file accesses, system calls and programs: by the persisted audit rules and
by those that the kernel has loaded now.

Persisted are the rules of /etc/audit/rules.d, which augenrules(8) joins into /etc/audit/audit.rules
and loads when auditd starts; on every platform that we know its unit does so. Only where that
directory is missing, /etc/audit/audit.rules is loaded as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ClassVar, Final, Literal

from pydantic import Field

from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.probes.accounts import Account, Group
from openwatch.engine.probes.audit import KernelAudit
from openwatch.engine.probes.files import FileStat
from openwatch.engine.probes.mounts import Found, Mount
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.audit_conditions import conditions
from openwatch.engine.subjects.audit_rules import (
    ARCHES,
    NOT_THERE,
    AuditRule,
    Ruleset,
    Wanted,
    is_never,
    loaded,
    numbered,
    persisted,
)
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value, as_list
from openwatch.engine.subjects.files import Path, read_files

RULES: Final = Request("content", "/etc/audit/rules.d/*.rules")
DIRECTORY: Final = Request("stat", "/etc/audit/rules.d")
JOINED: Final = Request("content", "/etc/audit/audit.rules")
KERNEL: Final = Request("audit")
PERSISTED_REQUESTS: Final = (RULES, DIRECTORY, JOINED)

LOGGED_IN: Final = ("auid>=1000", "auid!=unset")
"""Whoever has logged in with an account of a person."""


def persisted_rules(snapshot: Snapshot) -> Ruleset | CouldNot:
    """Return the rules that are loaded when auditd starts."""
    files, problem = read_files(snapshot, (RULES.subject,))
    if problem is not None:
        return problem
    if files:
        return persisted(files, joined=True, usr_merged=_usr_merged(snapshot))
    directory: tuple[FileStat, ...] | CouldNot = snapshot.read(DIRECTORY)
    if isinstance(directory, CouldNot):
        return directory
    if directory:
        return Ruleset((), {})
    files, problem = read_files(snapshot, (JOINED.subject,))
    if problem is not None:
        return problem
    return persisted(files, joined=False, usr_merged=_usr_merged(snapshot))


def _usr_merged(snapshot: Snapshot) -> bool:
    """SLES 15 keeps /bin and /sbin beside /usr; everywhere else they are links into it."""
    platform = snapshot.identity.platform
    return isinstance(platform, CouldNot) or platform.family != "sles"


def loaded_rules(snapshot: Snapshot) -> tuple[Ruleset, Source | None] | CouldNot:
    """Return the rules that the kernel has, and why they record nothing where they do not."""
    kernel: KernelAudit | CouldNot = snapshot.read(KERNEL)
    if isinstance(kernel, CouldNot):
        return kernel
    if (idle := _idle(kernel)) is not None:
        return Ruleset((), {}), idle
    return loaded(kernel.rules, "auditctl -l", usr_merged=_usr_merged(snapshot)), None


def _idle(kernel: KernelAudit) -> Source | None:
    """Return why the kernel records nothing."""
    if kernel.missing is not None:
        return Source("auditctl -s", 1, kernel.missing)
    if kernel.status is None or kernel.status["enabled"] == 0:
        return Source("auditctl -s", 1, "enabled 0: the kernel records nothing")
    return None


_Answer = tuple[Value, Source | None]


def _both(
    name: str, snapshot: Snapshot, ask: Callable[[Ruleset], _Answer], extra: Mapping[str, Value]
) -> Record:
    """Return a record of what the persisted and the loaded rules answer to one question."""
    rules, kernel = persisted_rules(snapshot), loaded_rules(snapshot)
    in_files: _Answer = (rules, None) if isinstance(rules, CouldNot) else ask(rules)
    if isinstance(kernel, CouldNot):
        in_kernel: _Answer = kernel, None
    else:
        value, source = ask(kernel[0])
        in_kernel = value, kernel[1] or source
    values = {**extra, "persisted": in_files[0], "loaded": in_kernel[0]}
    found = {"persisted": in_files[1], "loaded": in_kernel[1]}
    sources = {field: source for field, source in found.items() if source is not None}
    raw = "" if in_files[1] else f"no rule records {name}"
    return Record(name, values, sources, raw, {"loaded": KERNEL})


class AuditWatchSubject(Subject):
    """Which accesses to a path the audit rules record, whoever makes them.

    A rule that is narrowed by another condition than ``filters`` records only some of them and does
    not count; a rule for one of b32 and b64 counts together with one for the other.
    """

    LABEL: ClassVar[str] = "audit_watch"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"persisted": Kind.WORDS, "loaded": Kind.WORDS}

    path: Path | tuple[Path, ...] = Field(description="A path, or several.")
    directory: bool = Field(
        default=False, description="What lies below the path has to be recorded as well."
    )
    filters: tuple[str, ...] = Field(
        default=(), description="Conditions that a rule may have, or weaker ones."
    )

    def requests(self) -> tuple[Request, ...]:
        return (*PERSISTED_REQUESTS, KERNEL)

    def select(self, snapshot: Snapshot) -> Selection:
        return Selection(tuple(self._record(path, snapshot) for path in as_list(self.path)))

    def _record(self, path: str, snapshot: Snapshot) -> Record:
        wanted = Wanted(conditions(self.filters), path=path, directory=self.directory)
        return _both(path, snapshot, lambda rules: rules.accesses(wanted), {})


class AuditSyscallSubject(Subject):
    """For which programs, 64-bit (b64) and 32-bit (b32), the audit rules record a system call.

    Where programs of an architecture have no such call, there is nothing to record: it is named
    as if it were recorded.
    """

    LABEL: ClassVar[str] = "audit_syscall"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"persisted": Kind.WORDS, "loaded": Kind.WORDS}

    name: str | tuple[str, ...] = Field(description="A system call, or several.")
    filters: tuple[str, ...] = Field(
        default=(),
        description="Conditions that a rule may have, as they are written after -F; or with -C in "
        "front, a comparison of two fields. A rule with weaker ones records more and counts.",
    )

    def requests(self) -> tuple[Request, ...]:
        return (*PERSISTED_REQUESTS, KERNEL)

    def select(self, snapshot: Snapshot) -> Selection:
        return Selection(tuple(self._record(name, snapshot) for name in as_list(self.name)))

    def _record(self, name: str, snapshot: Snapshot) -> Record:
        wanted = Wanted(conditions(self.filters))
        machine = snapshot.identity.arch or "x86_64"
        without = frozenset(arch for arch in ARCHES if name in NOT_THERE[arch].get(machine, ()))

        def ask(rules: Ruleset) -> _Answer:
            arches, source = rules.arches(name, wanted)
            return arches | without, source

        return _both(name, snapshot, ask, {})


class AuditProgramSubject(Subject):
    """Whether the audit rules record each execution of a program by those who have logged in."""

    LABEL: ClassVar[str] = "audit_program"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "exists": Kind.FLAG, "persisted": Kind.FLAG, "loaded": Kind.FLAG,
    }  # fmt: skip

    path: Path | tuple[Path, ...] = Field(description="A path, or several where it may lie.")
    filters: tuple[str, ...] = Field(
        default=LOGGED_IN, description="Conditions that a rule may have, or weaker ones."
    )

    def requests(self) -> tuple[Request, ...]:
        return (*PERSISTED_REQUESTS, KERNEL, *(Request("stat", p) for p in as_list(self.path)))

    def select(self, snapshot: Snapshot) -> Selection:
        return Selection(tuple(self._record(path, snapshot) for path in as_list(self.path)))

    def _record(self, path: str, snapshot: Snapshot) -> Record:
        there: tuple[FileStat, ...] | CouldNot = snapshot.read(Request("stat", path))
        exists: Value = there if isinstance(there, CouldNot) else bool(there)
        return _execution(path, snapshot, self.filters, {"exists": exists})


def _execution(
    path: str, snapshot: Snapshot, filters: tuple[str, ...], extra: Mapping[str, Value]
) -> Record:
    wanted = Wanted(conditions(filters), path=path)

    def ask(rules: Ruleset) -> _Answer:
        access, source = rules.accesses(wanted)
        return "x" in access, source

    return _both(path, snapshot, ask, extra)


class AuditPrivilegedSubject(Subject):
    """All set-uid and set-gid programs that the walk over the local file systems reports, and
    whether the audit rules record each execution by those who have logged in.

    On a file system that is mounted with nosuid or noexec a program has no privileges to give.
    """

    LABEL: ClassVar[str] = "audit_privileged"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "path": Kind.TEXT, "persisted": Kind.FLAG, "loaded": Kind.FLAG,
    }  # fmt: skip

    filters: tuple[str, ...] = LOGGED_IN

    def requests(self) -> tuple[Request, ...]:
        return (*PERSISTED_REQUESTS, KERNEL, Request("sweep"), Request("mounts"))

    def select(self, snapshot: Snapshot) -> Selection:
        found: tuple[Found, ...] | CouldNot = snapshot.read(Request("sweep"))
        mounts: dict[str, Mount] | CouldNot = snapshot.read(Request("mounts"))
        if isinstance(found, CouldNot):
            return Selection(could_not=found)
        if isinstance(mounts, CouldNot):
            return Selection(could_not=mounts)
        return Selection(
            tuple(
                _execution(entry.path, snapshot, self.filters, {"path": entry.path})
                for entry in found
                if _privileged(entry) and not _OFF & _mount_of(entry.path, mounts).options
            )
        )


_OFF: Final = frozenset({"nosuid", "noexec"})


def _privileged(entry: Found) -> bool:
    return entry.type == "regular file" and bool(entry.mode & 0o6000 and entry.mode & 0o111)


def _mount_of(path: str, mounts: Mapping[str, Mount]) -> Mount:
    """Return the mount that a path is on; / is always there."""
    place = path
    while place and place not in mounts:
        place = place.rpartition("/")[0]
    return mounts[place or "/"]


class AuditRuleSubject(Subject):
    """Every audit rule, however it is written: whether it is persisted, and whether it is loaded.

    ``silences``: it switches the recording of system calls off, or drops their records.
    """

    LABEL: ClassVar[str] = "audit_rule"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "persisted": Kind.FLAG, "loaded": Kind.FLAG, "silences": Kind.FLAG,
    }  # fmt: skip

    def requests(self) -> tuple[Request, ...]:
        return (*PERSISTED_REQUESTS, KERNEL, Request("passwd"), Request("group"))

    def select(self, snapshot: Snapshot) -> Selection:
        rules, kernel = persisted_rules(snapshot), loaded_rules(snapshot)
        if isinstance(rules, CouldNot):
            return Selection(could_not=rules)
        if isinstance(kernel, CouldNot):
            return Selection(could_not=kernel)
        accounts: tuple[Account, ...] | CouldNot = snapshot.read(Request("passwd"))
        groups: tuple[Group, ...] | CouldNot = snapshot.read(Request("group"))
        if isinstance(accounts, CouldNot):
            return Selection(could_not=accounts)
        if isinstance(groups, CouldNot):
            return Selection(could_not=groups)
        # auditctl(8) lists numbers where a rule has the names of accounts and groups.
        uids = {account.name: account.uid for account in accounts}
        gids = {group.name: group.gid for group in groups}
        written = [numbered(rule, uids, gids) for rule in rules.rules]
        return Selection(tuple(_rule_records(written, kernel[0].rules)))


def _rule_records(written: Iterable[AuditRule], kernel: Iterable[AuditRule]) -> Iterator[Record]:
    in_files = {rule.form: rule for rule in written}
    in_kernel = {rule.form: rule for rule in kernel}
    for form, rule in (in_kernel | in_files).items():
        found = {"persisted": in_files.get(form), "loaded": in_kernel.get(form)}
        values: dict[str, Value] = {field: r is not None for field, r in found.items()}
        values["silences"] = _silences(rule)
        sources = {field: r.source for field, r in found.items() if r is not None}
        sources["silences"] = rule.source
        requests = {"loaded": KERNEL}
        yield Record(rule.source.text, values, sources, rule.source.text, requests)


def _silences(rule: AuditRule) -> bool:
    return is_never(rule) and rule.queue != "exit" and not rule.filters


class AuditStatusSubject(Subject):
    """One option of the audit system: what the kernel has now, and what the rules set at boot.

    ``loginuid_immutable`` is 1 where nobody can change a login id once it is set;
    ``continue_loading`` is only an order to auditctl(8), of which the kernel knows nothing. Where
    the host cannot audit at all, no option is set.
    """

    LABEL: ClassVar[str] = "audit_status"
    FIELDS: ClassVar[Mapping[str, Kind]] = {"running": Kind.NUMBER, "persisted": Kind.NUMBER}

    key: Literal[
        "enabled", "failure", "backlog_limit", "rate_limit", "loginuid_immutable",
        "continue_loading",
    ]  # fmt: skip

    def requests(self) -> tuple[Request, ...]:
        return (KERNEL, *PERSISTED_REQUESTS)

    def select(self, snapshot: Snapshot) -> Selection:
        kernel: KernelAudit | CouldNot = snapshot.read(KERNEL)
        rules = persisted_rules(snapshot)
        sources: dict[str, Source] = {}
        running: Value = None
        if isinstance(kernel, CouldNot):
            running = kernel
        elif kernel.status is None:
            sources["running"] = Source("auditctl -s", 1, kernel.missing or "")
        else:
            running = kernel.status.get(self.key)
            sources["running"] = Source("auditctl -s", 1, f"{self.key} {running}")
        set_at_boot: Value = None
        if isinstance(rules, CouldNot):
            set_at_boot = rules
        elif (option := rules.options.get(_OPTIONS[self.key])) is not None:
            set_at_boot, sources["persisted"] = option
        values: dict[str, Value] = {"running": running, "persisted": set_at_boot}
        return Selection((Record(self.key, values, sources, "", {"persisted": RULES}),))


_OPTIONS: Final = {
    "enabled": "-e",
    "failure": "-f",
    "backlog_limit": "-b",
    "rate_limit": "-r",
    "loginuid_immutable": "--loginuid-immutable",
    "continue_loading": "-c",
}
