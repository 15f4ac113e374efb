"""How long signing in is paused after how many failures (pure)."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# An IPv6 customer is given a /64 at least (RFC 6177): one person has all of its addresses.
_IPV6_PREFIX: Final = 64


@dataclass(frozen=True, slots=True)
class Policy:
    """``free`` failures cost nothing; each further one doubles the pause, up to ``longest``.

    ``forget_after`` without a failure, counting starts again. No pause is permanent.
    """

    free: int
    first_pause: timedelta
    longest: timedelta
    forget_after: timedelta

    def pause_after(self, failures: int) -> timedelta | None:
        """Return the pause that the given number of failures brings, or None."""
        if failures <= self.free:
            return None
        doublings = min(failures - self.free - 1, 30)
        return min(self.first_pause * 2**doublings, self.longest)


PER_USER: Final = Policy(
    free=5,
    first_pause=timedelta(seconds=2),
    longest=timedelta(minutes=15),
    forget_after=timedelta(hours=1),
)
# Many people can share one address, and one person can try many names.
PER_ADDRESS: Final = Policy(
    free=20,
    first_pause=timedelta(seconds=2),
    longest=timedelta(minutes=5),
    forget_after=timedelta(hours=1),
)
# So long an address from which somebody signed in stays known: guesses from elsewhere then do not
# pause that person there, so nobody can be locked out by a stranger.
KNOWN_FOR: Final = timedelta(days=30)
# Far longer than any pause or memory above: older rows change nothing.
KEEP_FOR: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Counter:
    """The failures under one key, as stored."""

    failures: int = 0
    last_failed_at: datetime | None = None
    paused_until: datetime | None = None

    def seconds_left(self, now: datetime) -> int:
        """Return how many whole seconds a pause still lasts, 0 for none."""
        if self.paused_until is None or self.paused_until <= now:
            return 0
        return math.ceil((self.paused_until - now).total_seconds())

    def after_failure(self, policy: Policy, now: datetime) -> Counter:
        """Return the counter with one more failure at ``now``."""
        stale = self.last_failed_at is None or now - self.last_failed_at > policy.forget_after
        failures = 1 if stale else self.failures + 1
        pause = policy.pause_after(failures)
        return Counter(failures, now, None if pause is None else now + pause)

    def without_last(self) -> Counter:
        """Return the counter with one failure taken back, because the attempt succeeded."""
        return Counter(max(self.failures - 1, 0), self.last_failed_at, None)


def address_key(address: str | None) -> bytes:
    """Return the key under which failures of an address are counted."""
    return _key("address", network_of(address))


def user_key(username: str) -> bytes:
    """Return the key under which failures of a user name are counted, known or not."""
    return _key("user", username.strip().lower())


def pair_key(username: str, address: str | None) -> bytes:
    """Return the key of a user name at an address."""
    return _key("pair", username.strip().lower(), network_of(address))


def network_of(address: str | None) -> str:
    """Return the network that one person controls: an IPv4 address or an IPv6 /64."""
    if address is None:
        return "local"
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "local"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))


def _key(*parts: str) -> bytes:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).digest()
