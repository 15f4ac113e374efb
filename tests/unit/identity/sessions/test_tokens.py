"""Session tokens and what is derived from them."""

from __future__ import annotations

import hashlib

import pytest

from openwatch.identity.sessions import tokens


def test_a_token_has_256_random_bits() -> None:
    drawn = {tokens.new_token() for _ in range(100)}
    assert len(drawn) == 100
    assert {len(token) for token in drawn} == {43}


@pytest.mark.ac("identity-02")
def test_stored_is_the_hash() -> None:
    token = tokens.new_token()
    assert tokens.token_hash(token) == hashlib.sha256(token.encode()).digest()


@pytest.mark.parametrize("text", ["", "x", "A" * 42, "A" * 44, "é" * 43, "A" * 42 + "\n"])
def test_what_cannot_be_a_token_has_no_hash(text: str) -> None:
    assert tokens.token_hash(text) is None


@pytest.mark.ac("identity-05")
def test_the_csrf_token_belongs_to_one_session_and_tells_nothing_of_it() -> None:
    token, other = tokens.new_token(), tokens.new_token()
    csrf = tokens.csrf_token(token)
    assert tokens.is_csrf_token(csrf, token=token)
    assert not tokens.is_csrf_token(csrf, token=other)
    assert not tokens.is_csrf_token(None, token=token)
    assert not tokens.is_csrf_token("é", token=token)
    assert token not in csrf
    assert csrf != hashlib.sha256(token.encode()).hexdigest()
