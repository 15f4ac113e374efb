"""User names and display names."""

from __future__ import annotations

import pytest

from openwatch.identity.users import names
from openwatch.kit.errors import OpenWatchError


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("ada", "ada"),
        ("  Ada.Lovelace@Example.org ", "ada.lovelace@example.org"),
        ("0-day_", "0-day_"),
        ("a" * 64, "a" * 64),
        ("a" * 65, None),
        ("", None),
        (".ada", None),
        ("ada lovelace", None),
        ("ad\u00e4", None),
        ("ada\x00", None),
        ("ada\n", "ada"),
        ("\u212aelvin", "kelvin"),  # the sign for kelvin becomes a k in lower case
    ],
)
def test_a_name_has_one_spelling(typed: str, stored: str | None) -> None:
    assert names.normalise_username(typed) == stored


@pytest.mark.parametrize("name", ["", "  ", "x" * 129, "a\x00b", "a\nb", "a\u202eb", "a\ud800"])
def test_a_display_name_can_be_seen(name: str) -> None:
    with pytest.raises(OpenWatchError) as caught:
        names.check_display_name(name)
    assert caught.value.code == "user.display_name_invalid"


def test_a_display_name_is_trimmed_and_composed() -> None:
    assert names.check_display_name("  Zoe\u0308 Müller ") == "Zoë Müller"
