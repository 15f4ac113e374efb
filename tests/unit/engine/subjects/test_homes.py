"""Homes: what the walk brings home, what start-up files do, and the search path of root."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.assess.evaluate import Context, evaluate
from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.probes import PROBES
from openwatch.engine.probes.homes import MAX_FILES
from openwatch.engine.probes.root_path import FILES
from openwatch.engine.rules.check import Check
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.base import Record, Subject
from openwatch.engine.subjects.homes import (
    HomeFileSubject,
    HomeSubject,
    HomeTreeSubject,
    InitFileSubject,
    PrivateKeySubject,
    permissions_left,
)
from openwatch.engine.subjects.root_path import RootPathSubject
from openwatch.engine.subjects.search_path import path_elements
from openwatch.engine.subjects.ssh_client import INCLUDED, MAIN_FILE, SshClientSubject

ALICE = "@alice|1000|1000|/home/alice\nH 750|1000|1000|/home/alice\n"


def content(subject: str, files: dict[str, str]) -> Fact:
    block = f"@ok {subject}\n"
    for path, text in files.items():
        block += f"={path}\n" + "".join(f" {line}\n" for line in text.split("\n")) + "\n"
    return Fact(Request("content", subject), f"cat {subject}", f"{block}.\n".encode())


def taken(*facts: Fact) -> Snapshot:
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def walked(text: str, probe: str = "homes") -> Snapshot:
    return taken(Fact(Request(probe), "find", f"{text}.\n".encode()))


def records(subject: Subject, text: str, probe: str = "homes") -> tuple[Record, ...]:
    return subject.select(walked(text, probe)).records


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (ALICE, (True, True, 0o750, True, True)),
        ("@a|1000|1000|/home/a\nH 755|0|0|/home/a\n", (True, True, 0o755, False, False)),
        ("@a|1000|1000|/home/a\nH absent\n", (True, False, None, None, None)),
        ("@a|1000|1000|/\nH 755|0|0|/\n", (False, True, 0o755, False, False)),
        ("@a|1000|1000|\nH undefined\n", (False, False, None, None, None)),
    ],
)
def test_what_a_home_is(block: str, expected: tuple[Any, ...]) -> None:
    (record,) = records(HomeSubject(), block)
    fields = ("defined", "exists", "mode", "owned", "group_owned")
    assert tuple(record.values[name] for name in fields) == expected


@pytest.mark.ac("engine-14")
def test_a_home_of_another_host_is_not_judged() -> None:
    remote = "@a|1000|1000|/net/a\nH remote\n"
    (home,) = records(HomeSubject(), remote)
    (file,) = records(HomeFileSubject(), remote)
    assert isinstance(home.values["mode"], CouldNot)
    assert isinstance(file.values["name"], CouldNot)


@pytest.mark.ac("engine-14")
def test_dot_files_are_named_once() -> None:
    text = (
        f"{ALICE}D 644|1000|1000|/home/alice/.netrc\nD 600|0|1000|/home/alice/.bashrc\n"
        "S 644|1000|1000|/home/alice/.netrc\n"
    )
    bashrc, netrc = records(HomeFileSubject(), text)
    assert (bashrc.values["owned"], bashrc.values["init"]) == (False, True)
    assert (netrc.values["mode"], netrc.values["init"]) == (0o644, False)


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    "extra",
    [
        "?\n",
        "+ /home/alice/.profile\n",
        "".join(f"D 644|1000|1000|/home/alice/.{i}\n" for i in range(MAX_FILES + 1)),
    ],
)
def test_what_was_not_seen_of_a_home_may_be_anything(extra: str) -> None:
    unseen = records(HomeFileSubject(), ALICE + extra)[0]
    assert isinstance(unseen.values["mode"], CouldNot)
    assert unseen.unseen is not None
    assert unseen.values["user"] == "alice"


@pytest.mark.ac("engine-08")
@pytest.mark.parametrize(
    ("name", "truth"), [(".netrc", True), (".forward", False), (".bashrc", True)]
)
def test_a_name_with_a_line_break_is_no_name_that_a_rule_asks_for(name: str, truth: bool) -> None:
    check = Check.model_validate({"home_file": {}, "where": {"name": name}, "count": 0})
    text = f"{ALICE}?\nS 600|1000|1000|/home/alice/.forward\n"
    assert evaluate(check, Context(walked(text), {})).truth is truth
    closed = Check.model_validate(
        {"home_file": {}, "expect": {"mode": {"no_more_than": "0644"}}, "if_none": "pass"}
    )
    assert evaluate(closed, Context(walked(text), {})).truth is None


@pytest.mark.ac("engine-14")
def test_keys_trees_and_programs() -> None:
    profile = "/home/alice/.profile"
    text = f"{ALICE}F {profile}\nW {profile}|/opt/tool\nK /home/alice/.ssh/id_rsa\n"
    (key,) = records(PrivateKeySubject(), text)
    (program,) = records(InitFileSubject(), text)
    assert key.values["path"] == "/home/alice/.ssh/id_rsa"
    assert (program.values["kind"], program.values["value"]) == ("program", "/opt/tool")
    tree = f"{ALICE}M 755|1000|1000|/home/alice/a\nG 750|1000|5|/home/alice/b\n"
    found = records(HomeTreeSubject(), tree, "home_tree")
    assert [r.values["foreign_group"] for r in found] == [False, True]


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("line", "outside"),
    [
        ("PATH=$HOME/bin:$PATH", [False]),
        ('export PATH="$PATH:${HOME}/.local/bin"', [False]),
        ("PATH=~/bin:/home/alice/x:$PATH", [False, False]),
        ("PATH=/opt/bin:$PATH", [True]),
        ("PATH=$HOME/../bob:$PATH", [True]),
        ("PATH=/home/alicia:$PATH", [True]),
        ("PATH=.:$PATH", [True]),
        ("PATH=$PATH:", [True]),
        ("PATH=${PATH:+${PATH}:}$HOME/bin", [False]),
        ("PATH=$HOME/bin${PATH:+:${PATH}}", [False]),
        ("setenv PATH ${PATH}:/opt/bin", [True]),
        ("set path = (/opt/bin ~/bin $path)", [True, False]),
        ("MANPATH=/opt/man", []),
        ('if [ "$PATH" ]; then :', []),
        ("PATH=$(brew --prefix)/bin:$PATH", [None]),
        ("PATH=`x`:$PATH; umask 077", [None]),
        ('PATH="$PYENV_ROOT/bin:$PATH"', [None]),
    ],
)
def test_what_start_up_files_put_on_the_path(line: str, outside: list[bool | None]) -> None:
    text = f"{ALICE}F /home/alice/.bashrc\nI 3 {line}\n"
    found = [r for r in records(InitFileSubject(), text) if r.values["kind"] == "path"]
    values = [r.values["outside"] for r in found]
    assert [None if isinstance(v, CouldNot) else v for v in values] == outside
    assert all(r.sources["value"].line == 3 for r in found)


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("mask", "left"),
    [("077", 0o700), ("22", 0o755), ("0027", 0o750), ("u=rwx,g=,o=", 0o700), ("a=rwx", 0o777),
     ("u=rwx,go=rx", 0o755), ("g-w", None), ("$mask", None), ("099", None)],
)  # fmt: skip
def test_what_a_mask_leaves(mask: str, left: int | None) -> None:
    assert permissions_left(mask) == left
    text = f"{ALICE}F /home/alice/.bashrc\nI 1 umask {mask}\n"
    (record,) = records(InitFileSubject(), text)
    allows = record.values["allows"]
    assert isinstance(allows, CouldNot) if left is None else allows == left


STAT = "=755|0|directory|/usr/bin\n=777|0|directory|/opt/bin\n-/snap/bin\n-/usr/games\n"


def root(files: dict[str, str], stat: str = STAT) -> dict[str, Record]:
    facts = [
        content(path, {path: files[path]} if path in files else {})
        for path in FILES
        if path != "/etc/profile.d/*.sh"
    ]
    below = {path: text for path, text in files.items() if path.startswith("/etc/profile.d/")}
    facts.append(content("/etc/profile.d/*.sh", below))
    facts.append(Fact(Request("root_path"), "stat", f"{stat}.\n".encode()))
    return {r.name: r for r in RootPathSubject().select(taken(*facts)).records}


@pytest.mark.ac("engine-14")
def test_only_the_branch_for_root_counts() -> None:
    profile = (
        'if [ "$(id -u)" -eq 0 ]; then\n  PATH="/usr/bin"\nelse\n  PATH="/usr/games"\nfi\n'
        "PATH=$PATH:/opt/bin\n"
    )
    found = root({"/etc/profile": profile})
    assert found.keys() == {"/usr/bin", "/opt/bin"}
    assert found["/opt/bin"].values["mode"] == 0o777


@pytest.mark.ac("engine-14")
def test_what_is_only_added_where_it_exists() -> None:
    guarded = "if [ -d /snap/bin ]; then\n  PATH=/snap/bin:$PATH\nfi\n"
    assert root({"/root/.profile": guarded}) == {}
    assert root({"/root/.profile": "PATH=/snap/bin:$PATH"})["/snap/bin"].values["exists"] is False


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize("line", ["PATH=:/usr/bin", "PATH=/usr/bin:", "PATH=/usr/bin::/opt/bin"])
def test_an_empty_element_is_where_root_stands(line: str) -> None:
    assert root({"/etc/profile": line})["(empty)"].values["absolute"] is False


@pytest.mark.ac("engine-14")
def test_variables_functions_and_login_defs() -> None:
    found = root(
        {
            "/etc/login.defs": "ENV_SUPATH\tPATH=/usr/bin:.\n",
            "/etc/environment": 'PATH="/usr/bin:/snap/bin"\n',
            "/etc/profile": "pathmunge () {\n  PATH=$1:$PATH\n}\npathmunge /opt/bin after\n",
            "/etc/profile.d/x.sh": 'p="/usr/games"\nexport PATH="$PATH:${p}"\nPATH=$q/bin:$PATH\n',
        }
    )
    assert found.keys() == {"/usr/bin", ".", "/snap/bin", "/opt/bin", "/usr/games", "$q/bin"}
    assert isinstance(found["$q/bin"].values["absolute"], CouldNot)
    assert found["."].sources["directory"].path == "/etc/login.defs"


def client(main: str, drop_in: str = "", policy: str = "") -> tuple[Record, ...]:
    facts = (
        content(MAIN_FILE, {MAIN_FILE: main}),
        content(INCLUDED[0], {"/etc/ssh/ssh_config.d/50-a.conf": drop_in} if drop_in else {}),
        content(INCLUDED[1], {INCLUDED[1]: policy} if policy else {}),
    )
    subject = SshClientSubject.model_validate({"key": "ciphers"})
    return subject.select(taken(*facts)).records


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("main", "drop_in", "expected"),
    [
        ("Ciphers a\nCiphers b", "", ["a"]),
        ("Include /etc/ssh/ssh_config.d/*.conf\nHost *\n  Ciphers b", "Ciphers=a", ["a"]),
        ("Host *\n  Ciphers b\nInclude ssh_config.d/*.conf", "Ciphers a", ["b"]),
        ("Host x\n  Ciphers c\nHost *\n Ciphers a", "", ["a", "c"]),
        ("Host x\n  Include ssh_config.d/*.conf\nHost *\n Ciphers a", "Host *\nCiphers c",
         ["a", "c"]),
        ("#Ciphers a", "", [None]),
    ],
)  # fmt: skip
def test_the_first_value_of_the_client_wins(
    main: str, drop_in: str, expected: list[str | None]
) -> None:
    assert [r.values["value"] for r in client(main, drop_in)] == expected


@pytest.mark.ac("engine-14")
def test_the_client_follows_the_policy_and_says_what_it_did_not_see() -> None:
    main = "Match final all\n  Include /etc/crypto-policies/back-ends/openssh.config\n"
    assert client(main, policy="Ciphers a,b\n")[0].values["items"] == {"a", "b"}
    unseen = client("Include /opt/ssh.conf\nCiphers a\n")[0].values["value"]
    assert isinstance(unseen, CouldNot)
    assert unseen.reason is Reason.INCOMPLETE


@given(st.text(alphabet="@?+.HDSFWK|/ \n0123456789absdirectoyPATHumk=$:", max_size=120))
def test_no_answer_crashes_the_readers(text: str) -> None:
    for name in ("homes", "home_tree", "root_path"):
        PROBES[name].read(Fact(Request(name), "x", text.encode()))
        PROBES[name].read(Fact(Request(name), "x", f"{ALICE}{text}\n.\n".encode()))


@given(st.text(alphabet="PATH=$:/~{}()`'\"\\+-;& \tabHOMEset", max_size=60))
def test_no_line_crashes_the_search_path(line: str) -> None:
    list(path_elements(line, "/home/a", {"a": "/x"}))
