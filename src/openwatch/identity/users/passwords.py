"""Passwords: what is accepted, and how one is hashed and checked (argon2id, RFC 9106)."""

from __future__ import annotations

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from openwatch.identity import errors
from openwatch.kit.errors import OpenWatchError

MINIMUM_LENGTH: Final = 12
MAXIMUM_BYTES: Final = 1024
# One computation takes 64 MiB and four lanes: two at a time fill a small machine, and a longer
# queue than this means that somebody floods the sign-in.
COMPUTATIONS_AT_ONCE: Final = 2
COMPUTATIONS_QUEUED: Final = 64
BUSY_RETRY_SECONDS: Final = 5

_PROFILE: Final = RFC_9106_LOW_MEMORY
_hasher: Final = PasswordHasher.from_parameters(_PROFILE)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password fits, and a new hash when the stored one has outdated parameters."""

    matches: bool
    upgraded_hash: str | None = None


def check_policy(password: str, *, username: str) -> None:
    """Refuse a new password that is short, over-long or the user name itself.

    Length only, no character classes and no forced change: NIST SP 800-63B, 3.1.1.2.
    """
    try:
        size = len(_normalise(password).encode())
    except UnicodeEncodeError:
        raise OpenWatchError(errors.PASSWORD_UNREADABLE, field="password") from None
    if size > MAXIMUM_BYTES:
        raise OpenWatchError(errors.PASSWORD_TOO_LONG, maximum=MAXIMUM_BYTES, field="password")
    length = len(_normalise(password))
    if length < MINIMUM_LENGTH:
        raise OpenWatchError(
            errors.PASSWORD_TOO_SHORT, length=length, minimum=MINIMUM_LENGTH, field="password"
        )
    if password.strip().lower() == username.lower():
        raise OpenWatchError(errors.PASSWORD_IS_USERNAME, field="password")


async def hash_password(password: str) -> str:
    """Return the argon2id hash of ``password`` as a PHC string; computed in a thread."""
    return await _computations.run(_hash, password)


async def check_password(password: str, stored_hash: str | None) -> Checked:
    """Compare ``password`` with a stored hash; computed in a thread.

    ``None`` (no such user) costs the same computation, so that the time tells nothing.
    Raises ``auth.busy`` when too many computations wait.
    """
    return await _computations.run(_check, password, stored_hash)


def _hash(password: str) -> str:
    return _hasher.hash(_normalise(password).encode())


def _check(password: str, stored_hash: str | None) -> Checked:
    try:
        given = _normalise(password).encode()
    except UnicodeEncodeError:
        given = b""
    if not given or len(given) > MAXIMUM_BYTES:
        given, stored_hash = b"no password", None
    try:
        _hasher.verify(stored_hash or decoy_hash(), given)
    except (VerificationError, InvalidHashError):
        return Checked(matches=False)
    if stored_hash is None:
        return Checked(matches=False)
    if _hasher.check_needs_rehash(stored_hash):
        return Checked(matches=True, upgraded_hash=_hasher.hash(given))
    return Checked(matches=True)


@cache
def decoy_hash() -> str:
    """Return a hash that no known password has, with the parameters of real ones.

    Put together from random bytes, so that making it costs nothing and cannot be timed.
    """

    def part(length: int) -> str:
        return base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")

    p = _PROFILE
    parameters = f"m={p.memory_cost},t={p.time_cost},p={p.parallelism}"
    return f"$argon2id$v={p.version}${parameters}${part(p.salt_len)}${part(p.hash_len)}"


def _normalise(password: str) -> str:
    """One person's password typed on two keyboards is the same text (RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", password)


class _Computations:
    """The two threads that compute hashes, and how many calls wait for them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(COMPUTATIONS_AT_ONCE, thread_name_prefix="argon2")
        self._admitted = 0

    async def run(self, work: Callable[..., _T], *args: object) -> _T:
        if self._admitted >= COMPUTATIONS_AT_ONCE + COMPUTATIONS_QUEUED:
            raise OpenWatchError(errors.BUSY, retry_after=BUSY_RETRY_SECONDS)
        self._admitted += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._admitted -= 1


_computations: Final = _Computations()
