"""Lists of controls, relations and the arithmetic of coverage, on small corpora."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.rules import Corpus, load_corpus
from openwatch.engine.rules.controls import ControlList, natural_key
from openwatch.engine.rules.coverage import (
    Coverage,
    State,
    coverage,
    mapped_control,
    mapped_controls,
)
from openwatch.engine.rules.schema import Relation
from openwatch.kit.errors import OpenWatchError

INDEX = """\
frameworks:
  bench: {title: Bench, publisher: P, version: V, platform: {family: debian, min: "12", max: "12"}}
  catalogue: {title: Catalogue, publisher: P, version: V, relation: contributes}
  derived:
    title: Derived
    publisher: P
    version: V
    derived: {through: catalogue, source: a public mapping}
"""

LISTS = {
    "bench": """\
sections: {"1": One, "1.1": Two, "10": Ten}
controls:
  - {id: "1.1.1", server: 1, workstation: 2, title: First}
  - {id: "1.1.2", title: Second}
  - {id: "1.1.10", title: Tenth}
  - {id: "1.2", manual: true, title: By hand}
  - {id: "10.1", title: Last}
""",
    "catalogue": """\
controls:
  - {id: AA-1, title: One}
  - {id: AA-2, title: Two}
  - {id: AA-3, manual: true, title: Three}
""",
    "derived": """\
controls:
  - {id: AA-1}
  - {id: D-2, through: [AA-1, AA-2], title: Both}
  - {id: D-3, through: [AA-3], title: By hand}
  - {id: D-4, through: [], title: Without a counterpart}
""",
}

RULE = """\
id: {id}
title: A rule of the name {id}
description: It says what is wanted of a host.
rationale: It says why somebody would want that.
severity: low
category: kernel
references: {references}
relations: {relations}
platforms:
  - {{family: debian, min: "12"}}
  - {{family: rhel, min: "9"}}
{judged}
fix: Set kernel.sysrq to 0.
sources: ["sysctl.d(5)"]
"""

CHECK = "check:\n  sysctl: {key: kernel.sysrq}\n  expect: {running: 0}"
MANUAL = "manual: A person has to look whether this is wanted."
ELSEWHERE = (
    "implementations:\n"
    '  - platforms: [{family: rhel, min: "9"}]\n'
    "    check: {sysctl: {key: kernel.sysrq}, expect: {running: 0}}\n"
    "  - manual: A person has to look whether this is wanted."
)


def rule(
    name: str, references: str, *, relations: str = "{}", judged: str = CHECK
) -> tuple[str, str]:
    return name, RULE.format(id=name, references=references, relations=relations, judged=judged)


def corpus_of(
    tmp_path: Path, *rules: tuple[str, str], lists: dict[str, str] | None = None, index: str = INDEX
) -> Corpus:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "frameworks").mkdir()
    (tmp_path / "frameworks" / "index.yml").write_text(index)
    for name, text in rules:
        (tmp_path / "kernel" / f"{name}.yml").write_text(text)
    for name, text in (LISTS if lists is None else lists).items():
        (tmp_path / "frameworks" / f"{name}.yml").write_text(text)
    return load_corpus(tmp_path)


def told(tmp_path: Path, *rules: tuple[str, str], **files: dict[str, str] | str) -> str:
    with pytest.raises(OpenWatchError) as caught:
        _ = corpus_of(tmp_path, *rules, **files).controls  # type: ignore[arg-type]
    assert caught.value.code == "rules.invalid"
    return caught.value.message


PLAIN = rule("plain", '{bench: ["1.1.1"], catalogue: [AA-1]}')


@pytest.mark.ac("frameworks-05")
def test_the_sums_add_up(tmp_path: Path) -> None:
    corpus = corpus_of(
        tmp_path,
        PLAIN,
        rule("partly", '{bench: ["1.1.2"]}', relations='{bench: {"1.1.2": contributes}}'),
        rule("tells", '{bench: ["10.1"]}', relations='{bench: {"10.1": informs}}'),
        rule("by-hand", '{bench: ["1.1.10", "1.2"]}', judged=MANUAL),
    )
    assert coverage(corpus, "bench") == Coverage(
        "bench", total=5, manual=1, covered=1, partial=1, uncovered=2
    )
    assert coverage(corpus, "bench").covered_percent == 25.0
    assert coverage(corpus, "bench").evidenced_percent == 50.0


@pytest.mark.ac("frameworks-05")
def test_only_a_check_on_the_platform_of_the_benchmark_covers(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, rule("elsewhere", '{bench: ["1.1.1"]}', judged=ELSEWHERE))
    mapped = mapped_control(corpus, "bench", "1.1.1")
    assert [m.measured for m in mapped.rules] == [False]
    assert mapped.state is State.UNCOVERED


@pytest.mark.ac("frameworks-05")
def test_a_manual_control_stays_manual_even_with_a_check(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, rule("eager", '{bench: ["1.2"]}'))
    assert mapped_control(corpus, "bench", "1.2").state is State.MANUAL


@pytest.mark.ac("frameworks-05")
@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_a_share_is_never_rounded_up(covered: int, partial: int, missing: int, manual: int) -> None:
    found = Coverage("x", covered + partial + missing + manual, manual, covered, partial, missing)
    assert found.automatable == covered + partial + missing
    if found.automatable == 0:
        assert found.covered_percent is None
    else:
        assert found.covered_percent is not None
        assert (found.covered_percent == 100.0) == (covered == found.automatable)
        assert found.covered_percent <= 100 * covered / found.automatable


@pytest.mark.ac("frameworks-06")
def test_a_derived_framework_has_the_rules_of_its_mapping(tmp_path: Path) -> None:
    relations = "{catalogue: {AA-1: satisfies}}"
    corpus = corpus_of(
        tmp_path,
        rule("strong", "{catalogue: [AA-1]}", relations=relations),
        rule("weak", "{catalogue: [AA-2]}"),
        rule("hint", "{catalogue: [AA-2]}", relations="{catalogue: {AA-2: informs}}"),
    )
    same, both, by_hand, without = mapped_controls(corpus, "derived")
    assert (same.title, same.state) == ("One", State.COVERED)
    assert {m.rule.id: m.relation for m in both.rules} == {
        "strong": Relation.CONTRIBUTES,
        "weak": Relation.CONTRIBUTES,
        "hint": Relation.INFORMS,
    }
    assert both.state is State.PARTIAL
    assert (by_hand.state, without.state) == (State.MANUAL, State.MANUAL)
    assert corpus.cited_by("derived").rules.keys() == {"strong", "weak", "hint"}


@pytest.mark.ac("frameworks-06")
def test_a_derived_control_that_a_person_judges_is_only_informed_of(tmp_path: Path) -> None:
    lists = {
        **LISTS,
        "derived": """\
controls:
  - {id: D-1, through: [AA-1, AA-3], manual: true, reason: Somebody has to read it., title: Read}
  - {id: D-2, through: [AA-1], title: Measured, specification: addressable}
""",
    }
    relations = "{catalogue: {AA-1: satisfies}}"
    corpus = corpus_of(
        tmp_path, rule("strong", "{catalogue: [AA-1]}", relations=relations), lists=lists
    )
    read, measured = mapped_controls(corpus, "derived")
    assert (read.state, [m.relation for m in read.rules]) == (State.MANUAL, [Relation.INFORMS])
    assert measured.state is State.PARTIAL


@pytest.mark.ac("frameworks-04")
def test_a_rule_says_what_its_framework_says_or_what_it_says_itself(tmp_path: Path) -> None:
    corpus = corpus_of(
        tmp_path,
        rule("own", "{catalogue: [AA-1, AA-2]}", relations="{catalogue: {AA-2: informs}}"),
    )
    own = corpus.rule("own")
    assert corpus.relation(own, "catalogue", "AA-1") is Relation.CONTRIBUTES
    assert corpus.relation(own, "catalogue", "AA-2") is Relation.INFORMS


@pytest.mark.ac("frameworks-04")
@pytest.mark.parametrize(
    ("relations", "message"),
    [
        ("{catalogue: {AA-2: informs}}", "relations names catalogue AA-2, not referenced"),
        ("{bench: {'1.1.1': informs}}", "relations names bench 1.1.1, not referenced"),
        ("{catalogue: {AA-1: contributes}}", "catalogue AA-1 what holds without it. Remove it"),
        ("{catalogue: {AA-1: proves}}", "kernel/odd.yml:8: relations.catalogue.AA-1"),
    ],
)
def test_a_relation_that_means_nothing_is_refused(
    tmp_path: Path, relations: str, message: str
) -> None:
    assert message in told(tmp_path, rule("odd", "{catalogue: [AA-1]}", relations=relations))


@pytest.mark.ac("frameworks-03")
def test_a_control_that_does_not_exist_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    message = told(tmp_path, rule("typo", '{bench: ["1.1.11"]}'))
    assert "kernel/typo.yml:1: bench has no control '1.1.11'. Did you mean '1.1.1" in message


@pytest.mark.ac("frameworks-03")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('controls: [{id: "1", titel: T}]', "frameworks/bench.yml:1: unknown key"),
        ("sections: {}\ncontrols: []", "frameworks/bench.yml:2: controls"),
        ('controls: [{id: "1.1.1", title: One}, {id: "1.1.1", title: Two}]', "names twice: 1.1.1"),
        ('controls: [{id: "1.1.1", title: One, server: 3}]', "frameworks/bench.yml:1: "),
        (
            'controls: [{id: "1.1.1", title: One, reason: A person reads it.}]',
            "1.1.1 has a reason, and is not manual",
        ),
        (
            'controls: [{id: "1.1.1", title: One}, {id: "2"}]',
            "frameworks/bench.yml:1: 2 has no title. Give it one, or a rule that satisfies it.",
        ),
    ],
)
def test_a_wrong_list_is_told(tmp_path: Path, text: str, message: str) -> None:
    assert message in told(tmp_path, PLAIN, lists={**LISTS, "bench": text})


@pytest.mark.ac("frameworks-03")
def test_a_list_of_no_framework_is_told(tmp_path: Path) -> None:
    message = told(tmp_path, PLAIN, lists={**LISTS, "bensh": LISTS["bench"]})
    assert "frameworks/bensh.yml:1: it is not read" in message


@pytest.mark.ac("frameworks-03")
def test_a_derived_control_without_its_source_is_told(tmp_path: Path) -> None:
    lists = {**LISTS, "derived": "controls: [{id: D-1, through: [AA-9], title: One}]"}
    assert "frameworks/derived.yml:1: catalogue has no control 'AA-9'" in told(
        tmp_path, PLAIN, lists=lists
    )


@pytest.mark.ac("frameworks-03")
@pytest.mark.parametrize("through", ["nothing", "derived"])
def test_a_framework_that_is_derived_through_nothing_is_told(tmp_path: Path, through: str) -> None:
    index = INDEX.replace("through: catalogue", f"through: {through}")
    message = told(tmp_path, PLAIN, index=index)
    assert f"derived is derived through '{through}'" in message


@pytest.mark.ac("frameworks-03")
def test_a_derived_framework_is_not_cited_itself(tmp_path: Path) -> None:
    message = told(tmp_path, rule("direct", "{derived: [AA-1]}"))
    assert "it cites derived, which is derived through catalogue" in message


@pytest.mark.ac("frameworks-03")
def test_a_benchmark_is_cited_for_its_platform_alone(tmp_path: Path) -> None:
    name, text = rule("astray", '{bench: ["1.1.1"]}')
    text = text.replace('  - {family: debian, min: "12"}\n', "")
    assert "it cites bench, and is not for that platform" in told(tmp_path, (name, text))


@pytest.mark.ac("frameworks-02")
def test_a_control_without_a_title_has_that_of_its_rule(tmp_path: Path) -> None:
    lists = {"bench": 'controls: [{id: "1.1.1"}]', "catalogue": LISTS["catalogue"]}
    corpus = corpus_of(tmp_path, PLAIN, lists=lists)
    assert mapped_control(corpus, "bench", "1.1.1").title == "A rule of the name plain"


def test_what_does_not_exist_is_told(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, PLAIN, lists={"bench": LISTS["bench"]})
    for framework, control, code in (
        ("nothing", "1", "framework.unknown"),
        ("catalogue", "AA-1", "framework.no_controls"),
        ("bench", "9.9", "control.unknown"),
    ):
        with pytest.raises(OpenWatchError) as caught:
            mapped_control(corpus, framework, control)
        assert caught.value.code == code


def test_sections_are_those_around_a_control() -> None:
    found = ControlList.model_validate(
        {
            "sections": {"1": "One", "1.1": "Two", "10": "Ten", "AC": "Access"},
            "controls": [{"id": "1.1.1", "title": "abc"}],
        }
    )
    assert found.path("1.1.1") == ("One", "Two")
    assert found.path("1.10") == ("One",)
    assert found.path("10.1") == ("Ten",)
    assert found.path("AC-2") == ("Access",)
    assert found.path("ACX-2") == ()


@pytest.mark.ac("frameworks-07")
def test_numbers_sort_as_numbers() -> None:
    ids = ["1.10", "1.9", "1.9.1", "AC-2(10)", "AC-2(9)", "AC-10", "AC-2"]
    assert sorted(ids, key=natural_key) == [
        "1.9", "1.9.1", "1.10", "AC-2", "AC-2(9)", "AC-2(10)", "AC-10",
    ]  # fmt: skip


@given(st.lists(st.text(max_size=12)))
def test_any_text_can_be_sorted(texts: list[str]) -> None:
    keys = sorted(map(natural_key, texts))
    assert keys == sorted(map(natural_key, reversed(texts)))
