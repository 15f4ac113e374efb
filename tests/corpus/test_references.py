"""References are facts: they have the form of their framework and fit the platforms of the rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import pytest

from tests.corpus.cases import concerned, corpus
from tests.corpus.host import PLATFORMS

FORMS: Final[Mapping[str, str]] = {
    "cis": r"[1-9](\.[1-9]\d?){1,5}",
    "stig_rhel8": r"RHEL-08-\d{6}",
    "stig_rhel9": r"RHEL-09-\d{6}",
    "stig_rhel10": r"RHEL-10-\d{6}",
    "stig_ubuntu2204": r"UBTU-22-\d{6}",
    "stig_ubuntu2404": r"UBTU-24-\d{6}",
    "stig_sles15": r"SLES-15-\d{6}",
    "nist": r"(A[CTU]|C[AMP]|I[AR]|M[AP]|P[ELMST]|RA|S[ACIR])-[1-9]\d?(\([1-9]\d?\))?",
    "anssi": r"R[1-9]\d?",
    "pci": r"[1-9]\d?(\.\d{1,2}){1,4}",
}

WITHDRAWN: Final = frozenset(
    {
        "AC-2(10)", "AC-3(1)", "AC-3(6)", "AC-4(16)", "AC-4(18)", "AC-7(1)", "AC-13", "AC-14(1)",
        "AC-15", "AC-17(5)", "AC-17(7)", "AC-17(8)", "AC-18(2)", "AC-19(1)", "AC-19(2)", "AC-19(3)",
        "AT-3(4)", "AT-5", "AU-2(1)", "AU-2(2)", "AU-2(3)", "AU-2(4)", "AU-3(2)", "AU-6(2)",
        "AU-6(10)", "AU-7(2)", "AU-8(1)", "AU-8(2)", "AU-10(5)", "AU-14(2)", "AU-15", "CA-3(1)",
        "CA-3(2)", "CA-3(3)", "CA-3(4)", "CA-3(5)", "CA-4", "CA-7(2)", "CM-2(1)", "CM-2(4)",
        "CM-2(5)", "CM-5(2)", "CM-5(3)", "CM-5(7)", "CM-6(3)", "CM-6(4)", "CM-8(5)", "CM-11(1)",
        "CP-2(4)", "CP-5", "CP-7(5)", "CP-9(4)", "CP-10(1)", "CP-10(3)", "CP-10(5)", "IA-2(3)",
        "IA-2(4)", "IA-2(7)", "IA-2(9)", "IA-2(11)", "IA-3(2)", "IA-4(2)", "IA-4(3)", "IA-4(7)",
        "IA-5(3)", "IA-5(4)", "IA-5(11)", "IA-8(3)", "IA-9(1)", "IA-9(2)", "IR-9(1)", "IR-10",
        "MA-2(1)", "MA-4(2)", "MP-2(1)", "MP-2(2)", "MP-4(1)", "MP-5(1)", "MP-5(2)", "MP-5(4)",
        "MP-6(4)", "MP-6(5)", "MP-6(6)", "MP-7(1)", "PE-3(6)", "PE-5(1)", "PE-5(3)", "PE-7",
        "PE-8(2)", "PE-10(1)", "PE-13(3)", "PE-18(1)", "PL-2(1)", "PL-2(2)", "PL-2(3)", "PL-3",
        "PL-5", "PL-6", "PS-6(1)", "RA-4", "RA-5(1)", "RA-5(7)", "RA-5(9)", "SA-4(4)", "SA-5(1)",
        "SA-5(2)", "SA-5(3)", "SA-5(4)", "SA-5(5)", "SA-6", "SA-7", "SA-12", "SA-12(1)", "SA-12(2)",
        "SA-12(3)", "SA-12(4)", "SA-12(5)", "SA-12(6)", "SA-12(7)", "SA-12(8)", "SA-12(9)",
        "SA-12(10)", "SA-12(11)", "SA-12(12)", "SA-12(13)", "SA-12(14)", "SA-12(15)", "SA-13",
        "SA-14", "SA-14(1)", "SA-15(4)", "SA-15(9)", "SA-18", "SA-18(1)", "SA-18(2)", "SA-19",
        "SA-19(1)", "SA-19(2)", "SA-19(3)", "SA-19(4)", "SA-21(1)", "SA-22(1)", "SC-4(1)",
        "SC-7(1)", "SC-7(2)", "SC-7(6)", "SC-9", "SC-12(4)", "SC-12(5)", "SC-13(1)", "SC-13(2)",
        "SC-13(3)", "SC-13(4)", "SC-14", "SC-15(2)", "SC-19", "SC-20(1)", "SC-21(1)", "SC-23(2)",
        "SC-23(4)", "SC-26(1)", "SC-30(1)", "SC-33", "SC-34(3)", "SC-42(3)", "SI-2(1)", "SI-3(1)",
        "SI-3(2)", "SI-3(3)", "SI-3(5)", "SI-3(7)", "SI-3(9)", "SI-4(6)", "SI-4(8)", "SI-6(1)",
        "SI-7(4)", "SI-7(11)", "SI-7(13)", "SI-7(14)", "SI-8(1)", "SI-9", "SI-13(2)",
    }
)  # fmt: skip
"""What SP 800-53 Revision 5.2.0 still names, and has withdrawn: 182 controls and enhancements."""


def form(framework: str) -> str:
    name = framework.partition("_")[0]
    return FORMS.get(framework) or FORMS[name]


def platform_of(framework: str) -> str | None:
    suffix = framework.partition("_")[2]
    return suffix if suffix in PLATFORMS else None


@pytest.mark.ac("rules-08")
def test_references_have_the_form_of_their_framework() -> None:
    for rule in corpus().rules.values():
        assert rule.references, rule.id
        for framework, ids in rule.references.items():
            assert len(set(ids)) == len(ids), f"{rule.id}: {framework}"
            for control in ids:
                assert re.fullmatch(form(framework), control), f"{rule.id}: {framework} {control}"


@pytest.mark.ac("frameworks-01")
@pytest.mark.ac("rules-08")
def test_no_withdrawn_control_is_cited() -> None:
    assert len(WITHDRAWN) == 182
    assert not WITHDRAWN & corpus().controls["nist_800_53"].by_id.keys()
    for rule in corpus().rules.values():
        assert not WITHDRAWN & set(rule.references.get("nist_800_53", ())), rule.id


@pytest.mark.ac("rules-08")
def test_a_benchmark_of_a_platform_is_cited_for_that_platform() -> None:
    for rule in corpus().rules.values():
        cited = {platform for name in rule.references if (platform := platform_of(name))}
        assert cited <= set(concerned(rule)), rule.id


@pytest.mark.ac("frameworks-01")
def test_every_control_that_is_cited_exists() -> None:
    lists = corpus().controls
    assert lists.keys() == corpus().frameworks.keys()
    for rule in corpus().rules.values():
        for framework, ids in rule.references.items():
            assert set(ids) <= lists[framework].by_id.keys(), f"{rule.id}: {framework}"


@pytest.mark.ac("rules-08")
def test_everything_that_is_defined_is_used() -> None:
    rules = corpus().rules.values()
    cited = {name for rule in rules for name in rule.references}
    assert {name for name, entry in corpus().frameworks.items() if not entry.derived} == cited
    assert corpus().variables.keys() == {name for rule in rules for name in rule.variables()}
