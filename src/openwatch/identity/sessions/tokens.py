"""The session token, and what is derived from it."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

TOKEN_BYTES: Final = 32
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_CSRF_PURPOSE: Final = b"openwatch csrf token v1"


def new_token() -> str:
    """Return a new random token of 256 bits, as 43 characters of base64url."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes | None:
    """Return what is stored of a token, or None for text that cannot be one.

    A plain hash is enough: nobody can try 2**256 tokens.
    """
    return hashlib.sha256(token.encode()).digest() if _TOKEN.fullmatch(token) else None


def csrf_token(token: str) -> str:
    """Return the CSRF token of a session.

    Only who holds the cookie can derive it, and a page of another origin can read neither.
    """
    return hmac.new(token.encode(), _CSRF_PURPOSE, hashlib.sha256).hexdigest()


def is_csrf_token(given: str | None, *, token: str) -> bool:
    """Compare in constant time."""
    return given is not None and hmac.compare_digest(given.encode(), csrf_token(token).encode())
