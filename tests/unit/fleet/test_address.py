from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.fleet.address import parse_address


@pytest.mark.ac("fleet-03")
@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("web-1.example.org", "web-1.example.org"),
        ("Web-1.Example.ORG.", "web-1.example.org"),
        ("  db_1  ", "db_1"),
        ("10.0.0.5", "10.0.0.5"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("1host", "1host"),
    ],
)
def test_an_address_has_one_spelling(given_text: str, kept: str) -> None:
    assert parse_address(given_text) == kept


@pytest.mark.ac("fleet-03")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Enter a host name"),
        ("   ", "Enter a host name"),
        ("https://web-1", "not a URL"),
        ("10.0.0.0/24", "not a URL or a network"),
        ("root@web-1", "user name in its own field"),
        ("web-1:22", "port in its own field"),
        ("[2001:db8::1]", "without brackets"),
        ("[2001:db8::1]:22", "without brackets"),
        ("10.0.0.256", "not an IPv4 address"),
        ("10.0.0", "not an IPv4 address"),
        ("010.0.0.1", "not an IPv4 address"),
        ("2001:db8:::1", "not an IPv6 address"),
        ("fe80::1%", "network interface"),
        ("fe80::1%eth0; id", "network interface"),
        ("web 1", "not a host name"),
        ("-oProxyCommand=id", "not a host name"),
        ("web..example", "not a host name"),
        ("web-.example", "not a host name"),
        ("a" * 64, "not a host name"),
        (".".join(["abcdefgh"] * 30), "at most 253"),
        ("web\n1", "not a host name"),
        ("web\x00", "not a host name"),
    ],
)
def test_what_is_no_address_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_address(text)


@given(st.text(max_size=80))
def test_any_text_is_taken_in_one_spelling_or_refused(text: str) -> None:
    try:
        kept = parse_address(text)
    except ValueError:
        return
    assert parse_address(kept) == kept
    assert kept.isascii()
    assert not kept.startswith("-")
