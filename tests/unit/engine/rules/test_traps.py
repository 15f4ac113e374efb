"""Known traps are found in the form of a check, whatever it is about."""

from __future__ import annotations

from typing import Any

import pytest

from openwatch.engine.rules import Corpus
from openwatch.engine.rules.schema import Rule
from openwatch.engine.rules.traps import traps

PLAIN = {
    "id": "a-rule", "title": "A rule of a test", "description": "Something has to be so.",
    "rationale": "It is needed for a test.", "severity": "low", "category": "system",
    "references": {"nist_800_53": ["CM-6"]}, "fix": "Do what is wanted.", "sources": ["a test"],
    "platforms": [{"family": "debian"}],
}  # fmt: skip


def found(check: dict[str, Any]) -> list[str]:
    rule = Rule.model_validate(PLAIN | {"check": check})
    return [trap.what for trap in traps(Corpus({rule.id: rule}, {}, {}))]


def setting(expected: Any, **parameters: Any) -> dict[str, Any]:
    return {
        "setting": {"file": "/etc/x.conf", "key": "k"} | parameters,
        "expect": {"value": expected},
    }


def line(path: str) -> dict[str, Any]:
    return {"line": {"file": path, "pattern": "x"}, "expect": {"text": "x"}, "if_none": "fail"}


SYSTEMD = {"file": "/etc/systemd/journald.conf"}


@pytest.mark.ac("rules-10")
@pytest.mark.parametrize(
    ("check", "told"),
    [
        (setting({"at_most": 5}), "no floor"),
        (setting({"at_most": {"var": "x"}}), "no floor"),
        (setting({"matches": "[1-3]"}), "with a pattern"),
        (setting({"matches": r"\d+"}), "with a pattern"),
        ({"sysctl": {"key": "a.b"}, "expect": {"running": "1"}}, "running value alone"),
        ({"sysctl": {"key": "a.b"}, "expect": {"configured": "1"}}, "configured value alone"),
        (setting("yes", **SYSTEMD), "has sections"),
        (line("/etc/sysctl.d/*.conf"), "sysctl"),
        (setting("no", file="/etc/ssh/sshd_config", format="spaced"), "sshd"),
        (line("/etc/pam.d/common-auth"), "pam"),
        (line("/etc/sudoers"), "sudo_rule"),
        (line("/etc/fstab"), "mount"),
        (line("/etc/modprobe.d/*.conf"), "module"),
        ({"unit": {"name": "a.service"}, "expect": {"enabled": False}}, "not enabled"),
        ({"unit": {"name": "a.service"}, "expect": {"active": False}}, "not active"),
        ({"all": [setting("1"), {"not": setting({"at_most": 5})}]}, "no floor"),
    ],
)
def test_a_trap_is_told(check: dict[str, Any], told: str) -> None:
    (what,) = found(check)
    assert told in what


@pytest.mark.ac("rules-10")
@pytest.mark.parametrize(
    "check",
    [
        setting({"at_most": 5, "at_least": 1}),
        setting({"at_most": -1}),
        setting({"at_most": 0}),
        setting({"matches": "TLSv1[.][23]"}),
        setting("yes", **SYSTEMD, format="sectioned", section="Journal"),
        {"sysctl": {"key": "a.b"}, "expect": {"running": "1", "configured": "1"}},
        {"unit": {"name": "a.service"}, "expect": {"enabled": False, "active": False}},
        {"unit": {"name": "a.service"}, "expect": {"active": True}},
        {"unit": {"name": "a.service"}, "expect": {"masked": True}},
        line("/etc/issue"),
    ],
)
def test_what_is_right_is_left_alone(check: dict[str, Any]) -> None:
    assert not found(check)
