"""rsyslog's own reading of its files: order, blocks, what is dropped, and what really is TLS."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Request
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.rsyslog import (
    RsyslogActionSubject,
    RsyslogGlobalSubject,
    RsyslogInputSubject,
)
from openwatch.engine.subjects.rsyslog_syntax import FACILITIES, Reader, selector

MAIN = "/etc/rsyslog.conf"
INCLUDE = "$IncludeConfig /etc/rsyslog.d/*.conf\n"


def content(subject: str, files: dict[str, str]) -> Fact:
    block = f"@ok {subject}\n"
    for path, text in files.items():
        lines = "".join(f" {line}\n" for line in text.split("\n"))
        block += f"={path}\n{lines}\n"
    return Fact(Request("content", subject), f"cat {subject}", f"{block}.\n".encode())


def snapshot(main: str, **drop_ins: str) -> Snapshot:
    named = {f"/etc/rsyslog.d/{name}.conf": text for name, text in drop_ins.items()}
    facts = (content(MAIN, {MAIN: main}), content("/etc/rsyslog.d/*", named))
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def actions(main: str, **drop_ins: str) -> list[dict[str, Any]]:
    selection = RsyslogActionSubject().select(snapshot(main, **drop_ins))
    assert selection.could_not is None, selection.could_not
    return [dict(record.values) for record in selection.records]


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("*.*", set(FACILITIES)),
        ("auth,authpriv.*", {"auth", "authpriv"}),
        ("auth.*;authpriv.debug", {"auth", "authpriv"}),
        ("*.*;auth,authpriv.none", set(FACILITIES) - {"auth", "authpriv"}),
        ("*.info;mail.none", set()),
        ("cron.=debug", set()),
        ("cron.*;cron.!err", set()),
        ("cron.info;cron.=debug", {"cron"}),
        ("security.*", {"auth"}),
    ],
)
def test_a_selector_selects_severities_of_facilities(text: str, complete: set[str]) -> None:
    selected = selector(text)
    assert selected is not None
    assert {name for name, bits in selected.items() if bits == 0xFF} == complete


@pytest.mark.parametrize("text", ["", "nobody.*", "cron", "cron.loud", "stop", "*.*;x"])
def test_what_is_no_selector_is_none(text: str) -> None:
    assert selector(text) is None


def test_old_and_new_actions_are_read_alike() -> None:
    found = actions(
        "# cron.* /var/log/no\n"
        "module(load=\"imuxsock\") # cron.* /var/log/no\n"
        "*.info;cron.none\t-/var/log/messages\n"
        "cron.*  action(type=\"omfile\"\n   file=\"/var/log/cron\") # with a comment\n"
        "& /var/log/cron2\n"
        "mail.*  { action(type=\"omfile\" file=\"/var/log/mail\") }\n"
        "if prifilt(\"auth.*\") then { action(type=\"omfile\" file=\"/var/log/auth\") }\n"
        "if $msg contains 'daemon.* then' then /var/log/some\n"
        ":programname, isequal, \"x\" /var/log/x\n"
        "*.emerg :omusrmsg:*\n"
    )  # fmt: skip
    by_target = {action["target"]: action["facilities"] for action in found}
    assert by_target["/var/log/cron"] == by_target["/var/log/cron2"] == {"cron"}
    assert by_target["/var/log/mail"] == {"mail"}
    assert by_target["/var/log/auth"] == {"auth"}
    assert by_target["/var/log/some"] == by_target["/var/log/x"] == frozenset()
    assert by_target["/var/log/messages"] == frozenset()
    assert "/var/log/no" not in by_target


@pytest.mark.parametrize(
    ("before", "complete"),
    [
        ("cron.* stop\n", False),
        ("cron.* ~\n", False),
        ("cron.=debug stop\n", False),
        ("mail.* stop\n", True),
        ("if $msg contains 'x' then stop\n", True),
        (":msg, contains, \"x\" ~\n", True),
    ],
)  # fmt: skip
def test_what_was_thrown_away_reaches_no_later_action(before: str, complete: bool) -> None:
    (action,) = actions(f"{before}cron.* /var/log/cron\n")
    assert ("cron" in action["facilities"]) is complete


def test_an_action_in_a_ruleset_gets_nothing_by_itself_and_blocks_of_bsd_are_ignored() -> None:
    found = actions(
        "ruleset(name=\"r\") { *.* /var/log/r }\n!cron\n*.* /var/log/c\n!*\n*.* /var/log/all\n"
    )  # fmt: skip
    assert [bool(action["facilities"]) for action in found] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "encrypted"),
    [
        ("*.* @log.example.org\n", False),
        ("*.* @@log.example.org:514\n", False),
        (
            "$DefaultNetstreamDriver gtls\n$ActionSendStreamDriverMode 1\n"
            "$ActionSendStreamDriverAuthMode x509/name\n*.* @@log.example.org:6514\n",
            True,
        ),
        # It stands behind the action: it counts for the next one.
        ("$DefaultNetstreamDriver gtls\n*.* @@log:6514\n$ActionSendStreamDriverMode 1\n", False),
        # Directives of the old form say nothing to an action of the new one.
        (
            "$DefaultNetstreamDriver gtls\n$ActionSendStreamDriverMode 1\n"
            'action(type="omfwd" target="log" protocol="tcp")\n',
            False,
        ),
        (
            'global(DefaultNetstreamDriver="ossl")\n'
            'action(type="omfwd" target="log" protocol="tcp"\n StreamDriverMode="1")\n',
            True,
        ),
        (
            'action(type="omfwd" target="log" protocol="tcp"'
            ' StreamDriver="ptcp" StreamDriverMode="1")\n',
            False,
        ),
        (
            'action(type="omfwd" target="log" protocol="udp"'
            ' StreamDriver="gtls" StreamDriverMode="1")\n',
            False,
        ),
        (
            'action(type="omfwd" target="log" protocol="tcp"'
            ' StreamDriver="gtls" StreamDriverMode="0")\n',
            False,
        ),
        ('action(type="omfwd" target="log" protocol="tcp" streamdriver="ossl" tls="on")\n', True),
    ],
)  # fmt: skip
def test_only_what_cannot_be_clear_text_is_encrypted(text: str, encrypted: bool) -> None:
    (action,) = actions(text)
    assert action["type"] == "forward"
    assert action["encrypted"] is encrypted


def test_a_file_that_nobody_includes_does_not_count() -> None:
    assert actions("cron.* /var/log/cron\n", a="*.* @@log\n")[0]["type"] == "file"
    assert len(actions(f"{INCLUDE}cron.* /var/log/cron\n", a="*.* @@log\n")) == 2
    include = 'include(file="/etc/rsyslog.d/*.conf" mode="optional")\n'
    assert len(actions(include, a="*.* @@log\n")) == 1


def test_what_is_included_from_elsewhere_is_said_to_be_unseen() -> None:
    for text in ("$IncludeConfig /srv/log.conf\n", 'include(file="/srv/*.conf")\n'):
        assert isinstance(RsyslogActionSubject().select(snapshot(text)).could_not, CouldNot)


def test_inputs_and_globals_over_several_lines() -> None:
    state = snapshot(
        'module(\n  load="imtcp"\n)\ninput(type="imtcp"\n port="514")\n$ModLoad imudp.so\n'
        "$UDPServerRun 514\n# module(load=\"imrelp\")\n$DefaultNetstreamDriver  gtls\n"
    )  # fmt: skip
    found = [
        (r.values["module"], r.values["started"])
        for r in RsyslogInputSubject().select(state).records
    ]
    assert found == [("imtcp", False), ("imtcp", True), ("imudp", False), ("imudp", True)]
    (record,) = RsyslogGlobalSubject(key="DefaultNetstreamDriver").select(state).records
    assert record.values["value"] == "gtls"


def test_lines_that_go_on_are_joined_and_keep_their_numbers() -> None:
    text = "*.=debug;\\\n\tauth.none;\\\n\tmail.none \\\n  /var/log/debug\ncron.* /var/log/cron\n"
    records = RsyslogActionSubject().select(snapshot(text)).records
    assert [record.values["target"] for record in records] == ["/var/log/debug", "/var/log/cron"]
    assert [record.sources["target"].line for record in records] == [3, 5]


def test_old_actions_stand_by_themselves_in_a_block() -> None:
    found = actions("cron.* {\n  /var/log/a\n  -/var/log/b\n  stop\n}\ncron.* /var/log/c\n")
    assert [sorted(action["facilities"]) for action in found] == [["cron"], ["cron"], []]


pieces = st.sampled_from(
    [
        "*.*", "cron.*", " ", "\t", "\n", "/var/log/x", "@@log", "{", "}", "(", ")", '"', "'", "#",
        "/*", "*/", "if ", " then ", "else ", "stop", "&", ":msg, contains, \"x\" ", "!", "+x", "$",
        "action(", 'type="omfile"', "file=", "ruleset(", "\\\n", "include(", "prifilt(", ";", "=",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(pieces, max_size=40).map("".join)))
def test_no_text_stops_the_reader(text: str) -> None:
    for statement in Reader(MAIN, text).statements():
        assert statement.source.line >= 1
