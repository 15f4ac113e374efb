"""Results in other formats: hostile values stay data."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openwatch.engine.assess import Observation, Outcome, Verdict
from openwatch.engine.interchange.results import HostResult, to_csv, to_json, to_junit
from openwatch.engine.rules import load_corpus
from openwatch.engine.rules.schema import Severity

RULES = load_corpus().rules
RULE = "aslr-enabled"


def result(text: str) -> HostResult:
    observation = Observation("f", "s", "value", expected=text, actual=text, satisfied=False)
    outcome = Outcome(RULE, Verdict.FAIL, Severity.HIGH, text, observations=(observation,))
    return HostResult("web1", None, (outcome,))


@pytest.mark.ac("check-cli-03")
@given(st.text(), st.sampled_from(["", "=", "+", "-", "@", "\t", "\r"]))
@example("=", "\r")
@example("\r=", "x")
def test_no_cell_is_a_formula(text: str, first: str) -> None:
    rows = list(csv.reader(io.StringIO(to_csv([result(first + text)], RULES), newline="")))
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.ac("check-cli-03")
@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_junit_is_well_formed_whatever_a_host_printed(text: str) -> None:
    root = ElementTree.fromstring(to_junit([result(text)], RULES))
    assert root.find("./testsuite/testcase/failure") is not None


def test_verdicts_have_their_own_elements() -> None:
    outcomes = tuple(Outcome(RULE, verdict, Severity.HIGH, "because") for verdict in Verdict)
    root = ElementTree.fromstring(to_junit([HostResult("web1", None, outcomes)], RULES))
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "1", "3")
    assert to_json([HostResult("web1", None, outcomes)], RULES).count('"verdict"') == 6
