"""Tests on values: numbers are whole numbers, modes are bits, and unset satisfies nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from openwatch.engine.rules.expectations import Expectation, as_number, holds, sentence, shown
from openwatch.engine.rules.variables import Bound, Tier
from openwatch.engine.subjects import Kind, Value


def expect(document: object) -> Expectation:
    return Expectation.model_validate(document)


@pytest.mark.parametrize(
    ("document", "value", "result"),
    [
        ("no", "no", True),
        ("no", "No", False),
        (2, "2", True),
        (2, "20", False),
        (2, "2 ", True),
        (2, "two", False),
        (True, True, True),
        (True, False, False),
        (True, "true", False),
        (["a", "b"], "b", True),
        ({"none_of": ["a", "b"]}, "c", True),
        ({"none_of": ["a", "b"]}, "a", False),
        ({"at_least": 1, "at_most": 3}, "0", False),
        ({"at_least": 1, "at_most": 3}, "3", True),
        ({"at_least": 1, "at_most": 3}, "10", False),
        ({"at_least": 1}, "1x", False),
        ({"matches": "a+"}, "aaab", False),
        ({"matches": "a+b"}, "aaab", True),
        ({"not_matches": "a+"}, "b", True),
        ({"includes": ["nodev"]}, frozenset({"nodev", "rw"}), True),
        ({"includes": ["nodev"]}, frozenset({"nodevx"}), False),
        ({"excludes": ["nodev"]}, frozenset({"rw"}), True),
        ({"only": ["a", "b"]}, frozenset({"a"}), True),
        ({"only": ["a", "b"]}, frozenset({"a", "c"}), False),
        ({"only": ["a", "b"]}, frozenset(), False),
        ({"no_more_than": "0640"}, 0o640, True),
        ({"no_more_than": "0640"}, 0o400, True),
        ({"no_more_than": "0640"}, 0o644, False),
        ({"no_more_than": "0640"}, 0o4640, False),
        ({"equals": "0640"}, 0o640, True),
        ({"present": True}, "", True),
        ({"present": False}, "x", False),
    ],
)
def test_values_are_tested_as_they_read(document: object, value: Value, result: bool) -> None:
    assert holds(expect(document), value) is result


@given(
    st.one_of(
        st.builds(lambda v: {"equals": v}, st.one_of(st.text(), st.integers(), st.booleans())),
        st.builds(lambda v: {"not_equals": v}, st.text()),
        st.builds(lambda v: {"none_of": v}, st.lists(st.text(), min_size=1)),
        st.builds(lambda v: {"at_most": v}, st.integers()),
        st.just({"not_matches": "x"}),
        st.just({"present": True}),
    )
)
def test_unset_satisfies_nothing_but_absence(document: dict[str, object]) -> None:
    assert holds(expect(document), None) is False
    assert holds(expect(document | {"or_absent": True}), None) is True


@given(st.text())
def test_only_whole_numbers_are_numbers(text: str) -> None:
    number = as_number(text)
    if number is not None:
        assert int(text.strip()) == number


@pytest.mark.parametrize("text", ["0\x1f", "\x1c1", "1\u2003", "1\x85", "1\x0b", "9" * 5000])
def test_a_number_beside_what_is_no_blank_is_none(text: str) -> None:
    assert as_number(text) is None


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"at_least": 1}, Kind.FLAG),
        ({"no_more_than": "0640"}, Kind.TEXT),
        ({"includes": ["x"]}, Kind.TEXT),
        ({"matches": "x"}, Kind.MODE),
    ],
)
def test_a_test_that_does_not_fit_its_field_is_told(document: object, kind: Kind) -> None:
    assert expect(document).problems(kind)


@pytest.mark.parametrize(
    "document", [{}, {"or_absent": True}, {"matches": "("}, {"no_more_than": "9"}, {"equls": 1}]
)
def test_an_expectation_that_says_nothing_or_nonsense_is_refused(document: object) -> None:
    with pytest.raises(ValidationError):
        expect(document)


def test_variables_are_bound_as_values_and_never_as_text() -> None:
    expectation = expect({"at_most": {"var": "days"}})
    assert expectation.variables() == {"days"}
    bound = expectation.bind({"days": Bound(90, Tier.DEFAULT)})
    assert holds(bound, "90")
    assert not holds(bound, "91")


def test_some_values_may_be_as_good_whatever_else_is_tested() -> None:
    unlock = expect({"at_least": 900, "or_one_of": ["0", "never"]})
    assert [v for v in ("0", "never", "900", "60", "00", "1000") if holds(unlock, v)] == [
        "0", "never", "900", "1000",
    ]  # fmt: skip
    assert not holds(unlock, None)
    assert sentence(unlock, Kind.TEXT) == "at least 900, or 0 or never"


def test_a_pattern_is_said_in_words() -> None:
    path = expect({"matches": "/.+", "meaning": "an absolute path", "or_absent": True})
    assert sentence(path, Kind.TEXT) == "an absolute path, or not set"
    with pytest.raises(ValidationError, match="for patterns"):
        expect({"equals": "x", "meaning": "an x"})


def test_sentences_are_for_people() -> None:
    assert sentence(expect({"at_least": 1, "at_most": 365}), Kind.TEXT) == (
        "at least 1 and at most 365"
    )
    assert sentence(expect({"no_more_than": "0640"}), Kind.MODE) == "no more open than 0640"
    assert sentence(expect(True), Kind.FLAG) == "yes"
    assert shown(0o640, Kind.MODE) == "0640"
    assert shown(None, Kind.TEXT) == "not set"


@pytest.mark.parametrize(
    ("test", "kind", "said"),
    [
        ("one_of", Kind.TEXT, "one of an empty list"),
        ("none_of", Kind.TEXT, "none of an empty list"),
        ("only", Kind.WORDS, "only an empty list"),
    ],
)
def test_an_empty_list_is_said_to_be_one(test: str, kind: Kind, said: str) -> None:
    assert sentence(expect({test: []}), kind) == said
