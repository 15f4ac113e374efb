"""Rules and a snapshot make outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from openwatch.engine.assess.evaluate import (
    NO_RECORD,
    Context,
    Result,
    evaluate,
)
from openwatch.engine.assess.memo import Memo
from openwatch.engine.assess.outcome import Observation, Outcome, Verdict
from openwatch.engine.assess.supersede import superseded
from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.logic import disjunction
from openwatch.engine.rules.check import Check
from openwatch.engine.rules.corpus import Corpus
from openwatch.engine.rules.platforms import PlatformRange
from openwatch.engine.rules.schema import Implementation, Rule
from openwatch.engine.rules.variables import Layer, resolve
from openwatch.engine.snapshot import Platform, Snapshot


def assess(
    corpus: Corpus,
    snapshot: Snapshot,
    layers: Sequence[Layer] = (),
    *,
    memo: Memo | None = None,
) -> tuple[Outcome, ...]:
    """Return the outcome of every rule of the corpus, in the order of their ids.

    ``memo`` saves the work that was done before; the outcomes are the same without it. Raises
    ``variable.invalid``. Nothing else: what cannot be measured is an outcome.
    """
    platform = snapshot.identity.platform
    known = None if isinstance(platform, CouldNot) else platform
    context = Context(snapshot, resolve(corpus.variables, layers, known))
    if memo is not None:
        return superseded(corpus, memo.outcomes(corpus, context, _assess_rule))
    return superseded(corpus, [_assess_rule(rule, context) for rule in corpus.in_order])


def _assess_rule(rule: Rule, context: Context) -> Outcome:
    platform = context.snapshot.identity.platform
    if isinstance(platform, CouldNot):
        return _platform_unknown(rule, platform)
    fits = _fits(rule.platforms, platform)
    if fits is None:
        return _platform_unknown(rule, _no_version(platform))
    if not fits:
        return _not_applicable(rule, context, f"The rule is not for {platform.name}.")
    if rule.when is not None:
        if unset := _unset(rule.when, context):
            return _not_configured(rule, unset)
        gate = evaluate(rule.when, context)
        if gate.truth is False:
            message = "The host does not have what the rule is about."
            return _not_applicable(rule, context, message, gate.observations)
        if gate.truth is None:
            return _unknown(rule, context, gate, "Whether the rule concerns this host is unknown")
    return _assess_variants(rule, platform, context)


def _assess_variants(rule: Rule, platform: Platform, context: Context) -> Outcome:
    closed: list[Observation] = []
    for variant in rule.variants():
        fits = not variant.platforms or _fits(variant.platforms, platform)
        if fits is None:
            return _platform_unknown(rule, _no_version(platform))
        if not fits:
            continue
        if variant.when is not None:
            if unset := _unset(variant.when, context):
                return _not_configured(rule, unset)
            gate = evaluate(variant.when, context)
            if gate.truth is None:
                return _unknown(
                    rule, context, gate, "Which form of the rule fits this host is unknown"
                )
            if gate.truth is False:
                closed += gate.observations
                continue
        return _judge(rule, variant, context)
    return _not_applicable(rule, context, "No form of the rule fits this host.", closed)


def _judge(rule: Rule, variant: Implementation, context: Context) -> Outcome:
    if variant.check is None:
        return Outcome(rule.id, Verdict.MANUAL, rule.severity, variant.manual or "")
    if unset := _unset(variant.check, context):
        return _not_configured(rule, unset)
    result = evaluate(variant.check, context)
    if result.truth is None:
        return _unknown(rule, context, result, "It could not be measured")
    verdict = Verdict.PASS if result.truth else Verdict.FAIL
    return Outcome(
        rule_id=rule.id,
        verdict=verdict,
        severity=rule.severity,
        message=_told(result),
        observations=result.observations,
        facts=_facts(rule, context),
        variables={name: context.bound[name] for name in sorted(variant.check.variables())},
    )


def _unset(check: Check, context: Context) -> list[str]:
    """Return the variables that a check needs and that have no value."""
    return sorted(check.variables() - context.bound.keys())


def _not_configured(rule: Rule, unset: list[str]) -> Outcome:
    message = f"Set the variable {', '.join(unset)} to have this rule judged."
    return Outcome(rule.id, Verdict.NOT_CONFIGURED, rule.severity, message)


def _fits(ranges: tuple[PlatformRange, ...], platform: Platform) -> bool | None:
    return disjunction(
        entry.holds(platform.family, platform.version, platform.id) for entry in ranges
    )


def _no_version(platform: Platform) -> CouldNot:
    return CouldNot(Reason.PLATFORM_UNKNOWN, f"os-release of {platform.name} names no VERSION_ID.")


def _told(result: Result) -> str:
    """Return the observations that decided, as one sentence."""
    deciding = [o for o in result.observations if o.satisfied is result.truth]
    seen = [o for o in deciding if o.actual != NO_RECORD]
    first = next(iter(seen or deciding or result.observations), None)
    if first is None:
        return ""
    if first.field == "count":
        return _counted(first, [o for o in seen if o.fact == first.fact and o.field != "count"])
    if first.actual == NO_RECORD:
        wanted = "" if result.truth else f"; expected: {first.field} {first.expected}"
        return f"There is no {first.subject}{wanted}.{_more(deciding)}"
    if result.truth:
        return _all_of(first.subject, deciding)
    label = "" if first.field in _SPOKEN_FOR else f" {first.field}"
    return (
        f"{first.subject}{label} is {first.actual}{_place(first)}; "
        f"expected: {first.expected}.{_more(deciding)}"
    )


def _more(deciding: list[Observation]) -> str:
    return f" And {len(deciding) - 1} more." if len(deciding) > 1 else ""


_SPOKEN_FOR: Final = ("value", "running")
"""Fields that a subject's name already stands for."""


def _all_of(subject: str, observations: list[Observation]) -> str:
    """Return everything that was seen of one subject, as one sentence."""
    seen = [
        (o.actual if o.field in _SPOKEN_FOR else f"{o.field} {o.actual}") + _place(o)
        for o in observations
        if o.subject == subject
    ]
    return f"{subject}: {', '.join(dict.fromkeys(seen))}."


def _place(observation: Observation) -> str:
    source = observation.source
    return f" ({source.path}:{source.line})" if source else ""


def _counted(total: Observation, listed: list[Observation]) -> str:
    names = ", ".join(observation.subject for observation in listed[:3])
    rest = ", …" if len(listed) > 3 else ""
    found = f"{total.actual} found" + (f": {names}{rest}" if names else "")
    return f"{found}." if total.satisfied else f"{found}; expected: {total.expected}."


def _facts(rule: Rule, context: Context) -> tuple[str, ...]:
    """Return the ids of the facts in the snapshot that this rule may look at."""
    asked = {request.id for request in rule.requests()}
    return tuple(sorted(asked & context.snapshot.facts.keys()))


def _unknown(rule: Rule, context: Context, result: Result, lead: str) -> Outcome:
    could_not = result.could_not or CouldNot(Reason.INCOMPLETE)
    return Outcome(
        rule_id=rule.id,
        verdict=Verdict.ERROR,
        severity=rule.severity,
        message=f"{lead}: {could_not}",
        reason=could_not.reason,
        observations=result.observations,
        facts=_facts(rule, context),
    )


def _platform_unknown(rule: Rule, could_not: CouldNot) -> Outcome:
    message = f"The platform is unknown: {could_not}"
    return Outcome(rule.id, Verdict.ERROR, rule.severity, message, reason=Reason.PLATFORM_UNKNOWN)


def _not_applicable(
    rule: Rule, context: Context, message: str, observations: Sequence[Observation] = ()
) -> Outcome:
    return Outcome(
        rule_id=rule.id,
        verdict=Verdict.NOT_APPLICABLE,
        severity=rule.severity,
        message=message,
        observations=tuple(observations),
        facts=_facts(rule, context) if observations else (),
    )


def concerns(corpus: Corpus, detected: Snapshot) -> frozenset[Request]:
    """Return the facts that the rules for the detected platform may need.

    A host whose platform is unknown is asked for everything: the snapshot stays useful.
    """
    platform = detected.identity.platform
    if isinstance(platform, CouldNot):
        return corpus.requests()
    key = (platform.family, platform.version, platform.id)
    known = corpus.asked.get(key)
    if known is None:
        if len(corpus.asked) >= MOST_PLATFORMS:
            corpus.asked.clear()
        known = corpus.asked[key] = _concerns(corpus, platform)
    return known


MOST_PLATFORMS: Final = 64
"""More than a fleet has; a host may call itself whatever it likes."""


def _concerns(corpus: Corpus, platform: Platform) -> frozenset[Request]:
    wanted: set[Request] = set()
    for rule in corpus.rules.values():
        if _fits(rule.platforms, platform) is False:
            continue
        checks = [rule.when]
        for variant in rule.variants():
            if not variant.platforms or _fits(variant.platforms, platform) is not False:
                checks += [variant.when, variant.check]
        wanted.update(r for check in checks if check is not None for r in check.requests())
    return frozenset(wanted)
