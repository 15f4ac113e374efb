"""What is remembered of judgements, for how long, and in how much memory."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from openwatch.engine import subjects
from openwatch.engine.assess import Memo, Verdict, assess
from openwatch.engine.assess import memo as module
from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.rules import Corpus, load_corpus
from openwatch.engine.rules.variables import command_line
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.base import Selection
from openwatch.engine.subjects.sysctl import SysctlSubject

SYSCTL = Request("sysctl", "kernel.randomize_va_space")
CONTENT = Request("content", "/etc/sysctl.conf")
RULE = "aslr-enabled"
TAKEN_AT = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def rules() -> Corpus:
    return load_corpus().only([RULE])


def snapshot(rules: Corpus, **values: bytes) -> Snapshot:
    kernel = b"web1\n6.1.0\nx86_64\n0123456789abcdef0123456789abcdef\n1\n"
    facts = {
        request.id: Fact(request, "", values.get(request.subject.replace(".", "_"), b""))
        for request in rules.requests()
    }
    facts["os_release"] = Fact(Request("os_release"), "", b"ID=debian\nVERSION_ID=12\n")
    facts["kernel"] = Fact(Request("kernel"), "", values.get("kernel", kernel))
    return make_snapshot(facts.values(), taken_at=TAKEN_AT, privilege="root")


def alike(rules: Corpus, memo: Memo, taken: Snapshot, **variables: object) -> bool:
    """Judge with the memo, compare with judging anew; return whether it was remembered."""
    known, layers = memo.known, command_line(variables)
    assert assess(rules, replace(taken), layers, memo=memo) == assess(rules, taken, layers)
    return memo.known > known


def test_the_same_facts_of_another_host_are_not_judged_again(rules: Corpus) -> None:
    memo = Memo(rules)
    assert not alike(rules, memo, snapshot(rules))
    assert alike(rules, memo, snapshot(rules))
    other = b"web2\n6.1.0\nx86_64\nfedcba9876543210fedcba9876543210\n1\n"
    assert alike(rules, memo, snapshot(rules, kernel=other))


def test_what_any_rule_may_look_at_is_part_of_what_an_outcome_rests_on(rules: Corpus) -> None:
    memo, taken = Memo(rules), snapshot(rules)
    assert not alike(rules, memo, taken)
    assert alike(rules, memo, replace(taken, taken_at=TAKEN_AT + timedelta(hours=11)))
    assert not alike(rules, memo, replace(taken, taken_at=TAKEN_AT + timedelta(hours=12)))
    assert not alike(rules, memo, replace(taken, privilege_problem="sudo is missing"))
    fewer = {name: fact for name, fact in taken.facts.items() if name != CONTENT.id}
    assert not alike(rules, memo, replace(taken, facts=fewer))
    moved = Fact(Request("os_release"), "", b"ID=debian\nVERSION_ID=13\n")
    assert not alike(rules, memo, replace(taken, facts={**taken.facts, "os_release": moved}))
    name, value = next((n, d.default) for n, d in rules.variables.items() if d.default is not None)
    assert not alike(rules, memo, taken, **{name: value})
    assert alike(rules, memo, taken)


def test_a_fact_that_is_lost_after_a_pass_is_an_error(rules: Corpus) -> None:
    memo, taken = Memo(rules), snapshot(rules)
    assess(rules, taken, memo=memo)
    lost = Fact(SYSCTL, "sysctl", could_not=CouldNot(Reason.DENIED))
    (outcome,) = assess(rules, replace(taken, facts={**taken.facts, SYSCTL.id: lost}), memo=memo)
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, Reason.DENIED)


def test_facts_that_were_asked_for_through_what_was_derived_before_are_traced() -> None:
    taken = make_snapshot([], taken_at=TAKEN_AT, privilege="root")

    def derive() -> CouldNot:
        return taken.read(CONTENT)

    first = taken.traced(lambda: taken.derived("lines", derive))
    second = taken.traced(lambda: taken.derived("lines", derive))
    assert first == second
    assert first[1] == {CONTENT.id}
    assert taken.traced(lambda: None)[1] == frozenset()


def test_a_trace_ends_where_the_work_fails() -> None:
    taken = make_snapshot([], taken_at=TAKEN_AT, privilege="root")

    def fail() -> None:
        taken.read(SYSCTL)
        raise LookupError

    def work() -> None:
        with pytest.raises(LookupError):
            taken.traced(fail)

    assert taken.traced(work)[1] == {SYSCTL.id}
    assert taken.traced(lambda: taken.read(CONTENT))[1] == {CONTENT.id}


@pytest.mark.ac("engine-17")
def test_its_size_is_bounded(rules: Corpus) -> None:
    memo = Memo(rules, most_bytes=20_000)
    for number in range(200):
        alike(rules, memo, snapshot(rules, kernel_randomize_va_space=str(number).encode()))
        assert 0 < memo.bytes <= 20_000
    newest = snapshot(rules, kernel_randomize_va_space=b"199")
    assert alike(rules, memo, newest)
    oldest = snapshot(rules, kernel_randomize_va_space=b"0")
    assert not alike(rules, memo, oldest)


def test_the_scopes_and_traces_that_it_knows_are_bounded(
    rules: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SCOPES", 3)
    memo, taken = Memo(rules), snapshot(rules)
    for days in range(10):
        alike(rules, memo, replace(taken, taken_at=TAKEN_AT + timedelta(days=days)))
    assert not alike(rules, memo, taken)
    assert len(memo._scopes) == 3  # pyright: ignore[reportPrivateUsage]


def test_an_outcome_that_is_learnt_again_counts_once(
    rules: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SCOPES", 1)
    memo, taken = Memo(rules, most_bytes=20_000), snapshot(rules)
    days = (taken, replace(taken, taken_at=TAKEN_AT + timedelta(days=1)))
    for day in days:
        alike(rules, memo, day)
    held = memo.bytes
    for number in range(100):
        assert not alike(rules, memo, days[number % 2])
    assert memo.bytes == held


def test_what_rests_on_the_moment_is_judged_each_time(
    rules: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    select = SysctlSubject.select

    def at_noon(self: SysctlSubject, snapshot: Snapshot) -> Selection:
        selection = select(self, snapshot)
        return selection if snapshot.moment == TAKEN_AT else Selection()

    monkeypatch.setattr(SysctlSubject, "select", at_noon)
    memo, taken = Memo(rules), snapshot(rules)
    for seconds in (0, 1, 0):
        later = replace(taken, taken_at=TAKEN_AT + timedelta(seconds=seconds))
        assert not alike(rules, memo, later)


def test_a_memo_is_for_one_corpus(rules: Corpus) -> None:
    with pytest.raises(ValueError, match="one corpus"):
        assess(load_corpus(), snapshot(rules), memo=Memo(rules))


# What a subject may look at: facts through doors that trace them, and what the scope is made of.
DOORS = frozenset({"read", "fact", "derived", "day", "moment", "capabilities", "identity"})
OF_IDENTITY = frozenset({"platform", "arch"})


def looks(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield what is looked at of a snapshot and of an identity."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            match node.value:
                case ast.Name(id="snapshot") if node.attr not in DOORS:
                    yield node.attr, node.lineno
                case ast.Attribute(attr="identity") if node.attr not in OF_IDENTITY:
                    yield f"identity.{node.attr}", node.lineno
                case _:
                    pass


def test_subjects_look_at_a_snapshot_through_doors_that_note_it() -> None:
    found = [
        f"{path.name}:{line} {what}"
        for path in sorted(Path(subjects.__path__[0]).glob("*.py"))
        for what, line in looks(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []
    assert list(looks(ast.parse("snapshot.taken_at; snapshot.identity.hostname"))) == [
        ("taken_at", 1),
        ("identity.hostname", 1),
    ]


def test_subjects_do_not_ask_for_the_time_themselves() -> None:
    asks = re.compile(r"\b(now|today|utcnow|monotonic|time\.time)\(")
    for path in Path(subjects.__path__[0]).glob("*.py"):
        assert not asks.search(path.read_text("utf-8")), path.name
