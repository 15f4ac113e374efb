"""Outcomes that were worked out before, given again where all that they rest on is the same.

Hosts of a fleet are alike, and a host is mostly as it was: most rules meet the very facts that they
met before. An outcome rests on the rule, on the facts that were asked for while it was made, and on
what every rule may look at (the *scope*: the platform, the day, the site values, which facts there
are at all). Which facts those were is noted while the rule is judged, not declared: judging is
deterministic, so a judgement that begins with the same scope asks for the same first fact, with the
same answer for the same second one, and so on to the same outcome.
"""

from __future__ import annotations

import hashlib
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass, field
from typing import Final

from openwatch.engine.assess.evaluate import Context
from openwatch.engine.assess.outcome import Outcome
from openwatch.engine.facts import CouldNot
from openwatch.engine.rules.corpus import Corpus
from openwatch.engine.rules.schema import Rule
from openwatch.engine.snapshot import MOMENT, Snapshot
from openwatch.kit.canonical import canonical_json

MOST_BYTES: Final = 32 * 1024 * 1024
"""The documents of all remembered outcomes; what is around them takes a multiple of that."""

MOST_SCOPES: Final = 32
"""One for each platform, set of site values and day; those that were not seen for longest go."""

MOST_TRACES: Final = 8
"""Sets of facts that one rule asked for in one scope; a rule with more is judged anew."""

_ABSENT: Final = bytes(32)
"""In the place of the digest of a fact that a snapshot does not hold: no SHA-256 that is known."""

_ENTRY_BYTES: Final = 256
"""What an outcome takes that says little."""


@dataclass(frozen=True, slots=True)
class _Trace:
    """The facts that a rule asked for, in the order of their ids, and the digest of that."""

    facts: tuple[str, ...]
    digest: bytes

    @classmethod
    def of(cls, scope: _Scope, rule: Rule, asked: Iterable[str]) -> _Trace:
        facts = tuple(sys.intern(fact_id) for fact_id in sorted(asked))
        named = canonical_json([scope.digest.hex(), rule.id, list(facts)])
        return cls(facts, hashlib.sha256(named).digest())

    def key(self, digests: Mapping[str, bytes]) -> bytes:
        """Return under what an outcome is remembered that rests on these facts of a snapshot."""
        answers = [digests.get(fact_id, _ABSENT) for fact_id in self.facts]
        return hashlib.sha256(self.digest + b"".join(answers)).digest()


@dataclass(frozen=True, slots=True)
class _Scope:
    """Of each rule, the sets of facts that it was seen to ask for."""

    digest: bytes
    traces: dict[str, list[_Trace]] = field(default_factory=dict[str, list[_Trace]])


class Memo:
    """Remembers outcomes of one corpus. Its size is bounded; it is for one thread at a time."""

    def __init__(self, corpus: Corpus, *, most_bytes: int = MOST_BYTES) -> None:
        self._corpus = corpus
        self._most_bytes = most_bytes
        self._bytes = 0
        self._scopes: OrderedDict[bytes, _Scope] = OrderedDict()
        self._outcomes: OrderedDict[bytes, Outcome] = OrderedDict()
        self.known = 0
        self.new = 0

    @property
    def bytes(self) -> int:
        """About the size of what is remembered, as documents."""
        return self._bytes

    def outcomes(
        self, corpus: Corpus, context: Context, judge: Callable[[Rule, Context], Outcome]
    ) -> tuple[Outcome, ...]:
        """Return what ``judge`` makes of every rule, in the order of their ids.

        Raises ``ValueError`` for another corpus than the one that it remembers outcomes of.
        """
        if corpus is not self._corpus:
            raise ValueError("a memo is for one corpus")
        scope = self._scope(context)
        digests = context.snapshot.digests
        return tuple(
            self._outcome(scope, digests, rule, context, judge) for rule in corpus.in_order
        )

    def _outcome(
        self,
        scope: _Scope,
        digests: Mapping[str, bytes],
        rule: Rule,
        context: Context,
        judge: Callable[[Rule, Context], Outcome],
    ) -> Outcome:
        traces = scope.traces.setdefault(rule.id, [])
        for trace in traces:
            key = trace.key(digests)
            outcome = self._outcomes.get(key)
            if outcome is not None:
                self._outcomes.move_to_end(key)
                self.known += 1
                return outcome
        outcome, asked = context.snapshot.traced(lambda: judge(rule, context))
        self.new += 1
        if MOMENT in asked:
            return outcome
        trace = _Trace.of(scope, rule, asked)
        if trace not in traces:
            if len(traces) == MOST_TRACES:
                return outcome
            traces.append(trace)
        self._keep(trace.key(digests), outcome)
        return outcome

    def _keep(self, key: bytes, outcome: Outcome) -> None:
        before = self._outcomes.pop(key, None)  # of a scope that was forgotten since
        self._bytes += _weight(outcome) - (0 if before is None else _weight(before))
        self._outcomes[key] = outcome
        while self._bytes > self._most_bytes:
            _, oldest = self._outcomes.popitem(last=False)
            self._bytes -= _weight(oldest)

    def _scope(self, context: Context) -> _Scope:
        digest = _scope_digest(context)
        scope = self._scopes.get(digest)
        if scope is None:
            scope = self._scopes[digest] = _Scope(digest)
            if len(self._scopes) > MOST_SCOPES:
                self._scopes.popitem(last=False)
        self._scopes.move_to_end(digest)
        return scope


def _scope_digest(context: Context) -> bytes:
    """Return the digest of all that any rule may look at without asking for a fact."""
    snapshot = context.snapshot
    document = {
        "platform": _platform(snapshot),
        "arch": snapshot.identity.arch,
        "day": snapshot.day.isoformat(),
        "privilege": [snapshot.privilege, snapshot.privilege_problem],
        "facts": sorted(snapshot.facts),
        "variables": {name: bound.document() for name, bound in context.bound.items()},
    }
    return hashlib.sha256(canonical_json(document)).digest()


def _platform(snapshot: Snapshot) -> list[object]:
    platform = snapshot.identity.platform
    if isinstance(platform, CouldNot):
        return [platform.reason.value, platform.detail]
    return [*astuple(platform)[:-1], list(platform.version)]


def _weight(outcome: Outcome) -> int:
    return len(outcome.canonical) + _ENTRY_BYTES
