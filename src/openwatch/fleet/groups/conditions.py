"""What a rule asks for, as a condition on the table of hosts.

Every comparison is either true or false, never unknown: a host without the value fulfils none, so
that ``not`` holds for exactly the other hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Numeric,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import INET

from openwatch.fleet.groups.expression import (
    AllOf,
    AnyOf,
    Comparison,
    Expression,
    Kind,
    Not,
    Operator,
)
from openwatch.fleet.hosts.model import hosts

_COLUMNS: Final[Mapping[str, ColumnElement[Any]]] = {
    "name": hosts.c.name,
    "address": hosts.c.address,
    "environment": hosts.c.environment,
    "description": func.nullif(hosts.c.description, ""),
    "tag": hosts.c.tags,
    "os": hosts.c.os_id,
    "os_family": hosts.c.os_family,
    "os_version": hosts.c.os_version,
    "state": hosts.c.state,
    # As numeric, because 0.57 * 100 is a little less than 57 in binary.
    "score": cast(hosts.c.score, Numeric) * 100,
    "port": hosts.c.port,
}

_ORDER: Final[Mapping[Operator, Callable[[Any, Any], ColumnElement[bool]]]] = {
    Operator.LESS: lt,
    Operator.AT_MOST: le,
    Operator.MORE: gt,
    Operator.AT_LEAST: ge,
}
_OPPOSITE: Final = {Operator.UNEQUAL: Operator.EQUAL, Operator.UNLIKE: Operator.LIKE}

_IS_IPV4: Final = r"^[0-9]+(\.[0-9]+){3}$"
_VERSION_PREFIX: Final = r"^[0-9]{1,9}(\.[0-9]{1,9})*"
_LIKE: Final = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_", "*": "%", "?": "_"})


def condition(expression: Expression) -> ColumnElement[bool]:
    """Return the condition that exactly the hosts of the expression fulfil."""
    match expression:
        case Comparison():
            return _comparison(expression)
        case Not(inner):
            return not_(condition(inner))
        case AllOf(parts):
            return and_(*[condition(part) for part in parts])
        case AnyOf(parts):
            return or_(*[condition(part) for part in parts])


def _comparison(asked: Comparison) -> ColumnElement[bool]:
    if asked.operator in _OPPOSITE:
        return not_(_comparison_of(asked, _OPPOSITE[asked.operator]))
    return _comparison_of(asked, asked.operator)


def _comparison_of(asked: Comparison, operator: Operator) -> ColumnElement[bool]:
    column = _COLUMNS[asked.field.name]
    if operator is Operator.SET:
        return (
            func.cardinality(column) > 0 if asked.field.kind is Kind.TAGS else column.is_not(None)
        )
    if asked.field.kind is Kind.TAGS:
        tag = func.unnest(column).column_valued("tag")
        one_of = or_(*[_compared(asked.field.kind, tag, operator, value) for value in asked.values])
        return select(literal(1)).where(one_of).correlate(hosts).exists()
    found = [_compared(asked.field.kind, column, operator, value) for value in asked.values]
    return func.coalesce(or_(*found), false())


def _compared(
    kind: Kind, column: ColumnElement[Any], operator: Operator, value: str
) -> ColumnElement[bool]:
    match kind:
        case Kind.ADDRESS if "/" in value and operator is Operator.EQUAL:
            return _in_network(column, value)
        case Kind.TEXT | Kind.TAGS | Kind.ADDRESS if operator is Operator.LIKE:
            return column.ilike(value.translate(_LIKE), escape="\\")
        case Kind.TEXT | Kind.TAGS | Kind.ADDRESS:
            return func.lower(column) == func.lower(value)
        case Kind.VERSION:
            wanted = literal([int(part) for part in value.split(".")], ARRAY(Integer))
            return _in_order(_version(column), operator, wanted)
        case Kind.NUMBER:
            return _in_order(column, operator, cast(value, Numeric))


def _in_order(
    column: ColumnElement[Any], operator: Operator, value: ColumnElement[Any]
) -> ColumnElement[bool]:
    return column == value if operator is Operator.EQUAL else _ORDER[operator](column, value)


def _version(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The numbers of a version; arrays are compared from the left, so 22.04 is before 24."""
    numbers = func.substring(column, func.concat("(", _VERSION_PREFIX, ")"))
    return cast(func.string_to_array(numbers, "."), ARRAY(Integer))


def _in_network(column: ColumnElement[Any], network: str) -> ColumnElement[bool]:
    # Names are no addresses, and an address with a zone is none to PostgreSQL: neither may be cast.
    is_ipv6 = and_(column.contains(":"), not_(column.contains("%", autoescape=True)))
    is_address = or_(column.regexp_match(_IS_IPV4), is_ipv6)
    within = cast(column, INET).op("<<=", is_comparison=True)(cast(network, INET))
    return case((is_address, within), else_=false())
