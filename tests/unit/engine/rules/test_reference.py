"""The list of all rules in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openwatch.engine.rules import load_corpus
from openwatch.engine.rules.reference import rule_list

DOCS = Path(__file__).resolve().parents[4] / "docs"
PAGE = DOCS / "rule-list.md"
COMMAND = "openwatch rules docs --list --output docs/rule-list.md"


@pytest.mark.ac("rules-15")
def test_the_list_of_rules_is_what_the_corpus_says() -> None:
    # Not compared as one text: a difference of two long texts takes a minute to print.
    written, now = PAGE.read_text("utf-8").splitlines(), rule_list(load_corpus()).splitlines()
    assert sorted(set(now) ^ set(written)) == [], f"run `{COMMAND}`"
    assert written == now, f"run `{COMMAND}`"


@pytest.mark.ac("rules-15")
def test_the_list_names_every_rule_once_with_a_file_that_is_there() -> None:
    corpus = load_corpus()
    links = re.findall(r"^\| \[([a-z0-9-]+)\]\(([^)]+)\) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(rule for rule, _ in links) == sorted(corpus.rules)
    assert [path for _, path in links if not (DOCS / path).is_file()] == []
    assert "(docs/rule-list.md)" in (DOCS.parent / "README.md").read_text("utf-8")
