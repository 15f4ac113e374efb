"""A broken rule is told with its file, its line, what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from openwatch.engine.rules import Rule, load_corpus
from openwatch.engine.rules.yaml import parse
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.resources import corpus_dir

GOOD = """\
id: example-rule
title: An example of a rule
description: It says what is wanted of a host.
rationale: It says why somebody would want that.
severity: low
category: kernel
references:
  nist_800_53: [CM-6]
platforms:
  - {family: debian, min: "12"}
check:
  sysctl: {key: kernel.sysrq}
  expect: {running: 0}
fix: Set kernel.sysrq to 0.
sources: ["sysctl.d(5)"]
"""


def corpus_with(tmp_path: Path, text: str, *, name: str = "example-rule") -> Path:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "frameworks").mkdir()
    (tmp_path / "kernel" / f"{name}.yml").write_text(text)
    (tmp_path / "frameworks" / "index.yml").write_text(
        "frameworks:\n  nist_800_53: {title: T, publisher: P, version: V}\n"
    )
    (tmp_path / "variables.yml").write_text(
        "variables:\n  days: {type: integer, description: A number of days, default: 1}\n"
    )
    return tmp_path


def problem(tmp_path: Path, text: str, *, name: str = "example-rule") -> str:
    with pytest.raises(OpenWatchError) as caught:
        load_corpus(corpus_with(tmp_path, text, name=name))
    assert caught.value.code == "rules.invalid"
    return caught.value.message


def test_a_good_rule_loads(tmp_path: Path) -> None:
    assert list(load_corpus(corpus_with(tmp_path, GOOD)).rules) == ["example-rule"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ("severity: low", "severitty: low"),
            ":5: unknown key 'severitty'. Did you mean 'severity'?",
        ),
        (("severity: low\n", ""), "the key 'severity' is missing"),
        (("severity: low", "severity: urgent"), ":5: severity: Input should be"),
        (
            ("key: kernel.sysrq", "kei: kernel.sysrq"),
            ":12: unknown key 'check.sysctl.kei'. Did you mean 'key'?",
        ),
        (("{running: 0}", "{value: 0}"), "sysctl has no field 'value'; it has running, configured"),
        (
            ("{running: 0}", "{running: {at_leest: 0}}"),
            ":13: unknown key 'check.expect.running.at_leest'",
        ),
        (
            ("{running: 0}", "{running: {includes: [a]}}"),
            "`includes` does not fit a field of type text",
        ),
        (("  expect: {running: 0}\n", ""), "a subject needs either `expect` or `count`"),
        (
            ("  sysctl: {key: kernel.sysrq}\n", "  sysctl: {key: kernel.sysrq}\n  account: {}\n"),
            "a check names exactly one of",
        ),
        (
            (
                "  sysctl: {key: kernel.sysrq}\n  expect: {running: 0}",
                "  account: {}\n  expect: {uid: 0}",
            ),
            "say with `if_none`",
        ),
        (
            ("category: kernel", "category: network"),
            ":6: the category 'network' is not the directory",
        ),
        (
            ("id: example-rule", "id: other-rule"),
            ":1: the id 'other-rule' is not the name of the file",
        ),
        (("nist_800_53", "nist_800_99"), "unknown framework 'nist_800_99'"),
        (("{running: 0}", "{running: {at_most: {var: dayz}}}"), "unknown variable 'dayz'"),
        (("  nist_800_53: [CM-6]", "  nist_800_53: []"), "no control is named for nist_800_53"),
        (
            ("severity: low", "severity: low\nseverity: high"),
            ":6: not YAML: the key 'severity' stands twice",
        ),
        (("title: An", "title: [An"), "not YAML"),
        (('min: "12"', "min: 12"), ":10: platforms.0.min"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    message = problem(tmp_path, GOOD.replace(*change))
    assert told in message
    assert "kernel/example-rule.yml:" in message


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    broken = GOOD.replace("severity: low", "severity: urgent").replace("id: ex", "id: EX")
    message = problem(tmp_path, broken)
    assert message.startswith("2 problem(s)")


def test_an_empty_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(OpenWatchError, match="no rule"):
        load_corpus(tmp_path)


def test_yaml_is_read_as_1_2() -> None:
    assert parse("a: no\nb: 0640\nc: yes\nd: 027\ne: 12\nf: true\ng: off\n") == {
        "a": "no", "b": "0640", "c": "yes", "d": "027", "e": 12, "f": True, "g": "off",
    }  # fmt: skip


def test_the_json_schema_accepts_every_built_in_rule() -> None:
    directory = corpus_dir()
    assert directory is not None
    validator = jsonschema.Draft202012Validator(Rule.model_json_schema())
    for path in sorted(directory.glob("*/*.yml")):
        if path.parent.name != "frameworks":
            errors = [e.message for e in validator.iter_errors(parse(path.read_text("utf-8")))]
            assert errors == [], path.name
