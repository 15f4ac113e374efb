"""The SSH server's settings: the value in force, its line, and what Match blocks change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from openwatch.engine.assess.evaluate import Context, evaluate
from openwatch.engine.facts import Fact, Reason, Request
from openwatch.engine.rules.check import Check
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.sshd import INCLUDED, MAIN_FILE, SshdSubject

CHECK = Check.model_validate({"sshd": {"key": "permitrootlogin"}, "expect": {"value": "no"}})
INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf\n"


def content(subject: str, files: dict[str, str]) -> Fact:
    block = f"@ok {subject}\n"
    for path, text in files.items():
        block += f"={path}\n" + "".join(f" {line}\n" for line in text.splitlines()) + "\n"
    return Fact(Request("content", subject), f"cat {subject}", f"{block}.\n".encode())


def snapshot(
    effective: str, main: str, extra: dict[str, str] | None = None, policy: str = ""
) -> Snapshot:
    drop_ins = {f"/etc/ssh/sshd_config.d/{name}": text for name, text in (extra or {}).items()}
    facts = [
        Fact(Request("sshd"), "sshd -T", f"permitrootlogin {effective}\nport 22\n".encode()),
        content(MAIN_FILE, {MAIN_FILE: main}),
        content(INCLUDED[0], drop_ins),
        content(INCLUDED[1], {INCLUDED[1]: policy} if policy else {}),
    ]
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def truth(taken: Snapshot) -> bool | None:
    return evaluate(CHECK, Context(taken, {})).truth


@pytest.mark.ac("engine-14")
def test_the_source_is_the_first_line_that_the_server_reads() -> None:
    subject = SshdSubject.model_validate({"key": "permitrootlogin"})
    taken = snapshot(
        "yes", INCLUDE + "PermitRootLogin no\n", {"10-a.conf": "PermitRootLogin yes\n"}
    )
    (record,) = subject.select(taken).records
    assert record.values["value"] == "yes"
    assert record.sources["value"].path == "/etc/ssh/sshd_config.d/10-a.conf"
    (record,) = subject.select(snapshot("no", INCLUDE + "PermitRootLogin=no\n")).records
    assert (record.sources["value"].path, record.sources["value"].line) == (MAIN_FILE, 2)


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("main", "extra", "result"),
    [
        ("PermitRootLogin no\n", {}, True),
        ("PermitRootLogin no\nMatch User anna\n  PermitRootLogin yes\n", {}, False),
        ("PermitRootLogin no\nMatch User anna\n  PermitRootLogin no\n", {}, True),
        ("PermitRootLogin no\nMatch User anna\n  X11Forwarding yes\n", {}, True),
        ("Match User anna\n  #PermitRootLogin yes\n", {}, True),
        ("Match all\nPermitRootLogin no\n", {}, True),
        (INCLUDE, {"a.conf": "Match Address 10.0.0.0/8\nPermitRootLogin yes\n"}, False),
        (INCLUDE, {"a.conf": "Match User x\nX11Forwarding no\n", "b.conf": "PermitRootLogin no\n"},
         True),
        ("Match User anna\n" + INCLUDE, {"a.conf": "PermitRootLogin yes\n"}, False),
        ("Include /opt/ssh/*.conf\nPermitRootLogin no\n", {}, None),
    ],
)  # fmt: skip
def test_a_match_block_that_opens_what_is_closed_is_seen(
    main: str, extra: dict[str, str], result: bool | None
) -> None:
    assert truth(snapshot("no", main, extra)) is result


def test_what_a_distribution_includes_is_looked_at() -> None:
    nested = {"50-redhat.conf": f"Include {INCLUDED[1]}\n"}
    assert truth(snapshot("no", INCLUDE, nested, policy="Ciphers aes256-ctr\n")) is True


def test_a_deviation_in_force_is_one_whatever_else_is_unknown() -> None:
    assert truth(snapshot("yes", "Include /opt/x.conf\n")) is False


def test_an_unseen_include_is_named() -> None:
    result = evaluate(CHECK, Context(snapshot("no", "Include /opt/x.conf\n"), {}))
    assert result.could_not is not None
    assert result.could_not.reason is Reason.INCOMPLETE
    assert "/opt/x.conf" in result.could_not.detail
