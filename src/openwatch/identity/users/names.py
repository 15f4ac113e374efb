"""User names and display names: one spelling of each, or a clear error."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from openwatch.identity import errors
from openwatch.kit.errors import OpenWatchError

USERNAME_MAX: Final = 64
DISPLAY_NAME_MAX: Final = 128
_USERNAME: Final = re.compile(rf"[a-z0-9][a-z0-9._@-]{{0,{USERNAME_MAX - 1}}}")


def normalise_username(text: str) -> str | None:
    """Return the stored spelling of ``text`` (trimmed, lower case), or None if it is no name."""
    username = text.strip().lower()
    return username if _USERNAME.fullmatch(username) else None


def check_username(text: str) -> str:
    """Return the stored spelling of ``text``; raises ``user.username_invalid``."""
    username = normalise_username(text)
    if username is None:
        raise OpenWatchError(errors.USERNAME_INVALID, field="username")
    return username


def check_display_name(text: str) -> str:
    """Return ``text`` trimmed and composed; raises ``user.display_name_invalid``."""
    name = unicodedata.normalize("NFC", text).strip()
    unseen = any(unicodedata.category(character).startswith("C") for character in name)
    if unseen or not 1 <= len(name) <= DISPLAY_NAME_MAX:
        raise OpenWatchError(errors.DISPLAY_NAME_INVALID, field="display_name")
    return name
