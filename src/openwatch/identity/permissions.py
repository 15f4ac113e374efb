"""The one registry of permissions.

Routes name the permission that they need (``identity.access.requires``); the API, the UI and the
docs take names and descriptions from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Permission:
    """A right that a route can require: ``<noun>:<what>`` and what it lets a person do."""

    name: str
    description: str


_ALL: Final = (
    Permission("host:read", "See hosts, their state, score and host keys."),
    Permission("host:write", "Add, import, change, remove and test hosts, trust host keys."),
    Permission("group:read", "See groups and which hosts they hold."),
    Permission("group:write", "Add, change and remove groups, and put hosts into them."),
    Permission("credential:read", "See which credentials exist. Secrets are never shown."),
    Permission("credential:write", "Add, replace and remove credentials."),
    Permission("scan:read", "See scans, their outcomes and the evidence behind them."),
    Permission("scan:execute", "Start, cancel and repeat scans."),
    Permission("rule:read", "See the rules and the frameworks that they refer to."),
    Permission("event:read", "Follow the live stream and read the event log."),
)

_BY_NAME: Final = {permission.name: permission for permission in _ALL}


def permissions() -> tuple[Permission, ...]:
    """Return every permission, in the order in which people should read them."""
    return _ALL


def permission(name: str) -> Permission:
    """Return the permission called ``name``; ``ValueError`` when there is none."""
    found = _BY_NAME.get(name)
    if found is None:
        raise ValueError(f"there is no permission {name!r}; known: {', '.join(_BY_NAME)}")
    return found


def granted_to_administrators() -> frozenset[str]:
    """Return the names that every account holds: each account is an administrator."""
    return frozenset(_BY_NAME)
