"""The registry of permissions."""

from __future__ import annotations

import re

import pytest

from openwatch.identity.access import requires
from openwatch.identity.permissions import granted_to_administrators, permission, permissions


def test_every_permission_has_a_name_of_its_own_and_a_sentence() -> None:
    names = [p.name for p in permissions()]
    assert len(names) == len(set(names))
    for p in permissions():
        assert re.fullmatch(r"[a-z]+:[a-z]+", p.name)
        assert p.description.endswith(".")


def test_administrators_hold_all() -> None:
    assert granted_to_administrators() == {p.name for p in permissions()}


@pytest.mark.ac("identity-10")
def test_a_route_cannot_require_what_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no permission 'host:reed'"):
        permission("host:reed")
    with pytest.raises(ValueError, match="no permission"):
        requires("host:reed")
