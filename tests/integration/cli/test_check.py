"""`openwatch check`, as a person or a script runs it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from lab.session import LabSession
from openwatch.engine.facts import Fact, Request
from openwatch.engine.snapshot import make_snapshot, write_snapshot
from tests.ports import reserved_port

OPENWATCH = Path(sys.executable).with_name("openwatch")
FEW = (
    "--rule",
    "single-root-account",
    "--rule",
    "shadow-file-permissions",
    "--rule",
    "aslr-enabled",
)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OPENWATCH_", "SSH_"))}
    return subprocess.run(
        [OPENWATCH, "check", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=clean | environment,
        timeout=120,
        check=False,
    )


def hosts_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.stdout, done.stderr
    return json.loads(done.stdout)["hosts"]


@pytest.mark.ac("check-cli-01", "check-cli-02")
def test_this_machine_needs_nothing(tmp_path: Path) -> None:
    done = run("localhost", *FEW, "--format", "json", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (host,) = hosts_of(done)
    assert host["host"] == "localhost"
    assert host["snapshot"]["hash"]
    assert sum(host["summary"].values()) == len(host["outcomes"]) == 3
    assert {"pass", "fail", "error"} <= host["summary"].keys()
    for outcome in host["outcomes"]:
        assert {"rule", "verdict", "severity", "reason", "observations"} <= outcome.keys()
        assert (outcome["reason"] is not None) == (outcome["verdict"] == "error")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ac("check-cli-04")
def test_a_saved_snapshot_is_judged_again(tmp_path: Path) -> None:
    path = tmp_path / "here.snapshot.gz"
    first = run("localhost", *FEW, "--format", "json", "--save", str(path))
    again = run("--from", str(path), *FEW, "--format", "json")
    assert hosts_of(first)[0]["outcomes"] == hosts_of(again)[0]["outcomes"]
    assert hosts_of(first)[0]["snapshot"]["hash"] == hosts_of(again)[0]["snapshot"]["hash"]
    more = run("--from", str(path), "--rule", "no-world-writable-files", "--format", "json")
    (outcome,) = hosts_of(more)[0]["outcomes"]
    assert outcome["verdict"] in ("error", "not_applicable")


@pytest.mark.ac("check-cli-03")
def test_csv_and_junit(tmp_path: Path) -> None:
    path = tmp_path / "here.snapshot.gz"
    run("localhost", *FEW, "--save", str(path), "--quiet")
    rows = list(csv.DictReader(io.StringIO(run("--from", str(path), *FEW, "-f", "csv").stdout)))
    assert [row["rule"] for row in rows] == sorted(
        ["single-root-account", "shadow-file-permissions", "aslr-enabled"]
    )
    root = ElementTree.fromstring(run("--from", str(path), *FEW, "-f", "junit").stdout)
    assert len(root.findall("./testsuite/testcase")) == 3


@pytest.mark.ac("check-cli-06")
@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        ([], "Name a host", 2),
        (["a b"], "is not [USER@]HOST[:PORT]", 2),
        (["host:99999"], "is not [USER@]HOST[:PORT]", 2),
        (["localhost", "--rule", "no-such-rule"], "There is no rule no-such-rule", 2),
        (["localhost", "--framework", "nope"], "There is no framework nope", 2),
        (["localhost", "--set", "nope=1", *FEW], "The variable nope", 2),
        (["localhost", "--set", "nope"], "is not NAME=VALUE", 2),
        (["localhost", "--from", "x"], "do not go together", 2),
        (["--from", "/nowhere/x.gz"], "is not a snapshot", 2),
        (["localhost", "--rules", "/nowhere"], "problem(s) in the rules", 2),
        (["root@192.0.2.1", "-i", "/nowhere/key"], "cannot be read", 2),
        (["root@192.0.2.1", "--ask-password"], "no terminal", 2),
        (["root@192.0.2.1", "--password-file", "/nowhere"], "cannot be read", 2),
    ],
)
def test_wrong_use_is_a_sentence(arguments: list[str], says: str, code: int) -> None:
    done = run(*arguments)
    assert says in done.stderr
    assert done.returncode == code
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) >= 2


@pytest.mark.ac("check-cli-06")
def test_a_broken_rule_file_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "x.yml").write_text("id: x\ntitel: Something else\n")
    done = run("localhost", "--rules", str(tmp_path))
    assert "kernel/x.yml:2: unknown key 'titel'. Did you mean 'title'?" in done.stderr
    assert done.returncode == 2


@pytest.mark.ac("check-cli-05", "check-cli-06")
def test_hosts_that_cannot_be_scanned_are_told_and_exit_with_3(tmp_path: Path) -> None:
    refused = reserved_port()
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            connection, _ = web.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        not_ssh = web.getsockname()[1]
        (tmp_path / "password").write_text("a-password\n")
        known = ("--known-hosts", str(tmp_path / "known"), "--password-file",
                 str(tmp_path / "password"))  # fmt: skip
        done = run(
            f"root@127.0.0.1:{refused}", f"root@127.0.0.1:{not_ssh}", "root@no-such.invalid",
            "localhost", *FEW, *known, "--no-agent", "--format", "json",
        )  # fmt: skip
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    hosts = {host["host"]: host for host in hosts_of(done)}
    codes = {name: host.get("error", {}).get("code") for name, host in hosts.items()}
    assert codes[f"root@127.0.0.1:{refused}"] == "host.refused"
    assert codes[f"root@127.0.0.1:{not_ssh}"] == "host.not_ssh"
    assert codes["root@no-such.invalid"] == "host.unresolvable"
    assert codes["localhost"] is None
    for name, host in hosts.items():
        if name != "localhost":
            assert host["outcomes"] == []
            assert host["snapshot"] is None
            assert host["error"]["fix"]


@pytest.mark.ac("check-cli-05")
def test_fail_on_and_fail_on_error(tmp_path: Path) -> None:
    path = tmp_path / "here.snapshot.gz"
    run("localhost", "--rule", "aslr-enabled", "--save", str(path), "--quiet")
    (outcome,) = hosts_of(run("--from", str(path), "-r", "aslr-enabled", "-f", "json"))[0][
        "outcomes"
    ]
    failed = outcome["verdict"] == "fail"
    judged = ("--from", str(path), "--rule", "aslr-enabled")
    assert run(*judged).returncode == 0
    assert run(*judged, "--fail-on", "critical").returncode == 0
    assert run(*judged, "--fail-on", "high").returncode == (1 if failed else 0)
    assert run(*judged, "--fail-on", "low").returncode == (1 if failed else 0)
    missing = ("--from", str(path), "--rule", "no-world-writable-files")
    assert run(*missing, "--fail-on", "low").returncode == 0
    assert run(*missing, "--fail-on-error").returncode == 4


@pytest.mark.ac("check-cli-07", "check-cli-05")
def test_several_real_hosts_at_once(lab: LabSession, tmp_path: Path) -> None:
    good = [f"scan@{lab.hosts[name].address}" for name in ("bookworm", "trixie")]
    access = ("-i", str(lab.key_path), "--known-hosts", str(tmp_path / "known"), "--no-agent")
    lab.hosts["trixie"].exec("chmod 0666 /etc/shadow")
    try:
        done = run(*good, f"dead@{lab.hosts['bookworm'].address}", *access, "-f", "json",
                   "--save", str(tmp_path / "all"), "--fail-on", "high")  # fmt: skip
    finally:
        lab.hosts["trixie"].exec("chmod 0640 /etc/shadow")
    hosts = hosts_of(done)
    assert [host["host"] for host in hosts] == [*good, f"dead@{lab.hosts['bookworm'].address}"]
    assert hosts[2]["error"]["code"] == "host.no_shell"
    assert done.returncode == 3
    shadow = {
        host["host"]: next(
            o["verdict"] for o in host["outcomes"] if o["rule"] == "shadow-file-permissions"
        )
        for host in hosts[:2]
    }
    assert shadow == {good[0]: "pass", good[1]: "fail"}
    assert len(list((tmp_path / "all").iterdir())) == 2
    assert (tmp_path / "known").read_text().count("ssh-") == 2
    alone = run(good[1], *access, "--fail-on", "high", "-q")
    assert alone.returncode == 1
    assert good[1] in alone.stdout


def test_what_was_found_is_told_even_if_the_snapshot_cannot_be_saved(tmp_path: Path) -> None:
    done = run("localhost", *FEW, "-f", "json", "--save", str(tmp_path / "gone" / "x.gz"))
    assert len(hosts_of(done)[0]["outcomes"]) == 3
    assert "The snapshot cannot be saved" in done.stderr
    assert done.returncode == 2


def test_a_name_on_a_host_gives_the_terminal_no_orders(tmp_path: Path) -> None:
    facts = [
        Fact(Request("os_release"), "cat", b"ID=debian\nVERSION_ID=12\n"),
        Fact(Request("sweep"), "find", b"#uids 0\n#gids 0\n#files\nf|666|0|0|/a\x1b]0;x\x07\xff\n"),
    ]
    snapshot = make_snapshot(facts, taken_at=datetime.now(UTC), privilege="root")
    write_snapshot(snapshot, tmp_path / "x.gz")
    for form in ("table", "json", "csv", "junit"):
        done = run(
            "--from", str(tmp_path / "x.gz"), "--rule", "no-world-writable-files", "-f", form
        )
        assert done.returncode == 0, done.stderr
        assert "/a" in done.stdout
        if form != "csv":
            assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("signal_sent", "code"), [(signal.SIGINT, 130), (None, 141)])
def test_an_interrupted_check_ends_at_once(
    tmp_path: Path, signal_sent: int | None, code: int
) -> None:
    (tmp_path / "password").write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        host = f"127.0.0.1:{silent.getsockname()[1]}" if signal_sent else "localhost"
        process = subprocess.Popen(
            [OPENWATCH, "check", host, *FEW, "--password-file", str(tmp_path / "password")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        if signal_sent:
            silent.accept()
            process.send_signal(signal_sent)
        else:
            process.stdout.close()
        said = process.stderr.read()
        assert process.wait(timeout=30) == code
        process.stderr.close()
    assert "Traceback" not in said
    assert "Exception" not in said


@pytest.mark.ac("check-cli-08")
def test_rules_are_chosen() -> None:
    done = run("localhost", "--framework", "cis_debian12", "--severity", "high", "-f", "json", *FEW)
    assert {o["severity"] for o in hosts_of(done)[0]["outcomes"]} == {"high"}


@pytest.mark.ac("variables-06")
def test_a_verdict_names_the_site_values_that_it_rests_on(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(
        "variables: {password_max_days: 90}\n"
        "hosts: {localhost: {variables: {password_max_days: 400}}}"
    )
    rule = ("localhost", "--rule", "password-max-days-default", "-f", "json", "--preset", "stig")
    for options, value in (
        ((), {"value": 60, "from": "preset stig"}),
        (
            ("--site", str(tmp_path / "site.yml")),
            {"value": 400, "from": "host localhost", "looser_than_default": True},
        ),
        (("--set", "password_max_days=30"), {"value": 30, "from": "command line"}),
    ):
        (outcome,) = hosts_of(run(*rule, *options))[0]["outcomes"]
        assert outcome["variables"] == {"password_max_days": value}


@pytest.mark.ac("variables-04")
@pytest.mark.parametrize(
    ("site", "told"),
    [
        ("hosts: {other: {variables: {password_max_days: x}}}", "whole number"),
        ("a: 1", "unknown key"),
    ],
)
def test_a_wrong_site_file_is_told_before_any_host_is_asked(
    tmp_path: Path, site: str, told: str
) -> None:
    (tmp_path / "site.yml").write_text(site)
    done = run("localhost", "--site", str(tmp_path / "site.yml"))
    assert done.returncode == 2
    assert told in done.stderr


def test_a_password_is_never_on_the_command_line() -> None:
    help_text = run("--help").stdout
    assert "--password " not in help_text
