"""Limits and profiles of authselect are what pam_limits and authselect make of their files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Request
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.authselect import AuthselectSubject
from openwatch.engine.subjects.base import Subject, Value
from openwatch.engine.subjects.limits import LimitSubject


def host(subject: Subject, files: Mapping[str, str], *, closed: str = "") -> Snapshot:
    facts: list[Fact] = []
    for request in subject.requests():
        mine = {p: t for p, t in files.items() if fnmatchcase(p, request.subject)}
        state = "ok"
        if request.subject == closed:
            mine, state = {}, "denied"
        blocks = "".join(
            f"={p}\n" + "".join(f" {line}\n" for line in t.split("\n")) for p, t in mine.items()
        )
        output = f"@{state} {request.subject}\n{blocks}.\n".encode()
        facts.append(Fact(Request("content", request.subject), "cat", output))
    return make_snapshot(facts, taken_at=datetime(2025, 6, 1, tzinfo=UTC), privilege="root")


def limits(files: Mapping[str, str], item: str = "core") -> dict[str, tuple[Value, Value]]:
    subject = LimitSubject(item=item)
    selection = subject.select(host(subject, files))
    assert selection.could_not is None
    return {
        str(r.values["domain"]): (r.values["hard"], r.values["soft"]) for r in selection.records
    }


def test_a_dash_alone_lifts_every_limit_and_a_fifth_word_is_not_read() -> None:
    files = {
        "/etc/security/limits.conf": "* hard core 0\nalice -\n@dev hard core unlimited why\nbob\n"
    }
    assert limits(files) == {
        "*": ("0", None),
        "alice": ("unlimited", "unlimited"),
        "@dev": ("unlimited", None),
    }
    assert limits(files, "maxlogins") == {"alice": ("unlimited", "unlimited")}


def test_of_two_lines_for_one_domain_the_last_counts_and_a_dash_is_both() -> None:
    files = {
        "/etc/security/limits.conf": "* hard core 1\n* soft core 2\n@staff - core 5 # all\n",
        "/etc/security/limits.d/20.conf": "*\thard\tCore\t0\n# * hard core 9\n* hard cores 7\n",
        "/etc/security/limits.d/20": "* hard core 8\n",
    }
    assert limits(files) == {"*": ("0", "2"), "@staff": ("5", "5")}


@pytest.mark.parametrize("value", ["-1", "unlimited", "INFINITY"])
def test_no_limit_has_one_name(value: str) -> None:
    files = {"/etc/security/limits.conf": f"bob soft core {value}\nbob core 1\nbob x core 1\n"}
    assert limits(files) == {"bob": (None, "unlimited")}


def test_limits_that_cannot_be_read_are_unknown() -> None:
    subject = LimitSubject(item="core")
    closed = "/etc/security/limits.d/*.conf"
    assert subject.select(host(subject, {}, closed=closed)).could_not is not None


@given(st.text("*@-hardsoft core\t#0\n", max_size=80))
def test_no_limits_crash(text: str) -> None:
    for hard, soft in limits({"/etc/security/limits.conf": text}).values():
        assert hard is not None or soft is not None


TEMPLATE = """
auth required pam_faillock.so preauth {include if "with-faillock"}
auth sufficient pam_unix.so {if not "without-nullok":nullok}
auth required pam_sss.so {exclude if "without-sss" or "local"}
password requisite pam_pwquality.so
password requisite pam_pwhistory.so {include if "with-pwhistory" and not "local"}
"""
SITE = "/etc/authselect/custom/site"
FILES = {
    "/etc/authselect/authselect.conf": "custom/site\n",
    f"{SITE}/system-auth": TEMPLATE,
    f"{SITE}/password-auth": TEMPLATE,
}


def profile(files: Mapping[str, str], *, closed: str = "") -> Mapping[str, Value]:
    subject = AuthselectSubject()
    (record,) = subject.select(host(subject, files, closed=closed)).records
    return record.values


@pytest.mark.parametrize(
    ("features", "more", "fewer"),
    [
        ("", {"pam_unix", "pam_sss", "pam_pwquality"}, {"pam_faillock", "pam_pwhistory"}),
        ("with-faillock\n", {"pam_faillock"}, set[str]()),
        ("without-sss\n", set[str](), {"pam_sss"}),
        ("local\nwith-pwhistory\n", set[str](), {"pam_sss", "pam_pwhistory"}),
        ("with-pwhistory\n", {"pam_pwhistory"}, set[str]()),
    ],
)
def test_features_decide_which_lines_of_a_profile_stay(
    features: str, more: set[str], fewer: set[str]
) -> None:
    values = profile({**FILES, "/etc/authselect/authselect.conf": f"custom/site\n{features}"})
    assert values["features"] == frozenset(features.split())
    modules = values["modules"]
    assert isinstance(modules, frozenset)
    assert more <= modules
    assert not fewer & modules


def test_a_module_counts_when_both_stacks_get_it() -> None:
    values = profile({**FILES, f"{SITE}/password-auth": "auth required pam_unix.so\n"})
    assert values["modules"] == frozenset({"pam_unix"})


def test_without_a_profile_nothing_is_selected() -> None:
    values = profile({})
    assert (values["selected"], values["modules"]) == (False, None)


def test_a_profile_that_is_not_there_is_unknown() -> None:
    assert isinstance(profile({"/etc/authselect/authselect.conf": "sssd"})["modules"], CouldNot)


@pytest.mark.parametrize(
    "closed", ["/etc/authselect/authselect.conf", "/etc/authselect/custom/*/password-auth"]
)
def test_a_profile_that_cannot_be_read_is_unknown(closed: str) -> None:
    assert isinstance(profile(FILES, closed=closed)["modules"], CouldNot)


@given(st.text('auth pam_x.so{include if "a" or not and}\n', max_size=120))
def test_no_template_crashes(text: str) -> None:
    profile({**FILES, f"{SITE}/system-auth": text, f"{SITE}/password-auth": text})
