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
        "AC-3(1)", "AC-3(6)", "AC-13", "AC-17(5)", "AC-17(7)", "AC-17(8)", "AU-2(1)", "AU-2(2)",
        "AU-2(3)", "AU-2(4)", "AU-6(2)", "AU-6(10)", "AU-8(1)", "AU-8(2)", "AU-10(5)", "AU-14(2)",
        "AU-15", "CM-5(2)", "CM-5(3)", "CM-6(3)", "CM-6(4)", "IA-2(3)", "IA-2(4)", "IA-2(7)",
        "IA-2(9)", "IA-2(11)", "IA-5(3)", "IA-5(4)", "IA-5(11)", "SC-9", "SC-14", "SC-33",
        "SI-9", "SI-13(2)",
    }
)  # fmt: skip
"""Controls of earlier revisions that SP 800-53 Revision 5 has withdrawn (its Appendix C)."""


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


@pytest.mark.ac("rules-08")
def test_no_withdrawn_control_is_cited() -> None:
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
