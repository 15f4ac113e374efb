"""The language in which a group says which hosts it holds.

``os = debian and os_version >= 12 and not tag in (lab, "to be retired")``. A comparison is either
true or not: a host without the value fulfils none but ``is not set``, and ``not`` holds for exactly
the hosts that the rest does not. Text is compared without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network
from typing import Any, Final, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from openwatch.fleet import errors
from openwatch.kit.errors import OpenWatchError

MAX_LENGTH: Final = 2000
MAX_DEPTH: Final = 20
"""How deep ``not``, ``and`` and ``or`` may stand in each other."""


class Kind(StrEnum):
    """What the values of a field are, which says how they can be compared."""

    TEXT = "text"
    TAGS = "tags"
    VERSION = "version"
    NUMBER = "number"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Field:
    """Something of a host that a rule can ask for."""

    name: str
    kind: Kind
    description: str


FIELDS: Final[Mapping[str, Field]] = {
    field.name: field
    for field in (
        Field("name", Kind.TEXT, "The name of the host."),
        Field("address", Kind.ADDRESS, "A name, an IP address, or a network such as 10.0.0.0/8."),
        Field("environment", Kind.TEXT, "Its environment, such as production."),
        Field("description", Kind.TEXT, "Its description."),
        Field("tag", Kind.TAGS, "Any of its tags."),
        Field("os", Kind.TEXT, "The distribution: debian, ubuntu, rhel, rocky, sles."),
        Field("os_family", Kind.TEXT, "What the distribution is made of: debian, rhel, suse."),
        Field("os_version", Kind.VERSION, "The version of the distribution, such as 12 or 22.04."),
        Field("state", Kind.TEXT, "never_scanned, scanning, ok or failed."),
        Field("score", Kind.NUMBER, "Its score in percent; only hosts that were measured."),
        Field("port", Kind.NUMBER, "The port of SSH."),
    )
}


class Operator(StrEnum):
    """How a field is compared with what the rule says."""

    EQUAL = "="
    UNEQUAL = "!="
    LIKE = "~"
    UNLIKE = "!~"
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    SET = "is set"


_ANY_KIND: Final = frozenset({Operator.EQUAL, Operator.UNEQUAL, Operator.SET})
_PATTERNS: Final = frozenset({Operator.LIKE, Operator.UNLIKE})
_ORDERED: Final = frozenset({Operator.LESS, Operator.AT_MOST, Operator.MORE, Operator.AT_LEAST})

OPERATORS: Final[Mapping[Kind, frozenset[Operator]]] = {
    Kind.TEXT: _ANY_KIND | _PATTERNS,
    Kind.TAGS: _ANY_KIND | _PATTERNS,
    Kind.VERSION: _ANY_KIND | _ORDERED,
    Kind.NUMBER: _ANY_KIND | _ORDERED,
    Kind.ADDRESS: _ANY_KIND | _PATTERNS,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question about one field. Several values mean any of them; ``SET`` has none."""

    field: Field
    operator: Operator
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Every host that the rest does not hold."""

    inner: Expression


@dataclass(frozen=True, slots=True)
class AllOf:
    """The hosts that each part holds."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The hosts that any part holds."""

    parts: tuple[Expression, ...]


Expression = Comparison | Not | AllOf | AnyOf

_GRAMMAR: Final = r"""
    ?start: either
    ?either: both ("or"i both)*
    ?both: term ("and"i term)*
    ?term: "not"i term                             -> negation
         | "(" either ")"
         | NAME COMPARE value                      -> comparison
         | NAME "in"i values                       -> among
         | NAME "not"i "in"i values                -> not_among
         | NAME "is"i "set"i                       -> given
         | NAME "is"i "not"i "set"i                -> not_given
    values: "(" value ("," value)* ")"
    value: WORD | QUOTED

    COMPARE: "!=" | "!~" | "<=" | ">=" | "=" | "~" | "<" | ">"
    NAME: /[a-z][a-z0-9_]*/i
    WORD: /[^\s()",'=<>~!]+/i
    QUOTED: /"(\\.|[^"\\])*"/s | /'(\\.|[^'\\])*'/s
    %import common.WS
    %ignore WS
"""

_READABLE: Final = {
    "NAME": "a field",
    "COMPARE": "a comparison",
    "WORD": "a value",
    "QUOTED": "a value",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": "a comma",
    "$END": "the end",
}

_VERSION: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


class _RuleError(Exception):
    """Something that the grammar lets through; ``at`` is the token that is at fault."""

    def __init__(self, at: Token, problem: str) -> None:
        super().__init__(problem)
        self.at = at
        self.problem = problem


class _Builder(Transformer[Token, Expression]):
    """Makes the expression from what the grammar found: each method gets the parts of its rule."""

    def either(self, parts: list[Expression]) -> Expression:
        return AnyOf(tuple(parts))

    def both(self, parts: list[Expression]) -> Expression:
        return AllOf(tuple(parts))

    def negation(self, parts: list[Expression]) -> Expression:
        (inner,) = parts
        return inner.inner if isinstance(inner, Not) else Not(inner)

    def comparison(self, parts: tuple[Token, Token, Token]) -> Expression:
        name, operator, value = parts
        return _comparison(name, Operator(operator), (value,))

    def among(self, parts: tuple[Token, tuple[Token, ...]]) -> Expression:
        name, values = parts
        return _comparison(name, Operator.EQUAL, values)

    def not_among(self, parts: tuple[Token, tuple[Token, ...]]) -> Expression:
        return Not(self.among(parts))

    def given(self, parts: tuple[Token]) -> Expression:
        return _comparison(parts[0], Operator.SET, ())

    def not_given(self, parts: tuple[Token]) -> Expression:
        return Not(self.given(parts))

    def values(self, parts: list[Token]) -> tuple[Token, ...]:
        return tuple(parts)

    def value(self, parts: tuple[Token]) -> Token:
        return parts[0]


_parser: Final = Lark(_GRAMMAR, parser="lalr", transformer=_Builder())


def parse(text: str) -> Expression:
    """Return what a rule asks for.

    Raises ``group.rule_invalid`` with the column that is at fault and what is wrong there.
    """
    if len(text) > MAX_LENGTH:
        raise _invalid(MAX_LENGTH + 1, f"a rule has at most {MAX_LENGTH} characters")
    try:
        # Lark's types do not know that the transformer changes what comes out.
        found = cast("Expression", _parser.parse(text))  # pyright: ignore[reportUnknownMemberType]
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    except (_RuleError, VisitError) as error:
        mistake = error.orig_exc if isinstance(error, VisitError) else error
        if not isinstance(mistake, _RuleError):
            raise
        raise _invalid((mistake.at.start_pos or 0) + 1, mistake.problem) from None
    if _depth(found) > MAX_DEPTH:
        raise _invalid(1, f"the parts of a rule stand in each other more than {MAX_DEPTH} deep")
    return found


def _comparison(name: Token, operator: Operator, values: tuple[Token, ...]) -> Comparison:
    field = FIELDS.get(name.lower())
    if field is None:
        raise _RuleError(name, f"there is no field {str(name)!r}; known are {', '.join(FIELDS)}")
    if operator not in OPERATORS[field.kind]:
        known = ", ".join(one for one in Operator if one in OPERATORS[field.kind])
        raise _RuleError(
            name, f"{field.name} cannot be compared with {operator}; known are {known}"
        )
    return Comparison(field, operator, tuple(_value(field, value) for value in values))


def _value(field: Field, token: Token) -> str:
    text = str(token)
    if token.type == "QUOTED":
        text = _ESCAPE.sub(r"\1", text[1:-1])
    if "\0" in text:
        raise _RuleError(token, "a value holds no NUL character")
    if field.kind is Kind.NUMBER and not _NUMBER.fullmatch(text):
        raise _RuleError(token, f"{field.name} is compared with a number, not with {text!r}")
    if field.kind is Kind.ADDRESS and "/" in text and not _is_network(text):
        raise _RuleError(token, f"{text!r} is not a network such as 10.0.0.0/8")
    if field.kind is Kind.VERSION and not _VERSION.fullmatch(text):
        raise _RuleError(token, f"{field.name} is compared with a version such as 9 or 22.04")
    return text


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _depth(expression: Expression) -> int:
    """Return how deep the deepest part stands, or one more than may be, found without recursion."""
    deepest, left = 1, [(expression, 1)]
    while left and deepest <= MAX_DEPTH:
        part, depth = left.pop()
        deepest = max(deepest, depth)
        match part:
            case Comparison():
                continue
            case Not(inner):
                left.append((inner, depth + 1))
            case AllOf(parts) | AnyOf(parts):
                left.extend((one, depth + 1) for one in parts)
    return deepest


def _unexpected(text: str, error: UnexpectedInput) -> OpenWatchError:
    # Lark declares few of its types.
    failure: Any = error
    match error:
        case UnexpectedToken():
            if failure.token.type == "$END":
                return _misplaced(len(text), failure.accepts, "the end")
            return _misplaced(failure.token.start_pos, failure.accepts, repr(str(failure.token)))
        case UnexpectedCharacters():
            return _misplaced(
                failure.pos_in_stream, failure.allowed, repr(text[failure.pos_in_stream])
            )
        case _:
            return _invalid(1, "it does not follow the grammar")


def _misplaced(position: int, wanted: set[str], found: str) -> OpenWatchError:
    return _invalid(position + 1, f"expected {_listed(wanted)}, found {found}")


def _listed(terminals: set[str]) -> str:
    return ", ".join(sorted({_READABLE.get(name, name.lower()) for name in terminals}))


def _invalid(column: int, problem: str) -> OpenWatchError:
    return OpenWatchError(errors.GROUP_RULE_INVALID, column=column, problem=problem, field="rule")
