"""Canonical JSON (RFC 8785): one value, one sequence of bytes, so that a hash names a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import orjson
import rfc8785

from openwatch.kit.errors import OpenWatchError, register

NOT_CANONICAL: Final = register(
    "canonical.unsupported_value",
    status=500,
    message="A value has no canonical JSON form: {problem}",
    fix="This is a defect in OpenWatch: report it with the message above.",
)


def canonical_json(value: object) -> bytes:
    """Return ``value`` (dict, list, str, int, float, bool, None) as RFC 8785 bytes.

    Raises ``canonical.unsupported_value`` for what JSON cannot hold exactly: integers beyond
    2**53 - 1 (write them as strings), NaN, infinities, lone surrogates, other types.
    """
    try:
        if _is_plain(value):
            with suppress(orjson.JSONEncodeError):  # it is nested deeper than orjson goes
                # orjson leaves kilobytes of its buffer behind each result; a copy has none.
                return bytes(memoryview(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)))
        return rfc8785.dumps(value)  # pyright: ignore[reportArgumentType]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise OpenWatchError(NOT_CANONICAL, problem=str(error)) from error


_MOST: Final = 2**53 - 1
"""RFC 7493 section 2.2: the largest whole number that every reader of JSON takes exactly."""


def _is_plain(value: object) -> bool:
    """Return whether orjson, which is much faster, is known to write what RFC 8785 says.

    Both escape strings alike. They differ in numbers with a fraction, in the order of keys beyond
    ASCII, and in what they take for a number, a string or an object: all that is left to rfc8785.
    """
    kind = type(value)
    if kind is str:
        text = cast("str", value)
        return text.isascii() or _has_no_surrogate(text)
    if kind is int:
        return -_MOST <= cast("int", value) <= _MOST
    if kind is bool or value is None:
        return True
    if kind is list:
        return all(map(_is_plain, cast("Sequence[Any]", value)))
    if kind is dict:
        entries = cast("Mapping[Any, Any]", value)
        return all(type(key) is str and key.isascii() for key in entries) and all(
            map(_is_plain, entries.values())
        )
    return False


def _has_no_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
