"""Three-valued logic: an unknown is never a pass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.assess.evaluate import Context, evaluate
from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.logic import conjunction, disjunction, negation
from openwatch.engine.rules.check import Check
from openwatch.engine.snapshot import make_snapshot

TRUTHS = (True, False, None)


def possible(truths: Sequence[bool | None]) -> list[tuple[bool, ...]]:
    """Every world that the known values allow."""
    return list(product(*[(t,) if t is not None else (True, False) for t in truths]))


def certain(results: set[bool]) -> bool | None:
    return results.pop() if len(results) == 1 else None


@pytest.mark.ac("engine-08")
@given(st.lists(st.sampled_from(TRUTHS), min_size=1, max_size=6))
def test_and_or_not_say_what_holds_in_every_possible_world(truths: list[bool | None]) -> None:
    assert conjunction(truths) is certain({all(world) for world in possible(truths)})
    assert disjunction(truths) is certain({any(world) for world in possible(truths)})
    for truth in truths:
        assert negation(truth) is certain({not w for (w,) in possible([truth])})


def context(**values: str | None) -> Context:
    """A snapshot of sysctl keys; ``None`` is one that may not be read."""
    facts = [
        Fact(
            Request("sysctl", f"kernel.{name}"),
            "sysctl",
            b"" if value is None else f"={value}\n".encode(),
            could_not=CouldNot(Reason.DENIED) if value is None else None,
        )
        for name, value in values.items()
    ]
    snapshot = make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")
    return Context(snapshot, {})


def leaf(name: str) -> dict[str, object]:
    return {"sysctl": {"key": f"kernel.{name}"}, "expect": {"running": 1}}


VALUES = {True: "1", False: "0", None: None}


@pytest.mark.ac("engine-08")
@pytest.mark.parametrize(("first", "second"), list(product(TRUTHS, TRUTHS)))
def test_combinators_over_real_facts(first: bool | None, second: bool | None) -> None:
    ctx = context(a=VALUES[first], b=VALUES[second])
    nodes = [leaf("a"), leaf("b")]
    assert evaluate(Check.model_validate({"all": nodes}), ctx).truth is conjunction([first, second])
    assert evaluate(Check.model_validate({"any": nodes}), ctx).truth is disjunction([first, second])
    none = evaluate(Check.model_validate({"none": nodes}), ctx)
    assert none.truth is negation(disjunction([first, second]))
    flipped = evaluate(Check.model_validate({"not": leaf("a")}), ctx)
    assert flipped.truth is negation(first)
    for result in (none, flipped):
        assert (result.could_not is not None) == (result.truth is None)


PASSWD = (
    b"root:x:0:0:root:/root:/bin/bash\n"
    b"anna:x:1000:1000::/home/anna:/bin/bash\n"
    b"bert:x:1001:1001::/home/bert:/bin/sh\n"
)
SHADOW = b"root:*:1:0:99999:7:::\nanna:$y$<redacted>:1:0:90:7:::\nbert:$y$<redacted>:1:0:400:7:::\n"


def accounts(*, shadow: bytes | None) -> Context:
    facts = [
        Fact(Request("passwd"), "cat /etc/passwd", PASSWD),
        Fact(Request("group"), "cat /etc/group", b"root:x:0:\n"),
        Fact(
            Request("shadow"),
            "cat /etc/shadow",
            shadow or b"",
            could_not=None if shadow else CouldNot(Reason.DENIED),
        ),
    ]
    snapshot = make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")
    return Context(snapshot, {})


@pytest.mark.ac("engine-08")
@pytest.mark.parametrize(
    ("document", "with_shadow", "without"),
    [
        # A filter on an unknown field leaves records that may belong: unknown, not "there is none".
        ({"where": {"password": "empty"}, "count": 0}, True, None),
        ({"where": {"password": "set"}, "expect": {"max_days": {"at_most": 365}},
          "if_none": "pass"}, False, None),
        ({"where": {"password": "set"}, "count": {"at_least": 0}}, True, True),
        ({"where": {"password": "set"}, "count": {"at_least": 2}}, True, None),
        ({"where": {"uid": 0}, "expect": {"name": "root"}, "if_none": "fail"}, True, True),
        ({"where": {"uid": 77}, "expect": {"name": "root"}, "if_none": "fail"}, False, False),
        ({"where": {"uid": 77}, "expect": {"name": "root"}, "if_none": "pass"}, True, True),
        ({"expect": {"max_days": 400}, "quantifier": "some", "if_none": "fail"}, True, None),
        ({"expect": {"name": "bert"}, "quantifier": "some", "if_none": "fail"}, True, True),
        ({"expect": {"name": "bert"}, "quantifier": "none", "if_none": "pass"}, False, False),
        ({"expect": {"max_days": 400}, "quantifier": "none", "if_none": "pass"}, False, None),
        # It may be that none of them belongs: what that would mean counts as well.
        ({"where": {"password": "set"}, "expect": {"uid": {"at_least": 0}}, "if_none": "fail"},
         True, None),
        ({"where": {"password": "set"}, "expect": {"uid": {"at_least": 0}}, "if_none": "pass"},
         True, True),
        ({"where": {"password": "set"}, "expect": {"uid": 7}, "quantifier": "some",
          "if_none": "pass"}, False, None),
        ({"where": {"password": "set"}, "expect": {"uid": 7}, "quantifier": "none",
          "if_none": "fail"}, True, None),
        # Some records fail for certain: what cannot be seen of others changes nothing.
        ({"where": {"uid": {"at_least": 1}}, "expect": {"shell": "/bin/bash", "max_days": 90},
          "if_none": "fail"}, False, False),
    ],
)  # fmt: skip
def test_quantifiers_filters_and_counts(
    document: dict[str, object], with_shadow: bool | None, without: bool | None
) -> None:
    check = Check.model_validate({"account": {}} | document)
    assert evaluate(check, accounts(shadow=SHADOW)).truth is with_shadow
    hidden = evaluate(check, accounts(shadow=None))
    assert hidden.truth is without
    if without is None:
        assert hidden.could_not is not None
        assert hidden.could_not.reason is Reason.DENIED


def test_observations_name_the_value_and_its_line() -> None:
    check = Check.model_validate(
        {"account": {}, "where": {"uid": 1001}, "expect": {"shell": "/bin/bash"}, "if_none": "fail"}
    )
    (observation,) = evaluate(check, accounts(shadow=SHADOW)).observations
    assert (observation.subject, observation.actual) == ("bert", "/bin/sh")
    assert observation.satisfied is False
    assert observation.source is not None
    assert (observation.source.path, observation.source.line) == ("/etc/passwd", 3)


def test_a_field_that_another_fact_answers_names_that_fact() -> None:
    check = Check.model_validate(
        {
            "account": {},
            "where": {"uid": 1001},
            "expect": {"shell": "/bin/sh", "max_days": 90},
            "if_none": "fail",
        }
    )
    shell, days = evaluate(check, accounts(shadow=SHADOW)).observations
    assert (shell.fact, shell.command) == ("passwd", "cat /etc/passwd")
    assert (days.fact, days.command, days.actual) == ("shadow", "cat /etc/shadow", "400")
    assert "passwd" not in days.raw


@pytest.mark.parametrize(
    "check",
    [
        {"not": {"account": {}, "where": {"uid": 0}, "count": 1}},
        {"none": [{"account": {}, "where": {"uid": 0}, "expect": {"name": "root"},
                   "if_none": "fail"}]},
        {"account": {}, "expect": {"uid": 0}, "quantifier": "none", "if_none": "pass"},
    ],
)  # fmt: skip
def test_what_was_not_to_be_is_told_so(check: dict[str, object]) -> None:
    result = evaluate(Check.model_validate(check), accounts(shadow=SHADOW))
    assert result.truth is False
    first = result.observations[0]
    assert first.satisfied is False
    assert first.expected.startswith("not: ")
    assert first.actual in ("1", "root", "0")


def test_the_record_that_decides_is_among_the_evidence() -> None:
    passwd = b"".join(b"u%d:x:%d:%d::/:/bin/sh\n" % (n, n, n) for n in range(200))
    facts = [Fact(Request("passwd"), "cat", passwd)]
    snapshot = make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")
    for quantifier, truth in (("some", True), ("none", False), ("every", False)):
        expect = {"uid": {"not_equals": 150} if quantifier == "every" else 150}
        check = Check.model_validate(
            {"account": {}, "expect": expect, "quantifier": quantifier, "if_none": "fail"}
        )
        result = evaluate(check, Context(snapshot, {}))
        assert result.truth is truth
        assert result.observations[0].subject == "u150", quantifier
        assert result.observations[0].satisfied is truth


@pytest.mark.ac("engine-07", "engine-08")
@pytest.mark.parametrize(
    ("expect", "truth"), [("x", None), ({"not_equals": "x"}, None), ({"present": True}, True)]
)
def test_a_secret_is_known_to_be_there_and_no_more(expect: object, truth: bool | None) -> None:
    block = b"@ok /etc/x\n=/etc/x\n password = <redacted>\n\n.\n"
    facts = [Fact(Request("content", "/etc/x"), "cat /etc/x", block)]
    snapshot = make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")
    check = Check.model_validate(
        {"setting": {"file": "/etc/x", "key": "password"}, "expect": {"value": expect}}
    )
    result = evaluate(check, Context(snapshot, {}))
    assert result.truth is truth
    assert (result.could_not is None) == (truth is not None)
    assert (result.observations[0].problem is None) == (truth is not None)
