"""The cases in tests/corpus/cases: which verdict a rule has to give on which host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from openwatch.engine.assess import Outcome, Reason, Verdict, assess
from openwatch.engine.rules import Corpus, Rule, load_corpus, yaml
from openwatch.engine.rules.variables import command_line
from tests.corpus.host import PLATFORMS, Host, Trouble, changed_host

CASE_DIR: Final = Path(__file__).parent / "cases"

Platform = Literal[
    "debian12", "debian13", "ubuntu2204", "ubuntu2404", "rhel8", "rhel9", "rhel10", "sles15"
]
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "every": PLATFORMS,
    "debian": ("debian12", "debian13"),
    "ubuntu": ("ubuntu2204", "ubuntu2404"),
    "rhel": ("rhel8", "rhel9", "rhel10"),
    "sles": ("sles15",),
}


class CaseEntry(BaseModel):
    """One entry of a case file. ``on`` names platforms, families or ``every``: in the file of a
    rule, each platform that the rule is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: tuple[Platform, ...]
    name: str = ""
    given: Mapping[str, Any] = Field(default_factory=dict)
    cannot: Mapping[str, Trouble] = Field(default_factory=dict)
    variables: Mapping[str, Any] = Field(default_factory=dict)
    verdict: Verdict
    reason: Reason | None = None
    shows: str | None = Field(default=None, description="Text in the evidence of the outcome.")

    @field_validator("on", mode="before")
    @classmethod
    def _groups(cls, value: object) -> object:
        words = [value] if isinstance(value, str) else value
        if not isinstance(words, list):
            return value
        return tuple(p for word in words for p in GROUPS.get(str(word), (word,)))


class _CaseFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    cases: tuple[CaseEntry, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Case:
    """One entry of the case file of a rule."""

    rule_id: str
    entry: CaseEntry
    number: int

    def __str__(self) -> str:
        name = self.entry.name or self.entry.verdict.value
        return f"{self.rule_id}-{self.number}-{name.replace(' ', '_')}"

    def hosts(self) -> Iterator[tuple[str, Host]]:
        """Yield the host of each platform that the entry names."""
        for platform in self.entry.on:
            yield platform, changed_host(platform, self.entry.given)


@cache
def corpus() -> Corpus:
    """Return the corpus of the product."""
    return load_corpus()


@cache
def case_files() -> Mapping[str, Path]:
    """Return the case files by rule id."""
    return {path.stem: path for path in sorted(CASE_DIR.glob("*/*.yml"))}


@cache
def cases() -> tuple[Case, ...]:
    """Return every case of every rule."""
    return tuple(case for rule_id, path in case_files().items() for case in _read(rule_id, path))


def _read(rule_id: str, path: Path) -> Iterator[Case]:
    document = yaml.parse(path.read_text("utf-8"))
    for entry in document if rule_id in corpus().rules else ():
        if entry.get("on") == "every":
            entry["on"] = concerned(corpus().rules[rule_id])
    try:
        file = _CaseFile.model_validate({"cases": document})
    except ValueError as error:
        raise ValueError(f"{path.parent.name}/{path.name}: {error}") from None
    for number, entry in enumerate(file.cases, start=1):
        yield Case(rule_id, entry, number)


def judge(
    rule: Rule,
    host: Host,
    *,
    cannot: Mapping[str, Trouble] | None = None,
    variables: Mapping[str, Any] | None = None,
) -> Outcome:
    """Return the outcome of one rule on a host on paper."""
    snapshot = host.snapshot(rule.requests(), cannot)
    (outcome,) = assess(corpus().only([rule.id]), snapshot, command_line(variables or {}))
    return outcome


def family_of(platform: str) -> str:
    """Return the family of a platform's name."""
    return platform.rstrip("0123456789")


def concerned(rule: Rule) -> list[str]:
    """Return the platforms that a rule is for."""
    names = []
    for platform in PLATFORMS:
        family, digits = family_of(platform), platform.lstrip("abcdefghijklmnopqrstuvwxyz")
        version = (int(digits[:2]), int(digits[2:])) if family == "ubuntu" else (int(digits),)
        if any(entry.holds(family, version, family) for entry in rule.platforms):
            names.append(platform)
    return names
