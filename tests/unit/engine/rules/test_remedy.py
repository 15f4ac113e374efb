"""Remedies are closed data; what they risk follows from what they touch."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from openwatch.engine.rules.remedy import MECHANISMS, Risk, Step


def step(**document: Any) -> Step:
    return Step.model_validate(document)


@pytest.mark.parametrize(
    ("document", "risk", "control"),
    [
        ({"permissions": {"path": "/etc/issue", "no_more_than": "0644"}}, Risk.LOW, False),
        ({"permissions": {"path": "/etc/ssh/sshd_config", "owner": "root"}}, Risk.HIGH, True),
        ({"package": {"name": "telnetd", "ensure": "absent"}}, Risk.MEDIUM, False),
        ({"package": {"name": "openssh-server", "ensure": "absent"}}, Risk.MEDIUM, True),
        ({"unit": {"name": "cups.service", "masked": True}}, Risk.MEDIUM, False),
        ({"unit": {"name": "ssh.service", "active": False}}, Risk.MEDIUM, True),
        ({"sysctl": {"key": "kernel.kptr_restrict", "value": "2"}}, Risk.MEDIUM, False),
        ({"sysctl": {"key": "net.ipv4.ip_forward", "value": "0"}}, Risk.HIGH, True),
        (
            {"setting": {"file": "/etc/audit/auditd.conf", "key": "max_log_file", "value": 8}},
            Risk.MEDIUM,
            False,
        ),
        ({"line": {"file": "/etc/pam.d/su", "remove": "nullok"}}, Risk.HIGH, True),
        ({"mount": {"target": "/home", "options": ["nodev"]}}, Risk.HIGH, True),
        ({"mount": {"target": "/tmp", "options": ["nodev"]}}, Risk.HIGH, False),
        ({"sshd": {"key": "permitrootlogin", "value": "no"}}, Risk.HIGH, True),
        (
            {"unit": {"name": "x.service", "enabled": True}, "restart": ["ssh.service"]},
            Risk.MEDIUM,
            True,
        ),
    ],
)  # fmt: skip
def test_risk_follows_from_what_is_touched(
    document: dict[str, Any], risk: Risk, *, control: bool
) -> None:
    assert (step(**document).risk, step(**document).control_channel) == (risk, control)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"package": {"name": "a", "ensure": "absent"}, "unit": {"name": "a.service"}},
        {"package": {"name": "a; reboot", "ensure": "absent"}},
        {"package": {"name": "a", "ensure": "latest"}},
        {"setting": {"file": "/etc/x", "key": "a", "value": "1\nb=2"}},
        {"setting": {"file": "/etc/../x", "key": "a", "value": "1"}},
        {"permissions": {"path": "/etc/x", "no_more_than": "rw"}},
        {"line": {"file": "/etc/x"}},
        {"line": {"file": "/etc/x", "remove": "("}},
        {"command": {"run": "reboot"}},
    ],
)
def test_what_is_no_step(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        step(**document)


def test_variables_are_named() -> None:
    written = step(sysctl={"key": "kernel.core", "value": {"var": "core_limit"}})
    assert list(written.variables()) == ["core_limit"]


def test_every_mechanism_is_a_field() -> None:
    assert set(Step.model_fields) - {"reload", "restart"} == set(MECHANISMS)
