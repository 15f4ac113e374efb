"""Three-valued evaluation of checks: true, false, or nobody can say (Kleene's strong logic).

OVAL 5.11 §5.3.6 uses the same tables: one false decides an AND and one true an OR, whatever the
others are; everything else that touches an unknown is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from openwatch.engine.assess.outcome import Observation
from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.logic import conjunction, disjunction, negation
from openwatch.engine.probes.redaction import REDACTED
from openwatch.engine.rules.check import Check, Quantifier
from openwatch.engine.rules.expectations import Expectation, holds, sentence, shown
from openwatch.engine.rules.variables import Bound
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Subject, Value

MAX_OBSERVATIONS: Final = 40
"""How many records of one check are listed as evidence; the rest is counted."""

MAX_RAW: Final = 2000

NO_RECORD: Final = "there is none"
"""What is found where a subject has no record that could be judged."""


@dataclass(frozen=True, slots=True)
class Result:
    """The truth of a check, what was seen, and why it is unknown where it is."""

    truth: bool | None
    observations: tuple[Observation, ...] = ()
    could_not: CouldNot | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a check is evaluated against. Many rules look at the same: it is selected once."""

    snapshot: Snapshot
    bound: Mapping[str, Bound]

    def select(self, subject: Subject) -> Selection:
        """Return the records of a subject in this snapshot."""
        return self.snapshot.derived((subject,), lambda: subject.select(self.snapshot))


def evaluate(check: Check, context: Context) -> Result:
    """Return the result of a check. Pure."""
    subject = check.subject
    if subject is not None:
        return _leaf(check, subject, context)
    results = [evaluate(child, context) for child in check.children()]
    if check.all is None and check.any is None:
        # NONE and NOT: no child may hold.
        results = [_opposite(result) for result in results]
    truths = [result.truth for result in results]
    truth = conjunction(truths) if check.any is None else disjunction(truths)
    return Result(truth, tuple(_telling(results, truth)), _first_could_not(results, truth))


def _opposite(result: Result) -> Result:
    """Return the result of the negated check; its observations say what was not to be."""
    observations = tuple(_unwanted(observation) for observation in result.observations)
    return Result(negation(result.truth), observations, result.could_not)


def _unwanted(observation: Observation) -> Observation:
    return replace(
        observation,
        expected=f"not: {observation.expected}",
        satisfied=negation(observation.satisfied),
    )


def _telling(results: list[Result], truth: bool | None) -> Iterator[Observation]:
    """Yield the observations, those that decided first."""
    for wanted in (truth, not truth if truth is not None else False, None, True):
        for result in results:
            if result.truth is wanted:
                yield from result.observations
        results = [result for result in results if result.truth is not wanted]


def _first_could_not(results: list[Result], truth: bool | None) -> CouldNot | None:
    if truth is not None:
        return None
    return next((r.could_not for r in results if r.truth is None and r.could_not), None)


def _leaf(check: Check, subject: Subject, context: Context) -> Result:
    selection = context.select(subject)
    if selection.could_not is not None:
        observation = _missing(check, subject, selection.could_not, context)
        return Result(None, (observation,), selection.could_not)
    where = {name: e.bind(context.bound) for name, e in check.where.items()}
    matched = [(record, _matches(where, record)) for record in selection.records]
    chosen = [(record, match) for record, match in matched if match.truth is not False]
    if check.count is not None:
        return _counted(check, subject, chosen, context)
    return _quantified(check, subject, chosen, context)


@dataclass(frozen=True, slots=True)
class _Match:
    truth: bool | None
    could_not: CouldNot | None = None


def _matches(expectations: Mapping[str, Expectation], record: Record) -> _Match:
    """Return whether a record is as expected; unknown when a field that decides it is."""
    could_not: CouldNot | None = record.unseen
    for name, expectation in expectations.items():
        value = _seen(record.values.get(name), expectation)
        if isinstance(value, CouldNot):
            could_not = could_not or value
        elif not holds(expectation, value):
            return _Match(False)
    return _Match(True) if could_not is None else _Match(None, could_not)


_SECRET: Final = CouldNot(Reason.INCOMPLETE, "The value is a secret and stayed on the host.")


def _seen(value: Value, expectation: Expectation) -> Value:
    """Return the value, or that nobody saw it: of a secret only its being there is known."""
    secret = value == REDACTED and not expectation.tests().keys() <= {"present"}
    return _SECRET if secret else value


_MANY: Final = 1000
"""More than any rule counts to."""


def _counted(
    check: Check, subject: Subject, chosen: list[tuple[Record, _Match]], context: Context
) -> Result:
    assert check.count is not None
    count = check.count.bind(context.bound)
    certain = sum(1 for _, match in chosen if match.truth)
    expected = sentence(count, Kind.NUMBER)
    # Every number from the certain ones to all of them is possible, and more of what is unseen.
    most = len(chosen) + (_MANY if any(record.unseen for record, _ in chosen) else 0)
    verdicts = {holds(count, number) for number in range(certain, most + 1)}
    truth = verdicts.pop() if len(verdicts) == 1 else None
    could_not = next((m.could_not for _, m in chosen if m.could_not), None)
    total = Observation(
        fact=_primary(subject).id,
        subject=subject.LABEL,
        field="count",
        expected=expected,
        actual=str(certain) if truth is not None else f"{certain} to {len(chosen)}",
        satisfied=truth,
        command=_command(_primary(subject), context),
        problem=could_not.reason if truth is None and could_not else None,
    )
    name = next(iter(check.where), next(iter(subject.fields_of())))
    listed = (
        _observe(
            subject,
            record,
            name,
            expected=f"counts; expected: {expected}" if match.truth else "may count",
            satisfied=truth if match.truth else None,
            context=context,
        )
        for record, match in chosen[:MAX_OBSERVATIONS]
    )
    return Result(truth, (total, *listed), could_not if truth is None else None)


def _quantified(
    check: Check, subject: Subject, chosen: list[tuple[Record, _Match]], context: Context
) -> Result:
    expect = {name: e.bind(context.bound) for name, e in check.expect.items()}
    if not chosen:
        return _no_record(check, subject, expect, context)
    judged = [(r, m, _matches(expect, r)) for r, m in chosen]
    match check.quantifier:
        case Quantifier.EVERY:
            # A record that may not belong here cannot make the rule fail, only unknown.
            truth = conjunction(_implies(m.truth, j.truth) for _, m, j in judged)
        case Quantifier.SOME:
            truth = disjunction(conjunction((m.truth, j.truth)) for _, m, j in judged)
        case Quantifier.NONE:
            truth = negation(disjunction(conjunction((m.truth, j.truth)) for _, m, j in judged))
    if not any(m.truth for _, m, _ in judged) and truth is not (check.if_none == "pass"):
        # It may be that no record belongs here, and that would mean something else.
        truth = None
    could_not = None
    if truth is None:
        could_not = next((c for _, m, j in judged if (c := m.could_not or j.could_not)), None)
    wanted_first = check.quantifier is Quantifier.SOME and truth is True
    decisive = check.quantifier is Quantifier.NONE or wanted_first
    ordered = sorted(judged, key=lambda entry: _rank(entry[2].truth), reverse=decisive)
    looked_at = (
        (record, name, expectation)
        for record, _, _ in ordered
        for name, expectation in expect.items()
    )
    observations = [
        _judged_field(subject, *field, context) for field in islice(looked_at, MAX_OBSERVATIONS)
    ]
    if check.quantifier is Quantifier.NONE:
        observations = [_unwanted(observation) for observation in observations]
    return Result(truth, tuple(observations), could_not)


def _implies(premise: bool | None, conclusion: bool | None) -> bool | None:
    return disjunction((negation(premise), conclusion))


def _rank(truth: bool | None) -> int:
    return {False: 0, None: 1, True: 2}[truth]


def _no_record(
    check: Check, subject: Subject, expect: Mapping[str, Expectation], context: Context
) -> Result:
    truth = check.if_none == "pass"
    name, expectation = next(iter(expect.items()))
    observation = Observation(
        fact=_primary(subject).id,
        subject=_described(check, subject, context),
        field=name,
        expected=sentence(expectation, subject.fields_of()[name]),
        actual=NO_RECORD,
        satisfied=truth,
        command=_command(_primary(subject), context),
    )
    return Result(truth, (observation,))


def _described(check: Check, subject: Subject, context: Context) -> str:
    """Return what was looked for and not found, in words."""
    kinds = subject.fields_of()
    filters = (f"{n} {sentence(e.bind(context.bound), kinds[n])}" for n, e in check.where.items())
    return f"{subject.title()}{' with ' if check.where else ''}{', '.join(filters)}"


def _judged_field(
    subject: Subject, record: Record, name: str, expectation: Expectation, context: Context
) -> Observation:
    value = _seen(record.values.get(name), expectation)
    unseen = value if isinstance(value, CouldNot) else None
    return _observe(
        subject, record, name,
        expected=sentence(expectation, subject.fields_of()[name]),
        satisfied=None if isinstance(value, CouldNot) else holds(expectation, value),
        context=context,
        problem=unseen.reason if unseen else None,
    )  # fmt: skip


def _observe(
    subject: Subject,
    record: Record,
    name: str,
    *,
    expected: str,
    satisfied: bool | None,
    context: Context,
    problem: Reason | None = None,
) -> Observation:
    value = record.values.get(name)
    source = record.sources.get(name)
    request = record.requests.get(name, _primary(subject))
    # What one fact shows is no evidence for a field that another one answers.
    raw = record.raw if name not in record.requests else ""
    return Observation(
        fact=request.id,
        subject=record.name,
        field=name,
        expected=expected,
        actual=shown(value, subject.fields_of()[name]),
        satisfied=satisfied,
        command=_command(request, context),
        source=source,
        raw=(source.text if source else raw)[:MAX_RAW],
        problem=value.reason if isinstance(value, CouldNot) else problem,
    )


def _missing(check: Check, subject: Subject, could_not: CouldNot, context: Context) -> Observation:
    kinds = subject.fields_of()
    name = next(iter(check.expect), "count")
    expectation = check.expect.get(name) or check.count
    assert expectation is not None
    return Observation(
        fact=_primary(subject).id,
        subject=subject.LABEL,
        field=name,
        expected=sentence(expectation.bind(context.bound), kinds.get(name, Kind.NUMBER)),
        actual=str(could_not),
        satisfied=None,
        command=_command(_primary(subject), context),
        problem=could_not.reason,
    )


def _primary(subject: Subject) -> Request:
    return subject.requests()[0]


def _command(request: Request, context: Context) -> str:
    fact = context.snapshot.fact(request)
    return "" if fact is None else fact.command
