"""A rule that supersedes others, where it is judged and where it is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from openwatch.cli.rules import app
from openwatch.engine.assess import Verdict, assess
from openwatch.engine.assess.memo import Memo
from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.rules import Corpus, Rule, load_corpus
from openwatch.engine.rules.conflicts import conflicts, losses
from openwatch.engine.rules.corpus import Framework
from openwatch.engine.snapshot import make_snapshot
from openwatch.kit.errors import OpenWatchError

pytestmark = pytest.mark.ac("rules-14")

KEYS = {"new": "kernel.new", "old": "kernel.old", "older": "kernel.older"}


def rule(name: str, **more: Any) -> Rule:
    """Return a rule that wants the kernel parameter of its name to be 1."""
    plain: dict[str, Any] = {
        "id": name, "title": "A rule of a test", "description": "Something has to be so.",
        "rationale": "It is needed for a test.", "severity": "low", "category": "kernel",
        "references": {"nist_800_53": ["CM-6"]}, "platforms": [{"family": "debian"}],
        "check": {"sysctl": {"key": KEYS[name]}, "expect": {"running": "1"}},
        "fix": "Do what is wanted.", "sources": ["a test"],
    }  # fmt: skip
    return Rule.model_validate(plain | more)


def framework(**more: Any) -> Framework:
    return Framework.model_validate({"title": "T", "publisher": "P", "version": "1"} | more)


FRAMEWORKS = {
    "nist_800_53": framework(),
    "cis_rhel9": framework(platform={"family": "rhel", "min": "9", "max": "9"}),
}


def corpus(*rules: Rule) -> Corpus:
    return Corpus({r.id: r for r in rules}, {}, FRAMEWORKS)


def judged(rules: Corpus, **answers: bytes | Reason) -> Mapping[str, tuple[Verdict, str]]:
    """Return verdict and message of each rule on a host with these parameters."""
    facts = [Fact(Request("os_release"), "cat", b"ID=debian\nVERSION_ID=12\n")]
    for name, answer in answers.items():
        request, command = Request("sysctl", KEYS[name]), f"sysctl -n {KEYS[name]}"
        lost = CouldNot(answer) if isinstance(answer, Reason) else None
        output = b"" if isinstance(answer, Reason) else answer
        facts.append(Fact(request, command, output, could_not=lost))
    snapshot = make_snapshot(facts, taken_at=datetime.now(UTC), privilege="root")
    plain = assess(rules, snapshot)
    memo = Memo(rules)
    for _ in range(2):
        assert assess(rules, snapshot, memo=memo) == plain
    return {o.rule_id: (o.verdict, o.message) for o in plain}


YES, NO = b"=1\n", b"=0\n"
NEW = rule("new", supersedes=["old"])


@pytest.mark.parametrize(("answer", "verdict"), [(YES, Verdict.PASS), (NO, Verdict.FAIL)])
@pytest.mark.parametrize("other", [YES, NO, Reason.DENIED])
def test_a_rule_that_is_judged_takes_the_place_of_the_other(
    answer: bytes, verdict: Verdict, other: bytes | Reason
) -> None:
    found = judged(corpus(NEW, rule("old")), new=answer, old=other)
    assert found["new"][0] is verdict
    assert found["old"] == (
        Verdict.NOT_APPLICABLE, "The rule new is judged in its place on this host.",
    )  # fmt: skip


GATE = {"sysctl": {"key": "kernel.new"}, "expect": {"running": "1"}}


@pytest.mark.parametrize(
    ("new", "answer", "verdict"),
    [
        (NEW, Reason.TIMED_OUT, Verdict.ERROR),
        (rule("new", supersedes=["old"], when=GATE), NO, Verdict.NOT_APPLICABLE),
        (
            rule("new", supersedes=["old"], platforms=[{"family": "rhel"}]),
            YES,
            Verdict.NOT_APPLICABLE,
        ),
        (
            rule("new", supersedes=["old"], check=None, manual="Somebody has to look at it."),
            YES,
            Verdict.MANUAL,
        ),
    ],
)
def test_a_rule_that_is_not_judged_hides_nothing(
    new: Rule, answer: bytes | Reason, verdict: Verdict
) -> None:
    found = judged(corpus(new, rule("old")), new=answer, old=NO)
    assert (found["new"][0], found["old"][0]) == (verdict, Verdict.FAIL)


def test_a_rule_that_was_not_asked_for_hides_nothing() -> None:
    both = corpus(NEW, rule("old"))
    assert judged(both.only(["old"]), new=YES, old=NO)["old"][0] is Verdict.FAIL


def test_a_superseded_rule_hands_on_to_the_one_above_it() -> None:
    three = corpus(NEW, rule("old", supersedes=["older"]), rule("older"))
    found = judged(three, new=NO, old=YES, older=NO)
    assert found["older"] == found["old"]
    assert "new is judged" in found["older"][1]
    found = judged(three, new=Reason.DENIED, old=YES, older=NO)
    assert [found[n][0].value for n in KEYS] == ["error", "pass", "not_applicable"]
    found = judged(three, new=YES, old=Reason.DENIED, older=NO)
    assert [found[n][0].value for n in KEYS] == ["pass", "not_applicable", "fail"]


def test_of_what_does_not_apply_anyway_the_own_reason_stays() -> None:
    old = rule("old", platforms=[{"family": "rhel"}])
    assert "not for" in judged(corpus(NEW, old), new=YES, old=NO)["old"][1]


WEAK = {"nist_800_53": {"CM-6": "informs"}}


@pytest.mark.parametrize(
    ("new", "old", "told"),
    [
        ({}, {}, ""),
        ({}, {"references": {"nist_800_53": ["CM-6", "AC-3"]}}, "does not cite nist_800_53 AC-3"),
        ({"relations": WEAK}, {}, "says less of nist_800_53 CM-6"),
        ({"relations": WEAK}, {"relations": WEAK}, ""),
        ({}, {"references": {"cis_rhel9": ["1.1"]}}, ""),
        (
            {"platforms": [{"family": "rhel", "min": "9"}]},
            {"platforms": [{"family": "rhel"}], "references": {"cis_rhel9": ["1.1"]}},
            "does not cite cis_rhel9 1.1",
        ),
        ({"platforms": [{"family": "rhel"}]}, {}, "never meets on a host"),
    ],
)
def test_what_would_be_lost_is_told(new: dict[str, Any], old: dict[str, Any], told: str) -> None:
    rules = corpus(rule("new", supersedes=["old"], **new), rule("old", **old))
    assert [str(loss) for loss in losses(rules)] == (
        [f"new and old: new supersedes {'a rule that it ' if 'never' in told else 'it and '}{told}"]
        if told
        else []
    )


def test_rules_that_are_never_both_judged_do_not_clash() -> None:
    other = {"check": {"sysctl": {"key": "kernel.new"}, "expect": {"running": "0"}}}
    assert conflicts(corpus(rule("new"), rule("old", **other)))
    assert not conflicts(corpus(NEW, rule("old", **other)))


TEXT = """\
id: {id}
title: A rule of a test
description: Something has to be so.
rationale: It is needed for a test.
severity: low
category: kernel
references: {{nist_800_53: [CM-6{more}]}}
platforms: [{{family: debian}}]
check:
  sysctl: {{key: kernel.{id}}}
  expect: {{running: "1", configured: "1"}}
supersedes: [{names}]
fix: Do what is wanted.
sources: [a test]
"""


def directory(tmp_path: Path, *, more: str = "", **names: str) -> Path:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "frameworks").mkdir()
    (tmp_path / "frameworks/index.yml").write_text(
        "frameworks:\n  nist_800_53: {title: T, publisher: P, version: V}\n"
    )
    (tmp_path / "variables.yml").write_text(
        "variables:\n  days: {type: integer, description: A number of days, default: 1}\n"
    )
    for name, others in names.items():
        text = TEXT.format(id=name, names=others, more=more if name == "old" else "")
        (tmp_path / f"kernel/{name}.yml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"new": "old"}, "kernel/new.yml:1: it supersedes the unknown rule 'old'. Mend the id."),
        ({"new": "new"}, "kernel/new.yml:1: it supersedes itself: new > new. Cut one."),
        ({"new": "old", "old": "older", "older": "new"}, "it supersedes itself: "),
    ],
)
def test_the_loader_refuses(tmp_path: Path, names: dict[str, str], told: str) -> None:
    with pytest.raises(OpenWatchError) as caught:
        load_corpus(directory(tmp_path, **names))
    assert told in caught.value.message


def test_both_rules_are_shown_with_the_other(tmp_path: Path) -> None:
    place = str(directory(tmp_path, new="old", old=""))
    shown = [
        CliRunner().invoke(app, ["show", name, "--rules", place]).output for name in ("new", "old")
    ]
    assert "Supersedes\n  old" in shown[0]
    assert "Superseded by\n  new" in shown[1]
    listed = CliRunner().invoke(app, ["docs", "--rules", place]).output
    assert "takes the place of [old](#old)." in listed


def test_lint_tells_what_would_be_lost(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["lint", str(directory(tmp_path, new="old", old="", more=", AC-3"))]
    )
    assert isinstance(result.exception, OpenWatchError)
    assert "does not cite nist_800_53 AC-3" in result.exception.message
