"""Every rule can be said in words, for each platform."""

from __future__ import annotations

import pytest

from openwatch.engine.probes import PROBES
from openwatch.engine.rules import load_corpus
from openwatch.engine.rules.explain import explain
from openwatch.engine.rules.platforms import PlatformRange, platform_names
from openwatch.engine.rules.schema import Rule

PLAIN = {
    "id": "a-rule", "title": "A rule of a test", "description": "Something has to be so.",
    "rationale": "It is needed for a test.", "severity": "low", "category": "system",
    "references": {"nist_800_53": ["CM-6"]}, "fix": "Do what is wanted.", "sources": ["a test"],
}  # fmt: skip


@pytest.mark.ac("rules-09")
def test_a_rule_says_where_each_platform_keeps_the_setting() -> None:
    rule = Rule.model_validate(
        PLAIN
        | {
            "platforms": [{"family": "debian", "min": "12"}, {"family": "rhel"}],
            "when": {"package": {"name": "x"}, "expect": {"installed": True}},
            "implementations": [
                {
                    "platforms": [{"family": "rhel", "min": "8", "max": "9"}],
                    "check": {
                        "any": [
                            {
                                "setting": {"file": "/etc/x.conf", "key": "limit"},
                                "expect": {"value": {"at_least": 1, "at_most": {"var": "most"}}},
                            },
                            {"unit": {"name": ["a.service"]}, "expect": {"masked": True}},
                        ]
                    },
                },
                {"manual": "Look whether the limit is what the site has written down."},
            ],
        }
    )
    rhel, other = explain(rule)
    assert rhel.platforms == "rhel 8 to 9"
    assert [line.text for line in rhel.gate] == ["package x: installed yes"]
    assert [(line.depth, line.text) for line in rhel.lines] == [
        (0, "one of these holds:"),
        (1, "setting limit: value at least 1 and at most ${most}"),
        (1, "unit a.service: masked yes"),
    ]
    assert rhel.places == ("/etc/x.conf", "systemctl show a.service")
    assert other.platforms == "debian 12 and later; rhel"
    assert other.lines[0].text.startswith("A person judges: Look whether")


def test_a_sysctl_is_kept_in_a_file_of_proc() -> None:
    rule = load_corpus().rules["ipv4-forwarding-disabled"]
    (form,) = explain(rule)
    assert any(place == "/proc/sys/net/ipv4/ip_forward" for place in form.places)


@pytest.mark.ac("rules-09")
def test_every_rule_of_the_corpus_is_explained() -> None:
    internal = PROBES.keys() - {"sshd"}  # `sshd -T` is a command
    for rule in load_corpus().rules.values():
        for form in explain(rule):
            assert form.platforms, rule.id
            assert all(line.text.strip() for line in (*form.gate, *form.lines)), rule.id
            assert not {place.split()[0] for place in form.places} & internal, rule.id


def test_ranges_are_said_in_words() -> None:
    ranges = ({"family": "ubuntu", "min": "24.04", "max": "24.04"}, {"family": "sles", "max": "15"})
    assert platform_names([PlatformRange.model_validate(r) for r in ranges]) == (
        "ubuntu 24.04; sles up to 15"
    )
