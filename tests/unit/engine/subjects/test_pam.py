"""PAM stacks are what libpam calls, and options are what its modules obey."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.base import Record
from openwatch.engine.subjects.pam import PamOptionSubject, PamSubject, options
from openwatch.engine.subjects.pam_stack import entries, reached, stack, tokens

pytestmark = pytest.mark.ac("rules-12")

PATTERNS = (
    "/etc/pam.d/*",
    "/usr/lib/pam.d/*",
    "/etc/security/faillock.conf",
    "/etc/security/pwquality.conf",
    "/etc/security/pwquality.conf.d/*.conf",
    "/etc/security/pwhistory.conf",
)


def host(files: Mapping[str, str], *, closed: tuple[str, ...] = ()) -> Snapshot:
    """A snapshot of these files; the patterns in ``closed`` could not be looked at."""
    facts: list[Fact] = []
    for pattern in PATTERNS:
        directory = pattern.rpartition("/")[0]
        inside = "*" in pattern and pattern not in closed
        mine = {
            p: t
            for p, t in files.items()
            if p == pattern or (inside and p.rpartition("/")[0] == directory)
        }
        blocks = "".join(
            f"={p}\n" + "".join(f" {line}\n" for line in t.split("\n")) for p, t in mine.items()
        )
        state = "denied" if pattern in closed else "ok"
        facts.append(
            Fact(Request("content", pattern), "cat", f"@{state} {pattern}\n{blocks}.\n".encode())
        )
    return make_snapshot(facts, taken_at=datetime(2025, 6, 1, tzinfo=UTC), privilege="root")


def pam(files: Mapping[str, str], **parameters: object) -> tuple[Record, ...]:
    found = PamSubject.model_validate(parameters).select(host(files))
    assert found.could_not is None
    return found.records


def modules(files: Mapping[str, str], service: str, phase: str) -> list[str]:
    return [str(r.values["module"]) for r in pam(files, service=service, phase=phase)]


def test_an_entry_is_read_as_pam_conf_5_says() -> None:
    text = "-AUTH  [success=2 default=ignore]  /lib/security/pam_unix.so  nullok [a b] x=1 # why\n"
    (record,) = pam({"/etc/pam.d/login": text}, service="login", phase="auth", module="pam_unix",
                    argument="x")  # fmt: skip
    assert record.values["control"] == "[success=2 default=ignore]"
    assert record.values["arguments"] == frozenset({"nullok", "a b", "x=1"})
    assert record.values["names"] == frozenset({"nullok", "a b", "x"})
    assert record.values["argument"] == "1"
    assert record.values["required"] is False


def test_a_line_goes_on_after_a_backslash_and_ends_at_a_comment() -> None:
    file = FileContent("/f", "auth required \\\n pam_unix.so \\\n nullok # \\\nauth optional x.so")
    assert [line for _, line in entries(file)] == [
        "auth required  pam_unix.so  nullok",
        "auth optional x.so",
    ]
    assert [number for number, _ in entries(file)] == [1, 4]


def test_includes_bring_their_own_phase_and_an_at_include_brings_all() -> None:
    files = {
        "/etc/pam.d/sshd": "auth include base\n@include all\naccount substack base\n",
        "/etc/pam.d/base": "auth required pam_env.so\naccount required pam_nologin.so\n",
        "/etc/pam.d/all": "auth required pam_unix.so\naccount required pam_access.so\n",
    }
    assert modules(files, "sshd", "auth") == ["pam_env", "pam_unix"]
    assert modules(files, "sshd", "account") == ["pam_access", "pam_nologin"]


def test_files_that_include_each_other_again_and_again_are_unknown() -> None:
    files = {
        "/etc/pam.d/a": "auth include b\nauth substack b\n" * 50,
        "/etc/pam.d/b": "@include a\n" * 50,
    }
    found = stack(host(files), "a")
    assert isinstance(found, CouldNot)
    assert found.reason is Reason.TRUNCATED


def test_the_administrators_file_hides_that_of_the_vendor() -> None:
    files = {
        "/usr/lib/pam.d/login": "auth required pam_permit.so\n",
        "/etc/pam.d/login": "auth required pam_unix.so\n",
    }
    assert modules(files, "login", "auth") == ["pam_unix"]
    del files["/etc/pam.d/login"]
    assert modules(files, "login", "auth") == ["pam_permit"]


@pytest.mark.parametrize(
    "entry",
    ["auth include nothing", "auth required", "auth", "@include nothing", "au pam_unix.so x y"],
)
def test_a_broken_entry_always_fails_and_is_no_module(entry: str) -> None:
    records = pam({"/etc/pam.d/x": f"{entry}\n"}, service="x", phase="auth")
    assert [(r.values["module"], r.values["required"]) for r in records] == [("", True)]


def test_a_service_that_includes_itself_ends() -> None:
    assert modules({"/etc/pam.d/x": "auth include x\n"}, "x", "auth") == [""]


@pytest.mark.parametrize(
    ("lines", "called"),
    [
        ("auth requisite pam_deny.so\nauth required pam_x.so", False),
        ("auth sufficient pam_permit.so\nauth required pam_x.so", False),
        ("auth required pam_deny.so\nauth required pam_x.so", True),
        # What has failed already is not ended by a success.
        ("auth required pam_deny.so\nauth sufficient pam_permit.so\nauth required pam_x.so", True),
        ("auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n"
         "auth required pam_x.so", True),
        ("auth [default=1] pam_permit.so\nauth required pam_x.so", False),
        ("auth [success=die default=die] pam_unix.so\nauth required pam_x.so", False),
        # A jump over a substack is a jump over one entry; its end does not end the stack.
        ("auth [default=1] pam_permit.so\nauth substack deny\nauth required pam_x.so", True),
        ("auth substack deny\nauth required pam_x.so", True),
        ("auth include deny\nauth required pam_x.so", False),
    ],
)  # fmt: skip
def test_only_what_can_be_called_counts(lines: str, called: bool) -> None:
    files = {"/etc/pam.d/a": f"{lines}\n", "/etc/pam.d/deny": "auth requisite pam_deny.so\n"}
    (record,) = pam(files, service="a", phase="auth", module="pam_x")
    assert record.values["present"] is called
    assert called or record.raw == "pam_x is never reached"


def test_each_service_without_the_module_gives_a_record() -> None:
    files = {
        "/etc/pam.d/a": "auth required pam_faillock.so preauth\nauth required pam_unix.so\n",
        "/etc/pam.d/b": "auth required pam_unix.so\nauth required pam_faillock.so authfail\n",
    }
    records = pam(files, service=("a", "b", "c"), phase="auth", module="pam_faillock",
                  having=("preauth",), before="pam_unix")  # fmt: skip
    assert [(r.values["present"], r.values["first"]) for r in records] == [
        (True, True), (False, None), (False, None),
    ]  # fmt: skip
    (late,) = pam(files, service="b", phase="auth", module="pam_faillock", before="pam_unix")
    assert late.values["first"] is False


@pytest.mark.parametrize("closed", ["/etc/pam.d/*", "/usr/lib/pam.d/*"])
def test_what_cannot_be_read_is_no_stack(closed: str) -> None:
    snapshot = host({"/etc/pam.d/a": "auth include elsewhere\n"}, closed=(closed,))
    found = stack(snapshot, "a")
    assert isinstance(found, CouldNot)
    assert found.reason is Reason.DENIED
    subject = PamSubject(service="a", phase="auth")
    assert subject.select(snapshot).could_not is not None


def test_an_included_file_elsewhere_is_unknown() -> None:
    found = stack(host({"/etc/pam.d/a": "auth include /opt/pam\n"}), "a")
    assert isinstance(found, CouldNot)
    assert found.reason is Reason.INCOMPLETE


def option(files: Mapping[str, str], module: str, name: str, **more: object) -> list[object]:
    subject = PamOptionSubject.model_validate(
        {"service": "s", "module": module, "option": name, **more}
    )
    records = subject.select(host(files)).records
    return [r.values["value"] if r.values["used"] else "unused" for r in records]


def test_an_argument_wins_over_the_file_on_its_own_entry_only() -> None:
    files = {
        "/etc/pam.d/s": "auth required pam_faillock.so preauth deny=9\n"
        "auth required pam_faillock.so authfail\n",
        "/etc/security/faillock.conf": "deny = 5 # few\n deny=3\nDeny = 7\n",
    }
    assert option(files, "pam_faillock", "deny") == ["9", "3"]
    assert option(files, "pam_faillock", "deny", arguments_only=True) == ["9", None]


def test_pwquality_reads_its_drop_ins_first_and_keys_in_any_case() -> None:
    files = {
        "/etc/pam.d/s": "password requisite pam_pwquality.so\n",
        "/etc/security/pwquality.conf": "# minlen = 20\nMinLen 14\n",
        "/etc/security/pwquality.conf.d/50.conf": "minlen = 8\nenforce_for_root\n",
    }
    assert option(files, "pam_pwquality", "minlen") == ["14"]
    assert option(files, "pam_pwquality", "enforce_for_root") == [""]
    assert option(files, "pam_pwquality", "difok") == [None]


def test_pwhistory_takes_the_first_line() -> None:
    files = {
        "/etc/pam.d/s": "password requisite pam_pwhistory.so\n",
        "/etc/security/pwhistory.conf": "remember = 5\nremember = 24\n",
    }
    assert option(files, "pam_pwhistory", "remember") == ["5"]


def test_a_file_that_nothing_reads_sets_nothing() -> None:
    files = {"/etc/pam.d/s": "auth required pam_unix.so\n", "/etc/security/faillock.conf": "audit"}
    assert option(files, "pam_faillock", "audit") == ["unused"]


def test_another_file_of_the_module_is_unknown() -> None:
    files = {
        "/etc/pam.d/s": "auth required pam_faillock.so conf=/opt/f\n",
        "/etc/security/faillock.conf": "deny = 3\n",
    }
    (value,) = option(files, "pam_faillock", "deny")
    assert isinstance(value, CouldNot)


RHEL = """
auth        required      pam_env.so
auth        required      pam_faildelay.so delay=2000000
auth        required      pam_faillock.so preauth silent
auth        [default=1 ignore=ignore success=ok]         pam_usertype.so isregular
auth        [default=1 ignore=ignore success=ok]         pam_localuser.so
auth        sufficient    pam_unix.so
auth        [default=1 ignore=ignore success=ok]         pam_usertype.so isregular
auth        sufficient    pam_sss.so forward_pass
auth        required      pam_faillock.so authfail
auth        required      pam_deny.so
password    requisite     pam_pwquality.so local_users_only
password    [default=1 ignore=ignore success=ok]         pam_localuser.so
password    requisite     pam_pwhistory.so use_authtok
password    sufficient    pam_unix.so sha512 shadow use_authtok
password    [success=1 default=ignore]                   pam_localuser.so
password    sufficient    pam_sss.so use_authtok
password    required      pam_deny.so
"""


def test_the_stacks_that_authselect_writes() -> None:
    files = {
        "/etc/pam.d/system-auth": RHEL,
        "/etc/pam.d/login": "auth substack system-auth\nauth include postlogin\n"
        "password include system-auth\n",
        "/etc/pam.d/postlogin": "session optional pam_umask.so\n",
    }
    for service in ("system-auth", "login"):
        assert modules(files, service, "auth")[-1] == "pam_deny"
        early, late = pam(files, service=service, phase="auth", module="pam_faillock",
                          before="pam_unix")  # fmt: skip
        assert (early.values["first"], late.values["first"]) == (True, False)
        assert early.values["required"] is late.values["required"] is True
        (history,) = pam(files, service=service, phase="password", module="pam_pwhistory",
                         before="pam_unix")  # fmt: skip
        assert history.values["required"] is history.values["first"] is True


LINES = st.lists(
    st.text("auth required[]=\\#@ include substack pam_deny.so1\t-", max_size=40), max_size=8
)


@given(LINES)
def test_no_text_of_a_stack_crashes_or_hangs(lines: list[str]) -> None:
    snapshot = host({"/etc/pam.d/a": "\n".join(lines), "/etc/pam.d/b": "auth include a\n"})
    for service in ("a", "b"):
        subject = PamSubject(service=service, phase="auth", module="pam_deny")
        for record in subject.select(snapshot).records:
            assert record.values["present"] in (True, False) or isinstance(
                record.values["present"], CouldNot
            )


CONTROLS = st.sampled_from(
    ["required", "requisite", "sufficient", "optional", "[success=2 default=ignore]",
     "[default=die]", "[success=ok default=1]", "[success=99]", "[default=reset]", "[x", "?"]
)  # fmt: skip
MODULES = st.sampled_from(["pam_deny.so", "pam_permit.so", "pam_unix.so"])


@given(st.lists(st.tuples(CONTROLS, MODULES), min_size=1, max_size=10))
def test_the_first_entry_is_always_called_and_nothing_beyond_the_last(
    pairs: list[tuple[str, str]],
) -> None:
    text = "".join(f"auth {control} {module}\n" for control, module in pairs)
    found = stack(host({"/etc/pam.d/a": text}), "a")
    assert isinstance(found, tuple)
    called = reached(found)
    assert 0 in called
    assert called <= set(range(len(found)))


@given(st.text(max_size=200))
def test_words_and_options_of_any_text(text: str) -> None:
    tokens(text)
    for key, _, source in options(FileContent("/f", text)):
        assert key
        assert "#" not in key
        assert source.line >= 1
