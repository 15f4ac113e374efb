"""What may stand in the address field of a host: a host name, an IPv4 or an IPv6 address."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

MAX_NAME_LENGTH: Final = 253
"""RFC 1035 section 2.3.4, without the trailing dot."""

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
"""RFC 1123 section 2.1. The underscore is not in it, but names in private zones have it."""

_ZONE: Final = re.compile(r"[A-Za-z0-9._-]{1,15}")
"""The interface in a link-local address; 15 bytes is the longest name that Linux gives one."""


def parse_address(text: str) -> str:
    """Return the address in its one spelling: lower case, IPv6 compressed (RFC 5952).

    Raises ``ValueError`` with a sentence that says what is wrong.
    """
    address = text.strip()
    if not address:
        raise ValueError("Enter a host name or an IP address.")
    if "://" in address or "/" in address:
        raise ValueError("Enter only the host name or IP address, not a URL or a network.")
    if "@" in address:
        raise ValueError("Enter the user name in its own field, not before an @.")
    if address.startswith("[") or address.count(":") == 1:
        raise ValueError("Enter the port in its own field, and an IPv6 address without brackets.")
    if ":" in address:
        return _ipv6(address)
    name = address.lower().removesuffix(".")
    if _looks_like_ipv4(name):
        return _ipv4(name)
    return _host_name(name)


def _ipv6(address: str) -> str:
    plain, percent, zone = address.partition("%")
    try:
        parsed = ipaddress.IPv6Address(plain)
    except ValueError:
        raise ValueError(f"{address} is not an IPv6 address.") from None
    if percent and not _ZONE.fullmatch(zone):
        raise ValueError(f"{address} names no network interface after the %.")
    return f"{parsed}{percent}{zone}"


def _looks_like_ipv4(name: str) -> bool:
    # A top-level domain is never a number (RFC 3696 section 2), so 10.0.0.256 is a typing error.
    return name.rpartition(".")[2].isdigit()


def _ipv4(name: str) -> str:
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        raise ValueError(
            f"{name} is not an IPv4 address: it needs four numbers from 0 to 255."
        ) from None


def _host_name(name: str) -> str:
    try:
        ascii_name = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"{name} is not a host name.") from None
    if len(ascii_name) > MAX_NAME_LENGTH:
        raise ValueError(f"A host name has at most {MAX_NAME_LENGTH} characters.")
    for label in ascii_name.split("."):
        if not _LABEL.fullmatch(label):
            raise ValueError(
                f"{name} is not a host name: each part between dots has 1 to 63 letters, digits "
                "or dashes, and no dash at its ends."
            )
    return ascii_name
