"""The programs of the audit probes on real shells, against an auditctl that prints what ours does
in each of its moods."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes import PROBES
from openwatch.engine.probes.audit import AuditLog, KernelAudit

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "ash"]}

STATUS = "enabled 1\nfailure 1\npid 612\nlost 12\nbacklog 3\nloginuid_immutable 0 unlocked"
WORKS = f"case $1 in -s) echo '{STATUS}';; -l) echo '-w /etc/passwd -p wa -k identity';; esac"


def read(shell: str, name: str, path: Path, body: str | None = None) -> object:
    words = SHELLS[shell]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not on this machine")
    probe = PROBES[name]
    (item,) = probe.items([Request(name)])
    done = subprocess.run(
        [*words, "-c", body or item.body],
        capture_output=True,
        timeout=30,
        env={"PATH": f"{path}:/usr/bin:/bin", "LC_ALL": "C"},
    )
    result = ItemResult(done.stdout, done.stderr, done.returncode)
    (fact,) = probe.facts([Request(name)], {item.id: result})
    assert b"612" not in fact.output
    assert b"lost" not in fact.output
    return probe.read(fact)


def auditctl(path: Path, script: str) -> None:
    program = path / "auditctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("shell", SHELLS)
def test_the_state_and_the_rules_of_the_kernel(shell: str, tmp_path: Path) -> None:
    auditctl(tmp_path, WORKS)
    assert read(shell, "audit", tmp_path) == KernelAudit(
        ("-w /etc/passwd -p wa -k identity",),
        {"enabled": 1, "failure": 1, "loginuid_immutable": 0},
    )


@pytest.mark.ac("engine-03", "engine-04")
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'You must be root to run this program.' >&2; exit 4", Reason.DENIED),
        ("echo 'Error sending status request (Operation not permitted)' >&2; exit 255",
         Reason.DENIED),
        ("echo 'Error sending status request (Operation not permitted)' >&2", Reason.DENIED),
        ("echo 'Error - audit support not in kernel' >&2; exit 1",
         "the kernel offers no auditing here"),
        ("echo 'Cannot open netlink audit socket' >&2; exit 1", Reason.TOOL_FAILED),
        ("echo 'error while loading shared libraries' >&2; exit 127", Reason.TOOL_MISSING),
        ("exit 0", Reason.TOOL_FAILED),
        ("kill -9 $$", Reason.TIMED_OUT),
        (f"case $1 in -s) echo '{STATUS}';; -l) echo 'No rules';; esac", "none"),
        (f"case $1 in -s) echo '{STATUS}';; -l) echo 'Error sending rule list data request"
         " (Operation not permitted)' >&2;; esac", Reason.DENIED),
    ],
)  # fmt: skip
def test_each_failure_is_told_apart(
    shell: str, script: str, expected: Reason | str, tmp_path: Path
) -> None:
    auditctl(tmp_path, script)
    value = read(shell, "audit", tmp_path)
    if isinstance(expected, Reason):
        assert isinstance(value, CouldNot)
        assert value.reason is expected
    elif expected == "none":
        assert isinstance(value, KernelAudit)
        assert value.rules == ()
    else:
        assert value == KernelAudit(missing=expected)


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_without_the_program_is_no_error(shell: str, tmp_path: Path) -> None:
    assert not shutil.which("auditctl", path="/usr/bin:/bin")
    assert read(shell, "audit", tmp_path) == KernelAudit(missing="auditctl is not on the host")


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("shell", SHELLS)
def test_the_log_is_looked_for_where_it_is(shell: str, tmp_path: Path) -> None:
    (item,) = PROBES["audit_log"].items([Request("audit_log")])
    logs, configuration = tmp_path / "the logs", tmp_path / "auditd.conf"
    body = item.body.replace("/etc/audit/auditd.conf", str(configuration))
    assert read(shell, "audit_log", tmp_path, body) is None
    configuration.write_text(f"# log_file = /x/y\nlog_file = /a/b\n Log_File={logs}/a.log \n")
    value = read(shell, "audit_log", tmp_path, body)
    assert value == AuditLog(f"{logs}/a.log", None, (), None, None)
    logs.mkdir(mode=0o750)
    for name in ("a.log", "a.log.1", "a.log.2"):
        (logs / name).write_text("x" if name == "a.log" else "")
        (logs / name).chmod(0o600)
    value = read(shell, "audit_log", tmp_path, body)
    assert isinstance(value, AuditLog)
    assert value.directory is not None
    assert value.directory.mode == 0o750
    assert [file.path for file in value.files] == [f"{logs}/a.log", f"{logs}/a.log.N"]
    assert value.megabytes
    assert value.mount_point
