"""The catalogue of rules: what it holds now, and each version that ever gave a verdict."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance.errors import RULES_UNUSABLE
from openwatch.compliance.rules import store
from openwatch.compliance.rules.schema import (
    Framework,
    References,
    Rule,
    RuleControl,
    RuleDetail,
    RuleFacets,
    RulePage,
    RuleText,
)
from openwatch.db.keyset import SORT_INVALID
from openwatch.engine.rules import Corpus, load_corpus
from openwatch.engine.rules.platforms import platform_names
from openwatch.engine.rules.schema import Rule as CorpusRule
from openwatch.engine.rules.schema import Severity
from openwatch.kit.canonical import canonical_json
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.logging import get_logger
from openwatch.kit.paging import CURSOR_INVALID, decode_cursor, encode_cursor

_log = get_logger(__name__)
_SEVERITY_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}

_SORT_KEYS: Final[Mapping[str, Callable[[CorpusRule], Any]]] = {
    "id": lambda rule: rule.id,
    "title": lambda rule: rule.title.lower(),
    "severity": lambda rule: _SEVERITY_RANK[rule.severity],
    "category": lambda rule: rule.category.value,
}


@dataclass(frozen=True, slots=True)
class RuleFilters:
    """Which rules a list shows; several values of one filter mean any of them."""

    search: str | None = None
    severity: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    framework: str | None = None


async def corpus() -> Corpus:
    """Return the rules of this installation, and their controls; they are read once.

    Raises ``rules.unusable`` when a file of them is damaged.
    """
    return await asyncio.to_thread(_corpus)


async def preload() -> None:
    """Read the rules before somebody asks for them; what is wrong with them goes to the log."""
    try:
        await corpus()
    except OpenWatchError as error:
        _log.error("the rules cannot be used", code=error.code, message=error.message)
    except Exception:
        _log.exception("the rules could not be read")


def _corpus() -> Corpus:
    try:
        rules = load_corpus()
        _ = rules.controls
    except OpenWatchError as error:
        count, problems = error.params["count"], str(error.params["problems"])
        first = problems.strip().splitlines()[0].rstrip(".")
        raise OpenWatchError(RULES_UNUSABLE, count=count, first=first) from error
    return rules


def list_rules(
    rules: Corpus, filters: RuleFilters, *, sort: str | None, cursor: str | None, limit: int
) -> RulePage:
    """Return one page of the catalogue.

    Raises ``request.sort_invalid``, ``request.cursor_invalid``, ``framework.unknown``.
    """
    chosen = sort or "id"
    key = _SORT_KEYS.get(chosen.removeprefix("-"))
    if key is None:
        raise OpenWatchError(SORT_INVALID, sort=chosen, known=", ".join(_SORT_KEYS))
    scope = rules.cited_by(filters.framework) if filters.framework else rules
    found = [rule for rule in scope.rules.values() if _matches(rule, filters)]
    found.sort(key=lambda rule: (key(rule), rule.id), reverse=chosen.startswith("-"))
    start = _start(found, chosen, cursor)
    page = found[start : start + limit]
    more = start + limit < len(found)
    return RulePage(
        items=[_rule(rule) for rule in page],
        next_cursor=encode_cursor([chosen, page[-1].id]) if more else None,
        total=len(found),
        facets=RuleFacets(
            severity=_facet(scope, filters, "severity"), category=_facet(scope, filters, "category")
        ),
    )


def detail(rules: Corpus, rule_id: str) -> RuleDetail:
    """Return a rule; raises ``rule.unknown``."""
    rule = rules.rule(rule_id)
    return RuleDetail(
        id=rule.id,
        platforms=[platform_names([platform]) for platform in rule.platforms],
        controls=list(_controls(rules, rule)),
        **rule_text(rule.model_dump(mode="json", by_alias=True)).model_dump(),
    )


def rule_text(definition: Mapping[str, Any]) -> RuleText:
    """Return what people read of a rule's definition."""
    return RuleText(
        title=definition["title"],
        description=definition["description"],
        rationale=definition["rationale"],
        severity=definition["severity"],
        category=definition["category"],
        references=definition["references"],
        fix_text=definition["fix"],
    )


def frameworks(rules: Corpus) -> list[Framework]:
    """Return the frameworks that rules refer to, in the order of their names."""
    found = [
        Framework(
            id=name,
            name=framework.title,
            version=framework.version,
            publisher=framework.publisher,
            family=framework.family,
            rules_count=len(rules.cited_by(name).rules),
        )
        for name, framework in rules.frameworks.items()
    ]
    return sorted(found, key=lambda framework: (framework.name.lower(), framework.id))


async def versions(tx: AsyncConnection, rules: Corpus) -> dict[str, int]:
    """Return the number of the present version of each rule; new versions are added."""
    definitions = {
        rule_id: rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for rule_id, rule in sorted(rules.rules.items())
    }
    hashes = {
        rule_id: hashlib.sha256(canonical_json(definition)).digest()
        for rule_id, definition in definitions.items()
    }
    known = await store.numbers(tx, hashes)
    missing = hashes.keys() - known.keys()
    if not missing:
        return known
    await store.add(
        tx,
        [
            {
                "rule_id": rule_id,
                "hash": hashes[rule_id],
                "title": definitions[rule_id]["title"],
                "severity": definitions[rule_id]["severity"],
                "category": definitions[rule_id]["category"],
                "references": definitions[rule_id]["references"],
                "definition": definitions[rule_id],
            }
            for rule_id in sorted(missing)
        ],
    )
    return await store.numbers(tx, hashes)


def _matches(rule: CorpusRule, filters: RuleFilters, *, besides: str = "") -> bool:
    if besides != "severity" and filters.severity and rule.severity not in filters.severity:
        return False
    if besides != "category" and filters.category and rule.category not in filters.category:
        return False
    text = (filters.search or "").lower()
    return not text or any(text in field.lower() for field in _searched(rule))


def _searched(rule: CorpusRule) -> Iterable[str]:
    yield from (rule.id, rule.title, rule.description)
    for controls in rule.references.values():
        yield from controls


def _facet(rules: Corpus, filters: RuleFilters, name: str) -> dict[str, int]:
    found = (rule for rule in rules.rules.values() if _matches(rule, filters, besides=name))
    return dict(sorted(Counter(getattr(rule, name).value for rule in found).items()))


def _start(found: list[CorpusRule], chosen: str, cursor: str | None) -> int:
    if cursor is None:
        return 0
    text, last = decode_cursor(cursor, length=2)
    place = next((place for place, rule in enumerate(found) if rule.id == last), None)
    if text != chosen or place is None:
        raise OpenWatchError(CURSOR_INVALID)
    return place + 1


def _rule(rule: CorpusRule) -> Rule:
    references: References = {name: list(ids) for name, ids in rule.references.items()}
    return Rule(
        id=rule.id,
        title=rule.title,
        severity=rule.severity,
        category=rule.category,
        references=references,
    )


def _controls(rules: Corpus, rule: CorpusRule) -> Iterable[RuleControl]:
    for framework, ids in rule.references.items():
        listed = rules.controls.get(framework)
        for control in ids:
            yield RuleControl(
                framework=framework,
                id=control,
                title=listed.by_id[control].title if listed else None,
                sections=listed.path(control) if listed else (),
                relation=rules.relation(rule, framework, control),
            )
