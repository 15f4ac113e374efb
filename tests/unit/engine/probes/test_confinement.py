"""Profiles of AppArmor: what their patterns match, and which programs escaped them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import Fact, Request
from openwatch.engine.probes.confinement import AppArmorProbe, attachment


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
