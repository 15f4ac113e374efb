"""What every route shares and no domain owns: entity tags, list parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Header, Query

from openwatch.kit.errors import OpenWatchError, register
from openwatch.kit.paging import DEFAULT_LIMIT, MAX_LIMIT

PRECONDITION_REQUIRED: Final = register(
    "request.precondition_required",
    status=428,
    message="This change needs the header If-Match, so that it cannot overwrite somebody else's.",
    fix="Read the object, then send its ETag as If-Match.",
)
PRECONDITION_FAILED: Final = register(
    "request.precondition_failed",
    status=412,
    message="Somebody changed this since you read it.",
    fix="Read it again, look at what changed, and repeat your change.",
)

SEARCH_MAX: Final = 200
SORT_MAX: Final = 64
CURSOR_MAX: Final = 2048
_ETAG: Final = re.compile(r'"([1-9][0-9]{0,17})"')


def etag(version: int) -> str:
    """Return the entity tag of a row version (RFC 9110, 8.8.3)."""
    return f'"{version}"'


def expect_version(current: int, wanted: int | None) -> None:
    """Raise ``request.precondition_failed`` unless the row still has the version that was read.

    ``None`` (If-Match: *) accepts every version.
    """
    if wanted is not None and wanted != current:
        raise OpenWatchError(PRECONDITION_FAILED)


def _if_match(
    if_match: Annotated[
        str | None,
        Header(description="The ETag of the object as it was read, or `*`.", examples=['"3"']),
    ] = None,
) -> int | None:
    if if_match is None:
        raise OpenWatchError(PRECONDITION_REQUIRED)
    if if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:  # a tag that we never gave out matches no object
        raise OpenWatchError(PRECONDITION_FAILED)
    return int(found[1])


IfMatch = Annotated[int | None, Depends(_if_match)]


@dataclass(frozen=True, slots=True)
class ListParameters:
    """Which part of a list is wanted, in which order."""

    limit: int
    cursor: str | None
    sort: str | None
    search: str | None


def _list_parameters(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows per page.")] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None, Query(max_length=CURSOR_MAX, description="next_cursor of the page before.")
    ] = None,
    sort: Annotated[
        str | None,
        Query(max_length=SORT_MAX, description="A column; `-` in front of it reverses the order."),
    ] = None,
    search: Annotated[
        str | None, Query(max_length=SEARCH_MAX, description="Text that a row contains.")
    ] = None,
) -> ListParameters:
    return ListParameters(limit, cursor or None, sort or None, (search or "").strip() or None)


ListQuery = Annotated[ListParameters, Depends(_list_parameters)]
