"""Targets and log-ins: what they say of themselves, and what they never say."""

from __future__ import annotations

import pytest

from openwatch.engine.transport import Login, Target
from openwatch.engine.transport.errors import quoted


@pytest.mark.ac("transports-20")
def test_no_secret_shows_in_a_repr() -> None:
    login = Login(
        "scan",
        private_key="canary-key",
        passphrase="canary-passphrase",
        password="canary-password",
        sudo_password="canary-sudo",
        certificate="canary-certificate",
    )
    target = Target("db1", login=login, jump=(Target("bastion", login=login),))
    for shown in (repr(login), str(login), repr(target), f"{target}"):
        assert "canary" not in shown
        assert "scan" in shown


def test_the_sudo_password_falls_back_to_the_password() -> None:
    assert Login("scan", password="a").password_for_sudo == "a"
    assert Login("scan", password="a", sudo_password="b").password_for_sudo == "b"
    assert Login("scan", password="").password_for_sudo is None


def test_hops_come_in_the_order_of_the_way() -> None:
    login = Login("scan")
    first = Target("first", login=login)
    second = Target("second", login=login, jump=(first,))
    third = Target("third", login=login)
    last = Target("last", login=login, jump=(second, third))
    assert [hop.address for hop in last.hops()] == ["first", "second", "third", "last"]


def test_a_host_s_words_are_made_fit_for_a_sentence() -> None:
    assert quoted("a\r\n\x1b[31mb\0 \t c") == "“a [31mb c”"
    assert len(quoted("x" * 1000)) < 210
