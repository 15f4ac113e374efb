"""Keyset paging: a cursor holds the sort key of the last row, so pages never shift or skip."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from openwatch.kit.errors import OpenWatchError, register

CURSOR_INVALID: Final = register(
    "request.cursor_invalid",
    status=400,
    message="The cursor is not one that this list gave out.",
    fix="Use next_cursor of the previous page unchanged, or leave cursor out for the first page.",
)

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One page of a list. ``next_cursor`` is null on the last page; ``total`` counts all pages."""

    model_config = ConfigDict(frozen=True)

    items: list[T]
    next_cursor: str | None = None
    total: int | None = None


def encode_cursor(values: list[Any]) -> str:
    """Return an opaque cursor over JSON values (str, int, float, bool, None)."""
    packed = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(cursor: str, *, length: int | None = None) -> list[Any]:
    """Return the values of a cursor; raises ``request.cursor_invalid``.

    ``length`` is how many values the list's cursors have; one of another length is refused.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise OpenWatchError(CURSOR_INVALID) from None
    if not isinstance(values, list) or (length is not None and len(values) != length):  # pyright: ignore[reportUnknownArgumentType]
        raise OpenWatchError(CURSOR_INVALID)
    return values  # pyright: ignore[reportUnknownVariableType]
