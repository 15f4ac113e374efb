"""What rules say about the controls of frameworks, and what cannot be right in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from openwatch.engine.rules.controls import ControlList
from openwatch.engine.rules.loader import RuleProblem
from openwatch.engine.rules.schema import Relation, Rule

if TYPE_CHECKING:
    from openwatch.engine.rules.corpus import Corpus


def relation_problems(corpus: Corpus, rule: Rule, file: str) -> Iterable[RuleProblem]:
    """Yield what cannot be right in the references of one rule, without a look at the lists."""
    for framework, own in rule.relations.items():
        default = corpus.frameworks[framework].relation if framework in corpus.frameworks else None
        for control in sorted(c for c, relation in own.items() if relation is default):
            yield RuleProblem(
                file, 1, f"relations says of {framework} {control} what holds without it",
                "Remove it.",
            )  # fmt: skip
    for framework in sorted(rule.references.keys() & corpus.frameworks.keys()):
        entry = corpus.frameworks[framework]
        if entry.derived is not None:
            yield RuleProblem(
                file, 1, f"it cites {framework}, which is derived through {entry.derived.through}",
                f"Cite the control of {entry.derived.through}.",
            )  # fmt: skip
        platform = entry.platform
        if platform is not None and not any(p.overlaps(platform) for p in rule.platforms):
            yield RuleProblem(
                file, 1, f"it cites {framework}, and is not for that platform",
                "Name the platform, or remove the reference.",
            )  # fmt: skip


def derivation_problems(corpus: Corpus) -> Iterable[RuleProblem]:
    """Yield the derived frameworks that lead nowhere."""
    for name, entry in corpus.frameworks.items():
        through = entry.derived.through if entry.derived else None
        base = corpus.frameworks.get(through) if through else None
        if through and (base is None or base.derived is not None):
            yield RuleProblem(
                "frameworks/index.yml", 1, f"{name} is derived through {through!r}",
                "Name a framework that rules cite themselves.",
            )  # fmt: skip


def control_problems(corpus: Corpus, lists: Mapping[str, ControlList]) -> Iterable[RuleProblem]:
    """Yield the controls that are cited and exist in no list, and those without a title."""
    for rule in corpus.rules.values():
        file = f"{rule.category.value}/{rule.id}.yml"
        for framework, cited in rule.references.items():
            if framework in lists:
                yield from _unknown_controls(file, framework, cited, lists[framework])
    for name, found in lists.items():
        derived = corpus.frameworks[name].derived
        base = lists.get(derived.through) if derived else None
        if derived and base:
            ids = [i for control in found.controls for i in control.sources()]
            yield from _unknown_controls(f"frameworks/{name}.yml", derived.through, ids, base)
        yield from _without_title(corpus, name, found, base)


def _unknown_controls(
    file: str, framework: str, cited: Iterable[str], found: ControlList
) -> Iterable[RuleProblem]:
    for control in sorted(set(cited) - found.by_id.keys()):
        close = difflib.get_close_matches(control, found.by_id, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else ""
        yield RuleProblem(file, 1, f"{framework} has no control {control!r}", hint)


def _without_title(
    corpus: Corpus, framework: str, found: ControlList, base: ControlList | None
) -> Iterable[RuleProblem]:
    named = {
        control
        for rule in corpus.rules.values()
        for control in rule.references.get(framework, ())
        if corpus.relation(rule, framework, control) is Relation.SATISFIES
    }
    for control in found.controls:
        if control.title or control.id in named:
            continue
        if base and control.through is None and control.id in base.by_id:
            continue
        yield RuleProblem(
            f"frameworks/{framework}.yml", 1, f"{control.id} has no title",
            "Give it one, or a rule that satisfies it.",
        )  # fmt: skip
