"""Settings are what the program that reads them makes of its files."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.files import LineSubject
from openwatch.engine.subjects.settings import (
    SettingSubject,
    timespan_seconds,
)
from openwatch.engine.subjects.sysctl import SysctlSubject


def content(subject: str, files: dict[str, str] | None = None) -> Fact:
    block = f"@ok {subject}\n"
    for path, text in (files or {}).items():
        lines = "".join(f" {line}\n" for line in text.splitlines())
        block += f"={path}\n{lines}\n"
    return Fact(Request("content", subject), f"cat {subject}", f"{block}.\n".encode())


def snapshot(*facts: Fact) -> Snapshot:
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def value_of(subject: SettingSubject, *facts: Fact) -> Any:
    (record,) = subject.select(snapshot(*facts)).records
    return record.values["value"]


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PASS_MAX_DAYS\t90\n", "90"),
        ("PASS_MAX_DAYS   90\n", "90"),
        ("#PASS_MAX_DAYS 90\n", None),
        ("# PASS_MAX_DAYS 90\nPASS_MAX_DAYS 99999\n", "99999"),
        ("PASS_MAX_DAYS 99999\nPASS_MAX_DAYS 90\n", "90"),
        ("PASS_MAX_DAYS_X 90\n", None),
        ("XPASS_MAX_DAYS 90\n", None),
        ("PASS_MAX_DAYS\n", ""),
        ("", None),
    ],
)
def test_blank_separated_settings(text: str, expected: str | None) -> None:
    subject = SettingSubject.model_validate(
        {"file": "/etc/login.defs", "key": "PASS_MAX_DAYS", "format": "spaced"}
    )
    assert value_of(subject, content("/etc/login.defs", {"/etc/login.defs": text})) == expected


JOURNALD = {
    "file": ["/etc/systemd/journald.conf", "/usr/lib/systemd/journald.conf"],
    "drop_ins": ["/usr/lib/systemd/journald.conf.d", "/etc/systemd/journald.conf.d"],
    "key": "Storage",
    "format": "sectioned",
    "section": "Journal",
}


def journald(main: str, usr: dict[str, str], etc: dict[str, str]) -> Any:
    return value_of(
        SettingSubject.model_validate(JOURNALD),
        content("/etc/systemd/journald.conf", {"/etc/systemd/journald.conf": main}),
        content(
            "/usr/lib/systemd/journald.conf",
            {"/usr/lib/systemd/journald.conf": "[Journal]\nStorage=volatile\n"},
        ),
        content(
            "/usr/lib/systemd/journald.conf.d/*.conf",
            {f"/usr/lib/systemd/journald.conf.d/{n}": t for n, t in usr.items()},
        ),
        content(
            "/etc/systemd/journald.conf.d/*.conf",
            {f"/etc/systemd/journald.conf.d/{n}": t for n, t in etc.items()},
        ),
    )


@pytest.mark.ac("engine-14")
def test_systemd_settings_need_their_section_and_merge_by_file_name() -> None:
    assert journald("[Journal]\nStorage=persistent\n", {}, {}) == "persistent"
    assert journald("Storage=persistent\n", {}, {}) is None
    assert journald("[Other]\nStorage=persistent\n", {}, {}) is None
    assert (
        journald("[Journal]\nStorage=none\n", {"10-a.conf": "[Journal]\nStorage=auto\n"}, {})
        == "auto"
    )
    late = {"90-z.conf": "[Journal]\nStorage=volatile\n"}
    early = {"10-a.conf": "[Journal]\nStorage=persistent\n"}
    assert journald("", late, early) == "volatile"
    hidden = {"90-z.conf": "[Journal]\nStorage=persistent\n"}
    assert journald("", late, hidden) == "persistent"
    assert journald("", late, {"90-z.conf": "# emptied\n"}) is None


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(("drop_ins_first", "expected"), [(True, "8"), (False, "14")])
def test_a_main_file_may_have_the_last_word(drop_ins_first: bool, expected: str) -> None:
    subject = SettingSubject.model_validate(
        {
            "file": "/etc/p.conf",
            "drop_ins": ["/etc/p.conf.d"],
            "drop_ins_first": drop_ins_first,
            "key": "minlen",
        }
    )
    value = value_of(
        subject,
        content("/etc/p.conf", {"/etc/p.conf": "minlen = 8\n"}),
        content("/etc/p.conf.d/*.conf", {"/etc/p.conf.d/50.conf": "minlen = 14\n"}),
    )
    assert value == expected


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(("lower_case", "expected"), [(True, "halt"), (False, "HALT")])
def test_values_that_are_the_same_in_any_case(lower_case: bool, expected: str) -> None:
    subject = SettingSubject.model_validate(
        {"file": "/etc/a.conf", "key": "action", "ignore_case": True, "lower_case": lower_case}
    )
    assert value_of(subject, content("/etc/a.conf", {"/etc/a.conf": "Action = HALT\n"})) == expected


@pytest.mark.ac("engine-14")
def test_a_file_that_cannot_be_read_makes_the_setting_unknown() -> None:
    subject = SettingSubject.model_validate({"file": "/etc/a.conf", "key": "x"})
    closed = Fact(Request("content", "/etc/a.conf"), "cat", b"@ok /etc/a.conf\n!/etc/a.conf\n.\n")
    value = value_of(subject, closed)
    assert isinstance(value, CouldNot)
    assert value.reason is Reason.DENIED


def sysctl_files(**files: dict[str, str]) -> list[Fact]:
    directories = {
        "usr": "/usr/lib/sysctl.d",
        "local": "/usr/local/lib/sysctl.d",
        "run": "/run/sysctl.d",
        "etc": "/etc/sysctl.d",
    }
    facts = [
        content(f"{path}/*.conf", {f"{path}/{n}": t for n, t in files.get(key, {}).items()})
        for key, path in directories.items()
    ]
    return [
        *facts,
        content("/etc/sysctl.conf", {"/etc/sysctl.conf": files.get("main", {}).get("", "")}),
        *(content(path, files.get(path)) for path in UFW_FILES),
    ]


UFW_FILES = ("/etc/default/ufw", "/etc/ufw/ufw.conf", "/etc/ufw/sysctl.conf")


def ufw(
    text: str, *, defaults: str = "IPT_SYSCTL=/etc/ufw/sysctl.conf\n", enabled: str = "yes"
) -> dict[str, dict[str, str]]:
    """Return the files of ufw with these kernel parameters."""
    texts = (defaults, f"ENABLED={enabled}\n", text)
    return {path: {path: text} for path, text in zip(UFW_FILES, texts, strict=True)}


KEY = "net.ipv4.conf.all.log_martians"
SLASHED = KEY.replace(".", "/")


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("files", "state", "expected"),
    [
        # ufw alone.
        (ufw(f"{SLASHED}=0\n"), "enabled", ["0"]),
        (ufw(f"{SLASHED}=0\n{SLASHED}=1\n"), "enabled", ["1"]),
        (ufw(f"#{SLASHED}=0\n"), "enabled", [None]),
        # Both: the next boot may end with either.
        ({"etc": {"50-a.conf": f"{KEY}=1\n"}} | ufw(f"{SLASHED}=0\n"), "enabled", ["1", "0"]),
        ({"etc": {"50-a.conf": f"{KEY}=0\n"}} | ufw(f"{SLASHED}=1\n"), "enabled", ["0", "1"]),
        ({"etc": {"50-a.conf": f"{KEY}=1\n"}} | ufw(f"{SLASHED}=1\n"), "enabled", ["1"]),
        # ufw does not start, or names no file.
        (ufw(f"{SLASHED}=0\n", enabled="no"), "enabled", [None]),
        (ufw(f"{SLASHED}=0\n"), "disabled", [None]),
        (ufw(f"{SLASHED}=0\n", defaults='IPT_SYSCTL=""\n'), "enabled", [None]),
        (ufw(f"{SLASHED}=0\n", defaults=""), "enabled", [None]),
        # It reads another file: one that is known, and one that nobody asked for.
        ({"main": {"": f"{KEY}=0\n"}} | ufw("", defaults="IPT_SYSCTL=/etc/sysctl.conf"),
         "enabled", ["0"]),
        (ufw("", defaults="IPT_SYSCTL=/root/x"), "enabled", [Reason.INCOMPLETE]),
        (ufw("", defaults="IPT_SYSCTL=/root/x", enabled="no"), "enabled", [None]),
    ],
)  # fmt: skip
def test_ufw_sets_kernel_parameters_of_its_own(
    files: dict[str, dict[str, str]], state: str, expected: list[str | Reason | None]
) -> None:
    unit = f"Id=ufw.service\nLoadState=loaded\nActiveState=active\nUnitFileState={state}\n"
    facts = [
        Fact(Request("unit", "ufw.service"), "systemctl show", unit.encode()),
        Fact(Request("capabilities"), "command -v …", b"systemd\nend\n"),
        Fact(Request("sysctl", KEY), f"sysctl -n {KEY}", b"=1\n"),
    ]
    subject = SysctlSubject.model_validate({"key": KEY})
    found = [
        record.values["configured"]
        for record in subject.select(snapshot(*facts, *sysctl_files(**files))).records
    ]
    assert [value.reason if isinstance(value, CouldNot) else value for value in found] == expected


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"etc": {"50-a.conf": "kernel.sysrq = 0\n"}}, "0"),
        ({"etc": {"50-a.conf": "kernel/sysrq=0\n"}}, "0"),
        ({"etc": {"50-a.conf": "-kernel.sysrq = 0\n"}}, "0"),
        ({"etc": {"50-a.conf": "# kernel.sysrq = 0\n; kernel.sysrq = 1\n"}}, None),
        ({"etc": {"50-a.conf": "kernel.sysrqx = 0\n"}}, None),
        ({"etc": {"50-a.conf": "kernel.sys* = 0\n"}}, "0"),
        ({"etc": {"50-a.conf": "*.sysrq = 0\nkernel.*.sysrq = 1\n* = 1\n"}}, "0"),
        ({"etc": {"50-a.conf": "kernel.sysrq = 0\n", "60-b.conf": "kernel.* = 1\n"}}, "0"),
        ({"etc": {"50-a.conf": "kernel.* = 1\n", "60-b.conf": "-kernel.sysrq\n"}}, None),
        ({"etc": {"10-a.conf": "kernel.sysrq=0\n"}, "usr": {"99-z.conf": "kernel.sysrq=1\n"}}, "1"),
        ({"etc": {"99-z.conf": "kernel.sysrq=0\n"}, "usr": {"99-z.conf": "kernel.sysrq=1\n"}}, "0"),
    ],
)
def test_sysctl_configuration(files: dict[str, dict[str, str]], expected: str | None) -> None:
    subject = SysctlSubject.model_validate({"key": "kernel.sysrq"})
    facts = sysctl_files(**files)
    running = Fact(Request("sysctl", "kernel.sysrq"), "sysctl -n kernel.sysrq", b"=176\n")
    (record,) = subject.select(snapshot(running, *facts)).records
    assert record.values == {"running": "176", "configured": expected}
    if expected is not None:
        assert record.sources["configured"].line >= 1


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("capabilities", "linked", "expected"),
    [
        (b"tool.sysctl\nend\n", False, "1"),
        (b"systemd\nend\n", False, "0"),
        (b"systemd\nend\n", True, "1"),
        (b"", False, Reason.UNPARSABLE),
    ],
)
def test_systemd_reads_the_main_file_of_sysctl_only_where_it_is_linked(
    capabilities: bytes, linked: bool, expected: str | Reason
) -> None:
    drop_ins = {"50-a.conf": "kernel.sysrq=0\n"}
    if linked:
        drop_ins["99-sysctl.conf"] = "kernel.sysrq=1\n"
    facts = sysctl_files(etc=drop_ins, main={"": "kernel.sysrq=1\n"})
    host = Fact(Request("capabilities"), "command -v …", capabilities)
    running = Fact(Request("sysctl", "kernel.sysrq"), "sysctl -n kernel.sysrq", b"=1\n")
    subject = SysctlSubject.model_validate({"key": "kernel.sysrq"})
    (record,) = subject.select(snapshot(running, host, *facts)).records
    value = record.values["configured"]
    assert (value.reason if isinstance(value, CouldNot) else value) == expected


def test_lines_match_whole_and_never_in_comments() -> None:
    subject = LineSubject.model_validate(
        {"file": "/etc/sudoers", "pattern": r"(?P<who>\S+) ALL=.*", "continued": "\\"}
    )
    text = "# anna ALL=(ALL) ALL\nbert ALL=(ALL) \\\n  ALL\n  carl ALL=ALL\nx carl ALL=ALL\n"
    records = subject.select(snapshot(content("/etc/sudoers", {"/etc/sudoers": text}))).records
    assert [(r.values["who"], r.sources["text"].line) for r in records] == [
        ("bert", 2),
        ("carl", 4),
    ]
    assert records[0].values["text"] == "bert ALL=(ALL) ALL"


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("main", "drop_in", "sizes"),
    [("* hard core 1\n", "* hard core 2\n* hard core 3\n", ["3"]), ("* hard core 1\n", "", ["1"])],
)
def test_of_several_lines_the_last_file_has_the_last_one(
    main: str, drop_in: str, sizes: list[str]
) -> None:
    subject = LineSubject.model_validate(
        {
            "file": ["/etc/limits.conf", "/etc/limits.d/*.conf"],
            "pattern": r"\* hard core (?P<size>\d)",
            "last": True,
        }
    )
    records = subject.select(
        snapshot(
            content("/etc/limits.conf", {"/etc/limits.conf": main}),
            content("/etc/limits.d/*.conf", {"/etc/limits.d/10-a.conf": drop_in}),
        )
    ).records
    assert [record.values["size"] for record in records] == sizes


@pytest.mark.ac("engine-07")
@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/etc/gshadow-", "/etc/ssh/ssh_host_ed25519_key", "etc/passwd"]
)
def test_files_of_secrets_are_never_asked_for(path: str) -> None:
    with pytest.raises(ValueError, match=r"secrets|absolute"):
        LineSubject.model_validate({"file": path, "pattern": ".*"})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("900", 900), ("900s", 900), ("15min", 900), ("1h 30min", 5400), ("1h30m", 5400),
        ("2 d", 172800), ("0", 0), ("infinity", None), ("", None), ("10x", None), ("-5", None),
        ("5 minutes ago", None), ("1.5h", None),
    ],
)  # fmt: skip
def test_a_time_span_of_systemd_in_seconds(text: str, seconds: int | None) -> None:
    assert timespan_seconds(text) == seconds
