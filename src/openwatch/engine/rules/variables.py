"""Site values: typed, with limits, and a default where a benchmark names one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from openwatch.engine.errors import PRESET_UNKNOWN, VARIABLE_INVALID
from openwatch.engine.logic import disjunction
from openwatch.engine.rules.platforms import PlatformRange, platform_names
from openwatch.engine.snapshot import Platform
from openwatch.kit.errors import OpenWatchError

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,15}")


class VariableType(StrEnum):
    """The type of a variable."""

    INTEGER = "integer"
    TEXT = "text"
    OCTAL = "octal"
    ENUM = "enum"
    LIST = "list"
    REGEX = "regex"


class Tier(StrEnum):
    """Who gave a variable its value, weakest first."""

    DEFAULT = "default"
    PRESET = "preset"
    ORGANISATION = "organisation"
    GROUP = "group"
    HOST = "host"
    COMMAND_LINE = "command line"


Given = int | str | tuple[str, ...]


class PlatformValue(BaseModel):
    """What a benchmark names for some platforms; for all that no entry before it is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Given
    platforms: tuple[PlatformRange, ...] = Field(default=(), description="Empty: all others.")

    def holds(self, host: Platform | None) -> bool | None:
        """Return whether it is for a host; ``None`` where nobody can say, as without a version."""
        if not self.platforms:
            return True
        if host is None:
            return None
        return disjunction(p.holds(host.family, host.version, host.id) for p in self.platforms)


PerPlatform = tuple[PlatformValue, ...]


def _preset_tag(value: object) -> str:
    """Return whether a preset has a value for each platform; a list of words is one value."""
    if not isinstance(value, list | tuple):
        return "everywhere"
    entries = cast("Sequence[object]", value)
    return (
        "by platform" if any(isinstance(e, dict | PlatformValue) for e in entries) else "everywhere"
    )


Preset = Annotated[
    Annotated[Given, Tag("everywhere")] | Annotated[PerPlatform, Tag("by platform")],
    Discriminator(_preset_tag),
]


class VariableDefinition(BaseModel):
    """One variable. Without a default a rule that needs it is ``not_configured``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: VariableType
    description: str = Field(min_length=10)
    default: int | str | tuple[str, ...] | None = None
    min: int | None = None
    max: int | None = None
    values: tuple[str, ...] = ()
    stricter: Literal["lower", "higher"] | None = None
    presets: Mapping[str, Preset] = Field(
        default_factory=dict[str, Preset],
        description="The value that a benchmark names, by preset (cis, stig): one, or one for "
        "each of several platforms, of which the first that fits a host counts.",
    )

    @model_validator(mode="after")
    def _values_are_valid(self) -> VariableDefinition:
        for value in (self.default, *(e.value for p in self.presets for e in self.entries(p))):
            if value is not None:
                self.parse(value)
        for name in self.presets:
            if any(not entry.platforms for entry in self.entries(name)[:-1]):
                raise ValueError(f"{name}: a value without platforms hides those that follow it")
        if self.stricter and self.type is not VariableType.INTEGER:
            raise ValueError("only a whole number can be stricter than another")
        return self

    def entries(self, preset: str) -> tuple[PlatformValue, ...]:
        """Return the values of a preset in the order in which they are tried; none if unknown."""
        if preset not in self.presets:
            return ()
        match self.presets[preset]:
            case (PlatformValue(), *_) as several:
                return several
            case value:
                return (PlatformValue(value=cast("Given", value)),)

    def on(self, preset: str, host: Platform | None) -> PlatformValue | None:
        """Return what a preset names for a host, if anything; ``None``: an unknown platform.

        For a host that may be of several platforms, the strictest of what may be meant for it.
        """
        meant: list[PlatformValue] = []
        for entry in self.entries(preset):
            fits = entry.holds(host)
            if fits is not False:
                meant.append(entry)
            if fits:
                break
        if not self.stricter:
            return next(iter(meant), None)
        order = min if self.stricter == "lower" else max
        return order(meant, key=lambda entry: self._integer(entry.value), default=None)

    def looser(self, value: Any) -> bool:
        """Return whether a typed value asks less of a host than the default does."""
        if self.stricter is None or self.default is None:
            return False
        default = self.parse(self.default)
        return value > default if self.stricter == "lower" else value < default

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
            case VariableType.REGEX:
                return _pattern(str(value))
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


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"it has to be a regular expression: {error}") from None
    return text


@dataclass(frozen=True, slots=True)
class Bound:
    """The value of a variable, and who gave it. ``looser``: it asks less than the default."""

    value: Any
    tier: Tier
    origin: str = ""
    looser: bool = False
    platforms: str = ""
    """For which platforms alone, in words; empty for all."""

    def document(self) -> dict[str, Any]:
        """Return the value and its origin as evidence."""
        listed = isinstance(self.value, tuple)
        value = list(cast("tuple[str, ...]", self.value)) if listed else self.value
        document: dict[str, Any] = {"value": value, "from": str(self)}
        if self.looser:
            document["looser_than_default"] = True
        return document

    def __str__(self) -> str:
        given = f"{self.tier.value} {self.origin}".strip()
        return f"{given}, on {self.platforms}" if self.platforms else given


@dataclass(frozen=True, slots=True)
class Layer:
    """Values of one tier; ``origin`` names it: which preset, group or host."""

    tier: Tier
    values: Mapping[str, Any]
    origin: str = ""


def command_line(values: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Return the layer of values that were given for this run alone."""
    return (Layer(Tier.COMMAND_LINE, values),) if values else ()


def preset(definitions: Mapping[str, VariableDefinition], name: str) -> Layer:
    """Return the values that a benchmark names; raises ``variable.preset_unknown``."""
    known = sorted({name for definition in definitions.values() for name in definition.presets})
    if name not in known:
        raise OpenWatchError(PRESET_UNKNOWN, preset=name, known=", ".join(known) or "none")
    values = {n: _OfPreset(name) for n, d in definitions.items() if name in d.presets}
    return Layer(Tier.PRESET, values, name)


@dataclass(frozen=True, slots=True)
class _OfPreset:
    """In the place of a value that depends on the platform of the host."""

    name: str


def resolve(
    definitions: Mapping[str, VariableDefinition],
    layers: Sequence[Layer] = (),
    platform: Platform | None = None,
) -> dict[str, Bound]:
    """Return the value of every variable that has one on a platform, and who gave it.

    The strongest tier counts, whatever the order of the layers; of one tier the last layer.
    Raises ``variable.invalid`` for an unknown name or a value that does not fit.
    """
    defaults = {n: d.default for n, d in definitions.items() if d.default is not None}
    order = list(Tier)
    bound: dict[str, Bound] = {}
    for layer in sorted(
        (Layer(Tier.DEFAULT, defaults), *layers), key=lambda x: order.index(x.tier)
    ):
        for name, value in layer.values.items():
            if not isinstance(value, _OfPreset):
                bound[name] = _bound(definitions, layer, name, value)
            elif (entry := definitions[name].on(value.name, platform)) is not None:
                where = platform_names(entry.platforms)
                bound[name] = replace(
                    _bound(definitions, layer, name, entry.value), platforms=where
                )
    return bound


def _bound(
    definitions: Mapping[str, VariableDefinition], layer: Layer, name: str, value: Any
) -> Bound:
    if name not in definitions:
        why = "there is no such variable"
        raise OpenWatchError(VARIABLE_INVALID, variable=name, value=value, why=why)
    try:
        typed = definitions[name].parse(value)
    except ValueError as error:
        raise OpenWatchError(VARIABLE_INVALID, variable=name, value=value, why=str(error)) from None
    return Bound(typed, layer.tier, layer.origin, definitions[name].looser(typed))
