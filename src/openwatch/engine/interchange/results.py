"""Results of scans as JSON, CSV and JUnit XML. Pure: hosts' results go in, text comes out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

from openwatch.engine.assess import Outcome, Verdict, count_verdicts
from openwatch.engine.rules import Rule
from openwatch.engine.snapshot import Snapshot
from openwatch.kit.errors import OpenWatchError


@dataclass(frozen=True, slots=True)
class HostResult:
    """What came of one host: outcomes, or the error that kept it from being scanned."""

    host: str
    snapshot: Snapshot | None
    outcomes: tuple[Outcome, ...]
    error: OpenWatchError | None = None


Rules = Mapping[str, Rule]


def to_json(results: Sequence[HostResult], rules: Rules) -> str:
    """Return ``{"hosts": [{host, snapshot, summary, outcomes, error?}]}``.

    ``snapshot`` is the identity and hash of the snapshot, ``null`` when none was taken;
    ``summary`` the number of outcomes with each verdict.
    """
    document = {"hosts": [_host_document(result, rules) for result in results]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _host_document(result: HostResult, rules: Rules) -> dict[str, Any]:
    document: dict[str, Any] = {
        "host": result.host,
        "snapshot": _snapshot_document(result.snapshot),
        "summary": count_verdicts(result.outcomes),
        "outcomes": [_outcome_document(outcome, rules) for outcome in result.outcomes],
    }
    if result.error is not None:
        document["error"] = {
            "code": result.error.code,
            "message": result.error.message,
            "fix": result.error.fix,
        }
    return document


def _snapshot_document(snapshot: Snapshot | None) -> dict[str, Any] | None:
    if snapshot is None:
        return None
    identity = snapshot.identity
    platform = getattr(identity.platform, "name", None)
    return {
        "hash": snapshot.hash,
        "taken_at": snapshot.taken_at.isoformat(),
        "hostname": identity.hostname,
        "machine_id": identity.machine_id,
        "os": platform,
        "kernel": identity.kernel,
        "arch": identity.arch,
        "privilege": snapshot.privilege,
        "privilege_problem": snapshot.privilege_problem,
        "facts": len(snapshot.facts),
    }


def _outcome_document(outcome: Outcome, rules: Rules) -> dict[str, Any]:
    document = outcome.document()
    return {
        "rule": document["rule"],
        "title": rules[outcome.rule_id].title,
        "category": rules[outcome.rule_id].category.value,
        "verdict": document["verdict"],
        "severity": document["severity"],
        "reason": document.get("reason"),
        "message": document["message"],
        "observations": document["observations"],
        "variables": document.get("variables", {}),
    }


_CSV_COLUMNS: Final = (
    "host", "rule", "title", "severity", "category", "verdict", "reason", "message",
    "expected", "actual", "source",
)  # fmt: skip

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""OWASP: a cell that begins so is run as a formula by spreadsheets."""


def to_csv(results: Sequence[HostResult], rules: Rules) -> str:
    """Return one row for each outcome, and one for each host that could not be scanned."""
    text = io.StringIO()
    # RFC 4180 ends lines so. It also has csv put a carriage return of a host into quotes: bare, it
    # would begin a new row, whose first cell nobody has looked at.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_CSV_COLUMNS)
    for result in results:
        if result.error is not None:
            error = result.error
            row = (result.host, "", "", "", "", "error", error.code, error.message, "", "", "")
            writer.writerow([_cell(value) for value in row])
        for outcome in result.outcomes:
            writer.writerow([_cell(value) for value in _row(result.host, outcome, rules)])
    return text.getvalue()


def _row(host: str, outcome: Outcome, rules: Rules) -> tuple[str, ...]:
    rule = rules[outcome.rule_id]
    expected, actual, source = key_observation(outcome)
    return (
        host,
        rule.id,
        rule.title,
        outcome.severity.value,
        rule.category.value,
        outcome.verdict.value,
        outcome.reason.value if outcome.reason else "",
        outcome.message,
        expected,
        actual,
        source,
    )


def _cell(value: str) -> str:
    return "'" + value if value.startswith(_FORMULA) else value


def key_observation(outcome: Outcome) -> tuple[str, str, str]:
    """Return expected, actual and place of the observation that decided the outcome."""
    wanted = {Verdict.PASS: True, Verdict.FAIL: False}.get(outcome.verdict)
    deciding = [o for o in outcome.observations if o.satisfied is wanted]
    observation = next(iter(deciding or outcome.observations), None)
    if observation is None:
        return "", "", ""
    source = observation.source
    named = observation.field in ("value", "running", "count")
    return (
        observation.expected,
        observation.actual if named else f"{observation.field}: {observation.actual}",
        f"{source.path}:{source.line}" if source else "",
    )


def to_junit(results: Sequence[HostResult], rules: Rules) -> str:
    """Return JUnit XML: a suite for each host, a test case for each rule."""
    root = ElementTree.Element("testsuites", name="openwatch")
    for result in results:
        counts = count_verdicts(result.outcomes)
        skipped = sum(counts[v] for v in ("not_applicable", "manual", "not_configured"))
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=result.host,
            tests=str(max(1, len(result.outcomes)) if result.error else len(result.outcomes)),
            failures=str(counts["fail"]),
            errors=str(counts["error"] + (1 if result.error else 0)),
            skipped=str(skipped),
        )
        if result.error is not None:
            case = ElementTree.SubElement(suite, "testcase", classname=result.host, name="scan")
            _mark(case, "error", result.error.code, f"{result.error.message} {result.error.fix}")
        for outcome in result.outcomes:
            _case(suite, result.host, outcome, rules)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(suite: ElementTree.Element, host: str, outcome: Outcome, rules: Rules) -> None:
    rule = rules[outcome.rule_id]
    classname = f"{host}.{rule.category.value}"
    case = ElementTree.SubElement(suite, "testcase", classname=classname, name=rule.id)
    match outcome.verdict:
        case Verdict.PASS:
            return
        case Verdict.FAIL:
            _mark(case, "failure", outcome.severity.value, f"{rule.title}\n{outcome.message}")
        case Verdict.ERROR:
            reason = outcome.reason.value if outcome.reason else "error"
            _mark(case, "error", reason, outcome.message)
        case _:
            ElementTree.SubElement(case, "skipped", message=_printable(outcome.message))


def _mark(case: ElementTree.Element, tag: str, kind: str, text: str) -> None:
    lines = _printable(text)
    element = ElementTree.SubElement(case, tag, type=kind, message=lines.splitlines()[-1])
    element.text = lines


_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0, production 2: characters that no document may hold, not even escaped."""


def _printable(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text) or " "


WRITERS: Final[Mapping[str, Callable[[Sequence[HostResult], Rules], str]]] = {
    "json": to_json,
    "csv": to_csv,
    "junit": to_junit,
}
