"""The language of group rules: what it understands, and what it says of the rest."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.fleet.groups.expression import (
    FIELDS,
    MAX_DEPTH,
    MAX_LENGTH,
    OPERATORS,
    AllOf,
    AnyOf,
    Comparison,
    Expression,
    Kind,
    Not,
    Operator,
    parse,
)
from openwatch.kit.errors import OpenWatchError

OS = FIELDS["os"]
TAG = FIELDS["tag"]


def is_os(*values: str) -> Comparison:
    return Comparison(OS, Operator.EQUAL, values)


@pytest.mark.ac("fleet-21")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("os = debian", is_os("debian")),
        ("OS=debian", is_os("debian")),
        ("os in (a, b)", is_os("a", "b")),
        ("os not in (a)", Not(is_os("a"))),
        ("os is set", Comparison(OS, Operator.SET, ())),
        ("os is not set", Not(Comparison(OS, Operator.SET, ()))),
        ("not not os = a", is_os("a")),
        ("((os = a))", is_os("a")),
        ("os = a or os = b and os = c", AnyOf((is_os("a"), AllOf((is_os("b"), is_os("c")))))),
        ("(os = a or os = b) AND os = c", AllOf((AnyOf((is_os("a"), is_os("b"))), is_os("c")))),
        ("not os = a and os = b", AllOf((Not(is_os("a")), is_os("b")))),
        ("tag !~ web-*", Comparison(TAG, Operator.UNLIKE, ("web-*",))),
        ('os = "two words"', is_os("two words")),
        (r"os = 'it\'s \\'", is_os("it's \\")),
        ("os = and", is_os("and")),
        ("os = not", is_os("not")),
        ("os = set", is_os("set")),
        (
            "score>=80.5",
            Comparison(FIELDS["score"], Operator.AT_LEAST, ("80.5",)),
        ),
        ("os_version < 22.04", Comparison(FIELDS["os_version"], Operator.LESS, ("22.04",))),
        (
            "address = 2001:db8::/32",
            Comparison(FIELDS["address"], Operator.EQUAL, ("2001:db8::/32",)),
        ),
    ],
)
def test_what_a_rule_means(text: str, meant: Expression) -> None:
    assert parse(text) == meant


@pytest.mark.ac("fleet-22")
@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "expected (, a field, not, found the end"),
        ("os", 3, "expected a comparison, in, is, not, found the end"),
        ("os =", 5, "expected a value, found the end"),
        ("os = a os = b", 8, "expected and, or, the end, found 'os'"),
        ("os = a)", 7, "expected the end, found ')'"),
        ("(os = a", 8, "expected ), found the end"),
        ("system = a", 1, "there is no field 'system'; known are name, address"),
        ("tag < 3", 1, "tag cannot be compared with <"),
        ("os = a and score = high", 20, "score is compared with a number, not with 'high'"),
        ("os_version >= twelve", 15, "a version such as 9 or 22.04"),
        ("address = 10.0.0.0/33", 11, "is not a network such as 10.0.0.0/8"),
        ("os = 'a", 6, 'expected a value, found "\'"'),
        ("os & a", 4, "found '&'"),
        ("os in ()", 8, "expected a value, found ')'"),
        ("os = a\0", 6, "no NUL"),
    ],
)
def test_what_is_said_of_a_rule_that_is_not_understood(text: str, column: int, said: str) -> None:
    with pytest.raises(OpenWatchError) as caught:
        parse(text)
    assert caught.value.code == "group.rule_invalid"
    assert caught.value.params["column"] == column
    assert said in caught.value.message


@pytest.mark.ac("fleet-22")
def test_a_rule_is_neither_endless_nor_bottomless() -> None:
    deepest = "not (os = a or " * (MAX_DEPTH // 2 - 1) + "os = a" + ")" * (MAX_DEPTH // 2 - 1)
    assert parse(deepest)
    with pytest.raises(OpenWatchError, match="deep"):
        parse("not (os = a or " * MAX_DEPTH + "os = a" + ")" * MAX_DEPTH)
    with pytest.raises(OpenWatchError, match="at most"):
        parse("os = " + "a" * MAX_LENGTH)


TOKENS = st.sampled_from(
    ["(", ")", ",", "and", "or", "not", "in", "is", "set", "=", "!=", "~", "<", ">=", '"', "'",
     "\\", "os", "tag", "score", "os_version", "address", "debian", "12", "10.0.0.0/8", " ", "\0"]
)  # fmt: skip


@pytest.mark.ac("fleet-22")
@given(st.lists(TOKENS | st.text(max_size=3), max_size=60).map(" ".join) | st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    refusal = refusal_of(text)
    if refusal is not None:
        assert refusal.code == "group.rule_invalid"
        assert 1 <= int(str(refusal.params["column"])) <= len(text) + 1
        assert refusal.message


def refusal_of(text: str) -> OpenWatchError | None:
    try:
        parse(text)
    except OpenWatchError as error:
        return error
    return None


def written(expression: Expression) -> str:
    match expression:
        case Comparison(field, Operator.SET, _):
            return f"{field.name} is set"
        case Comparison(field, operator, (value,)):
            return f"{field.name} {operator} {quoted(value)}"
        case Comparison(field, _, values):
            return f"{field.name} in ({', '.join(quoted(value) for value in values)})"
        case Not(inner):
            return f"not ({written(inner)})"
        case AllOf(parts):
            return " and ".join(f"({written(part)})" for part in parts)
        case AnyOf(parts):
            return " or ".join(f"({written(part)})" for part in parts)


def quoted(value: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


VALUES = {
    Kind.TEXT: st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8
    ),
    Kind.TAGS: st.sampled_from(["web", "two words", 'q"', "back\\slash"]),
    Kind.ADDRESS: st.sampled_from(["10.0.0.0/8", "web-1", "::1"]),
    Kind.VERSION: st.from_regex(r"\A[0-9]{1,4}(\.[0-9]{1,3}){0,2}\Z"),
    Kind.NUMBER: st.integers(-5, 200).map(str),
}


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    field = draw(st.sampled_from(list(FIELDS.values())))
    operator = draw(st.sampled_from(sorted(OPERATORS[field.kind])))
    if operator is Operator.SET:
        return Comparison(field, operator, ())
    most = 3 if operator is Operator.EQUAL else 1
    values = draw(st.lists(VALUES[field.kind], min_size=1, max_size=most))
    return Comparison(field, operator, tuple(values))


def combined(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    negated = inner.filter(lambda one: not isinstance(one, Not)).map(Not)
    return negated | several.map(AllOf) | several.map(AnyOf)


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(comparisons(), combined, max_leaves=6)


@pytest.mark.ac("fleet-21")
@given(EXPRESSIONS)
def test_what_is_written_is_what_is_read(expression: Expression) -> None:
    assert parse(written(expression)) == expression
