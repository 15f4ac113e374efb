"""Every rule is seen to pass, to fail and to say that it cannot measure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from openwatch.engine.assess import Outcome, Verdict
from openwatch.engine.facts import Request
from openwatch.engine.rules import Rule
from tests.corpus.cases import Case, case_files, cases, concerned, corpus, family_of, judge
from tests.corpus.host import Host, Trouble, base_host

RULES = sorted(corpus().rules)
JUDGED = (Verdict.PASS, Verdict.FAIL)


@pytest.mark.ac("rules-01", "rules-02", "rules-03")
@pytest.mark.parametrize("case", cases(), ids=str)
def test_case(case: Case) -> None:
    for platform, host in case.hosts():
        check(case, platform, host)


def check(case: Case, platform: str, host: Host) -> None:
    rule, entry = corpus().rules[case.rule_id], case.entry
    outcome = judge(rule, host, cannot=entry.cannot, variables=entry.variables)
    saw = f"on {platform} {told(outcome)}"
    assert outcome.verdict is entry.verdict, saw
    if entry.reason is not None:
        assert outcome.reason is entry.reason, saw
    if entry.shows is not None:
        assert entry.shows in evidence(outcome), saw
    if outcome.verdict is Verdict.FAIL:
        names_what_was_found(outcome)


def names_what_was_found(outcome: Outcome) -> None:
    found = [o for o in outcome.observations if o.satisfied is False]
    assert found, f"a failure shows nothing that is wrong: {told(outcome)}"
    assert all(o.subject and o.actual and o.expected for o in found), told(outcome)
    assert outcome.message


def evidence(outcome: Outcome) -> str:
    lines = [outcome.message]
    for o in outcome.observations:
        place = f"{o.source.path}:{o.source.line} {o.source.text}" if o.source else ""
        lines.append(f"{o.subject} {o.field} {o.actual} {o.raw} {place}")
    return "\n".join(lines)


def told(outcome: Outcome) -> str:
    lines = [f"{outcome.verdict.value} {outcome.reason or ''}: {outcome.message}"]
    lines += [
        f"  {o.subject} {o.field}: {o.actual!r}, expected {o.expected!r}: {o.satisfied}"
        for o in outcome.observations
    ]
    return "\n".join(lines)


@pytest.mark.ac("rules-01", "rules-02", "rules-03")
@pytest.mark.parametrize("rule_id", RULES)
def test_every_rule_is_seen_in_all_three_states(rule_id: str) -> None:
    own = [case for case in cases() if case.rule_id == rule_id]
    seen = {case.entry.verdict for case in own}
    if not any(variant.check for variant in corpus().rules[rule_id].variants()):
        assert seen >= {Verdict.MANUAL}
        return
    assert seen >= {Verdict.PASS, Verdict.FAIL, Verdict.ERROR}, f"seen only: {sorted(seen)}"
    judged = {family_of(p) for c in own if c.entry.verdict in JUDGED for p in c.entry.on}
    assert judged >= {entry.family for entry in corpus().rules[rule_id].platforms}


@pytest.mark.ac("rules-01")
def test_every_case_file_is_about_a_rule() -> None:
    for rule_id, path in case_files().items():
        assert rule_id in corpus().rules, path
        assert corpus().rules[rule_id].category.value == path.parent.name


@cache
def base(platform: str) -> Host:
    return base_host(platform)


TROUBLES: tuple[Trouble, ...] = (
    "denied", "tool_missing", "timed_out", "incomplete", "unparsable", "tool_failed",
)  # fmt: skip


@pytest.mark.ac("rules-04")
@pytest.mark.parametrize("rule_id", RULES)
def test_a_rule_that_can_measure_nothing_says_so(rule_id: str) -> None:
    rule = corpus().rules[rule_id]
    probes = {request.probe for request in rule.requests()}
    own = [case.entry.variables for case in cases() if case.rule_id == rule_id]
    values = next((given for given in own if given), {})
    for platform in concerned(rule):
        if judge(rule, base(platform)).verdict is Verdict.MANUAL:
            continue
        for trouble in TROUBLES:
            cannot: dict[str, Trouble] = dict.fromkeys(probes, trouble)
            outcome = judge(rule, base(platform), cannot=cannot, variables=values)
            assert outcome.verdict is Verdict.ERROR, f"{platform} {trouble}: {told(outcome)}"
            assert outcome.reason is not None


def losses(rule: Rule, host: Host) -> Iterator[dict[str, Trouble]]:
    """Yield, for every fact that a rule asks for, a way to lose it alone."""
    for request in sorted(rule.requests()):
        yield {request.id: "denied"} if one_by_one(request) else {request.probe: "timed_out"}


def one_by_one(request: Request) -> bool:
    return request.probe in ("stat", "content", "sysctl")


@pytest.mark.ac("rules-05")
@pytest.mark.parametrize("rule_id", RULES)
def test_a_lost_fact_never_changes_a_verdict_into_another(rule_id: str) -> None:
    """To know less can only lead to "cannot say": a failure never becomes a pass."""
    rule = corpus().rules[rule_id]
    known = (*JUDGED, Verdict.NOT_APPLICABLE)
    for case in cases():
        if case.rule_id != rule_id or case.entry.verdict not in known or case.entry.cannot:
            continue
        for platform, host in case.hosts():
            allowed = (case.entry.verdict, Verdict.ERROR)
            for cannot in losses(rule, host):
                outcome = judge(rule, host, cannot=cannot, variables=case.entry.variables)
                saw = f"{case} on {platform} without {cannot}: {told(outcome)}"
                assert outcome.verdict in allowed, saw
