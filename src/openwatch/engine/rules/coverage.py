"""How much of a framework the rules answer: which rules speak of each control, and the sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from openwatch.engine.errors import CONTROL_UNKNOWN, CONTROLS_MISSING, FRAMEWORK_UNKNOWN
from openwatch.engine.rules.controls import Control, ControlList, natural_key
from openwatch.engine.rules.corpus import Corpus, Framework
from openwatch.engine.rules.platforms import PlatformRange
from openwatch.engine.rules.schema import Relation, Rule
from openwatch.kit.errors import OpenWatchError


class State(StrEnum):
    """What the rules say of a control."""

    COVERED = "covered"
    PARTIAL = "partial"
    UNCOVERED = "uncovered"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class MappedRule:
    """A rule that speaks of a control. ``measured``: a check decides it, not a person."""

    rule: Rule
    relation: Relation
    measured: bool


@dataclass(frozen=True, slots=True)
class MappedControl:
    """A control with its title, the sections around it, and the rules that speak of it."""

    control: Control
    title: str
    path: tuple[str, ...]
    rules: tuple[MappedRule, ...]
    manual: bool

    @property
    def state(self) -> State:
        """Return what the rules say; a control that nobody can measure is always ``manual``."""
        if self.manual:
            return State.MANUAL
        relations = {mapped.relation for mapped in self.rules if mapped.measured}
        if Relation.SATISFIES in relations:
            return State.COVERED
        return State.PARTIAL if Relation.CONTRIBUTES in relations else State.UNCOVERED


@dataclass(frozen=True, slots=True)
class Coverage:
    """The sums over one framework: ``covered + partial + uncovered + manual == total``."""

    framework: str
    total: int
    manual: int
    covered: int
    partial: int
    uncovered: int

    @property
    def automatable(self) -> int:
        """Return how many controls a look at a host can decide."""
        return self.total - self.manual

    @property
    def covered_percent(self) -> float | None:
        """Return the share of the automatable controls that some rule satisfies."""
        return _percent(self.covered, self.automatable)

    @property
    def evidenced_percent(self) -> float | None:
        """Return the share of the automatable controls that rules satisfy or contribute to."""
        return _percent(self.covered + self.partial, self.automatable)


def _percent(part: int, whole: int) -> float | None:
    """Return a percentage cut to one decimal: 99.97 is not 100. ``None``: there is no whole."""
    return (part * 1000 // whole) / 10 if whole else None


def mapped_controls(corpus: Corpus, framework: str) -> tuple[MappedControl, ...]:
    """Return all controls of a framework in their natural order: 1.9 before 1.10.

    Raises ``framework.unknown``, ``framework.no_controls``.
    """
    entry = _framework(corpus, framework)
    found = _list(corpus, framework)
    if entry.derived is None:
        cited = _cited(corpus, framework)
        controls = [_mapped(c, found, cited.get(c.id, ()), c.manual) for c in found.controls]
    else:
        controls = list(_derived(corpus, found, entry.derived.through))
    return tuple(sorted(controls, key=lambda mapped: natural_key(mapped.control.id)))


def mapped_control(corpus: Corpus, framework: str, control: str) -> MappedControl:
    """Return one control; raises as ``mapped_controls`` does, and ``control.unknown``."""
    for mapped in mapped_controls(corpus, framework):
        if mapped.control.id == control:
            return mapped
    raise OpenWatchError(CONTROL_UNKNOWN, control=control, framework=framework)


def coverage(corpus: Corpus, framework: str) -> Coverage:
    """Return the sums over a framework; raises as ``mapped_controls`` does."""
    states = [mapped.state for mapped in mapped_controls(corpus, framework)]
    return Coverage(
        framework=framework,
        total=len(states),
        manual=states.count(State.MANUAL),
        covered=states.count(State.COVERED),
        partial=states.count(State.PARTIAL),
        uncovered=states.count(State.UNCOVERED),
    )


def _framework(corpus: Corpus, framework: str) -> Framework:
    try:
        return corpus.frameworks[framework]
    except KeyError:
        known = ", ".join(sorted(corpus.frameworks))
        raise OpenWatchError(FRAMEWORK_UNKNOWN, framework=framework, known=known) from None


def _list(corpus: Corpus, framework: str) -> ControlList:
    try:
        return corpus.controls[framework]
    except KeyError:
        raise OpenWatchError(CONTROLS_MISSING, framework=framework) from None


def _cited(corpus: Corpus, framework: str) -> Mapping[str, tuple[MappedRule, ...]]:
    platform = corpus.frameworks[framework].platform
    cited: dict[str, list[MappedRule]] = {}
    for _, rule in sorted(corpus.rules.items()):
        measured = _is_measured(rule, platform)
        for control in rule.references.get(framework, ()):
            relation = corpus.relation(rule, framework, control)
            cited.setdefault(control, []).append(MappedRule(rule, relation, measured))
    return {control: _strongest_first(rules) for control, rules in cited.items()}


def _is_measured(rule: Rule, platform: PlatformRange | None) -> bool:
    """Return whether a check decides the rule on that platform, on some platform for ``None``."""
    return any(
        variant.check is not None
        and (
            platform is None
            or not variant.platforms
            or any(p.overlaps(platform) for p in variant.platforms)
        )
        for variant in rule.variants()
    )


_STRENGTH: Final = {relation: rank for rank, relation in enumerate(Relation)}


def _strongest_first(rules: Iterable[MappedRule]) -> tuple[MappedRule, ...]:
    return tuple(sorted(rules, key=lambda mapped: (_STRENGTH[mapped.relation], mapped.rule.id)))


def _mapped(
    control: Control, found: ControlList, rules: tuple[MappedRule, ...], manual: bool
) -> MappedControl:
    title = control.title or next((m.rule.title for m in rules), control.id)
    return MappedControl(control, title, found.path(control.id), rules, manual)


def _derived(corpus: Corpus, found: ControlList, through: str) -> Iterable[MappedControl]:
    """Yield derived controls with the rules of the controls that they are mapped to.

    The same control in another list keeps its relations; through a mapping a rule only
    contributes, and only informs where the list leaves the control to a person. Where a person has
    to judge every control of the mapping, one has to judge this.
    """
    base = {mapped.control.id: mapped for mapped in mapped_controls(corpus, through)}
    for control in found.controls:
        sources = [base[i] for i in control.sources()]
        same = sources[0] if control.through is None else None
        manual = control.manual or all(source.manual for source in sources)
        most = Relation.INFORMS if control.manual else Relation.CONTRIBUTES
        mapped = _mapped(control, found, same.rules if same else _through(sources, most), manual)
        title = same.title if same and not control.title else mapped.title
        yield replace(mapped, title=title)


def _through(sources: Iterable[MappedControl], most: Relation) -> tuple[MappedRule, ...]:
    """Return the rules of controls; ``most``: the strongest that a rule says through a mapping."""
    rules: dict[str, MappedRule] = {}
    for mapped in (m for source in sources if not source.manual for m in source.rules):
        relation = max(mapped.relation, most, key=_STRENGTH.__getitem__)
        known = rules.get(mapped.rule.id)
        if known is None or _STRENGTH[relation] < _STRENGTH[known.relation]:
            rules[mapped.rule.id] = MappedRule(mapped.rule, relation, mapped.measured)
    return _strongest_first(rules.values())
