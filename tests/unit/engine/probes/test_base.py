"""An answer as text: what the programs of the host take for a letter is no blank to us."""

from __future__ import annotations

import sys

import pytest

from openwatch.engine.probes.base import decoded

OF_THE_C_LOCALE = " \t\n\v\f\r"


def test_what_is_no_text_and_what_only_looks_blank_is_shown_as_bytes() -> None:
    assert decoded("deny\u00a0= 5 # für".encode()) == "deny\\xc2\\xa0= 5 # für"
    assert decoded(b"caf\xe9\x1f\n") == "caf\\xe9\\x1f\n"


@pytest.mark.parametrize(
    "blank", [c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()], ids=ascii
)
def test_nothing_is_a_blank_that_isspace_does_not_take_for_one(blank: str) -> None:
    text = decoded(f"a{blank}b".encode())
    assert (len(text.split()) == 2) == (blank in OF_THE_C_LOCALE)
