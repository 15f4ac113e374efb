"""The controls of a framework: its whole list, so that coverage has a true denominator.

``frameworks/<framework>.yml`` holds one list. Ids, levels and severities are facts of the published
framework; titles and section names are our own words, but for SP 800-53, whose names NIST gave to
the public.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from openwatch.engine.rules.loader import RuleProblem, load_text


class ControlSeverity(StrEnum):
    """The severity that a STIG gives: CAT I, II and III."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Specification(StrEnum):
    """An implementation specification of HIPAA: met as it stands, or weighed and answered for."""

    REQUIRED = "required"
    ADDRESSABLE = "addressable"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Level = Literal[1, 2]


class Control(_Model):
    """One control, as its framework counts them."""

    id: str = Field(min_length=1, max_length=40)
    title: str | None = Field(
        default=None,
        min_length=3,
        max_length=90,
        description="A short name. Without one, that of the rule that satisfies it.",
    )
    manual: bool = Field(default=False, description="No look at a host can decide it.")
    reason: str | None = Field(
        default=None,
        min_length=10,
        max_length=200,
        description="Why a person has to judge it, where that is not plain.",
    )
    server: Level | None = Field(default=None, description="Level in the profile for servers.")
    workstation: Level | None = Field(default=None, description="Level for workstations.")
    severity: ControlSeverity | None = None
    specification: Specification | None = Field(
        default=None, description="What HIPAA lets an entity do about it (45 CFR 164.306(d))."
    )
    through: tuple[str, ...] | None = Field(
        default=None,
        description="Controls of the framework that it is derived through. Without it: the one "
        "with the same id. Empty: it has no counterpart there.",
    )

    @model_validator(mode="after")
    def _only_manual_needs_a_reason(self) -> Control:
        if self.reason and not self.manual:
            raise ValueError(f"{self.id} has a reason, and is not manual")
        return self

    def sources(self) -> tuple[str, ...]:
        """Return the controls, of the framework that this is derived through, behind this one."""
        return (self.id,) if self.through is None else self.through


class ControlList(_Model):
    """All controls of one framework, in its own order."""

    sections: Mapping[str, str] = Field(
        default_factory=dict[str, str], description="Section number to our name of it."
    )
    controls: tuple[Control, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ids_are_unique(self) -> ControlList:
        seen: set[str] = set()
        twice = sorted({c.id for c in self.controls if c.id in seen or seen.add(c.id)})
        if twice:
            raise ValueError(f"the list names twice: {', '.join(twice)}")
        return self

    @cached_property
    def by_id(self) -> Mapping[str, Control]:
        """The controls by their id."""
        return {control.id: control for control in self.controls}

    def path(self, control_id: str) -> tuple[str, ...]:
        """Return the names of the sections around a control, from the outermost."""
        names = sorted(
            (number for number in self.sections if _inside(control_id, number)), key=natural_key
        )
        return tuple(self.sections[number] for number in names)


def _inside(control_id: str, section: str) -> bool:
    if not control_id.startswith(section):
        return False
    rest = control_id[len(section) :]
    return not rest[:1].isalnum() if rest else True


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts numbers inside a text as numbers: 1.9 before 1.10."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts)


def load_lists(
    directory: Path, frameworks: Iterable[str]
) -> tuple[Mapping[str, ControlList], tuple[RuleProblem, ...]]:
    """Return the lists in ``frameworks/`` by framework, and every problem of their files.

    A framework without a file has no list: nothing is said about its controls.
    """
    lists: dict[str, ControlList] = {}
    problems: list[RuleProblem] = []
    for name in frameworks:
        file = f"frameworks/{name}.yml"
        try:
            text = (directory / file).read_text("utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            problems.append(RuleProblem(file, 1, f"cannot be read: {error}"))
            continue
        found, wrong = load_text(ControlList, text, file)
        problems += wrong
        if found is not None:
            lists[name] = found
    return lists, tuple(problems)
