"""`openwatch frameworks`, and the commands that write rules and their reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from openwatch.cli import frameworks, rules
from openwatch.engine.rules import load_corpus
from openwatch.kit.errors import OpenWatchError


def run(app: typer.Typer, *args: str) -> int:
    command = typer.main.get_command(app)
    code = command.main(list(args), standalone_mode=False)
    return code or 0


def printed(capsys: pytest.CaptureFixture[str], app: typer.Typer, *args: str) -> str:
    assert run(app, *args) == 0
    return capsys.readouterr().out


def document(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    return json.loads(printed(capsys, frameworks.app, *args, "--format", "json"))


@pytest.mark.ac("frameworks-07")
def test_frameworks_are_listed_with_their_controls(capsys: pytest.CaptureFixture[str]) -> None:
    listed = {entry["id"]: entry for entry in document(capsys, "list")}
    corpus = load_corpus()
    assert listed.keys() == corpus.frameworks.keys()
    assert listed["cis_debian12"]["controls"] == len(corpus.controls["cis_debian12"].controls)
    assert listed["fedramp_low"]["derived_through"] == "nist_800_53"
    assert listed["fedramp_low"]["rules"] > 0
    assert "cis_debian12" in printed(capsys, frameworks.app, "list")


@pytest.mark.ac("frameworks-07")
def test_controls_are_shown_in_natural_order(capsys: pytest.CaptureFixture[str]) -> None:
    ids = [control["id"] for control in document(capsys, "show", "cis_debian12")]
    assert ids.index("1.1.1.10") == ids.index("1.1.1.9") + 1
    assert ids.index("5.1.10") == ids.index("5.1.9") + 1
    lines = printed(capsys, frameworks.app, "show", "cis_debian12").splitlines()
    assert any(line.startswith("5.1.20 ") and "ssh-root-login-disabled" in line for line in lines)


@pytest.mark.ac("frameworks-07")
def test_one_control_is_shown_with_its_rules(capsys: pytest.CaptureFixture[str]) -> None:
    shown = document(capsys, "show", "cis_debian12", "5.1.20")
    assert shown["title"] == "Root login over SSH refused"
    assert shown["sections"] == ["Access", "SSH server"]
    assert (shown["server"], shown["workstation"], shown["state"]) == (1, 1, "covered")
    assert [(r["id"], r["relation"]) for r in shown["rules"]] == [
        ("ssh-root-login-disabled", "satisfies")
    ]
    text = printed(capsys, frameworks.app, "show", "nist_800_171", "3.1.13")
    assert "Through: AC-17(2)" in text
    assert "contributes" in text


@pytest.mark.ac("frameworks-07")
def test_a_control_of_many_rules_takes_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    controls = {control["id"]: control for control in document(capsys, "show", "nist_800_53")}
    rules = [entry["id"] for entry in controls["AC-6"]["rules"]]
    lines = printed(capsys, frameworks.app, "show", "nist_800_53").splitlines()
    (line,) = [line for line in lines if line.startswith("AC-6 ")]
    assert line.rstrip().endswith(f"{', '.join(rules[:2])} and {len(rules) - 2} more")


@pytest.mark.ac("frameworks-07")
def test_why_a_person_judges_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    shown = document(capsys, "show", "nist_800_53", "CM-6(1)")
    assert (shown["state"], shown["title"]) == (
        "manual", "Automated Management, Application, and Verification",
    )  # fmt: skip
    assert f"Reason: {shown['reason']}" in printed(
        capsys, frameworks.app, "show", "nist_800_53", "CM-6(1)"
    )
    logoff = document(capsys, "show", "hipaa_security", "164.312(a)(2)(iii)")
    assert (logoff["specification"], logoff["state"]) == ("addressable", "partial")
    assert logoff["through"] == ["AC-11", "AC-12", "SC-10"]


@pytest.mark.ac("frameworks-07")
def test_coverage_is_printed_and_what_is_uncovered(capsys: pytest.CaptureFixture[str]) -> None:
    (sums,) = document(capsys, "coverage", "pci_dss_4", "--uncovered")
    parts = sums["covered"] + sums["partial"] + sums["uncovered"]
    assert parts == sums["automatable"] == sums["total"] - sums["manual"]
    assert len(sums["uncovered_controls"]) == sums["uncovered"]
    text = printed(capsys, frameworks.app, "coverage", "--uncovered", "pci_dss_4")
    for control in sums["uncovered_controls"]:
        assert f"  {control['id']}  {control['title']}" in text
    everything = printed(capsys, frameworks.app, "coverage").splitlines()
    assert len(everything) == 1 + len(load_corpus().controls)


@pytest.mark.ac("frameworks-07")
@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("show", "nothing"), "framework.unknown"),
        (("show", "cis_debian12", "99.1"), "control.unknown"),
        (("coverage", "nothing"), "framework.unknown"),
    ],
)
def test_what_does_not_exist_is_told(args: tuple[str, ...], code: str) -> None:
    with pytest.raises(OpenWatchError) as caught:
        run(frameworks.app, *args)
    assert caught.value.code == code


@pytest.mark.ac("frameworks-08")
def test_the_rule_reference_has_every_rule(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = printed(capsys, rules.app, "docs")
    headings = {line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")}
    assert headings == load_corpus().rules.keys()
    assert "- satisfies CIS Debian Linux 12 Benchmark: 5.1.20" in text
    file = tmp_path / "reference.md"
    assert printed(capsys, rules.app, "docs", "--output", str(file)) == ""
    assert file.read_text("utf-8") == text
    some = printed(capsys, rules.app, "docs", "--framework", "pci_dss_4")
    assert some.count("\n### ") == len(load_corpus().cited_by("pci_dss_4").rules)


@pytest.mark.ac("frameworks-04")
def test_a_rule_shows_its_relations(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, rules.app, "show", "ssh-root-login-disabled")
    assert "satisfies CIS Debian Linux 12 Benchmark: 5.1.20" in text
    shown = json.loads(
        printed(capsys, rules.app, "show", "ssh-root-login-disabled", "--format", "json")
    )
    assert {"framework": "nist_800_53", "control": "AC-6(2)", "relation": "contributes"} in shown[
        "controls"
    ]


@pytest.mark.ac("frameworks-09")
def test_a_new_rule_lints_and_overwrites_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own, cases = tmp_path / "rules", tmp_path / "cases"
    args = ("new", str(own), "a-new-rule", "--category", "network", "--cases", str(cases))
    written = printed(capsys, rules.app, *args).split()
    assert written == [
        str(own / "network" / "a-new-rule.yml"),
        str(cases / "network" / "a-new-rule.yml"),
    ]
    assert "1 rules" in printed(capsys, rules.app, "lint", str(own))
    (own / "network" / "a-new-rule.yml").write_text("mine")
    assert run(rules.app, *args) == 2
    assert (own / "network" / "a-new-rule.yml").read_text() == "mine"


@pytest.mark.ac("frameworks-09")
@pytest.mark.parametrize("name", ["../escape", "Big", "two--hyphens", "with space"])
def test_a_new_rule_needs_an_id(tmp_path: Path, name: str) -> None:
    assert run(rules.app, "new", str(tmp_path / "own"), name, "--category", "kernel") == 2
    assert not (tmp_path / "own").exists()


def test_an_id_is_not_too_long(tmp_path: Path) -> None:
    assert run(rules.app, "new", str(tmp_path / "own"), "a" * 81, "--category", "kernel") == 2
