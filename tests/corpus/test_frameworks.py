"""The lists of controls, as they are: whole, titled, and consistent with the rules."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Final

import pytest

from openwatch.engine.assess import assess
from openwatch.engine.rules import yaml
from openwatch.engine.rules.controls import Specification
from openwatch.engine.rules.coverage import State, coverage, mapped_controls
from openwatch.engine.rules.schema import Category, Relation, Rule
from openwatch.engine.rules.template import case_template, rule_template
from openwatch.engine.rules.variables import command_line
from tests.corpus.cases import CaseEntry, concerned, corpus
from tests.corpus.host import changed_host
from tests.corpus.test_references import form

TOTALS: Final = {
    "cis_rhel8": 322, "cis_rhel10": 328, "stig_rhel10": 434,
    "stig_ubuntu2204": 188, "stig_ubuntu2404": 194,
    "fedramp_low": 156, "fedramp_moderate": 323, "fedramp_high": 410,
    "nist_800_171": 110, "cmmc_2": 110, "nist_800_53": 1014, "hipaa_security": 68, "iso_27001": 93,
}  # fmt: skip
"""How many controls the publishers name in the versions of frameworks/index.yml."""

NIST_FAMILIES: Final = {
    "AC": 131, "AT": 15, "AU": 56, "CA": 25, "CM": 56, "CP": 49, "IA": 59, "IR": 40, "MA": 28,
    "MP": 20, "PE": 51, "PL": 11, "PM": 37, "PS": 17, "PT": 21, "RA": 22, "SA": 108, "SC": 139,
    "SI": 102, "SR": 27,
}  # fmt: skip
"""SP 800-53 Revision 5.2.0: 300 controls and 714 enhancements. Revision 5 of 2020 names 1,189 with
182 withdrawn ones; release 5.1.1 brought IA-13 and its three enhancements, release 5.2.0 SA-15(13),
SA-24 and SI-2(7)."""

ISO_THEMES: Final = {"A.5": 37, "A.6": 8, "A.7": 14, "A.8": 34}
"""ISO/IEC 27001:2022, Annex A."""

HIPAA_SECTIONS: Final = {"308": 30, "310": 12, "312": 12, "314": 9, "316": 5}
"""45 CFR 164: standards and implementation specifications."""

BENCHMARKS: Final = [name for name in corpus().frameworks if name.startswith(("cis_", "stig_"))]


@pytest.mark.ac("frameworks-01")
def test_the_lists_are_as_long_as_the_published_ones() -> None:
    found = {name: len(entry.controls) for name, entry in corpus().controls.items()}
    assert {name: found[name] for name in TOTALS} == TOTALS


@pytest.mark.ac("frameworks-01")
def test_the_whole_of_sp_800_53_is_listed() -> None:
    ids = corpus().controls["nist_800_53"].by_id
    assert Counter(i[:2] for i in ids) == NIST_FAMILIES
    assert sum("(" not in i for i in ids) == 300
    assert {"IA-13(3)", "SA-15(13)", "SA-24", "SI-2(7)", "PM-32", "PT-8"} <= ids.keys()
    bases = {i.partition("(")[0] for i in ids}
    assert bases <= ids.keys(), "an enhancement without its control"


@pytest.mark.ac("frameworks-01")
def test_the_whole_of_annex_a_is_listed() -> None:
    ids = [control.id for control in corpus().controls["iso_27001"].controls]
    assert ids == [f"{theme}.{n}" for theme, last in ISO_THEMES.items() for n in range(1, last + 1)]


@pytest.mark.ac("frameworks-01")
def test_the_whole_security_rule_is_listed() -> None:
    controls = corpus().controls["hipaa_security"].controls
    assert Counter(control.id[4:7] for control in controls) == HIPAA_SECTIONS
    of = Counter(control.specification for control in controls)
    assert of[Specification.ADDRESSABLE] == 22
    assert of[Specification.REQUIRED] == 24
    for control in controls:
        assert re.fullmatch(r"164\.3\d\d\([a-e]\)(\(\d\)(\([iv]+\)(\([A-E]\))?)?)?", control.id)


@pytest.mark.ac("frameworks-06")
def test_a_mapping_claims_of_no_control_that_it_is_covered() -> None:
    for name in ("hipaa_security", "iso_27001", "nist_800_171", "cmmc_2"):
        for mapped in mapped_controls(corpus(), name):
            most = Relation.INFORMS if mapped.control.manual else Relation.CONTRIBUTES
            order = list(Relation)
            assert all(order.index(m.relation) >= order.index(most) for m in mapped.rules)
        assert coverage(corpus(), name).covered == 0, name


@pytest.mark.ac("frameworks-02")
def test_every_control_has_the_form_of_its_framework() -> None:
    for name, found in corpus().controls.items():
        if corpus().frameworks[name].derived:
            continue
        for control in found.controls:
            assert re.fullmatch(form(name), control.id), f"{name}: {control.id}"


@pytest.mark.ac("frameworks-02")
@pytest.mark.parametrize("framework", BENCHMARKS)
def test_every_control_of_a_benchmark_has_a_title_and_a_level(framework: str) -> None:
    for mapped in mapped_controls(corpus(), framework):
        control = mapped.control
        assert control.title or mapped.rules, control.id
        assert not re.match(r"ensure\b", mapped.title, re.IGNORECASE), control.id
        if framework.startswith("cis"):
            assert control.server or control.workstation, control.id
            assert mapped.path, control.id
        else:
            assert control.severity, control.id


@pytest.mark.ac("frameworks-02")
def test_no_two_controls_of_a_framework_have_the_same_title() -> None:
    for name, found in corpus().controls.items():
        titles = [control.title for control in found.controls if control.title]
        assert len(titles) == len(set(titles)), name


@pytest.mark.ac("frameworks-05")
def test_the_sums_of_every_framework_add_up() -> None:
    for name in corpus().controls:
        found = coverage(corpus(), name)
        parts = (found.covered, found.partial, found.uncovered, found.manual)
        assert sum(parts) == found.total == len(corpus().controls[name].controls), name


@pytest.mark.ac("frameworks-06")
def test_a_derived_control_has_no_rule_that_its_sources_do_not_have() -> None:
    for name, entry in corpus().frameworks.items():
        if entry.derived is None:
            continue
        base = {m.control.id: m for m in mapped_controls(corpus(), entry.derived.through)}
        for mapped in mapped_controls(corpus(), name):
            sources = [base[i] for i in mapped.control.sources()]
            allowed = {m.rule.id for source in sources for m in source.rules}
            assert {m.rule.id for m in mapped.rules} <= allowed, mapped.control.id
            assert mapped.state is not State.COVERED or mapped.control.through is None


@pytest.mark.ac("frameworks-09")
def test_the_templates_of_a_rule_and_its_cases_hold_as_they_stand() -> None:
    text = rule_template("a-new-rule", Category.KERNEL)
    rule = Rule.model_validate(yaml.parse(text))
    alone = replace(corpus(), rules={rule.id: rule})
    for document in yaml.parse(case_template("a-new-rule")):
        assert document["on"] == "every"
        entry = CaseEntry.model_validate(document | {"on": concerned(rule)})
        for platform in entry.on:
            host = changed_host(platform, entry.given)
            snapshot = host.snapshot(rule.requests(), entry.cannot)
            (outcome,) = assess(alone, snapshot, command_line({}))
            assert outcome.verdict is entry.verdict, f"{platform}: {entry.name}"
            assert entry.shows is None or entry.shows in str(outcome)
