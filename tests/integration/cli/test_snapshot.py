"""`openwatch snapshot` and `openwatch reassess`, as a person or a script runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.snapshot import make_snapshot, write_snapshot

OPENWATCH = Path(sys.executable).with_name("openwatch")
DEBIAN = b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n'


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OPENWATCH_", "SSH_"))}
    return subprocess.run(
        [OPENWATCH, *arguments], capture_output=True, text=True, env=clean, timeout=60, check=False
    )


def saved(path: Path, max_days: str, *, motd: str = "hello") -> Path:
    """Write the snapshot of a host with this PASS_MAX_DAYS."""
    login = f"@ok /etc/login.defs\n=/etc/login.defs\n PASS_MAX_DAYS {max_days}\n\n.\n"
    facts = (
        Fact(Request("os_release"), "cat /etc/os-release", DEBIAN),
        Fact(Request("kernel"), "uname", b"web1\n6.1.0\nx86_64\nabc\n0\nquiet\n"),
        Fact(Request("content", "/etc/login.defs"), "cat /etc/login.defs", login.encode()),
        Fact(Request("content", "/etc/motd"), "cat /etc/motd", motd.encode()),
        Fact(Request("shadow"), "cat", b"", 1, CouldNot(Reason.DENIED, "no")),
    )
    taken = datetime(2026, 1, 15, 12, tzinfo=UTC)
    write_snapshot(make_snapshot(facts, taken_at=taken, privilege="root"), path)
    return path


@pytest.mark.ac("snapshots-02")
def test_what_changed_on_the_host_is_shown(tmp_path: Path) -> None:
    before, after = saved(tmp_path / "a", "90"), saved(tmp_path / "b", "99999")
    done = run("snapshot", "diff", before, after)
    assert done.returncode == 0, done.stderr
    assert "content:/etc/login.defs  changed" in done.stdout
    assert "+ PASS_MAX_DAYS 99999" in done.stdout
    assert "1 facts differ, 4 are the same" in done.stdout
    assert "hello" not in done.stdout
    document = json.loads(run("snapshot", "diff", before, after, "-f", "json").stdout)
    assert [change["fact"] for change in document["changes"]] == ["content:/etc/login.defs"]
    assert run("snapshot", "diff", before, after, "--fail-on-change").returncode == 1
    assert run("snapshot", "diff", before, before, "--fail-on-change").returncode == 0


@pytest.mark.ac("snapshots-02")
def test_no_control_character_of_a_host_reaches_the_terminal(tmp_path: Path) -> None:
    before, after = (
        saved(tmp_path / "a", "90"),
        saved(tmp_path / "b", "90", motd="\x1b]0;owned\x07"),
    )
    for arguments in (("diff", before, after), ("show", after, "content:/etc/motd")):
        done = run("snapshot", *arguments)
        assert "owned" in done.stdout
        assert "\x1b" not in done.stdout
        assert "\x07" not in done.stdout


@pytest.mark.ac("snapshots-03")
def test_a_snapshot_tells_what_it_holds(tmp_path: Path) -> None:
    path = saved(tmp_path / "a", "90")
    shown = run("snapshot", "show", path).stdout
    for part in ("web1", "Debian GNU/Linux 12", "2026-01-15T12:00:00", "5 facts", "no"):
        assert part in shown
    document = json.loads(run("snapshot", "show", path, "-f", "json").stdout)
    assert len(document["facts"]) == 5
    assert "PASS_MAX_DAYS 90" in run("snapshot", "show", path, "content:/etc/login.defs").stdout
    assert "has no fact sysctl:a" in run("snapshot", "show", path, "sysctl:a").stdout


@pytest.mark.ac("snapshots-04")
def test_a_verdict_that_turns_under_other_values_is_listed(tmp_path: Path) -> None:
    path = saved(tmp_path / "a", "90")
    same = run("reassess", path, "--fail-on-change")
    assert same.returncode == 0, same.stderr
    done = run("reassess", path, "--preset", "stig", "--format", "json", "--fail-on-change")
    assert done.returncode == 1, done.stderr
    (host,) = json.loads(done.stdout)["hosts"]
    turns = {turn["rule"]: turn for turn in host["turns"]}
    turn = turns["password-max-days-default"]
    assert (turn["before"]["verdict"], turn["after"]["verdict"]) == ("pass", "fail")
    assert turn["after"]["variables"]["password_max_days"]["from"] == "preset stig"
    table = run("reassess", path, "--preset", "stig").stdout
    assert "password-max-days-default" in table
    assert "as of 2026-01-15 12:00" in table


@pytest.mark.ac("snapshots-04")
def test_a_rule_that_needs_what_was_not_collected_does_not_pass(tmp_path: Path) -> None:
    done = run("reassess", saved(tmp_path / "a", "90"), "--format", "json")
    (host,) = json.loads(done.stdout)["hosts"]
    assert host["after"]["error"] > host["after"]["pass"] > 0


@pytest.mark.ac("snapshots-03")
@pytest.mark.parametrize("command", [("snapshot", "show"), ("reassess",)])
def test_what_is_no_snapshot_is_one_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "x").write_text("hello")
    done = run(*command, tmp_path / "x")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "x" in done.stderr
