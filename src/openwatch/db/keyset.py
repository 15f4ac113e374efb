"""Keyset paging in SQL: sort by one of several columns, go on after the last row of a page.

A page is cut by the sort key and the id of its last row, never by an offset: a row that comes or
goes between two pages neither shifts nor repeats the others. Rows without a value come last in
both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, Select, and_, literal, or_, tuple_

from openwatch.kit.errors import OpenWatchError, register
from openwatch.kit.paging import CURSOR_INVALID, decode_cursor, encode_cursor

SORT_INVALID: Final = register(
    "request.sort_invalid",
    status=400,
    message="This list cannot be sorted by {sort!r}.",
    fix="Use one of {known}; a minus in front turns the order round.",
)

SORT_LABEL: Final = "sort_value"
"""The name under which a page's statement returns the sort key."""

ID_LABEL: Final = "sort_id"
"""The name under which a page's statement returns what tells rows of one sort key apart."""

_CURSOR_LENGTH: Final = 3

AnySelect = Select[*tuple[Any, ...]]
"""A query for rows of any shape."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """One thing that a list can be sorted by, and how its values travel in a cursor."""

    column: ColumnElement[Any]
    nullable: bool = False
    type: type[str] | type[int] | type[float] | type[datetime] = str


@dataclass(frozen=True, slots=True)
class Order:
    """A chosen order. ``text`` is how the client named it, such as ``-score``."""

    text: str
    key: SortKey
    descending: bool


_PARSERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    str: str,
    int: int,
    float: float,
    datetime: datetime.fromisoformat,
}


def parse_order(text: str | None, keys: Mapping[str, SortKey], *, default: str) -> Order:
    """Return the order that ``sort=`` names; raises ``request.sort_invalid``."""
    chosen = text or default
    key = keys.get(chosen.removeprefix("-"))
    if key is None:
        raise OpenWatchError(SORT_INVALID, sort=chosen, known=", ".join(sorted(keys)))
    return Order(chosen, key, chosen.startswith("-"))


def select_page(
    statement: AnySelect, *, order: Order, id_column: ColumnElement[Any], cursor: str | None
) -> AnySelect:
    """Return ``statement`` ordered, begun after ``cursor``, and with its sort key as a column.

    Raises ``request.cursor_invalid`` for a cursor of another list or another order.
    """
    column = order.key.column
    if cursor is not None:
        value, last_id = _read_cursor(order, id_column, cursor)
        statement = statement.where(_after(order, id_column, value, last_id))
    ordered = column.desc() if order.descending else column.asc()
    if order.key.nullable:
        ordered = ordered.nulls_last()
    by_id = id_column.desc() if order.descending else id_column.asc()
    labels = column.label(SORT_LABEL), id_column.label(ID_LABEL)
    return statement.add_columns(*labels).order_by(ordered, by_id)


def cut_page(
    rows: Sequence[RowMapping], *, order: Order, limit: int
) -> tuple[Sequence[RowMapping], str | None]:
    """Return the rows of a page and the cursor of the next one.

    ``rows`` are those of a statement limited to ``limit + 1``: the one too many says that there is
    a next page.
    """
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    last = page[-1]
    value = last[SORT_LABEL]
    if isinstance(value, datetime):
        value = value.isoformat()
    return page, encode_cursor([order.text, value, str(last[ID_LABEL])])


def _read_cursor(order: Order, id_column: ColumnElement[Any], cursor: str) -> tuple[Any, Any]:
    text, value, last_id = decode_cursor(cursor, length=_CURSOR_LENGTH)
    if text != order.text:
        raise OpenWatchError(CURSOR_INVALID)
    parse: Callable[[Any], Any] = _PARSERS[order.key.type]
    try:
        parsed = None if value is None else parse(value)
        return parsed, id_column.type.python_type(last_id)
    except (ValueError, TypeError, AttributeError):
        raise OpenWatchError(CURSOR_INVALID) from None


def _after(
    order: Order, id_column: ColumnElement[Any], value: Any, last_id: Any
) -> ColumnElement[bool]:
    column = order.key.column
    later_id = id_column < last_id if order.descending else id_column > last_id
    if value is None:
        return and_(column.is_(None), later_id)
    here = tuple_(column, id_column)
    last = tuple_(literal(value, column.type), literal(last_id, id_column.type))
    later = here < last if order.descending else here > last
    return or_(later, column.is_(None)) if order.key.nullable else later
