"""Tests on the fields of a record: typed, closed, and written as a sentence for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Any, Final, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from openwatch.engine.rules.variables import Bound, VariableType
from openwatch.engine.subjects.base import Kind, Pattern, Value
from openwatch.engine.versions import PackageVersion

Scalar = Annotated[str | int | bool, Field(union_mode="left_to_right")]
Bindings = Mapping[str, Bound]


class Variable(BaseModel):
    """A reference to a variable; it is bound after parsing and never spliced into text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    var: str


def _operand_tag(value: object) -> str:
    return "variable" if isinstance(value, dict | Variable) else "value"


ScalarOperand = Annotated[
    Annotated[bool | int | str, Tag("value")] | Annotated[Variable, Tag("variable")],
    Discriminator(_operand_tag),
]
NumberOperand = Annotated[
    Annotated[int, Tag("value")] | Annotated[Variable, Tag("variable")],
    Discriminator(_operand_tag),
]
ListOperand = Annotated[
    Annotated[tuple[bool | int | str, ...], Tag("value")] | Annotated[Variable, Tag("variable")],
    Discriminator(_operand_tag),
]
OctalOperand = Annotated[
    Annotated[str, Field(pattern=r"^[0-7]{3,4}$"), Tag("value")]
    | Annotated[Variable, Tag("variable")],
    Discriminator(_operand_tag),
]


class Expectation(BaseModel):
    """What a field has to be; several keys have to hold together.

    In a rule a bare value stands for ``equals`` and a list for ``one_of``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    equals: ScalarOperand | None = None
    not_equals: ScalarOperand | None = None
    one_of: ListOperand | None = None
    none_of: ListOperand | None = None
    at_least: NumberOperand | None = None
    at_most: NumberOperand | None = None
    at_least_version: str | None = Field(
        default=None,
        pattern=r"^[0-9][0-9A-Za-z.+~^:_-]*$",
        description="The version of a package is this one or newer, as its manager compares them.",
    )
    matches: Pattern | None = Field(default=None, description="The whole value matches.")
    not_matches: Pattern | None = None
    includes: ListOperand | None = Field(default=None, description="All of these are there.")
    excludes: ListOperand | None = Field(default=None, description="None of these is there.")
    only: ListOperand | None = Field(default=None, description="Nothing but these is there.")
    no_more_than: OctalOperand | None = Field(
        default=None, description="No permission bit beyond these."
    )
    present: bool | None = Field(default=None, description="Whether it is set at all.")
    or_absent: bool = Field(default=False, description="Not being set is as good.")
    or_one_of: tuple[bool | int | str, ...] = Field(
        default=(), description="One of these is as good, whatever else is tested."
    )
    meaning: str | None = Field(
        default=None, min_length=3, description="What a pattern stands for, said to people."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        match value:
            case list() | tuple():
                return cast(Any, {"one_of": value})
            case bool() | int() | str():
                return {"equals": value}
            case {"var": _}:
                return cast(Any, {"equals": value})
            case _:
                return value

    @model_validator(mode="after")
    def _says_something(self) -> Expectation:
        if not self.tests():
            raise ValueError("an expectation has to test something")
        if self.present is False and len(self.tests()) > 1:
            raise ValueError("`present: false` leaves nothing else to test")
        if self.meaning and not {"matches", "not_matches"} & self.tests().keys():
            raise ValueError("`meaning` is for patterns; other tests say what they mean")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        scalar = {"type": ["string", "integer", "boolean"]}
        variable = {
            "type": "object",
            "properties": {"var": {"type": "string"}},
            "required": ["var"],
            "additionalProperties": False,
        }
        whole = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [scalar, {"type": "array", "items": scalar}, variable, whole]}

    def tests(self) -> Mapping[str, Any]:
        """Return the tests that are set, by name."""
        return self._tests

    @cached_property
    def _tests(self) -> Mapping[str, Any]:
        return {name: v for name in _TESTS if (v := getattr(self, name)) is not None}

    @cached_property
    def sentences(self) -> dict[Kind, str]:
        """What :func:`sentence` has said of this expectation before."""
        return {}

    def variables(self) -> frozenset[str]:
        """Return the names of the variables that this expectation needs."""
        return self._variables

    @cached_property
    def _variables(self) -> frozenset[str]:
        return frozenset(v.var for v in self.tests().values() if isinstance(v, Variable))

    def bind(self, bindings: Bindings) -> Expectation:
        """Return this expectation with its variables replaced by their values."""
        names = self.variables()
        if not names:
            return self
        tests = {
            name: bindings[test.var].value if isinstance(test, Variable) else test
            for name, test in self.tests().items()
        }
        # The corpus was validated with the types of its variables, and the values with their types.
        return Expectation.model_construct(
            **tests, or_absent=self.or_absent, or_one_of=self.or_one_of, meaning=self.meaning
        )

    def problems(self, kind: Kind) -> list[str]:
        """Return why a field of this kind cannot be tested so; empty when it can."""
        unfit = [
            f"`{name}` does not fit a field of type {kind}"
            for name in self.tests()
            if name not in _FITTING[kind]
        ]
        return unfit or [
            f"{operand!r} is never the value of a field of type {kind}: write {_WRITTEN[kind]}"
            for name, wanted in self.tests().items()
            if name in _COMPARING and not isinstance(wanted, Variable)
            for operand in cast("tuple[object, ...]", wanted if name in _LISTS else (wanted,))
            if not _comparable(operand, kind)
        ]

    def misfits(self, kind: Kind, types: Mapping[str, VariableType]) -> list[str]:
        """Return which variables are of a type that their test cannot take."""
        return [
            f"the variable {wanted.var!r} of type {types[wanted.var]} does not fit `{name}`"
            f" on a field of type {kind}"
            for name, wanted in self.tests().items()
            if isinstance(wanted, Variable) and types[wanted.var] not in _variable_types(name, kind)
        ]


_TESTS: Final = (
    "equals", "not_equals", "one_of", "none_of", "at_least", "at_most", "matches", "not_matches",
    "includes", "excludes", "only", "no_more_than", "present", "at_least_version",
)  # fmt: skip

_ANY: Final = frozenset({"equals", "not_equals", "one_of", "none_of", "present"})
_FITTING: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.TEXT: _ANY | {"at_least", "at_most", "matches", "not_matches"},
    Kind.VERSION: _ANY | {"at_least_version", "matches", "not_matches"},
    Kind.NUMBER: _ANY | {"at_least", "at_most"},
    Kind.FLAG: frozenset({"equals"}),
    Kind.MODE: frozenset({"equals", "one_of", "no_more_than", "present"}),
    Kind.WORDS: frozenset({"includes", "excludes", "only", "present"}),
}

_LISTS: Final = frozenset({"one_of", "none_of", "includes", "excludes", "only"})
_COMPARING: Final = _LISTS | {"equals", "not_equals"}
_WRITTEN: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "text in quotes, or a whole number",
    Kind.VERSION: "text in quotes",
    Kind.NUMBER: "a whole number without quotes",
    Kind.FLAG: "true or false without quotes",
    Kind.MODE: "3 or 4 octal digits in quotes",
    Kind.WORDS: "text in quotes, or a whole number",
}


def _comparable(operand: object, kind: Kind) -> bool:
    """Return whether a field of this kind can have the value at all."""
    match kind:
        case Kind.FLAG:
            return isinstance(operand, bool)
        case Kind.NUMBER:
            return type(operand) is int
        case Kind.MODE:
            return isinstance(operand, str) and bool(_OCTAL.fullmatch(operand))
        case Kind.TEXT | Kind.WORDS | Kind.VERSION:
            return not isinstance(operand, bool)


def _variable_types(test: str, kind: Kind) -> frozenset[VariableType]:
    """Return the types of variables that a test on a field of this kind can take."""
    match test, kind:
        case ("at_least" | "at_most", _) | (_, Kind.NUMBER):
            return frozenset({VariableType.INTEGER})
        case ("no_more_than", _) | (_, Kind.MODE):
            return frozenset({VariableType.OCTAL})
        case name, _ if name in _LISTS:
            return frozenset({VariableType.LIST})
        case _:
            return frozenset(VariableType) - {VariableType.LIST}


_OCTAL: Final = re.compile(r"[0-7]{3,4}")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}\Z")
"""More digits are no setting of any program, and int() refuses more than 4300."""


def holds(expectation: Expectation, value: Value) -> bool:
    """Return whether a known, bound value is as expected. An unset value satisfies nothing but
    ``present: false`` and ``or_absent``.
    """
    if value is None:
        return expectation.or_absent or expectation.present is False
    if any(_same(value, one) for one in expectation.or_one_of):
        return True
    return all(_test(name, wanted, value) for name, wanted in expectation.tests().items())


def _test(name: str, wanted: Any, value: Value) -> bool:
    match name:
        case "equals":
            return _same(value, wanted)
        case "not_equals":
            return not _same(value, wanted)
        case "one_of":
            return any(_same(value, one) for one in wanted)
        case "none_of":
            return not any(_same(value, one) for one in wanted)
        case "at_least":
            return (number := as_number(value)) is not None and number >= wanted
        case "at_most":
            return (number := as_number(value)) is not None and number <= wanted
        case "at_least_version":
            return isinstance(value, PackageVersion) and value.at_least(wanted)
        case "matches":
            return re.fullmatch(wanted, str(value)) is not None
        case "not_matches":
            return re.fullmatch(wanted, str(value)) is None
        case "includes":
            return isinstance(value, frozenset) and _words(wanted) <= value
        case "excludes":
            return isinstance(value, frozenset) and not _words(wanted) & value
        case "only":
            return isinstance(value, frozenset) and bool(value) and value <= _words(wanted)
        case "no_more_than":
            return isinstance(value, int) and value & ~int(wanted, 8) & 0o7777 == 0
        case "present":
            return bool(wanted)
        case _:
            raise ValueError(f"no test {name!r}")


def as_number(value: Value) -> int | None:
    """Return a whole number, or ``None``: a prefix of digits is not a number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        # Blanks alone: int() does not know all that str.strip() takes for one, such as 0x1F.
        digits = value.strip(" \t\r\n")
        return int(digits) if _INTEGER.match(digits) else None
    return None


def _same(value: Value, wanted: str | int | bool) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    if isinstance(wanted, int):
        return as_number(value) == wanted
    if isinstance(value, int):
        # A mode is written in octal digits.
        return bool(_OCTAL.fullmatch(wanted)) and value == int(wanted, 8)
    return value == wanted


@lru_cache(maxsize=4096)
def _words(wanted: tuple[str | int | bool, ...]) -> frozenset[str]:
    return frozenset(str(word) for word in wanted)


def sentence(expectation: Expectation, kind: Kind) -> str:
    """Return the expectation in words, for example ``at least 1 and at most 365``."""
    known = expectation.sentences.get(kind)
    if known is None:
        parts = [_phrase(name, wanted, kind) for name, wanted in expectation.tests().items()]
        known = expectation.meaning or " and ".join(parts)
        if expectation.or_one_of:
            known += f", or {' or '.join(str(one) for one in expectation.or_one_of)}"
        known += ", or not set" if expectation.or_absent else ""
        expectation.sentences[kind] = known
    return known


def _phrase(name: str, wanted: Any, kind: Kind) -> str:
    if isinstance(wanted, Variable):
        wanted = f"${{{wanted.var}}}"
    match name:
        case "equals" if kind is Kind.FLAG:
            return "yes" if wanted else "no"
        case "equals":
            return f"{wanted}"
        case "not_equals":
            return f"not {wanted}"
        case "one_of":
            return f"one of {_listed(wanted)}"
        case "none_of":
            return f"none of {_listed(wanted)}"
        case "at_least":
            return f"at least {wanted}"
        case "at_most":
            return f"at most {wanted}"
        case "at_least_version":
            return f"version {wanted} or newer"
        case "matches":
            return f"like /{wanted}/"
        case "not_matches":
            return f"not like /{wanted}/"
        case "includes":
            return f"with {_listed(wanted)}"
        case "excludes":
            return f"without {_listed(wanted)}"
        case "only":
            return f"only {_listed(wanted)}"
        case "no_more_than":
            return f"no more open than {wanted}"
        case _:
            return "set" if wanted else "not set"


def _listed(wanted: Any) -> str:
    if isinstance(wanted, str):
        return wanted
    return ", ".join(str(word) for word in wanted) or "an empty list"


def shown(value: Value, kind: Kind) -> str:
    """Return a value as a person reads it."""
    match value:
        case None:
            return "not set"
        case True | False:
            return "yes" if value else "no"
        case int() if kind is Kind.MODE:
            return f"{value:04o}"
        case frozenset():
            return ", ".join(sorted(value)) or "nothing"
        case "":
            return "empty"
        case _:
            return str(value)
