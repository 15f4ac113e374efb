"""Profiles of AppArmor: what their patterns match, and which programs escaped them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.probes.confinement import AppArmorProbe, attachment
from openwatch.engine.snapshot import make_snapshot
from openwatch.engine.subjects.confinement import SelinuxBooleanSubject


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/usr/bin/man", "/usr/bin/man", True),
        ("/usr/bin/man", "/usr/bin/mandb", False),
        ("/usr/bin/*", "/usr/bin/man", True),
        ("/usr/bin/*", "/usr/bin/x/man", False),
        ("/usr/**", "/usr/bin/x/man", True),
        ("/{,usr/}bin/ping", "/bin/ping", True),
        ("/{,usr/}bin/ping", "/usr/bin/ping", True),
        ("/{a,{b,c}}/x", "/c/x", True),
        ("/x[0-9]", "/x5", True),
        ("/x[^0-9]", "/x5", False),
        ("/x?", "/x/", False),
        ("/a.b", "/axb", False),
        ("/a\\*b", "/a*b", True),
        ("/a,b", "/a,b", True),
    ],
)
def test_a_pattern_of_apparmor(pattern: str, path: str, matches: bool) -> None:
    rule = attachment(pattern)
    assert rule is not None
    assert (rule.fullmatch(path) is not None) is matches


@pytest.mark.parametrize("pattern", ["/{a", "/[a", "/x{{}", "/" + "x" * 5000])
def test_what_is_no_pattern(pattern: str) -> None:
    assert attachment(pattern) is None


@given(st.text(alphabet="/ab*?{},[]^-\\.", max_size=30))
def test_no_pattern_breaks_the_reader(pattern: str) -> None:
    rule = attachment(pattern)
    if rule is not None and not set(pattern) & set("*?{}[]\\"):
        assert rule.fullmatch(pattern)


def parsed(output: str) -> dict[str, frozenset[str]]:
    probe = AppArmorProbe()
    kept = probe.clean(output.encode())
    found = probe.read(Fact(Request("apparmor"), "aa-status", kept))
    return {profile.name: profile.escaped for profile in found}


def test_only_programs_with_a_profile_are_kept() -> None:
    output = (
        "profile man (enforce)\nattach man|/usr/bin/man\nprofile open (unconfined)\n"
        "attach open|/opt/**\nfree /usr/bin/man\nfree /usr/bin/man (deleted)\nfree /bin/sh\n"
        "free /opt/x\n#end\n"
    )
    assert parsed(output) == {"man": frozenset({"/usr/bin/man"}), "open": frozenset()}
    assert b"/bin/sh" not in AppArmorProbe().clean(output.encode())


@pytest.mark.parametrize(
    ("answer", "name", "running", "configured"),
    [
        ("running a 1\nrunning b 0\nstore a on\nstore b on\nstore\n#end\n", "a", True, True),
        ("running a 1\nrunning b 0\nstore a on\nstore b on\nstore\n#end\n", "b", False, True),
        ("running a 1\nlocal a 0\n#end\n", "a", True, False),
        ("running a 1\nlocal a 0\nstore a off\nstore\n#end\n", "a", True, False),
        ("running a 1\nlocal b 0\n#end\n", "a", True, Reason.TOOL_MISSING),
        ("running a 1\nstore\n#end\n", "a", True, Reason.TOOL_MISSING),
        ("running a 1\n#end\n", "b", None, None),
        ("running a 2\n#end\n", "a", Reason.UNPARSABLE, Reason.UNPARSABLE),
        ("running a 1\n", "a", Reason.UNPARSABLE, Reason.UNPARSABLE),
    ],
)
def test_a_boolean_of_selinux_is_known_now_and_after_a_boot(
    answer: str, name: str, running: object, configured: object
) -> None:
    fact = Fact(Request("selinux_booleans"), "semanage", answer.encode())
    snapshot = make_snapshot([fact], taken_at=datetime.now(UTC), privilege="root")
    (record,) = SelinuxBooleanSubject(name=name).select(snapshot).records
    seen = [record.values[field] for field in ("running", "configured")]
    assert [v.reason if isinstance(v, CouldNot) else v for v in seen] == [running, configured]
