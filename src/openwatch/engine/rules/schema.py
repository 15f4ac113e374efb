"""The rule schema, version 1. Unknown keys are errors; JSON Schema is generated from here."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from openwatch.engine.facts import Request
from openwatch.engine.rules.check import Check
from openwatch.engine.rules.platforms import PlatformRange
from openwatch.engine.rules.remedy import Step


class Severity(StrEnum):
    """How much harm a deviation can do."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Category(StrEnum):
    """The part of a host that a rule is about; also the directory that holds the rule."""

    ACCESS_CONTROL = "access-control"
    AUDIT = "audit"
    FILESYSTEM = "filesystem"
    KERNEL = "kernel"
    LOGGING = "logging"
    NETWORK = "network"
    SERVICES = "services"
    SYSTEM = "system"


class Relation(StrEnum):
    """What a rule that passes says about a control that it cites."""

    SATISFIES = "satisfies"
    CONTRIBUTES = "contributes"
    INFORMS = "informs"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Implementation(_Model):
    """One way to check a rule, for the platforms and hosts that it fits."""

    platforms: tuple[PlatformRange, ...] = Field(default=(), description="Empty: all of the rule.")
    when: Check | None = Field(default=None, description="Only where this holds.")
    check: Check | None = None
    manual: str | None = Field(
        default=None, min_length=20, description="What a person has to judge; no check can."
    )
    fix: str | None = Field(default=None, description="How a person mends it here.")
    remedy: tuple[Step, ...] = Field(
        default=(), description="How a machine mends it here; in place of that of the rule."
    )

    @model_validator(mode="after")
    def _is_judged_one_way(self) -> Implementation:
        if (self.check is None) == (self.manual is None):
            raise ValueError("it is judged either by a `check` or by a person (`manual`)")
        return self


class Rule(_Model):
    """One desired state of a host."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)
    title: str = Field(min_length=8, max_length=100)
    description: str = Field(min_length=20)
    rationale: str = Field(min_length=20)
    severity: Severity
    category: Category
    tags: tuple[str, ...] = ()
    references: Mapping[str, tuple[str, ...]] = Field(
        description="Framework id to the ids of its controls."
    )
    relations: Mapping[str, Mapping[str, Relation]] = Field(
        default_factory=dict[str, Mapping[str, Relation]],
        description="Where it says more, or less, of a control than rules of its framework do.",
    )
    platforms: tuple[PlatformRange, ...] = Field(min_length=1)
    when: Check | None = Field(
        default=None, description="The rule does not apply to a host for which this is false."
    )
    check: Check | None = Field(default=None, description="Short for a single implementation.")
    manual: str | None = Field(
        default=None, min_length=20, description="What a person has to judge; no check can."
    )
    implementations: tuple[Implementation, ...] = ()
    fix: str = Field(min_length=10, description="How a person mends it.")
    remedy: tuple[Step, ...] = Field(default=(), description="How a machine mends it.")
    depends_on: tuple[str, ...] = Field(
        default=(), description="Rules that have to be in place before this one can be mended."
    )
    supersedes: tuple[str, ...] = Field(
        default=(), description="Rules that are not judged on a host on which this one is."
    )
    sources: tuple[str, ...] = Field(
        min_length=1, description="The manual pages and public requirements it was written from."
    )

    @field_validator("references")
    @classmethod
    def _references_are_not_empty(
        cls, value: Mapping[str, tuple[str, ...]]
    ) -> Mapping[str, tuple[str, ...]]:
        empty = sorted(name for name, ids in value.items() if not ids)
        if empty:
            raise ValueError(f"no control is named for {', '.join(empty)}")
        return value

    @model_validator(mode="after")
    def _relations_are_of_references(self) -> Rule:
        for framework, own in self.relations.items():
            other = sorted(own.keys() - set(self.references.get(framework, ())))
            if other:
                raise ValueError(f"relations names {framework} {', '.join(other)}, not referenced")
        return self

    @model_validator(mode="after")
    def _has_one_form(self) -> Rule:
        forms = (self.check, self.manual, self.implementations or None)
        if sum(form is not None for form in forms) != 1:
            raise ValueError("a rule has either `check`, `manual` or `implementations`")
        for earlier in self.implementations[:-1]:
            if not earlier.platforms and earlier.when is None:
                raise ValueError("an implementation without a gate hides those that follow it")
        return self

    def variants(self) -> tuple[Implementation, ...]:
        """Return the implementations; ``check`` is the only one of a rule that has it."""
        return self._variants

    @cached_property
    def _variants(self) -> tuple[Implementation, ...]:
        if self.implementations:
            return self.implementations
        return (Implementation(check=self.check, manual=self.manual),)

    def checks(self) -> tuple[Check, ...]:
        """Return all checks of this rule, on whatever platform."""
        variants = [check for v in self.variants() for check in (v.when, v.check)]
        return tuple(check for check in (self.when, *variants) if check is not None)

    def requests(self) -> frozenset[Request]:
        """Return every fact that may decide this rule on some platform."""
        return self._requests

    @cached_property
    def _requests(self) -> frozenset[Request]:
        return frozenset(request for check in self.checks() for request in check.requests())

    def variables(self) -> frozenset[str]:
        """Return the names of the variables that this rule needs to be judged."""
        return frozenset(name for check in self.checks() for name in check.variables())

    def steps(self, variant: Implementation | None = None) -> tuple[Step, ...]:
        """Return the remedy of one form of this rule; that of all of its forms for ``None``."""
        if variant is None:
            return (*self.remedy, *(s for v in self.implementations for s in v.remedy))
        return variant.remedy or self.remedy
