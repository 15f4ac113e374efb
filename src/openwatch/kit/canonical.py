"""Canonical JSON (RFC 8785): one value, one sequence of bytes, so that a hash names a value."""

from __future__ import annotations

from typing import Final

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
        return rfc8785.dumps(value)  # pyright: ignore[reportArgumentType]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise OpenWatchError(NOT_CANONICAL, problem=str(error)) from error
