"""No two rules want one setting to have different values on one host."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from openwatch.engine.rules import Corpus
from openwatch.engine.rules.expectations import Expectation, Variable, holds
from openwatch.engine.rules.schema import Check, PlatformRange, Rule
from openwatch.engine.rules.variables import resolve
from openwatch.engine.subjects.settings import SettingSubject, SysctlSubject
from openwatch.engine.subjects.sshd import SshdSubject
from tests.corpus.cases import corpus
from tests.corpus.test_rules import concerned


@dataclass(frozen=True)
class Wish:
    """What a rule wants one field of one setting to be, on the platforms of one of its forms."""

    rule_id: str
    platforms: frozenset[str]
    expectation: Expectation


def setting_name(check: Check) -> str | None:
    match check.subject:
        case SysctlSubject(key=key):
            return f"sysctl {key}"
        case SshdSubject(key=key):
            return f"sshd {key}"
        case SettingSubject(file=file, section=section, key=key):
            return f"{file} [{section or ''}] {key}"
        case _:
            return None


def required(check: Check) -> Iterator[Check]:
    """Yield the leaves that all have to hold: what stands in an alternative is no demand."""
    if check.subject is not None:
        yield check
    for child in check.all or ():
        yield from required(child)


def wishes(rules: Corpus) -> dict[tuple[str, str], list[Wish]]:
    found: dict[tuple[str, str], list[Wish]] = defaultdict(list)
    bindings = resolve(rules.variables)
    for rule in rules.rules.values():
        for platforms, check in forms(rule):
            for leaf in required(check) if check else ():
                name = setting_name(leaf)
                for field, expectation in leaf.expect.items() if name else ():
                    if expectation.variables() <= bindings.keys():
                        wish = Wish(rule.id, platforms, expectation.bind(bindings))
                        found[name or "", field].append(wish)
    return found


def forms(rule: Rule) -> Iterator[tuple[frozenset[str], Check | None]]:
    for variant in rule.variants():
        limited = rule.model_copy(update={"platforms": variant.platforms or rule.platforms})
        yield frozenset(concerned(limited)), variant.check


def candidates(expectation: Expectation) -> Iterator[Any]:
    """Yield values of which at least one satisfies an expectation without patterns."""
    yield None
    for test, wanted in expectation.tests().items():
        if isinstance(wanted, Variable) or test in ("matches", "not_matches", "present"):
            continue
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        for value in values:
            yield str(value)
            if isinstance(value, int):
                yield from (str(value - 1), str(value + 1))
        if test in ("includes", "excludes", "only"):
            yield frozenset(str(value) for value in values)


def agree(one: Expectation, other: Expectation) -> bool:
    if {"matches", "not_matches"} & (one.tests().keys() | other.tests().keys()):
        return True
    values = itertools.chain(candidates(one), candidates(other), ["something else", frozenset()])
    return any(holds(one, value) and holds(other, value) for value in values)


@pytest.mark.ac("rules-06")
def test_no_two_rules_want_different_values() -> None:
    clashes = [
        f"{name} {field}: {one.rule_id} and {other.rule_id}"
        for (name, field), wanted in wishes(corpus()).items()
        for one, other in itertools.combinations(wanted, 2)
        if one.platforms & other.platforms and not agree(one.expectation, other.expectation)
    ]
    assert not clashes, "\n".join(clashes)


@pytest.mark.ac("rules-06")
@pytest.mark.parametrize(
    ("one", "other", "possible"),
    [
        ("1", "1", True),
        ("1", "0", False),
        ({"at_least": 1, "at_most": 5}, {"at_least": 3}, True),
        ({"at_most": 2}, {"at_least": 3}, False),
        (["yes", "no"], "no", True),
        ({"at_least": 1, "at_most": 365}, 0, False),
        ({"present": False}, "no", False),
        ({"equals": "no", "or_absent": True}, {"present": False}, True),
        ({"excludes": ["a"]}, {"includes": ["a"]}, False),
    ],
)
def test_the_comparison_itself(one: Any, other: Any, possible: bool) -> None:
    wanted: Mapping[bool, Expectation] = {
        True: Expectation.model_validate(one), False: Expectation.model_validate(other)
    }  # fmt: skip
    assert agree(wanted[True], wanted[False]) is possible


def test_platform_ranges_are_read_as_the_engine_reads_them() -> None:
    rule = next(iter(corpus().rules.values()))
    limited = rule.model_copy(
        update={"platforms": (PlatformRange(family="rhel", min="9", max="9"),)}
    )
    assert concerned(limited) == ["rhel9"]
