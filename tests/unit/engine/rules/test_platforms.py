"""A platform range means a family, versions of it, and where said only some distributions."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from openwatch.engine.rules.platforms import PlatformRange


def entry(**keys: Any) -> PlatformRange:
    return PlatformRange.model_validate(keys)


@pytest.mark.ac("rules-11")
@pytest.mark.parametrize(
    ("keys", "host", "meant"),
    [
        ({"family": "rhel"}, ("rhel", (9, 4), "rocky"), True),
        ({"family": "rhel"}, ("debian", (12,), "debian"), False),
        ({"family": "rhel", "max": "9"}, ("rhel", (9, 4), "rhel"), True),
        ({"family": "rhel", "max": "9"}, ("rhel", (10,), "rhel"), False),
        ({"family": "rhel", "min": "9.2"}, ("rhel", (9, 1), "rhel"), False),
        ({"family": "ubuntu", "min": "22.04"}, ("ubuntu", (22, 10), "ubuntu"), True),
        ({"family": "debian", "min": "12"}, ("debian", (), "debian"), None),
        ({"family": "debian"}, ("debian", (), "debian"), True),
        ({"family": "rhel", "ids": ["rhel", "ol"]}, ("rhel", (9,), "ol"), True),
        ({"family": "rhel", "ids": ["rhel"]}, ("rhel", (9,), "rocky"), False),
        ({"family": "rhel", "ids": ["rhel"], "min": "9"}, ("rhel", (), "rocky"), False),
    ],
)
def test_a_host_is_in_a_range(
    keys: dict[str, Any], host: tuple[str, tuple[int, ...], str], *, meant: bool | None
) -> None:
    assert entry(**keys).holds(*host) is meant


@pytest.mark.ac("rules-11")
def test_ranges_of_other_distributions_do_not_meet() -> None:
    one, other = entry(family="rhel", ids=["rhel"]), entry(family="rhel", ids=["ol", "rocky"])
    assert not one.overlaps(other)
    assert one.overlaps(entry(family="rhel"))


@pytest.mark.parametrize("keys", [{"family": "fedora"}, {"family": "rhel", "ids": ["Red Hat"]}])
def test_what_is_no_range(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        entry(**keys)
