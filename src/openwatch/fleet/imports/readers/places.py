"""How people write where a host is: ``name``, ``user@host:port``, ``ssh://host``, ``[v6]:port``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCHEME: Final = "ssh://"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host is and as whom to log in; text as it was written, unchecked."""

    address: str
    port: str = ""
    username: str = ""


def parse_place(text: str) -> Place:
    """Return the parts of one word. Whatever is no such form is an address, to be judged later."""
    rest = text.removeprefix(SCHEME).rstrip("/") if text.startswith(SCHEME) else text
    username, at, host = rest.rpartition("@")
    if not at:
        host = rest
    address, port = _split(host)
    return Place(address, port, username)


def _split(host: str) -> tuple[str, str]:
    if host.startswith("["):
        address, closed, after = host[1:].partition("]")
        if closed and (not after or after.startswith(":")):
            return address, after[1:]
        return host, ""
    address, colon, port = host.partition(":")
    # Two colons or more: an IPv6 address without brackets, which leaves no room for a port.
    return (address, port) if colon and ":" not in port else (host, "")
