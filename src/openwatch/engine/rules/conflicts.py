"""Rules that cannot both be satisfied, and rules that ask the same: found by meaning, not by name.

Only what a rule demands is compared: a leaf that has to hold on every host of a platform. What
stands in an alternative, below a negation or behind a filter is no demand.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from openwatch.engine.rules.check import Check, Quantifier
from openwatch.engine.rules.corpus import Corpus
from openwatch.engine.rules.expectations import Expectation, Variable, holds, sentence
from openwatch.engine.rules.platforms import PlatformRange
from openwatch.engine.rules.schema import Relation, Rule
from openwatch.engine.rules.variables import Bound, resolve
from openwatch.engine.subjects.base import Kind, Subject

_LISTED: Final = ("name", "path")
"""Parameters that may name several things at once; each is a demand of its own."""


@dataclass(frozen=True, slots=True, order=True)
class Clash:
    """Two rules that do not go together: ``what`` they are about, and what each wants."""

    one: str
    other: str
    what: str

    def __str__(self) -> str:
        return f"{self.one} and {self.other}: {self.what}"


def _clash(one: str, other: str, what: str) -> Clash:
    return Clash(min(one, other), max(one, other), what)


@dataclass(frozen=True, slots=True)
class _Demand:
    """What a rule wants one field of one thing to be, on some platforms."""

    rule_id: str
    platforms: tuple[PlatformRange, ...]
    gate: str
    expectation: Expectation
    kind: Kind


def conflicts(corpus: Corpus) -> tuple[Clash, ...]:
    """Return the pairs of rules that want one thing to be two ways on one host.

    Variables are taken at their defaults. Rules that hold only on some hosts (``when``) are
    compared only where both have the same gate. A rule and one that it supersedes are never both
    judged.
    """
    found: set[Clash] = set()
    for (thing, field), demands in _demands(corpus).items():
        for one, other in itertools.combinations(demands, 2):
            if one.rule_id == other.rule_id or one.gate != other.gate:
                continue
            if _replaces(corpus, one.rule_id, other.rule_id):
                continue
            if _overlap(one.platforms, other.platforms) and not _agree(one, other):
                wishes = (sentence(wish.expectation, wish.kind) for wish in (one, other))
                what = f"{thing} {field} cannot be both {' and '.join(wishes)}"
                found.add(_clash(one.rule_id, other.rule_id, what))
    return tuple(sorted(found))


def duplicates(corpus: Corpus) -> tuple[Clash, ...]:
    """Return the pairs of rules that look at the same and want the same on one platform."""
    forms: dict[str, list[tuple[str, tuple[PlatformRange, ...]]]] = defaultdict(list)
    for rule in corpus.rules.values():
        for platforms, gate, check in _forms(rule):
            meaning = check.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            forms[f"{gate} {json.dumps(meaning, sort_keys=True)}"].append((rule.id, platforms))
    return tuple(
        sorted(
            {
                _clash(one, other, "they ask the same of the same hosts")
                for same in forms.values()
                for (one, ours), (other, theirs) in itertools.combinations(same, 2)
                if one != other and _overlap(ours, theirs)
            }
        )
    )


def losses(corpus: Corpus) -> tuple[Clash, ...]:
    """Return the rules that supersede others and do not say all that those say of controls.

    What is asked: each control that a superseded rule cites, of a framework that may be asked of a
    host on which both rules are, is cited by the other one as well, and no weaker.
    """
    return tuple(
        sorted(
            _clash(rule.id, name, what)
            for rule in corpus.rules.values()
            for name in rule.supersedes
            for what in _lost(corpus, rule, corpus.rule(name))
        )
    )


def _lost(corpus: Corpus, rule: Rule, old: Rule) -> Iterator[str]:
    if not _overlap(rule.platforms, old.platforms):
        yield f"{rule.id} supersedes a rule that it never meets on a host"
        return
    for framework, controls in sorted(old.references.items()):
        platform = corpus.frameworks[framework].platform
        if platform is not None and not _overlap((platform,), rule.platforms):
            continue
        for control in controls:
            said = corpus.relation(old, framework, control)
            cited = control in rule.references.get(framework, ())
            if not cited:
                yield f"{rule.id} supersedes it and does not cite {framework} {control}"
            elif _STRENGTH[corpus.relation(rule, framework, control)] < _STRENGTH[said]:
                yield f"{rule.id} supersedes it and says less of {framework} {control}"


_STRENGTH: Final = {Relation.INFORMS: 0, Relation.CONTRIBUTES: 1, Relation.SATISFIES: 2}


def _replaces(corpus: Corpus, one: str, other: str) -> bool:
    """Return whether one of two rules is superseded by the other, directly or through others."""
    return _above(corpus, one, other) or _above(corpus, other, one)


def _above(corpus: Corpus, rule_id: str, wanted: str) -> bool:
    above = corpus.superseding.get(rule_id, ())
    return wanted in above or any(_above(corpus, name, wanted) for name in above)


def _demands(corpus: Corpus) -> dict[tuple[str, str], list[_Demand]]:
    bound = resolve(corpus.variables)
    found: dict[tuple[str, str], list[_Demand]] = defaultdict(list)
    for rule in corpus.rules.values():
        for platforms, gate, check in _forms(rule):
            for leaf in _required(check):
                for key, demand in _leaf_demands(leaf, rule.id, platforms, gate, bound):
                    found[key].append(demand)
    return found


def _leaf_demands(
    leaf: Check,
    rule_id: str,
    platforms: tuple[PlatformRange, ...],
    gate: str,
    bound: Mapping[str, Bound],
) -> Iterator[tuple[tuple[str, str], _Demand]]:
    subject = leaf.subject
    if subject is None or leaf.where or leaf.quantifier is not Quantifier.EVERY:
        return
    kinds = subject.fields_of()
    for thing in _things(subject):
        for field, expectation in leaf.expect.items():
            if expectation.variables() <= bound.keys():
                wish = expectation.bind(bound)
                yield (thing, field), _Demand(rule_id, platforms, gate, wish, kinds[field])


def _things(subject: Subject) -> Iterator[str]:
    """Yield a name for each thing that a subject is about."""
    parameters: dict[str, Any] = subject.model_dump(mode="json", exclude_defaults=True)
    listed = next((name for name in _LISTED if isinstance(parameters.get(name), list)), None)
    names = parameters.pop(listed) if listed else [None]
    for name in names:
        own = {**parameters, listed: name} if listed else parameters
        yield f"{subject.LABEL} {', '.join(f'{k}={v}' for k, v in sorted(own.items()))}"


def _forms(rule: Rule) -> Iterator[tuple[tuple[PlatformRange, ...], str, Check]]:
    """Yield the platforms, the gate and the check of each form of a rule."""
    for variant in rule.variants():
        gates = [check for check in (rule.when, variant.when) if check is not None]
        gate = " ".join(check.model_dump_json(exclude_defaults=True) for check in gates)
        if variant.check is not None:
            yield variant.platforms or rule.platforms, gate, variant.check


def _required(check: Check) -> Iterator[Check]:
    if check.subject is not None:
        yield check
    for child in check.all or ():
        yield from _required(child)


def _overlap(ours: Iterable[PlatformRange], theirs: Iterable[PlatformRange]) -> bool:
    return any(one.overlaps(other) for one, other in itertools.product(ours, theirs))


def _agree(one: _Demand, other: _Demand) -> bool:
    """Return whether some value satisfies both. Patterns are given the benefit of the doubt."""
    both = (one.expectation, other.expectation)
    if any({"matches", "not_matches", "at_least_version"} & wish.tests().keys() for wish in both):
        return True
    values = itertools.chain(
        *(_candidates(wish, one.kind) for wish in both), _OTHERS[one.kind], _together(*both)
    )
    return any(all(holds(wish, value) for wish in both) for value in values)


_OTHERS: Final[Mapping[Kind, tuple[Any, ...]]] = {
    Kind.TEXT: (None, "something else", "0", "1000000"),
    Kind.VERSION: (None, "something else", "0", "1000000"),
    Kind.NUMBER: (None, -1, 0, 1, 1000000),
    Kind.FLAG: (True, False),
    Kind.MODE: (None, 0),
    Kind.WORDS: (None, frozenset[str](), frozenset({"something else"})),
}


def _together(one: Expectation, other: Expectation) -> Iterator[frozenset[str]]:
    """Yield the words that both ask for: two rules may each want one of them to be there."""
    wanted = [wish.includes for wish in (one, other)]
    yield frozenset(str(word) for words in wanted if isinstance(words, tuple) for word in words)


def _candidates(expectation: Expectation, kind: Kind) -> Iterator[Any]:
    """Yield values at and beside what an expectation names."""
    words: set[str] = set()
    yield from expectation.or_one_of
    for test, wanted in expectation.tests().items():
        if isinstance(wanted, Variable) or test == "present":
            continue
        listed = cast("tuple[Any, ...]", wanted) if isinstance(wanted, tuple) else (wanted,)
        for value in listed:
            match kind:
                case Kind.WORDS:
                    words.add(str(value))
                    yield frozenset({str(value)})
                case Kind.MODE:
                    yield int(str(value), 8)
                case Kind.NUMBER:
                    yield from (value - 1, value, value + 1)
                case Kind.TEXT if isinstance(value, int):
                    yield from (str(value - 1), str(value), str(value + 1))
                case _:
                    yield value
    if words:
        yield frozenset(words)
