"""The fields that requests about the fleet are made of: what each may hold, in one place."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from openwatch.fleet.address import parse_address

DEFAULT_PORT: Final = 22
MAX_TAGS: Final = 50

_SPACE: Final = 0x20
"""The first printable character of ASCII."""


def clean_line(text: str) -> str:
    """Return one line of text in its composed form without blanks around it.

    Raises ``ValueError`` for control characters and for text that is empty.
    """
    line = unicodedata.normalize("NFC", text).strip()
    if not line:
        raise ValueError("This field must not be empty.")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in line):
        raise ValueError("This field must not hold control characters.")
    return line


def clean_text(text: str) -> str:
    """Return text of several lines in its composed form; raises ``ValueError``."""
    cleaned = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in cleaned):
        raise ValueError("This field must not hold control characters.")
    return cleaned


def clean_username(text: str) -> str:
    """Return a login name as a host may know it; raises ``ValueError``."""
    name = text.strip()
    if not name:
        raise ValueError("Enter a user name.")
    if name.startswith("-") or any(c.isspace() or c == ":" or ord(c) < _SPACE for c in name):
        raise ValueError("A user name has no blanks or colons, and does not begin with a dash.")
    return name


def _clean_secret(secret: SecretStr) -> SecretStr:
    if "\0" in secret.get_secret_value():
        raise ValueError("This field must not hold a NUL character.")
    return secret


def _clean_password(secret: SecretStr) -> SecretStr:
    # A password is sent to sudo as one line.
    if any(c in secret.get_secret_value() for c in "\0\r\n"):
        raise ValueError("A password has no line breaks.")
    return secret


def _unique_tags(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(clean_line)]
Address = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(parse_address)]
Port = Annotated[int, Field(ge=1, le=65535)]
Username = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(clean_username)]
Environment = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(clean_line)]
Description = Annotated[str, Field(max_length=2000), AfterValidator(clean_text)]
Tag = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(clean_line)]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_unique_tags)]
Fingerprint = Annotated[str, Field(pattern=r"^SHA256:[A-Za-z0-9+/]{43}$")]
PrivateKey = Annotated[
    SecretStr, Field(min_length=1, max_length=65_536), AfterValidator(_clean_secret)
]
Password = Annotated[
    SecretStr, Field(min_length=1, max_length=1024), AfterValidator(_clean_password)
]
