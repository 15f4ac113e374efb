"""Audit rules are what augenrules joins and the kernel makes of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.audit import (
    AuditPrivilegedSubject,
    AuditProgramSubject,
    AuditRuleSubject,
    AuditStatusSubject,
    AuditSyscallSubject,
    AuditWatchSubject,
)
from openwatch.engine.subjects.audit_conditions import conditions
from openwatch.engine.subjects.audit_daemon import AuditLogSubject, AuditOptionSubject
from openwatch.engine.subjects.audit_rules import Wanted, parse, persisted

RULES = "/etc/audit/rules.d/*.rules"


def host(**files: str) -> Snapshot:
    block = f"@ok {RULES}\n"
    for name, text in files.items():
        lines = "".join(f" {line}\n" for line in text.splitlines())
        block += f"=/etc/audit/rules.d/{name.replace('_', '-')}.rules\n{lines}\n"
    return snapshot(content=f"{block}.\n")


def snapshot(
    *,
    content: str = f"@ok {RULES}\n.\n",
    directory: str = "@ok /etc/audit/rules.d\n=750|0|0|root|root|directory|/etc/audit/rules.d\n.\n",
    joined: str = "@ok /etc/audit/audit.rules\n.\n",
    kernel: str = "#status\nenabled 1\n#rules\nNo rules\n#end\n",
    machine: str = "x86_64",
    **others: str,
) -> Snapshot:
    answers = {
        f"content:{RULES}": content,
        "stat:/etc/audit/rules.d": directory,
        "content:/etc/audit/audit.rules": joined,
        "audit": kernel,
        "kernel": f"paper\n6.1\n{machine}\n0123\n0\nro\n",
        "passwd": "root:x:0:0:root:/root:/bin/sh\nchrony:x:105:112::/:/bin/false\n",
        "group": "root:x:0:\nadm:x:4:\n",
        **others,
    }
    facts = [Fact(Request.from_id(name), name, text.encode()) for name, text in answers.items()]
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def listed(*rules: str) -> str:
    """Return what the probe brings home of a kernel with these rules."""
    lines = "".join(f"{rule}\n" for rule in rules)
    return f"#status\nenabled 1\n#rules\n{lines}#end\n"


def access(text: str, path: str = "/etc/passwd", *, directory: bool = False) -> str:
    (record,) = AuditWatchSubject(path=path, directory=directory).select(host(a=text)).records
    value = record.values["persisted"]
    assert isinstance(value, frozenset)
    return "".join(sorted(value))


@pytest.mark.ac("rules-07")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-w /etc/passwd -p wa -k identity", "aw"),
        ("-w /etc/passwd -k identity", "arwx"),
        ("-w /etc/passwd/ -p wa", "aw"),
        ("-k identity -p wa -w /etc/passwd", "aw"),
        ("-w /etc/passwd -p w\n-w /etc/passwd -p a", "aw"),
        ("-w /etc/ -p wa", "aw"),
        ("-a always,exit -F path=/etc/passwd -F perm=wa -F key=identity", "aw"),
        ("-a exit,always -F path=/etc/passwd -F perm=wa -k identity", "aw"),
        ("-a always,exit -S all -F path=/etc/passwd -F perm=wa", "aw"),
        ("-a always,exit -F dir=/etc -F perm=wa", "aw"),
        ("#-w /etc/passwd -p wa", ""),
        ("-w /etc/passwd- -p wa", ""),
        ("-w /etc/pass -p wa", ""),
        ("-a always,exit -F path=/etc -F perm=wa", ""),
        ("-a never,exit -F path=/etc/passwd -F perm=wa", ""),
        ("-a always,exit -F path=/etc/passwd -F perm=wa -F auid>=1000", ""),
        ("-a always,exit -F path=/etc/passwd -F perm=wa -C auid!=uid", ""),
        ("-a always,exit -S openat -F path=/etc/passwd -F perm=wa", ""),
        ("-a always,exit -F path!=/etc/passwd -F perm=wa", ""),
        ("-w /etc/passwd -p wa\n-W /etc/passwd -p wa", ""),
        ("-w", ""),
        ("", ""),
    ],
)
def test_what_is_recorded_of_a_path(text: str, expected: str) -> None:
    assert access(text) == expected


@pytest.mark.ac("rules-07")
def test_both_kinds_of_programs_have_to_be_recorded() -> None:
    b64 = "-a always,exit -F arch=b64 -F path=/etc/passwd -F perm=wa"
    assert access(b64) == ""
    assert access(f"{b64}\n{b64.replace('b64', 'b32')}") == "aw"
    assert access(f"{b64}\n-a always,exit -F arch=b32 -F path=/etc/passwd -F perm=w") == "w"


@pytest.mark.ac("rules-07")
def test_a_directory_is_recorded_with_what_is_below() -> None:
    path = "/etc/sudoers.d"
    assert access("-w /etc/sudoers.d/ -p wa", path, directory=True) == "aw"
    assert access("-a always,exit -F dir=/etc/sudoers.d/ -F perm=wa", path, directory=True) == "aw"
    assert access("-a always,exit -F path=/etc/sudoers.d -F perm=wa", path, directory=True) == ""


@pytest.mark.ac("rules-07")
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("-a never,exit -F path=/etc/passwd", "", ""),
        ("", "-a never,exit -F path=/etc/passwd", "aw"),
        ("", "-A never,exit -F path=/etc/passwd", ""),
        ("-a never,exit -F dir=/etc", "", ""),
        ("-a never,exit -S all", "", ""),
        ("-a never,exit -F path=/etc/group", "", "aw"),
        ("-a never,exit -F auid=1001", "", "aw"),
        ("-a never,exit -F path=/etc/passwd -F perm=r", "", "aw"),
        ("", "-a task,never", ""),
        ("-a never,task", "", ""),
        ("-a never,task -F uid=4", "", "aw"),
    ],
)
def test_exclusions_count_by_their_place(before: str, after: str, expected: str) -> None:
    assert access(f"{before}\n-w /etc/passwd -p wa\n{after}") == expected


@pytest.mark.ac("rules-07")
def test_files_are_joined_in_the_order_of_their_numbers() -> None:
    watch, never = "-w /etc/passwd -p wa", "-a never,exit -F path=/etc/passwd"
    subject = AuditWatchSubject(path="/etc/passwd")
    for files, expected in (
        ({"9_watch": watch, "10_never": never}, {"w", "a"}),
        ({"9_never": never, "10_watch": watch}, set[str]()),
    ):
        (record,) = subject.select(host(**files)).records
        assert record.values["persisted"] == expected


def calls(text: str, *filters: str) -> tuple[bool, bool]:
    subject = AuditSyscallSubject(name="adjtimex", filters=filters)
    (record,) = subject.select(host(a=text)).records
    value = record.values["persisted"]
    assert isinstance(value, frozenset)
    assert ("persisted" in record.sources) is bool(value)
    return "b64" in value, "b32" in value


@pytest.mark.ac("rules-07")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-a always,exit -F arch=b64 -S adjtimex,settimeofday -k time", (True, False)),
        ("-a always,exit -F arch=b32 -S settimeofday -S adjtimex", (False, True)),
        ("-a always,exit -S adjtimex", (True, False)),
        ("-a always,exit -F arch=b64 -S all", (True, False)),
        ("-a always,exit -F arch=b64 -S adjtimex2", (False, False)),
        ("-a always,exit -F arch=b64 -S adjtime", (False, False)),
        ("-a always,exit -F arch=b64 -S adjtimex -F auid>=1000", (False, False)),
        ("-a never,exit -F arch=b64 -S adjtimex", (False, False)),
        ("-a never,exit -F arch=b64 -S adjtimex\n-a always,exit -F arch=b64 -S adjtimex",
         (False, False)),
        ("-a never,exit -F arch=b64 -S adjtimex -F uid=123\n-a always,exit -F arch=b64 -S adjtimex",
         (True, False)),
        ("-a always,user -S adjtimex", (False, False)),
        ("-w /etc/passwd -p wa", (False, False)),
    ],
)  # fmt: skip
def test_which_system_calls_are_recorded(text: str, expected: tuple[bool, bool]) -> None:
    assert calls(text) == expected


@pytest.mark.ac("rules-07")
def test_only_the_named_conditions_are_allowed() -> None:
    text = "-a always,exit -F arch=b64 -S adjtimex -F auid>=1000 -F auid!=unset"
    assert calls(text, "auid>=1000", "auid!=unset") == (True, False)
    assert calls(text.replace("1000", "10000"), "auid>=1000", "auid!=unset") == (False, False)


@pytest.mark.ac("rules-07")
@pytest.mark.parametrize(
    ("wanted", "filters", "counts"),
    [
        (("auid>=1000",), "auid>=500", True),
        (("auid>=1000",), "auid>999", True),
        (("auid>=1000",), "auid!=0", True),
        (("auid>=1000",), "auid!=1000", False),
        (("auid>=1000",), "auid!=-1", False),
        (("auid>=1000",), "auid<=1000", False),
        (("auid!=unset",), "loginuid!=4294967295", True),
        (("auid!=unset",), "auid!=-1", True),
        (("exit=-EACCES",), "exit=-13", True),
        (("exit=-EACCES",), "exit=-EPERM", False),
        (("exit=-EACCES",), "success=0", True),
        (("exit=-EPERM",), "success=no", True),
        (("exit=-EPERM",), "success=1", False),
        (("exit=-EPERM",), "exit!=0", True),
        (("a0=0x0",), "a0=0", True),
        (("-C euid!=uid",), "success=1", False),
        ((), "auid>=1000", False),
    ],
)
def test_a_weaker_condition_records_more(
    wanted: tuple[str, ...], filters: str, counts: bool
) -> None:
    text = f"-a always,exit -F arch=b64 -S adjtimex -F {filters}"
    assert calls(text, *wanted) == (counts, False)


@pytest.mark.ac("rules-07")
def test_a_comparison_of_fields_has_no_order() -> None:
    for text in ("-C euid!=uid", "-C uid!=euid"):
        line = f"-a always,exit -F arch=b64 -S adjtimex {text} -F euid=0"
        assert calls(line, "-C euid!=uid", "euid=0") == (True, False)
        assert calls(line, "-C euid!=uid") == (False, False)
        assert calls(line, "-C euid=uid", "euid=0") == (False, False)


@pytest.mark.ac("rules-07")
@pytest.mark.parametrize(
    ("never", "counts"),
    [
        ("-a never,exit -F auid>=1000", False),
        ("-a never,exit -F auid>=500", False),
        ("-a never,exit -F auid=1001", True),
        ("-a never,task -F auid>=1000", False),
        ("-a always,exclude -F msgtype=SYSCALL", False),
        ("-a never,exclude -F msgtype>=1300 -F msgtype<=1399", False),
        ("-a always,exclude -F msgtype=CWD", True),
        ("-a always,exclude -F msgtype=SYSCALL -F auid=1001", True),
    ],
)
def test_an_exclusion_of_everybody_who_is_wanted_silences(never: str, counts: bool) -> None:
    rule = "-a always,exit -F arch=b64 -S adjtimex -F auid>=1000"
    assert calls(f"{never}\n{rule}", "auid>=1000") == (counts, False)


@pytest.mark.ac("rules-07")
def test_a_list_of_calls_counts_when_it_holds_the_whole_kind() -> None:
    rule = "-a always,exit -F path=/etc/passwd -F perm=xa -S {}"
    assert access(rule.format("execve,execveat")) == "x"
    assert access(rule.format("fchmodat,chmod")) == ""
    assert access(rule.format("fchmodat,fchownat,setxattr,removexattr")) == "a"


# What auditctl(8) 4.0.2 makes of -F perm=wa, for 64-bit and for 32-bit programs.
WRITTEN_64 = (
    "open,bind,truncate,ftruncate,rename,mkdir,rmdir,creat,link,unlink,symlink,chmod,fchmod,chown,"
    "fchown,lchown,mknod,acct,swapon,quotactl,setxattr,lsetxattr,fsetxattr,removexattr,"
    "lremovexattr,fremovexattr,openat,mkdirat,mknodat,fchownat,unlinkat,renameat,linkat,symlinkat,"
    "fchmodat,fallocate,renameat2,openat2"
)
WRITTEN_32 = (
    "open,creat,link,unlink,mknod,chmod,lchown,rename,mkdir,rmdir,acct,symlink,swapon,truncate,"
    "ftruncate,fchmod,fchown,quotactl,chown,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,"
    "fremovexattr,openat,mkdirat,mknodat,fchownat,unlinkat,renameat,linkat,symlinkat,fchmodat,"
    "fallocate,renameat2,bind,openat2"
)


@pytest.mark.ac("rules-07")
def test_a_watch_that_was_written_out_as_system_calls_counts() -> None:
    rule = "-a always,exit -F arch={} -S {} -F path=/etc/group -F perm=wa -F key=id"
    kernel = listed(rule.format("b64", WRITTEN_64), rule.format("b32", WRITTEN_32))
    (record,) = AuditWatchSubject(path="/etc/group").select(snapshot(kernel=kernel)).records
    assert record.values["loaded"] == {"w", "a"}
    half = listed(rule.format("b64", WRITTEN_64))
    (record,) = AuditWatchSubject(path="/etc/group").select(snapshot(kernel=half)).records
    assert record.values["loaded"] == frozenset()


# Rules as people write them, and as auditctl(8) of 3.0.9 and 4.0.2 lists them when it has loaded
# them.
FORMS = [
    ("-w /etc/passwd -p wa -k identity", "-w /etc/passwd -p wa -k identity"),
    ("-w /etc/pam.d/ -p wa -k identity", "-w /etc/pam.d -p wa -k identity"),
    ("-a always,exit -F dir=/etc/pam.d -F perm=aw -k x", "-w /etc/pam.d -p wa -k x"),
    ("-w /var/run/utmp -p wa -k s", "-w /run/utmp -p wa -k s"),
    ("-w /sbin/modprobe -p x", "-w /usr/sbin/modprobe -p x"),
    ("-a always,exit -F arch=b64 -S chmod,fchmod,fchmodat -F auid>=1000 -F auid!=unset -k perm_mod",
     "-a always,exit -F arch=b64 -S chmod,fchmod,fchmodat -F auid>=1000 -F auid!=-1"
     " -F key=perm_mod"),
    ("-a always,exit -F arch=b32 -S umount -S chmod -F auid>=1000 -F auid!=4294967295 -F key=p",
     "-a always,exit -F arch=b32 -S chmod,umount -F auid>=1000 -F auid!=-1 -F key=p"),
    ("-a exit,always -F path=/usr/bin/su -F perm=x -F auid>=1000 -F auid!=-1 -k priv",
     "-a always,exit -S all -F path=/usr/bin/su -F perm=x -F auid>=1000 -F auid!=-1 -F key=priv"),
    ("-a always,exit -F arch=b64 -S open,openat,truncate -F exit=-EACCES -F auid>=1000",
     "-a always,exit -F arch=b64 -S open,truncate,openat -F exit=-EACCES -F auid>=1000"),
    ("-a always,exit -F arch=b64 -S execve -C euid!=uid -F euid=0 -k setuid",
     "-a always,exit -F arch=b64 -S execve -C uid!=euid -F euid=0 -F key=setuid"),
    ("-a always,exit -F arch=b64 -F path=/etc/shadow -F perm=wa -k id",
     "-a always,exit -F arch=b64 -S all -F path=/etc/shadow -F perm=wa -F key=id"),
    ("-a never,exit -F arch=b64 -S adjtimex -F uid=chrony -F egid=adm",
     "-a never,exit -F arch=b64 -S adjtimex -F uid=105 -F egid=4"),
    ("-a always,exit -F arch=b64 -S openat -F a2&0100 -F exit=-EACCES",
     "-a always,exit -F arch=b64 -S openat -F a2&0x40 -F exit=-EACCES"),
    ("-a always,exit -F arch=b64 -S open -F a1&03 -F a2=10 -F a3=0",
     "-a always,exit -F arch=b64 -S open -F a1&0x3 -F a2=0xA -F a3=0x0"),
    ("-a always,exit -F arch=b64 -S open -F exit=-ENOENT -F loginuid=root",
     "-a always,exit -F arch=b64 -S open -F exit=-2 -F auid=0"),
    ("-a always,exit -F arch=b64 -F path=/usr/bin/su -F perm=x -F auid>=1000 -F auid!=unset -k x",
     "-a always,exit -F arch=b64 -S execve -F path=/usr/bin/su -F perm=x -F auid>=1000"
     " -F auid!=-1 -F key=x"),
    ("-a always,exit -F arch=b64 -F path=/etc/motd -F perm=r",
     "-a always,exit -F arch=b64 -S open,readlink,quotactl,getxattr,lgetxattr,fgetxattr,listxattr,"
     "llistxattr,flistxattr,openat,readlinkat,openat2 -F path=/etc/motd -F perm=r"),
    ("-a always,exit -F arch=b64 -F dir=/etc/pam.d -F perm=wa",
     f"-a always,exit -F arch=b64 -S {WRITTEN_64} -F dir=/etc/pam.d -F perm=wa"),
    ("-a always,exit -F arch=b64 -S clock_settime -F a0=0x0 -k time",
     "-a always,exit -F arch=b64 -S clock_settime -F a0=0x0 -F key=time"),
]  # fmt: skip


@pytest.mark.ac("rules-07")
@pytest.mark.parametrize(("written", "printed"), FORMS)
def test_a_loaded_rule_is_known_as_the_one_that_was_written(written: str, printed: str) -> None:
    content = f"@ok {RULES}\n=/etc/audit/rules.d/a.rules\n {written}\n\n.\n"
    selection = AuditRuleSubject().select(snapshot(content=content, kernel=listed(printed)))
    (record,) = selection.records
    assert record.values == {"persisted": True, "loaded": True, "silences": False}
    assert record.sources["loaded"].path == "auditctl -l"


@pytest.mark.ac("rules-07")
def test_a_rule_that_is_only_in_one_place_is_told() -> None:
    content = f"@ok {RULES}\n=/etc/audit/rules.d/a.rules\n -w /etc/passwd -p wa\n\n.\n"
    kernel = listed("-w /etc/passwd -p w", "-a never,task")
    records = AuditRuleSubject().select(snapshot(content=content, kernel=kernel)).records
    assert {r.name: (r.values["persisted"], r.values["loaded"]) for r in records} == {
        "-w /etc/passwd -p w": (False, True),
        "-a never,task": (False, True),
        "-w /etc/passwd -p wa": (True, False),
    }
    assert [r.name for r in records if r.values["silences"]] == ["-a never,task"]


@pytest.mark.ac("rules-07")
def test_persisted_and_loaded_rules_are_judged_apart() -> None:
    subject = AuditWatchSubject(path="/etc/passwd")
    content = f"@ok {RULES}\n=/etc/audit/rules.d/a.rules\n -w /etc/passwd -p wa\n\n.\n"
    for rules, expected in (
        (listed("-w /etc/passwd -p wa"), {"w", "a"}),
        (listed("-w /etc/group -p wa"), set[str]()),
        (listed("-a never,task", "-w /etc/passwd -p wa"), set[str]()),
        (listed("-w /etc/passwd -p wa").replace("enabled 1", "enabled 0"), set[str]()),
        ("#missing kernel\n", set[str]()),
        ("#missing tool\n", set[str]()),
    ):
        (record,) = subject.select(snapshot(content=content, kernel=rules)).records
        assert record.values == {"persisted": {"w", "a"}, "loaded": expected}


@pytest.mark.ac("rules-07")
def test_a_kernel_that_records_nothing_says_why() -> None:
    for kernel, told in (
        ("#missing kernel\n", "the kernel offers no auditing here"),
        ("#missing tool\n", "auditctl is not on the host"),
        ("#status\nenabled 0\n#rules\nNo rules\n#end\n", "enabled 0"),
    ):
        (record,) = AuditWatchSubject(path="/x").select(snapshot(kernel=kernel)).records
        assert told in record.sources["loaded"].text


@pytest.mark.ac("rules-07")
def test_audit_rules_stands_in_only_where_there_is_no_directory() -> None:
    joined = "@ok /etc/audit/audit.rules\n=/etc/audit/audit.rules\n -w /etc/passwd -p wa\n\n.\n"
    subject = AuditWatchSubject(path="/etc/passwd")
    (record,) = subject.select(snapshot(joined=joined)).records
    assert record.values["persisted"] == frozenset()
    (record,) = subject.select(
        snapshot(joined=joined, directory="@ok /etc/audit/rules.d\n.\n")
    ).records
    assert record.values["persisted"] == {"w", "a"}
    assert record.sources["persisted"].path == "/etc/audit/audit.rules"


@pytest.mark.ac("rules-07")
def test_a_deletion_in_the_middle_counts_only_where_augenrules_does_not_move_it() -> None:
    assert access("-w /etc/passwd -p wa -k a\n-D") == "aw"
    assert access("-w /etc/passwd -p wa -k a\n-D -k a") == ""
    assert access("-w /etc/passwd -p wa -k a\n-D -k b") == "aw"
    text = " -w /etc/passwd -p wa\n -D\n"
    joined = f"@ok /etc/audit/audit.rules\n=/etc/audit/audit.rules\n{text}\n.\n"
    (record,) = (
        AuditWatchSubject(path="/etc/passwd")
        .select(snapshot(joined=joined, directory="@ok /etc/audit/rules.d\n.\n"))
        .records
    )
    assert record.values["persisted"] == frozenset()


@pytest.mark.ac("rules-07")
def test_calls_that_an_architecture_has_not_are_not_asked_for() -> None:
    rule = "-a always,exit -F arch=b32 -S chmod"
    for machine, expected in (("x86_64", {"b32"}), ("aarch64", {"b64", "b32"})):
        (record,) = (
            AuditSyscallSubject(name="chmod")
            .select(snapshot(kernel=listed(rule), machine=machine))
            .records
        )
        assert record.values["loaded"] == expected


def executions(kernel: str, path: str = "/usr/bin/su") -> tuple[object, object]:
    there = f"@ok {path}\n=4755|0|0|root|root|regular file|{path}\n.\n"
    (record,) = (
        AuditProgramSubject(path=path)
        .select(snapshot(kernel=kernel, **{f"stat:{path}": there}))
        .records
    )
    return record.values["exists"], record.values["loaded"]


@pytest.mark.ac("rules-07")
@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        ("-a always,exit -S all -F path=/usr/bin/su -F perm=x -F auid>=1000 -F auid!=-1", True),
        ("-a always,exit -S all -F path=/bin/su -F perm=x -F auid>=1000 -F auid!=-1", True),
        ("-w /usr/bin/su -p x", True),
        ("-w /usr/bin -p x", True),
        ("-a always,exit -S all -F path=/usr/bin/sudo -F perm=x -F auid>=1000", False),
        ("-a always,exit -S all -F path=/usr/bin/s -F perm=x -F auid>=1000", False),
        ("-a always,exit -S all -F path=/usr/bin/su -F perm=r -F auid>=1000", False),
        ("-a always,exit -S all -F path=/usr/bin/su -F perm=x -F auid>=10000", False),
        ("-a never,exit -S all -F path=/usr/bin/su -F perm=x -F auid>=1000", False),
        ("-a always,exit -F arch=b64 -S all -F path=/usr/bin/su -F perm=x", False),
    ],
)
def test_executions_of_a_program(rule: str, counts: bool) -> None:
    assert executions(listed(rule)) == (True, counts)


@pytest.mark.ac("rules-07")
def test_every_privileged_program_of_the_sweep_is_asked_for() -> None:
    sweep = (
        "#uids 0\n#gids 0\n#files\nf|4755|0|0|/usr/bin/su\nf|2755|0|0|/usr/bin/wall\n"
        "f|4644|0|0|/usr/bin/plain\nd|2755|0|0|/srv\nf|0777|0|0|/srv/x\nf|4755|0|0|/mnt/a/b\n"
    )
    mounts = "/ / rw - ext4 a rw\n/ /mnt/a rw,nosuid - ext4 b rw\n"
    selection = AuditPrivilegedSubject().select(
        snapshot(kernel=listed("-w /usr/bin/su -p x"), sweep=sweep, mounts=mounts)
    )
    assert [(r.name, r.values["loaded"]) for r in selection.records] == [
        ("/usr/bin/su", True), ("/usr/bin/wall", False)
    ]  # fmt: skip


@pytest.mark.ac("rules-07")
def test_options_are_what_the_kernel_has_and_what_the_last_line_sets() -> None:
    content = f"@ok {RULES}\n=/etc/audit/rules.d/a.rules\n -e 1\n -b 64\n -e 2\n -f2\n\n.\n"
    kernel = "#status\nenabled 1\nbacklog_limit 8192\n#rules\nNo rules\n#end\n"
    answers = {
        key: tuple(
            AuditStatusSubject.model_validate({"key": key})
            .select(snapshot(content=content, kernel=kernel))
            .records[0]
            .values[field]
            for field in ("running", "persisted")
        )
        for key in ("enabled", "failure", "backlog_limit", "loginuid_immutable")
    }
    assert answers == {
        "enabled": (1, 2), "failure": (None, 2), "backlog_limit": (8192, 64),
        "loginuid_immutable": (None, None),
    }  # fmt: skip


@pytest.mark.ac("rules-07")
@pytest.mark.parametrize(
    ("text", "value", "percent"),
    [
        ("space_left = 25%", "25%", 25),
        ("Space_Left=5%\nspace_left = 30 %", "30 %", None),
        ("space_left = 75", "75", None),
        ("space_left = 250%", "250%", None),
        ("# space_left = 25%", None, None),
        ("space_left = 10%\nSPACE_LEFT = 40%", "40%", 40),
    ],
)
def test_options_of_the_daemon(text: str, value: str | None, percent: int | None) -> None:
    path = "/etc/audit/auditd.conf"
    lines = "".join(f" {line}\n" for line in text.split("\n"))
    told = {f"content:{path}": f"@ok {path}\n={path}\n{lines}\n.\n"}
    (record,) = AuditOptionSubject(key="space_left").select(snapshot(**told)).records
    assert record.values == {"value": value, "percent": percent}
    assert record.sources.keys() == ({"value", "percent"} if value else set())


@pytest.mark.ac("rules-07")
def test_the_log_is_where_its_configuration_says() -> None:
    told = (
        "#log /srv/a/audit.log\n=750|0|4|root|adm|directory|/srv/a\n#disk 2048 /srv\n"
        "=640|0|4|root|adm|regular file|/srv/a/audit.log\n#end\n"
    )
    directory, file = AuditLogSubject().select(snapshot(audit_log=told)).records
    assert directory.values["megabytes"] == 2048
    assert (directory.values["mount_point"], file.values["mode"]) == ("/srv", 0o640)
    for nothing in ("#no configuration\n", "#log /srv/a/audit.log\n#end\n"):
        assert AuditLogSubject().select(snapshot(audit_log=nothing)).records == ()


@pytest.mark.ac("rules-07")
@given(
    text=st.lists(
        st.lists(
            st.sampled_from(
                ["-a", "-A", "-w", "-p", "-S", "-F", "-C", "-k", "-D", "-W", "-d", "-e",
                 "always,exit", "never,task", "/etc", "wa", "all", "auid>=1000", "auid!=-1",
                 "path=/etc", "perm=x", "dir=", "arch=b64", "euid!=uid", "exclude,never",
                 "msgtype=", "=", ",", "a0=0xg"]
            ) | st.text(max_size=8),
            max_size=9,
        ).map(" ".join),
        max_size=8,
    )
)  # fmt: skip
def test_no_text_breaks_the_reader_of_rules(text: list[str]) -> None:
    sources = FileContent("/etc/audit/rules.d/a.rules", "\n".join(text))
    rules = persisted((sources,), joined=True)
    rules.accesses(Wanted(path="/etc"))
    rules.arches("openat", Wanted(conditions(["auid>=1000"])))
    # A rule that a line takes away again records nothing.
    for rule in rules.rules:
        assert parse(rule.source.text.split(), rule.source) == rule


@pytest.mark.ac("rules-07")
def test_rules_that_cannot_be_read_are_unknown() -> None:
    fact = Fact(Request("content", RULES), "cat", f"@denied {RULES}\n.\n".encode())
    denied = make_snapshot([fact], taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="none")
    for subject in (AuditWatchSubject(path="/etc/passwd"), AuditSyscallSubject(name="adjtimex")):
        (record,) = subject.select(denied).records
        value, loaded = (record.values[field] for field in ("persisted", "loaded"))
        assert isinstance(value, CouldNot)
        assert value.reason is Reason.DENIED
        assert isinstance(loaded, CouldNot)


@pytest.mark.ac("rules-07")
@pytest.mark.parametrize(("usr_merged", "seen"), [(True, {"x"}), (False, set[str]())])
def test_two_directories_are_one_only_where_one_is_a_link(
    *, usr_merged: bool, seen: set[str]
) -> None:
    text = "-a always,exit -F path=/usr/sbin/insmod -F perm=x\n"
    rules = persisted(
        (FileContent("/etc/audit/rules.d/a.rules", text),), joined=True, usr_merged=usr_merged
    )
    access, _ = rules.accesses(Wanted(path="/sbin/insmod"))
    assert access == seen
