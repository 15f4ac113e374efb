"""A broken rule is told with its file, its line, what is wrong and what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from openwatch.engine.assess import Verdict, assess
from openwatch.engine.facts import Fact, Request
from openwatch.engine.rules import Rule, load_corpus
from openwatch.engine.rules.yaml import parse
from openwatch.engine.snapshot import make_snapshot
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
        (("severity: low", "? [a, b]\n: c"), ":5: not YAML: a list or a mapping is no key"),
        (
            ("title: An example of a rule", f"title: {'[' * 50000}{']' * 50000}"),
            ":2: not YAML: it is nested too deeply",
        ),
        # What can never hold would be a filter that lets nothing through.
        (
            (
                "sysctl: {key: kernel.sysrq}\n  expect: {running: 0}",
                "unit: {name: a.service}\n  expect: {masked: yes}",
            ),
            "'yes' is never the value of a field of type flag: write true or false",
        ),
        (
            (
                "sysctl: {key: kernel.sysrq}\n  expect: {running: 0}",
                'account: {}\n  where: {uid: "0"}\n  count: 1',
            ),
            "'0' is never the value of a field of type number",
        ),
        (("{running: 0}", "{running: true}"), "True is never the value of a field of type text"),
        (
            (
                "sysctl: {key: kernel.sysrq}\n  expect: {running: 0}",
                "account: {}\n  count: {includes: [a]}",
            ),
            "count: `includes` does not fit a field of type number",
        ),
        (
            (
                "sysctl: {key: kernel.sysrq}\n  expect: {running: 0}",
                "unit: {name: sshd}\n  expect: {enabled: true}",
            ),
            "'sshd' is not the whole name of a unit",
        ),
        (
            ("{running: 0}", "{running: {one_of: {var: days}}}"),
            "the variable 'days' of type integer does not fit `one_of`",
        ),
        (
            (
                "sysctl: {key: kernel.sysrq}\n  expect: {running: 0}",
                'line: {file: "/etc/shado?", pattern: ".*"}\n  count: 0',
            ),
            "holds secrets",
        ),
        (
            (
                "sysctl: {key: kernel.sysrq}\n  expect: {running: 0}",
                'line: {file: "/etc/ssh/../shadow", pattern: ".*"}\n  count: 0',
            ),
            "a path is absolute",
        ),
        (('min: "12"', "min: 12"), ":10: platforms.0.min"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    message = problem(tmp_path, GOOD.replace(*change))
    assert told in message
    assert "kernel/example-rule.yml:" in message


def test_two_rules_with_one_id_are_told(tmp_path: Path) -> None:
    directory = corpus_with(tmp_path, GOOD)
    (directory / "network").mkdir()
    other = GOOD.replace("category: kernel", "category: network")
    (directory / "network" / "example-rule.yml").write_text(other)
    with pytest.raises(OpenWatchError) as caught:
        load_corpus(directory)
    assert "network/example-rule.yml:1: the id 'example-rule' is that of kernel/" in (
        caught.value.message
    )


@pytest.mark.parametrize(
    "name", ["kernel/other.yaml", "other.yml", "kernel/deep/other.yml", "frameworks/other.yml"]
)
def test_a_rule_that_is_not_read_is_told(tmp_path: Path, name: str) -> None:
    directory = corpus_with(tmp_path, GOOD)
    (directory / name).parent.mkdir(exist_ok=True)
    (directory / name).write_text(GOOD)
    with pytest.raises(OpenWatchError) as caught:
        load_corpus(directory)
    assert f"{name}:1: it is not read" in caught.value.message


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    broken = GOOD.replace("severity: low", "severity: urgent").replace("id: ex", "id: EX")
    message = problem(tmp_path, broken)
    assert message.startswith("2 problem(s)")


@pytest.mark.parametrize(
    "text",
    [
        "{type: list, description: Some words of it, default: 5}",
        '{type: list, description: Some words of it, default: ["a", ""]}',
        '{type: integer, description: A number of it, default: "1_0"}',
        '{type: integer, description: A number of it, default: " 1"}',
    ],
)
def test_a_default_that_does_not_fit_is_told(tmp_path: Path, text: str) -> None:
    directory = corpus_with(tmp_path, GOOD)
    (directory / "variables.yml").write_text(f"variables:\n  words: {text}\n")
    with pytest.raises(OpenWatchError, match=r"variables\.yml:2: variables\.words"):
        load_corpus(directory)


@pytest.mark.parametrize("where", ["rule", "implementation"])
def test_a_gate_whose_variable_is_not_set_is_not_configured(tmp_path: Path, where: str) -> None:
    gate = "when: {sysctl: {key: kernel.a}, expect: {running: {at_least: {var: days}}}}"
    text = GOOD.replace("check:", f"{gate}\ncheck:")
    if where == "implementation":
        text = GOOD.replace(
            "check:\n  sysctl: {key: kernel.sysrq}\n  expect: {running: 0}",
            f"implementations:\n  - {gate}\n"
            "    check: {sysctl: {key: kernel.sysrq}, expect: {running: 0}}",
        )
    directory = corpus_with(tmp_path, text)
    (directory / "variables.yml").write_text(
        "variables:\n  days: {type: integer, description: A number of days}\n"
    )
    release = Fact(Request("os_release"), "cat", b"ID=debian\nVERSION_ID=12\n")
    snapshot = make_snapshot([release], taken_at=datetime.now(UTC), privilege="root")
    (outcome,) = assess(load_corpus(directory), snapshot)
    assert outcome.verdict is Verdict.NOT_CONFIGURED
    assert "days" in outcome.message


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(OpenWatchError, match="gone is not a directory"):
        load_corpus(tmp_path / "gone")


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
