"""An outcome that is remembered is the one that judging anew would give: on every host on paper,
and whatever becomes of any single fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from openwatch.engine.assess import Memo, assess
from openwatch.engine.facts import CouldNot, Fact, Reason
from openwatch.engine.rules import Corpus
from openwatch.engine.rules.variables import command_line
from openwatch.engine.snapshot import Snapshot
from tests.corpus.cases import Case, cases, concerned, corpus
from tests.corpus.host import base_host


def is_judged_alike(
    rules: Corpus, memo: Memo, snapshot: Snapshot, variables: Mapping[str, Any]
) -> None:
    layers = command_line(variables)
    anew = assess(rules, replace(snapshot), layers)
    remembered = assess(rules, replace(snapshot), layers, memo=memo)
    assert remembered == anew
    assert [outcome.canonical for outcome in remembered] == [o.canonical for o in anew]


def with_one_fact_changed(snapshot: Snapshot) -> Iterator[Snapshot]:
    for fact_id, fact in snapshot.facts.items():
        yield replace(snapshot, facts={n: f for n, f in snapshot.facts.items() if n != fact_id})
        for changed in changes(fact):
            yield replace(snapshot, facts={**snapshot.facts, fact_id: changed})


def changes(fact: Fact) -> Iterator[Fact]:
    yield replace(fact, could_not=CouldNot(Reason.DENIED, "no"))
    yield replace(fact, output=fact.output[: len(fact.output) // 2])


def own_cases(rule_id: str) -> list[Case]:
    return [case for case in cases() if case.rule_id == rule_id]


@pytest.mark.ac("engine-17")
@pytest.mark.parametrize("rule_id", sorted(corpus().rules))
def test_a_remembered_outcome_is_that_of_judging_anew(rule_id: str) -> None:
    rules = corpus().only([rule_id])
    memo, requests = Memo(rules), rules.rules[rule_id].requests()
    variables: Mapping[str, Any] = {}
    for case in own_cases(rule_id):
        variables = variables or case.entry.variables
        for _, host in list(case.hosts())[:2]:
            snapshot = host.snapshot(requests, case.entry.cannot)
            is_judged_alike(rules, memo, snapshot, case.entry.variables)
    base = base_host(concerned(rules.rules[rule_id])[0]).snapshot(requests)
    for snapshot in with_one_fact_changed(base):
        is_judged_alike(rules, memo, snapshot, variables)
    is_judged_alike(rules, memo, base, variables)
    known = memo.known
    is_judged_alike(rules, memo, base, variables)
    assert memo.known > known
