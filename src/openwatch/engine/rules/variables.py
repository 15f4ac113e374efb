"""Site values: typed, with limits, and a default where a benchmark names one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from openwatch.engine.errors import VARIABLE_INVALID
from openwatch.kit.errors import OpenWatchError

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,15}")


class VariableType(StrEnum):
    """The type of a variable."""

    INTEGER = "integer"
    TEXT = "text"
    OCTAL = "octal"
    ENUM = "enum"
    LIST = "list"


class VariableDefinition(BaseModel):
    """One variable. Without a default a rule that needs it is ``not_configured``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: VariableType
    description: str = Field(min_length=10)
    default: int | str | tuple[str, ...] | None = None
    min: int | None = None
    max: int | None = None
    values: tuple[str, ...] = ()
    stricter: str | None = Field(default=None, pattern="^(lower|higher)$")

    @model_validator(mode="after")
    def _default_is_valid(self) -> VariableDefinition:
        if self.default is not None:
            self.parse(self.default)
        return self

    def parse(self, value: Any) -> Any:
        """Return the typed value; raises ``ValueError`` with the reason when it does not fit."""
        match self.type:
            case VariableType.INTEGER:
                return self._integer(value)
            case VariableType.OCTAL:
                text = str(value)
                if not 3 <= len(text) <= 4 or set(text) - set("01234567"):
                    raise ValueError("it has to be 3 or 4 octal digits in quotes")
                return text
            case VariableType.ENUM if value not in self.values:
                raise ValueError(f"it has to be one of {', '.join(self.values)}")
            case VariableType.LIST:
                words = value.split(",") if isinstance(value, str) else value
                if not isinstance(words, list | tuple):
                    raise ValueError("it has to be a list")
                listed = tuple(str(word).strip() for word in cast("Sequence[object]", words))
                if not all(listed):
                    raise ValueError("a word of the list is empty")
                return listed
            case _:
                return str(value)

    def _integer(self, value: Any) -> int:
        if not _INTEGER.fullmatch(str(value)):
            raise ValueError("it has to be a whole number")
        number = int(value)
        if self.min is not None and number < self.min:
            raise ValueError(f"it has to be at least {self.min}")
        if self.max is not None and number > self.max:
            raise ValueError(f"it has to be at most {self.max}")
        return number


def resolve(
    definitions: Mapping[str, VariableDefinition], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the value of every variable that has one: the given ones before the defaults.

    Raises ``variable.invalid`` for an unknown name or a value that does not fit.
    """
    values = {
        name: definition.parse(definition.default)
        for name, definition in definitions.items()
        if definition.default is not None
    }
    for name, value in given.items():
        if name not in definitions:
            raise OpenWatchError(
                VARIABLE_INVALID, variable=name, value=value, why="there is no such variable"
            )
        try:
            values[name] = definitions[name].parse(value)
        except ValueError as error:
            raise OpenWatchError(
                VARIABLE_INVALID, variable=name, value=value, why=str(error)
            ) from None
    return values
