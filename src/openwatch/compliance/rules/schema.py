"""API shapes of rules and frameworks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from openwatch.engine.rules.schema import Category, Relation, Severity
from openwatch.kit.paging import Page

References = dict[str, list[str]]
"""Framework to the ids of its controls."""


class Rule(BaseModel):
    """A rule of the catalogue."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    severity: Severity
    category: Category
    references: References = Field(description="Framework to the ids of its controls.")


class RuleText(BaseModel):
    """What a rule wants, why, and how a person mends it."""

    model_config = ConfigDict(frozen=True)

    title: str
    description: str
    rationale: str
    severity: Severity
    category: Category
    references: References
    fix_text: str


class RuleControl(BaseModel):
    """A control that a rule cites, and what the rule says of it."""

    model_config = ConfigDict(frozen=True)

    framework: str
    id: str
    title: str | None
    sections: tuple[str, ...] = Field(description="The sections around it, the outermost first.")
    relation: Relation


class RuleDetail(RuleText):
    """A rule with the platforms that it is for."""

    id: str
    platforms: list[str]
    controls: list[RuleControl]


class RuleFacets(BaseModel):
    """How many rules there are by each value of a filter, all other filters applied."""

    model_config = ConfigDict(frozen=True)

    severity: dict[str, int]
    category: dict[str, int]


class RulePage(Page[Rule]):
    """One page of rules."""

    facets: RuleFacets


class Framework(BaseModel):
    """A benchmark or a catalogue of controls that rules refer to."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    version: str | None
    publisher: str
    family: str | None = Field(description="The name that stands for it on all platforms.")
    rules_count: int
