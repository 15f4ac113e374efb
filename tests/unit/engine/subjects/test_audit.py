"""Audit rules are what augenrules joins and the kernel makes of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.audit import AuditSyscallSubject, AuditWatchSubject

RULES = "/etc/audit/rules.d/*.rules"


def host(**files: str) -> Snapshot:
    block = f"@ok {RULES}\n"
    for name, text in files.items():
        lines = "".join(f" {line}\n" for line in text.splitlines())
        block += f"=/etc/audit/rules.d/{name.replace('_', '-')}.rules\n{lines}\n"
    fact = Fact(Request("content", RULES), f"cat {RULES}", f"{block}.\n".encode())
    return make_snapshot([fact], taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def access(text: str, path: str = "/etc/passwd", *, directory: bool = False) -> str:
    (record,) = AuditWatchSubject(path=path, directory=directory).select(host(a=text)).records
    value = record.values["access"]
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
        assert record.values["access"] == expected


def calls(text: str, *filters: str) -> tuple[bool, bool]:
    subject = AuditSyscallSubject(name="adjtimex", filters=filters)
    (record,) = subject.select(host(a=text)).records
    assert record.sources.keys() == {name for name, value in record.values.items() if value}
    return bool(record.values["b64"]), bool(record.values["b32"])


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
def test_rules_that_cannot_be_read_are_unknown() -> None:
    fact = Fact(Request("content", RULES), "cat", f"@denied {RULES}\n.\n".encode())
    snapshot = make_snapshot([fact], taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="none")
    for subject in (AuditWatchSubject(path="/etc/passwd"), AuditSyscallSubject(name="adjtimex")):
        (record,) = subject.select(snapshot).records
        value = next(iter(record.values.values()))
        assert isinstance(value, CouldNot)
        assert value.reason is Reason.DENIED
