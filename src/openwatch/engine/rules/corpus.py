"""The corpus: all rules, the variables that they use and the frameworks that cite them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from openwatch.engine.errors import FRAMEWORK_UNKNOWN, RULE_UNKNOWN, RULES_INVALID
from openwatch.engine.facts import Request
from openwatch.engine.rules.controls import ControlList, load_lists
from openwatch.engine.rules.loader import RuleProblem, load_rules, load_text, unread
from openwatch.engine.rules.mapping import (
    control_problems,
    derivation_problems,
    relation_problems,
)
from openwatch.engine.rules.platforms import PlatformRange
from openwatch.engine.rules.schema import Relation, Rule
from openwatch.engine.rules.variables import VariableDefinition
from openwatch.kit.canonical import canonical_json
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.hashing import sha256_hex
from openwatch.kit.resources import corpus_dir


class Derivation(BaseModel):
    """Through which framework the rules of another one are found, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    through: str
    source: str = Field(min_length=10, description="The publication that holds the mapping.")


class Framework(BaseModel):
    """A benchmark or catalogue of controls that rules refer to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    publisher: str
    version: str
    family: str | None = Field(default=None, description="Alias over all platforms, e.g. stig.")
    relation: Relation = Field(
        default=Relation.SATISFIES,
        description="What a rule says about a control that it cites, unless the rule says else.",
    )
    platform: PlatformRange | None = Field(
        default=None, description="The platform that a benchmark is for."
    )
    derived: Derivation | None = Field(
        default=None, description="No rule cites it: its rules are those of another framework."
    )


class _Frameworks(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    frameworks: Mapping[str, Framework]


class VariablesFile(BaseModel):
    """The file ``variables.yml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variables: Mapping[str, VariableDefinition]


@dataclass(frozen=True)
class Corpus:
    """A set of rules that was validated as a whole."""

    rules: Mapping[str, Rule]
    variables: Mapping[str, VariableDefinition]
    frameworks: Mapping[str, Framework]
    directory: Path | None = None
    asked: dict[Hashable, frozenset[Request]] = field(
        default_factory=dict[Hashable, frozenset[Request]], repr=False, compare=False, init=False
    )
    """What was found out before about who is asked for what, see ``concerns``."""

    @cached_property
    def controls(self) -> Mapping[str, ControlList]:
        """The controls of each framework that has a list; they are read when they are wanted.

        Raises ``rules.invalid`` with every problem of every list, and of the rules that cite them.
        """
        if self.directory is None:
            return {}
        lists, problems = load_lists(self.directory, self.frameworks)
        _refuse(problems or tuple(control_problems(self, lists)))
        return lists

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all rules and variables: the version of what was asked."""
        document: dict[str, Any] = {
            "rules": {i: r.model_dump(mode="json", by_alias=True) for i, r in self.rules.items()},
            "variables": {n: v.model_dump(mode="json") for n, v in self.variables.items()},
        }
        return sha256_hex(canonical_json(document))

    @cached_property
    def in_order(self) -> tuple[Rule, ...]:
        """All rules in the order of their ids."""
        return tuple(self.rules[rule_id] for rule_id in sorted(self.rules))

    @cached_property
    def superseding(self) -> Mapping[str, tuple[str, ...]]:
        """Of each rule that is superseded, the rules that name it, in the order of their ids."""
        found: dict[str, tuple[str, ...]] = {}
        for rule in self.in_order:
            for name in rule.supersedes:
                found[name] = (*found.get(name, ()), rule.id)
        return found

    def requests(self) -> frozenset[Request]:
        """Return every fact that some rule may need."""
        return frozenset(request for rule in self.rules.values() for request in rule.requests())

    def rule(self, rule_id: str) -> Rule:
        """Return a rule; raises ``rule.unknown``."""
        try:
            return self.rules[rule_id]
        except KeyError:
            raise OpenWatchError(RULE_UNKNOWN, rule=rule_id) from None

    def only(self, rule_ids: Iterable[str]) -> Corpus:
        """Return the corpus with these rules alone; raises ``rule.unknown``."""
        return replace(self, rules={i: self.rule(i) for i in rule_ids})

    def relation(self, rule: Rule, framework: str, control: str) -> Relation:
        """Return what a rule that passes says about a control that it cites."""
        own = rule.relations.get(framework, {})
        return own.get(control, self.frameworks[framework].relation)

    def cited_by(self, framework: str) -> Corpus:
        """Return the rules that a framework cites; ``stig`` stands for all ``stig_…``.

        Raises ``framework.unknown``.
        """
        wanted = self.citations(framework)
        return replace(self, rules={i: r for i, r in self.rules.items() if _cites(r, wanted)})

    def citations(self, framework: str) -> Mapping[str, frozenset[str] | None]:
        """Return what makes a rule one of a framework: which controls of which it cites.

        ``None``: any control. A derived framework has the rules of the controls that it is mapped
        to. Raises ``framework.unknown``.
        """
        names = [n for n, entry in self.frameworks.items() if framework in (n, entry.family)]
        if not names:
            families = {entry.family for entry in self.frameworks.values() if entry.family}
            known = ", ".join(sorted(families | self.frameworks.keys()))
            raise OpenWatchError(FRAMEWORK_UNKNOWN, framework=framework, known=known)
        found: dict[str, frozenset[str] | None] = {}
        for name in names:
            derived = self.frameworks[name].derived
            if derived is None:
                found[name] = None
            elif (known_ids := found.get(derived.through, frozenset())) is not None:
                ids = (i for c in self.controls[name].controls for i in c.sources())
                found[derived.through] = known_ids.union(ids)
        return found


def _cites(rule: Rule, wanted: Mapping[str, frozenset[str] | None]) -> bool:
    return any(
        controls is None or not controls.isdisjoint(rule.references[name])
        for name, controls in wanted.items()
        if name in rule.references
    )


def load_corpus(path: Path | None = None) -> Corpus:
    """Return the corpus in a directory (the built-in one when ``None``).

    Raises ``rules.invalid`` with every problem of every file.
    """
    directory = path or corpus_dir()
    if directory is None:
        problem = "  the built-in rules are not part of this installation"
        raise OpenWatchError(RULES_INVALID, count=1, problems=problem)
    return _load(directory.resolve())


@lru_cache(maxsize=4)
def _load(directory: Path) -> Corpus:
    if not directory.is_dir():
        problem = f"  {directory} is not a directory"
        raise OpenWatchError(RULES_INVALID, count=1, problems=problem)
    rules, problems = load_rules(directory)
    frameworks, framework_problems = _index(directory, "frameworks/index.yml", _Frameworks)
    variables, variable_problems = _index(directory, "variables.yml", VariablesFile)
    found = [*problems, *framework_problems, *variable_problems]
    corpus = Corpus(
        rules,
        variables.variables if variables else {},
        frameworks.frameworks if frameworks else {},
        directory,
    )
    if not framework_problems:
        found += unread(directory, corpus.frameworks)
    if not found:
        found += _unknown_names(corpus)
    if not found:
        found += _misfits(corpus)
    if not rules and not found:
        found.append(RuleProblem(str(directory.name), 1, "there is no rule in this directory"))
    _refuse(found)
    return corpus


def _refuse(found: Sequence[RuleProblem]) -> None:
    if found:
        listed = "\n".join(f"  {problem}" for problem in sorted(found))
        raise OpenWatchError(RULES_INVALID, count=len(found), problems=listed)


def _index(directory: Path, name: str, model: Any) -> tuple[Any, tuple[RuleProblem, ...]]:
    path = directory / name
    try:
        return load_text(model, path.read_text("utf-8"), name)
    except FileNotFoundError:
        return None, ()
    except (OSError, UnicodeDecodeError) as error:
        return None, (RuleProblem(name, 1, f"cannot be read: {error}"),)


def _unknown_names(corpus: Corpus) -> Iterable[RuleProblem]:
    for rule in corpus.rules.values():
        file = f"{rule.category.value}/{rule.id}.yml"
        for name in sorted(rule.references.keys() - corpus.frameworks.keys()):
            yield RuleProblem(
                file, 1, f"references names the unknown framework {name!r}",
                "Add it to frameworks/index.yml, or mend the name.",
            )  # fmt: skip
        written = {name for step in rule.steps() for name in step.variables()}
        for name in sorted((rule.variables() | written) - corpus.variables.keys()):
            yield RuleProblem(
                file, 1, f"it uses the unknown variable {name!r}", "Add it to variables.yml."
            )
        for name in sorted(set(rule.depends_on) - corpus.rules.keys()):
            yield RuleProblem(file, 1, f"it depends on the unknown rule {name!r}", "Mend the id.")
        for name in sorted(set(rule.supersedes) - corpus.rules.keys()):
            yield RuleProblem(file, 1, f"it supersedes the unknown rule {name!r}", "Mend the id.")
        yield from relation_problems(corpus, rule, file)
    yield from derivation_problems(corpus)
    needs = {rule.id: rule.depends_on for rule in corpus.rules.values()}
    replaces = {rule.id: rule.supersedes for rule in corpus.rules.values()}
    for what, graph in (("depends on", needs), ("supersedes", replaces)):
        if circle := _circle(graph):
            file = f"{corpus.rules[circle[0]].category.value}/{circle[0]}.yml"
            yield RuleProblem(file, 1, f"it {what} itself: {' > '.join(circle)}", "Cut one.")


def _circle(graph: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return a circle of rules that name one another, or nothing where there is none."""
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        # graphlib goes from what is needed to what needs it.
        return tuple(reversed(error.args[1]))
    return ()


def _misfits(corpus: Corpus) -> Iterable[RuleProblem]:
    types = {name: definition.type for name, definition in corpus.variables.items()}
    for rule in corpus.rules.values():
        file = f"{rule.category.value}/{rule.id}.yml"
        expectations = (found for check in rule.checks() for found in check.expectations())
        for kind, expectation in expectations:
            for what in expectation.misfits(kind, types):
                yield RuleProblem(file, 1, what, "Change the type in variables.yml, or the test.")
