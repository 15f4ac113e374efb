"""The session cookie."""

from __future__ import annotations

from fastapi import Response

from openwatch.identity.access import COOKIE


def set_session_cookie(response: Response, token: str, *, is_secure: bool) -> None:
    """Hand the token to the browser: scripts cannot read it, other sites cannot send it.

    It has no expiry date, so the browser drops it when it is closed; the server ends the session
    in any case.
    """
    response.set_cookie(COOKIE, token, path="/", secure=is_secure, httponly=True, samesite="strict")


def clear_session_cookie(response: Response, *, is_secure: bool) -> None:
    """Tell the browser to forget the token."""
    response.delete_cookie(COOKIE, path="/", secure=is_secure, httponly=True, samesite="strict")
