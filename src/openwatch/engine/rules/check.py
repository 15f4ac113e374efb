"""A check: a subject with what is expected of it, or a combinator over checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from openwatch.engine.facts import Request
from openwatch.engine.rules.expectations import Expectation
from openwatch.engine.subjects.accounts import AccountSubject, GroupSubject
from openwatch.engine.subjects.aide import AideFileSubject, AideRuleSubject
from openwatch.engine.subjects.audit import (
    AuditPrivilegedSubject,
    AuditProgramSubject,
    AuditRuleSubject,
    AuditStatusSubject,
    AuditSyscallSubject,
    AuditWatchSubject,
)
from openwatch.engine.subjects.audit_daemon import AuditLogSubject, AuditOptionSubject
from openwatch.engine.subjects.authorised_keys import AuthorisedKeySubject
from openwatch.engine.subjects.authselect import AuthselectSubject
from openwatch.engine.subjects.base import Kind, Subject
from openwatch.engine.subjects.boot import BootLoaderSubject, KernelSubject
from openwatch.engine.subjects.certificates import CertificateSubject
from openwatch.engine.subjects.confinement import (
    AppArmorSubject,
    ContextSubject,
    DeviceLabelSubject,
    SelinuxBooleanSubject,
)
from openwatch.engine.subjects.crypto import CryptoPolicySubject
from openwatch.engine.subjects.dconf import DconfDatabaseSubject, DconfSubject
from openwatch.engine.subjects.devices import LinkSubject, ProcessorSubject
from openwatch.engine.subjects.files import FileSubject, LineSubject, SweepSubject
from openwatch.engine.subjects.firewall import FirewallBootSubject, FirewallSubject
from openwatch.engine.subjects.homes import (
    HomeFileSubject,
    HomeSubject,
    HomeTreeSubject,
    InitFileSubject,
    PrivateKeySubject,
)
from openwatch.engine.subjects.integrity import PackageFileSubject
from openwatch.engine.subjects.limits import LimitSubject
from openwatch.engine.subjects.logrotate import LogrotateSubject
from openwatch.engine.subjects.mail import PostfixSubject
from openwatch.engine.subjects.mounts import MountsSubject, MountSubject
from openwatch.engine.subjects.network import InterfaceSubject
from openwatch.engine.subjects.open_ports import OpenPortSubject
from openwatch.engine.subjects.pam import PamOptionSubject, PamSubject
from openwatch.engine.subjects.root_path import RootPathSubject
from openwatch.engine.subjects.rsyslog import (
    RsyslogActionSubject,
    RsyslogFileSubject,
    RsyslogGlobalSubject,
    RsyslogInputSubject,
)
from openwatch.engine.subjects.schedule import ScheduleSubject
from openwatch.engine.subjects.sections import RepositorySubject, SectionSubject
from openwatch.engine.subjects.settings import SettingSubject
from openwatch.engine.subjects.shell import ShellVariableSubject, UmaskSubject
from openwatch.engine.subjects.software import (
    AptOptionSubject,
    AptSourceSubject,
    RepositoryListsSubject,
    SupportSubject,
    UpdateSubject,
)
from openwatch.engine.subjects.ssh_client import SshClientSubject
from openwatch.engine.subjects.ssh_host_keys import SshHostKeySubject
from openwatch.engine.subjects.sshd import SshdSubject
from openwatch.engine.subjects.sudo import SudoDefaultSubject, SudoIncludeSubject, SudoRuleSubject
from openwatch.engine.subjects.sysctl import SysctlSubject
from openwatch.engine.subjects.system import (
    CapabilitySubject,
    ModuleSubject,
    PackageSubject,
    SocketSubject,
    UnitSubject,
)
from openwatch.engine.subjects.time import ChronySubject


class Quantifier(StrEnum):
    """For how many records the expectations have to hold."""

    EVERY = "every"
    SOME = "some"
    NONE = "none"


class Check(BaseModel):
    """One node: a combinator over other nodes, or a subject with what is expected of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    all: tuple[Check, ...] | None = Field(default=None, min_length=1)
    any: tuple[Check, ...] | None = Field(default=None, min_length=1)
    none: tuple[Check, ...] | None = Field(default=None, min_length=1)
    not_: Check | None = Field(default=None, alias="not")

    file: FileSubject | None = None
    line: LineSubject | None = None
    sweep: SweepSubject | None = None
    setting: SettingSubject | None = None
    section: SectionSubject | None = None
    sysctl: SysctlSubject | None = None
    sshd: SshdSubject | None = None
    package: PackageSubject | None = None
    unit: UnitSubject | None = None
    mount: MountSubject | None = None
    module: ModuleSubject | None = None
    socket: SocketSubject | None = None
    capability: CapabilitySubject | None = None
    firewall: FirewallSubject | None = None
    firewall_boot: FirewallBootSubject | None = None
    open_port: OpenPortSubject | None = None
    interface: InterfaceSubject | None = None
    chrony: ChronySubject | None = None
    postfix: PostfixSubject | None = None
    kernel_argument: KernelSubject | None = None
    boot_loader: BootLoaderSubject | None = None
    mounts: MountsSubject | None = None
    link: LinkSubject | None = None
    processor: ProcessorSubject | None = None
    apparmor_profile: AppArmorSubject | None = None
    context: ContextSubject | None = None
    device_label: DeviceLabelSubject | None = None
    selinux_boolean: SelinuxBooleanSubject | None = None
    crypto_policy: CryptoPolicySubject | None = None
    package_file: PackageFileSubject | None = None
    account: AccountSubject | None = None
    group: GroupSubject | None = None
    home: HomeSubject | None = None
    home_file: HomeFileSubject | None = None
    home_tree: HomeTreeSubject | None = None
    init_file: InitFileSubject | None = None
    open_private_key: PrivateKeySubject | None = None
    root_path: RootPathSubject | None = None
    ssh_client: SshClientSubject | None = None
    sudo_default: SudoDefaultSubject | None = None
    sudo_rule: SudoRuleSubject | None = None
    sudo_include: SudoIncludeSubject | None = None
    audit_watch: AuditWatchSubject | None = None
    audit_syscall: AuditSyscallSubject | None = None
    audit_program: AuditProgramSubject | None = None
    audit_privileged: AuditPrivilegedSubject | None = None
    audit_rule: AuditRuleSubject | None = None
    audit_status: AuditStatusSubject | None = None
    audit_log: AuditLogSubject | None = None
    audit_option: AuditOptionSubject | None = None
    pam: PamSubject | None = None
    pam_option: PamOptionSubject | None = None
    authselect: AuthselectSubject | None = None
    limit: LimitSubject | None = None
    shell_variable: ShellVariableSubject | None = None
    umask: UmaskSubject | None = None
    dconf: DconfSubject | None = None
    dconf_database: DconfDatabaseSubject | None = None
    rsyslog_action: RsyslogActionSubject | None = None
    rsyslog_input: RsyslogInputSubject | None = None
    rsyslog_global: RsyslogGlobalSubject | None = None
    rsyslog_file: RsyslogFileSubject | None = None
    logrotate: LogrotateSubject | None = None
    aide_file: AideFileSubject | None = None
    aide_rule: AideRuleSubject | None = None
    schedule: ScheduleSubject | None = None
    apt_option: AptOptionSubject | None = None
    apt_source: AptSourceSubject | None = None
    repository: RepositorySubject | None = None
    repository_lists: RepositoryListsSubject | None = None
    update: UpdateSubject | None = None
    support: SupportSubject | None = None
    certificate: CertificateSubject | None = None
    ssh_host_key: SshHostKeySubject | None = None
    authorised_key: AuthorisedKeySubject | None = None

    where: Mapping[str, Expectation] = Field(
        default_factory=dict[str, Expectation], description="Only records for which this holds."
    )
    expect: Mapping[str, Expectation] = Field(
        default_factory=dict[str, Expectation], description="What each of them has to be."
    )
    quantifier: Quantifier = Quantifier.EVERY
    if_none: Literal["pass", "fail"] | None = Field(
        default=None,
        description="What it means that there is no such record. Has to be said where a subject "
        "may have none.",
    )
    count: Expectation | None = Field(
        default=None, description="How many such records there have to be; instead of `expect`."
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> Check:
        named = [name for name in (*COMBINATORS, *SUBJECTS) if getattr(self, name) is not None]
        if len(named) != 1:
            kinds = ", ".join(("all", "any", "none", "not", *SUBJECTS))
            found = ", ".join(named) or "none of them"
            raise ValueError(f"a check names exactly one of {kinds}; this one names {found}")
        subject = self.subject
        if subject is None:
            if self.where or self.expect or self.count:
                raise ValueError("`where`, `expect` and `count` belong to a subject")
            return self
        self._fits(subject)
        return self

    def _fits(self, subject: Subject) -> None:
        if bool(self.expect) == (self.count is not None):
            raise ValueError("a subject needs either `expect` or `count`")
        if self.count is not None and (problems := self.count.problems(Kind.NUMBER)):
            raise ValueError(f"count: {'; '.join(problems)}")
        if self.count is not None and (self.if_none or self.quantifier is not Quantifier.EVERY):
            raise ValueError("`count` goes without `quantifier` and `if_none`")
        if self.expect and self.if_none is None and may_be_empty(subject, self.where):
            raise ValueError("say with `if_none` what it means that there is no such record")
        fields = subject.fields_of()
        for name, expectation in (*self.where.items(), *self.expect.items()):
            if name not in fields:
                raise ValueError(
                    f"{subject.LABEL} has no field {name!r}; it has {', '.join(fields)}"
                )
            if problems := expectation.problems(fields[name]):
                raise ValueError(f"field {name!r}: {'; '.join(problems)}")

    @cached_property
    def subject(self) -> Subject | None:
        """The subject of a leaf; ``None`` for a combinator."""
        return next((s for name in SUBJECTS if (s := getattr(self, name)) is not None), None)

    def children(self) -> tuple[Check, ...]:
        """Return the nodes below a combinator."""
        if self.not_ is not None:
            return (self.not_,)
        return self.all or self.any or self.none or ()

    def leaves(self) -> Iterator[Check]:
        """Yield the leaves below this node, in the order in which they stand."""
        if self.subject is not None:
            yield self
        for child in self.children():
            yield from child.leaves()

    def requests(self) -> Iterator[Request]:
        """Yield all facts that this node needs."""
        for leaf in self.leaves():
            if leaf.subject is not None:
                yield from leaf.subject.requests()

    def expectations(self) -> Iterator[tuple[Kind, Expectation]]:
        """Yield all expectations below this node, each with the type of what it is about."""
        for leaf in self.leaves():
            assert leaf.subject is not None
            fields = leaf.subject.fields_of()
            for name, expectation in (*leaf.where.items(), *leaf.expect.items()):
                yield fields[name], expectation
            if leaf.count is not None:
                yield Kind.NUMBER, leaf.count

    def variables(self) -> frozenset[str]:
        """Return the names of all variables below this node."""
        return self._variables

    @cached_property
    def _variables(self) -> frozenset[str]:
        return frozenset(
            n for _, expectation in self.expectations() for n in expectation.variables()
        )


COMBINATORS: Final = ("all", "any", "none", "not_")
SUBJECTS: Final = (
    "firewall", "firewall_boot", "open_port", "interface", "chrony", "postfix",
    "file", "line", "sweep", "setting", "sysctl", "sshd", "package", "unit", "mount", "module",
    "socket", "capability", "kernel_argument", "boot_loader", "mounts",
    "link", "processor", "apparmor_profile", "context", "device_label", "selinux_boolean",
    "crypto_policy",
    "package_file",
    "account", "group",
    "home", "home_file", "home_tree", "init_file", "open_private_key", "root_path", "ssh_client",
    "sudo_default", "sudo_rule", "sudo_include",
    "audit_watch", "audit_syscall", "audit_program", "audit_privileged", "audit_rule",
    "audit_status", "audit_log", "audit_option", "pam", "pam_option",
    "authselect", "limit", "shell_variable", "umask",
    "section", "dconf", "dconf_database", "rsyslog_action", "rsyslog_input", "rsyslog_global",
    "rsyslog_file", "logrotate", "aide_file", "aide_rule", "schedule", "apt_option", "apt_source",
    "repository", "repository_lists", "update", "support", "certificate", "ssh_host_key",
    "authorised_key",
)  # fmt: skip

_TABLES: Final = (
    "limit",
    "umask",
    "open_port",
    "interface",
    "chrony",
    "mounts",
    "apparmor_profile",
    "device_label",
    "package_file",
    "line",
    "sweep",
    "socket",
    "account",
    "group",
    "audit_privileged",
    "audit_rule",
    "audit_log",
    "sudo_rule",
    "home",
    "home_file",
    "home_tree",
    "init_file",
    "open_private_key",
    "root_path",
    "sudo_include",
    "section",
    "dconf_database",
    "rsyslog_action",
    "rsyslog_input",
    "rsyslog_file",
    "logrotate",
    "aide_rule",
    "schedule",
    "apt_source",
    "repository",
    "update",
    "certificate",
    "ssh_host_key",
    "authorised_key",
)


def may_be_empty(subject: Subject, where: Mapping[str, Expectation]) -> bool:
    """Return whether a subject may have no record: a table, a pattern, or a filtered one."""
    if where or subject.LABEL in _TABLES:
        return True
    if isinstance(subject, PamSubject):
        return subject.module is None
    if isinstance(subject, FileSubject | LinkSubject):
        paths = (subject.path,) if isinstance(subject.path, str) else subject.path
        return all(re.search(r"[*?\[]", path) for path in paths)
    return False
