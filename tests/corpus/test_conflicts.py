"""No two rules want one thing to be two ways on one host, and no two ask the same."""

from __future__ import annotations

from typing import Any

import pytest

from openwatch.engine.rules import Corpus
from openwatch.engine.rules.conflicts import conflicts, duplicates
from openwatch.engine.rules.schema import Rule
from openwatch.engine.rules.variables import VariableDefinition
from tests.corpus.cases import corpus


@pytest.mark.ac("rules-06")
def test_no_two_rules_want_different_values() -> None:
    assert not conflicts(corpus()), "\n".join(map(str, conflicts(corpus())))


@pytest.mark.ac("rules-06")
def test_no_two_rules_ask_the_same() -> None:
    assert not duplicates(corpus()), "\n".join(map(str, duplicates(corpus())))


TEN = VariableDefinition.model_validate(
    {"type": "integer", "description": "A number of a test.", "default": 10}
)


def pair(one: dict[str, Any], other: dict[str, Any]) -> Corpus:
    """Return a corpus of two rules with these parts."""
    plain: dict[str, Any] = {
        "title": "A rule of a test", "description": "Something has to be so.",
        "rationale": "It is needed for a test.", "severity": "low", "category": "system",
        "references": {"nist_800_53": ["CM-6"]}, "platforms": [{"family": "debian"}],
        "fix": "Do what is wanted.", "sources": ["a test"],
    }  # fmt: skip
    rules = {name: Rule.model_validate(plain | {"id": name} | part)
             for name, part in (("one", one), ("other", other))}  # fmt: skip
    return Corpus(rules, {"ten": TEN}, {})


def sysctl(wanted: Any, **more: Any) -> dict[str, Any]:
    return {"check": {"sysctl": {"key": "vm.x"}, "expect": {"running": wanted}}} | more


@pytest.mark.ac("rules-06")
@pytest.mark.parametrize(
    ("one", "other", "possible"),
    [
        ("1", "1", True),
        ("1", "0", False),
        ({"at_least": 1, "at_most": 5}, {"at_least": 3}, True),
        ({"at_most": 2}, {"at_least": 3}, False),
        ({"at_most": {"var": "ten"}}, {"at_least": 11}, False),
        ({"at_most": {"var": "ten"}}, {"at_least": 10}, True),
        (["yes", "no"], "no", True),
        ({"at_least": 1, "at_most": 365}, 0, False),
        ({"present": False}, "no", False),
        ({"equals": "no", "or_absent": True}, {"present": False}, True),
        ({"none_of": ["a", "b"]}, {"not_equals": "c"}, True),
        ({"matches": "a+"}, "b", True),
    ],
)
def test_values_that_cannot_be_both(one: Any, other: Any, *, possible: bool) -> None:
    found = conflicts(pair(sysctl(one), sysctl(other)))
    assert [(c.one, c.other) for c in found] == ([] if possible else [("one", "other")])


@pytest.mark.ac("rules-06")
@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (
            {"package": {"name": ["a", "b"]}, "expect": {"installed": True}},
            {"package": {"name": "b"}, "expect": {"installed": False}},
            True,
        ),
        (
            {"package": {"name": "a"}, "expect": {"installed": True}},
            {"any": [{"package": {"name": "a"}, "expect": {"installed": False}}]},
            False,
        ),
        (
            {"all": [{"mount": {"target": "/x"}, "expect": {"options": {"includes": ["ro"]}}}]},
            {"mount": {"target": "/x"}, "expect": {"options": {"excludes": ["ro"]}}},
            True,
        ),
        (
            {"file": {"path": "/x"}, "expect": {"mode": {"no_more_than": "0600"}}},
            {"file": {"path": "/x"}, "expect": {"mode": "0644"}},
            True,
        ),
    ],
)
def test_what_is_demanded(one: dict[str, Any], other: dict[str, Any], *, clash: bool) -> None:
    assert bool(conflicts(pair({"check": one}, {"check": other}))) is clash


@pytest.mark.ac("rules-06")
@pytest.mark.parametrize(
    ("ours", "theirs", "meet"),
    [
        ({"family": "debian"}, {"family": "ubuntu"}, False),
        ({"family": "debian", "max": "12"}, {"family": "debian", "min": "13"}, False),
        ({"family": "debian", "max": "12"}, {"family": "debian", "min": "12.5"}, True),
        ({"family": "debian", "min": "12", "max": "13"}, {"family": "debian", "min": "13"}, True),
        ({"family": "debian"}, {"family": "debian", "max": "11"}, True),
    ],
)
def test_only_rules_that_meet_on_a_host(
    ours: dict[str, str], theirs: dict[str, str], *, meet: bool
) -> None:
    rules = pair(sysctl("1", platforms=[ours]), sysctl("0", platforms=[theirs]))
    assert bool(conflicts(rules)) is meet
    rules = pair(sysctl("1", platforms=[ours]), sysctl("1", platforms=[theirs]))
    assert bool(duplicates(rules)) is meet


@pytest.mark.ac("rules-06")
def test_a_rule_behind_another_gate_is_about_other_hosts() -> None:
    gate = {"when": {"capability": {"name": "desktop"}, "expect": {"present": True}}}
    assert not conflicts(pair(sysctl("1", **gate), sysctl("0")))
    assert conflicts(pair(sysctl("1", **gate), sysctl("0", **gate)))
