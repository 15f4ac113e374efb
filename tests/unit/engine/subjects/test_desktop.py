"""dconf, AIDE, schedules, sections, APT: read as their own programs read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.probes.schedule import Timer
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.aide import parse_config, rule_for
from openwatch.engine.subjects.base import Source
from openwatch.engine.subjects.dconf import DconfSubject, parse_variant
from openwatch.engine.subjects.schedule import calendar_days, cron_entry, timer_days
from openwatch.engine.subjects.sections import RepositorySubject, read_sections
from openwatch.engine.subjects.software import AptOptions, AptSourceSubject, SupportSubject
from openwatch.engine.support import SUPPORT_ENDS, TABLE_DATE


def file(text: str, path: str = "/etc/x.conf") -> FileContent:
    return FileContent(path, text)


def content(subject: str, files: dict[str, str] | None = None) -> Fact:
    block = f"@ok {subject}\n"
    for path, text in (files or {}).items():
        block += f"={path}\n" + "".join(f" {line}\n" for line in text.splitlines()) + "\n"
    return Fact(Request("content", subject), f"cat {subject}", f"{block}.\n".encode())


def snapshot(*facts: Fact) -> Snapshot:
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


KEY = "/org/gnome/desktop/session/idle-delay"


def dconf(files: dict[str, str], locks: dict[str, str], profile: str, state: str) -> dict[str, Any]:
    subject = DconfSubject(key=KEY)
    keyfiles = {f"/etc/dconf/db/{name}": text for name, text in files.items()}
    lock_files = {f"/etc/dconf/db/{name}": text for name, text in locks.items()}
    host = snapshot(
        content("/etc/dconf/db/*.d/*", keyfiles),
        content("/etc/dconf/db/*.d/locks/*", lock_files),
        content("/etc/dconf/profile/user", {"/etc/dconf/profile/user": profile} if profile else {}),
        content("/usr/share/dconf/profile/user"),
        Fact(Request("dconf"), "find", state.encode()),
    )
    (record,) = subject.select(host).records
    return dict(record.values)


PROFILE = "user-db:user\nsystem-db:local\nsystem-db:distro\n"
DELAY = "[org/gnome/desktop/session]\nidle-delay=uint32 {}\n"


@pytest.mark.parametrize(
    ("files", "locks", "profile", "value", "locked"),
    [
        ({"local.d/a": DELAY.format(300)}, {}, PROFILE, "300", False),
        ({"local.d/a": DELAY.format(300)}, {"local.d/locks/l": KEY}, PROFILE, "300", True),
        ({"local.d/a": DELAY.format(300)}, {"local.d/locks/l": f"#{KEY}"}, PROFILE, "300", False),
        ({"local.d/a": DELAY.format(1), "local.d/b": DELAY.format(2)}, {}, PROFILE, "2", False),
        ({"local.d/a": DELAY.format(1), "distro.d/b": DELAY.format(2)}, {}, PROFILE, "1", False),
        # The lock of the lower database keeps the upper one from being asked.
        (
            {"local.d/a": DELAY.format(1), "distro.d/b": DELAY.format(2)},
            {"distro.d/locks/l": KEY}, PROFILE, "2", True,
        ),
        ({"local.d/a": DELAY.format(1)}, {"distro.d/locks/l": KEY}, PROFILE, None, True),
        ({"site.d/a": DELAY.format(1)}, {"site.d/locks/l": KEY}, PROFILE, None, False),
        ({"local.d/a": DELAY.format(1)}, {"local.d/locks/l": KEY}, "", None, False),
        ({"local.d/a": "[org/gnome]\nidle-delay=uint32 1\n"}, {}, PROFILE, None, False),
        ({"local.d/a": "#" + DELAY.format(1).replace("\n", "\n#")}, {}, PROFILE, None, False),
    ],
)  # fmt: skip
def test_a_key_of_dconf(
    files: dict[str, str], locks: dict[str, str], profile: str, value: str | None, locked: bool
) -> None:
    found = dconf(files, locks, profile, "local current\ndistro current\nend\n")
    assert (found["value"], found["locked"], found["current"]) == (value, locked, True)


def test_a_database_that_was_not_compiled_is_not_current() -> None:
    files = {"local.d/a": DELAY.format(1)}
    assert dconf(files, {}, PROFILE, "local stale\nend\n")["current"] is False
    assert isinstance(dconf(files, {}, PROFILE, "local denied\nend\n")["current"], CouldNot)
    assert isinstance(dconf({"local.d/a": "x\n"}, {}, PROFILE, "end\n")["value"], CouldNot)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uint32 900", ("uint32", "900")),
        ("900", ("int32", "900")),
        ("true", ("boolean", "true")),
        ("True", ("unknown", "True")),
        ("'lock-screen'", ("string", "lock-screen")),
        ("string ''", ("string", "")),
        ("[ '' ]", ("array", "['']")),
        ("@as []", ("array", "[]")),
    ],
)
def test_values_of_gvariant(text: str, expected: tuple[str, str]) -> None:
    assert parse_variant(text) == expected


AIDE = """@@define BIN /usr/sbin
database_in=file:/var/lib/aide/aide.db
All = p+i+n+u+g+s+b+acl+xattrs+sha512
Less = All-sha512
# /usr/sbin/none All
@@{BIN}/auditctl All
/usr/sbin Less
=/etc$ p+u
/var/log/.* f p
!/usr/sbin/secret
@@ifdef NEVER
/usr/sbin/never All
@@endif
"""


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        ("/usr/sbin/auditctl", "p i n u g s b acl xattrs sha512"),
        ("/usr/sbin/none", "p i n u g s b acl xattrs"),
        ("/usr/sbin/never", "p i n u g s b acl xattrs"),
        ("/usr/sbin/secret", None),
        ("/usr/sbin/secret/below", None),
        ("/etc", "p u"),
        ("/etc/passwd", None),
        ("/var/log/x", "p"),
        ("/opt/x", None),
    ],
)
def test_the_rule_of_a_path(path: str, attributes: str | None) -> None:
    rule = rule_for(parse_config(file(AIDE), ()), path)
    assert (rule.attributes if rule else None) == (
        None if attributes is None else frozenset(attributes.split())
    )


def test_a_program_that_writes_rules_leaves_them_unknown() -> None:
    drop_ins = (
        file("/a p\n", "/etc/aide/aide.conf.d/10_a"),
        file("#!/bin/sh\necho\n", "/etc/aide/aide.conf.d/20_b"),
    )
    config = parse_config(file("@@x_include /etc/aide/aide.conf.d ^[a-z0-9_]+$\n"), drop_ins)
    assert [rule.pattern for rule in config.rules] == ["/a"]
    assert isinstance(config.unseen, CouldNot)
    assert not parse_config(file("/x p\n"), drop_ins).unseen


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("*-*-* 00:00:00", 1), ("*-*-* *:00:00", 1), ("Mon *-*-* 00:00:00", 7),
        ("Mon..Fri *-*-* 06:00:00", 3), ("Mon,Thu *-*-* 06:00:00", 4), ("*-*-01 00:00:00", 31),
        ("*-*-* 06:25:00 UTC", 1), ("*-01-01 00:00:00", 366), ("2020-01-01 00:00:00", None),
        ("never", None), ("*-*-1/2 00:00:00", 2), ("*-*-1/0 00:00:00", None),
    ],
)  # fmt: skip
def test_the_longest_gap_of_a_calendar_event(text: str, days: int | None) -> None:
    assert calendar_days(text) == days


@pytest.mark.parametrize(
    ("line", "days"),
    [
        ("0 5 * * * root aide --check", 1), ("05 4 * * 0 root aide --check", 7),
        ("0 5 1 * * root aide --check", 31), ("0 5 */2 * * root aide --check", 2),
        ("0 5 * * mon,thu root aide --check", 4), ("0 5 1 * 1 root aide --check", 7),
        ("@weekly root aide --check", 7), ("0 5 1 jan * root aide --check", 366),
    ],
)  # fmt: skip
def test_the_longest_gap_of_a_line_of_a_crontab(line: str, days: int) -> None:
    assert cron_entry(line, system=True) == (days, "aide --check")


@pytest.mark.parametrize("line", ["SHELL=/bin/sh", "MAILTO = root", "@reboot root x", "0 5 * *"])
def test_what_runs_nothing_regularly_is_no_entry(line: str) -> None:
    assert cron_entry(line, system=True) is None


def test_a_timer_with_spans_of_time() -> None:
    timer = Timer("x.timer", True, True, (), (("OnBootUSec", "15min"),), ("x",))
    assert isinstance(timer_days(timer), CouldNot)
    weekly = Timer("x.timer", True, True, (), (("OnUnitActiveUSec", "1w"),), ("x",))
    assert timer_days(weekly) == 7


def test_sections_are_merged_and_continued() -> None:
    found = read_sections(
        [file("lost = 1\n[a]\nkey = 1\n   2\n# key = 9\n[b]\nkey=3\n"), file("[a]\nKEY = 4\n")]
    )
    assert found["a"].values == {"key": "4"}
    assert found["b"].values == {"key": "3"}
    assert read_sections([file("[a]\nkey = 1\n   2\n")])["a"].values == {"key": "1 2"}


@pytest.mark.parametrize(
    ("main", "repository", "expected"),
    [
        ("gpgcheck=1", "", True), ("gpgcheck=1", "gpgcheck=0", False), ("", "gpgcheck=True", True),
        ("", "", False), ("#gpgcheck=1", "", False), ("gpgcheck=0", "gpgcheck = on", True),
    ],
)  # fmt: skip
def test_what_is_in_force_for_a_repository(main: str, repository: str, expected: bool) -> None:
    host = snapshot(
        content("/etc/yum.repos.d/*.repo", {"/etc/yum.repos.d/a.repo": f"[a]\n{repository}\n"}),
        content("/etc/yum/repos.d/*.repo"),
        content("/etc/distro.repos.d/*.repo"),
        content("/etc/dnf/dnf.conf", {"/etc/dnf/dnf.conf": f"[main]\n{main}\n"}),
    )
    (record,) = RepositorySubject().select(host).records
    assert record.values["gpgcheck"] is expected
    assert record.values["enabled"] is True


APT = """// APT::Wrong "1";
APT::Install-Recommends "0"; # a comment
APT { Get { AllowUnauthenticated "true"; }; };
/* APT::Install-Suggests "1"; */
Unattended-Upgrade::Allowed-Origins { "a"; "b"; };
Acquire::Languages:: "none";
apt::install-recommends "1";
"""


def test_options_of_apt() -> None:
    options = AptOptions()
    assert options.read(file(APT)) is None
    assert options.values["apt::install-recommends"][0] == "1"
    assert options.values["apt::get::allowunauthenticated"][0] == "true"
    assert {t for t, _ in options.items["unattended-upgrade::allowed-origins"]} == {"a", "b"}
    assert "apt::wrong" not in options.values
    assert "apt::install-suggests" not in options.values
    assert options.read(file("#clear APT::Get;\n")) is None
    assert "apt::get::allowunauthenticated" not in options.values
    assert options.read(file("#include \"/x\";\n")) is not None  # fmt: skip
    assert options.read(file("APT { x")) is not None


def test_sources_of_apt_in_both_forms() -> None:
    listed = "deb [trusted=yes signed-by=/k.gpg] http://a stable main # x\n# deb http://no stable\n"
    stanzas = (
        "Types: deb\nURIs: http://b\nSuites: s\nComponents: main\nTrusted: yes\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://c\nSuites: s\n\n"
        "Types: deb\nURIs: http://d\nSuites: s\n# Trusted: yes\nSigned-By:\n -----BEGIN\n"
    )
    host = snapshot(
        content("/etc/apt/sources.list", {"/etc/apt/sources.list": listed}),
        content("/etc/apt/sources.list.d/*.list"),
        content(
            "/etc/apt/sources.list.d/*.sources", {"/etc/apt/sources.list.d/d.sources": stanzas}
        ),
    )
    found = {r.values["uri"]: r.values for r in AptSourceSubject().select(host).records}
    assert {uri: values["trusted"] for uri, values in found.items()} == {
        "http://a": True, "http://b": True, "http://d": False,
    }  # fmt: skip
    assert found["http://a"]["signed_by"] == "/k.gpg"
    assert found["http://d"]["signed_by"]


def test_the_table_of_support_has_an_end_for_every_platform_of_the_corpus() -> None:
    wanted = [("debian", (n,)) for n in (12, 13)] + [("rhel", (n,)) for n in (8, 9, 10)]
    wanted += [("ubuntu", (22, 4)), ("ubuntu", (24, 4))]
    assert set(wanted) <= SUPPORT_ENDS.keys()
    assert TABLE_DATE.year >= 2026


def test_an_unknown_release_has_no_known_end_of_support() -> None:
    host = snapshot(Fact(Request("os_release"), "cat", b"ID=debian\nVERSION_ID=99\n"))
    (record,) = SupportSubject().select(host).records
    assert isinstance(record.values["days_left"], CouldNot)


@pytest.mark.parametrize(
    ("version", "ends"),
    [("15", "2019-12-31"), ("15.1", "2021-01-31"), ("15.4", "2023-12-31"), ("15.5", "2024-12-31")],
)
def test_each_service_pack_of_suse_has_an_end_of_its_own(version: str, ends: str) -> None:
    text = f"ID=sles\nID_LIKE=suse\nVERSION_ID={version}\n"
    host = snapshot(Fact(Request("os_release"), "cat", text.encode()))
    (record,) = SupportSubject().select(host).records
    assert record.values["ends"] == ends


@pytest.mark.parametrize("version", ["15.6", "15.9", "16.0"])
def test_a_service_pack_is_not_judged_by_another(version: str) -> None:
    text = f"ID=sles\nID_LIKE=suse\nVERSION_ID={version}\n"
    host = snapshot(Fact(Request("os_release"), "cat", text.encode()))
    (record,) = SupportSubject().select(host).records
    assert isinstance(record.values["days_left"], CouldNot)


texts = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            ["[a]", "\n", "k=v", "x", " ", '"', "{", "}", ";", "#clear", "::", "//", "/*",
             "/a", "!/", "=/b", "p+sha512", "*-*-*", "1/2", "uint32", "'", "deb ", "URIs: ", "R"]
        ), max_size=30,
    ).map("".join),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(texts)
def test_no_text_is_too_strange(text: str) -> None:
    read_sections([file(text)])
    AptOptions().read(file(text))
    config = parse_config(file(text), ())
    rule_for(config, "/usr/sbin/auditctl")
    assert all(isinstance(rule.source, Source) for rule in config.rules)
    parse_variant(text)
    calendar_days(text)
    cron_entry(text, system=True)
    cron_entry(text, system=False)
