"""sudoers(5): order of the files, grammar, aliases, what is inherited, and what is not seen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.assess.evaluate import Context, evaluate
from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.rules.check import Check
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.base import Record
from openwatch.engine.subjects.sudo import (
    SudoDefaultSubject,
    SudoIncludeSubject,
    SudoRuleSubject,
)
from openwatch.engine.subjects.sudoers import DROP_INS, MAIN_FILE

ASKS = Check.model_validate(
    {"sudo_rule": {}, "where": {"denied": False, "asks": False}, "count": 0}
)
PTY = Check.model_validate({"sudo_default": {"option": "use_pty"}, "expect": {"enabled": True}})


def content(subject: str, files: dict[str, str]) -> Fact:
    block = f"@ok {subject}\n"
    for path, text in files.items():
        block += f"={path}\n" + "".join(f" {line}\n" for line in text.split("\n")) + "\n"
    return Fact(Request("content", subject), f"cat {subject}", f"{block}.\n".encode())


def snapshot(main: str, extra: dict[str, str] | None = None) -> Snapshot:
    drop_ins = {f"/etc/sudoers.d/{name}": text for name, text in (extra or {}).items()}
    facts = [content(MAIN_FILE, {MAIN_FILE: main}), content(DROP_INS, drop_ins)]
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def rules(main: str, extra: dict[str, str] | None = None) -> tuple[Record, ...]:
    return SudoRuleSubject().select(snapshot(main, extra)).records


def default(option: str, main: str, extra: dict[str, str] | None = None) -> Record:
    subject = SudoDefaultSubject.model_validate({"option": option})
    return subject.select(snapshot(main, extra)).records[0]


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("main", "enabled", "value"),
    [
        ("Defaults use_pty, timestamp_timeout=5", True, "5"),
        ("Defaults timestamp_timeout = 5", True, "5"),
        ('Defaults env_reset, timestamp_timeout="5"', True, "5"),
        ("Defaults timestamp_timeout=5\nDefaults timestamp_timeout=-1", True, "-1"),
        ("Defaults !timestamp_timeout", False, "0"),
        ("Defaults !!timestamp_timeout", True, None),
        ("Defaults \\\n  timestamp_timeout=7", True, "7"),
        ("Defaults timestamp_timeout=5 # =9", True, "5"),
        ("# Defaults timestamp_timeout=5", None, None),
        ("#Defaults timestamp_timeout=5 \\\nDefaults timestamp_timeout=6", True, "6"),
        ("Defaults my_timestamp_timeout=5", None, None),
        ("Defaults:ALL timestamp_timeout=5", True, "5"),
        ("Defaults@ALL timestamp_timeout=5\nDefaults timestamp_timeout=6", True, "6"),
        ("Defaults>ALL timestamp_timeout=5", None, None),
    ],
)
def test_the_last_line_of_an_option_wins(
    main: str, enabled: bool | None, value: str | None
) -> None:
    record = default("timestamp_timeout", main)
    assert (record.values["enabled"], record.values["value"]) == (enabled, value)


@pytest.mark.ac("engine-14")
def test_lists_grow_and_shrink() -> None:
    main = 'Defaults env_keep = "A B"\nDefaults env_keep += "C"\nDefaults env_keep -= "A"'
    assert default("env_keep", main).values["value"] == "B C"


@pytest.mark.ac("engine-14")
def test_an_option_for_some_is_a_record_of_its_own() -> None:
    subject = SudoDefaultSubject.model_validate({"option": "use_pty"})
    main = (
        "Defaults use_pty\nDefaults:alice,bob !use_pty\nDefaults@host use_pty\n"
        "Defaults!/usr/bin/less !use_pty\nDefaults>root !use_pty\n"
    )
    found = subject.select(snapshot(main)).records
    assert [(r.values["scope"], r.values["enabled"]) for r in found] == [
        (None, True),
        (":alice,bob", False),
        ("@host", True),
        ("!/usr/bin/less", False),
        (">root", False),
    ]


@pytest.mark.ac("engine-14")
def test_tags_and_targets_are_inherited_along_a_list() -> None:
    main = (
        "bob, %adm ALL = /bin/a, (www:web) NOPASSWD: NOEXEC: /bin/b -x, /bin/c, PASSWD: !/bin/d\n"
    )
    found = [
        (r.values["command"], r.values["asks"], r.values["denied"], r.values["runas_users"])
        for r in rules(main)
    ]
    assert found == [
        ("/bin/a", True, False, frozenset({"root"})),
        ("/bin/b -x", False, False, frozenset({"www"})),
        ("/bin/c", False, False, frozenset({"www"})),
        ("!/bin/d", True, True, frozenset({"www"})),
    ]
    assert rules(main)[1].values["users"] == {"bob", "%adm"}
    assert rules(main)[1].values["tags"] == {"NOPASSWD", "NOEXEC"}
    assert rules(main)[1].values["runas_groups"] == {"web"}


@pytest.mark.ac("engine-14")
def test_each_list_of_hosts_begins_anew() -> None:
    found = rules("bob a = NOPASSWD: /bin/x : b,10.0.0.0/8,fe80::1 = (ALL) /bin/y")
    assert [r.values["asks"] for r in found] == [False, True]
    assert found[1].values["hosts"] == {"b", "10.0.0.0/8", "fe80::1"}


@pytest.mark.ac("engine-14")
def test_selinux_options_are_no_commands() -> None:
    (found,) = rules("%wheel ALL=(ALL) TYPE=sysadm_t ROLE=sysadm_r ALL")
    assert (found.values["role"], found.values["type"]) == ("sysadm_r", "sysadm_t")
    assert found.values["command"] == "ALL"


@pytest.mark.ac("engine-14")
def test_aliases_may_be_used_before_they_are_named() -> None:
    main = (
        "ADMINS ALL = (OPS) NOPASSWD: TOOLS\n"
        "User_Alias ADMINS = alice, !MALLORY : MALLORY = mallory\nRunas_Alias OPS = op\n"
        "Cmnd_Alias TOOLS = /bin/a, sha256:abc= /bin/b, TOOLS\n"
    )
    found = rules(main)
    assert [r.values["command"] for r in found] == ["/bin/a", "/bin/b", "TOOLS"]
    assert found[0].values["users"] == {"alice", "!mallory"}
    assert found[0].values["runas_users"] == {"op"}


@pytest.mark.ac("engine-14")
def test_aliases_that_name_each_other_many_times_cost_nothing() -> None:
    lines = [f"User_Alias A{i} = A{i + 1}, !A{i + 1}, A{i + 1}" for i in range(60)]
    assert rules("\n".join([*lines, "A0 ALL = ALL"]))


@pytest.mark.ac("engine-14")
def test_files_that_include_each_other_come_to_an_end() -> None:
    loop = "@includedir /etc/sudoers.d\n" * 3
    selection = rules(loop, {"a": loop, "b": loop})
    assert isinstance(selection[-1].values["command"], CouldNot)


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize("name", ["old.bak", "old~", ".hidden", "10-hardening.conf", ".#lock"])
def test_files_that_sudo_leaves_out_say_nothing(name: str) -> None:
    main = "@includedir /etc/sudoers.d\n"
    assert rules(main, {name: "bob ALL=(ALL) NOPASSWD: ALL"}) == ()
    assert len(rules(main, {"bob": "bob ALL=(ALL) NOPASSWD: ALL"})) == 1


@pytest.mark.ac("engine-14")
def test_a_directory_that_is_not_included_says_nothing() -> None:
    assert rules("root ALL=ALL\n# includedir /etc/sudoers.d\n", {"bob": "bob ALL=ALL"})[1:] == ()


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    "directive",
    ["#includedir /etc/sudoers.d", "@includedir /etc/sudoers.d/", '@includedir "/etc/sudoers.d"',
     "@includedir sudoers.d", "@include /etc/sudoers.d/bob", " #include sudoers.d/bob"],
)  # fmt: skip
def test_all_forms_of_an_include(directive: str) -> None:
    (record,) = rules(directive, {"bob": "bob ALL=ALL"})
    assert record.sources["command"].path == "/etc/sudoers.d/bob"


@pytest.mark.ac("engine-14")
def test_an_include_that_nobody_looked_at_may_hold_anything() -> None:
    main = "Defaults use_pty\n@include /etc/sudoers.site\n"
    for check in (ASKS, PTY):
        result = evaluate(check, Context(snapshot(main), {}))
        assert result.truth is None
        assert result.could_not is not None
        assert result.could_not.reason is Reason.INCOMPLETE
    includes = SudoIncludeSubject().select(snapshot(main)).records
    assert [r.values["path"] for r in includes] == ["/etc/sudoers.site"]


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    "line",
    ["bob ALL", "bob ALL=", "bob ALL=(ALL", "Defaults", "Defaults use_pty use_tty",
     "User_Alias X", 'bob ALL="/bin/x', "Defaults timestamp_timeout=", "bob ALL=NOPASSWD:"],
)  # fmt: skip
def test_a_line_that_is_not_understood_is_never_a_pass(line: str) -> None:
    result = evaluate(ASKS, Context(snapshot(f"Defaults use_pty\n{line}\n"), {}))
    assert result.truth is None
    seen = evaluate(ASKS, Context(snapshot(f"{line}\neve ALL=NOPASSWD: ALL\n"), {}))
    assert seen.truth is False


@given(st.text(alphabet='ab ALL=,:()!"\\#@\n%+-_NOPASWDefaultsCmnd/.includer0', max_size=80))
def test_no_text_crashes_the_reader(text: str) -> None:
    for check in (ASKS, PTY):
        evaluate(check, Context(snapshot(text, {"x": text}), {}))


@pytest.mark.ac("engine-08")
@pytest.mark.parametrize("count", [0, {"at_least": 1}, {"at_most": 1}])
def test_what_was_not_seen_counts_as_none_and_as_many(count: object) -> None:
    check = Check.model_validate({"sudo_rule": {}, "count": count})
    unseen = snapshot("@include /etc/sudoers.site\n")
    result = evaluate(check, Context(unseen, {}))
    assert result.truth is None
    assert result.could_not is not None
