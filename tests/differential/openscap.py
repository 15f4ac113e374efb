"""Runs OpenSCAP on a lab host and reads what it says of each rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.session import LabHost
from openwatch.engine.assess import Verdict
from tests.differential.content import PROFILE

RULE_PREFIX: Final = "xccdf_org.ssgproject.content_rule_"
PROFILE_PREFIX: Final = "xccdf_org.ssgproject.content_profile_"
PAIRS_PROFILE: Final = "xccdf_org.openwatch_profile_pairs"
ON_HOST: Final = "/var/lib/oscap-run"
# oscap(8): 0 when every rule passed, 2 when one failed or could not be evaluated.
EVALUATED: Final = (0, 2)
# XCCDF 1.2 (NIST IR 7275r4), table 26: the results of a rule. What says nothing of the host
# (notchecked, notselected, informational) has no entry.
RESULTS: Final[Mapping[str, Verdict]] = {
    "pass": Verdict.PASS,
    "fixed": Verdict.PASS,
    "fail": Verdict.FAIL,
    "error": Verdict.ERROR,
    "unknown": Verdict.ERROR,
    "notapplicable": Verdict.NOT_APPLICABLE,
}


def rules_of(stream: Path) -> frozenset[str]:
    """Return the names of all rules of a data stream, without their prefix."""
    found = re.findall(rf'<[^<>]*\bRule\b[^<>]* id="{RULE_PREFIX}([^"]+)"', stream.read_text())
    if not found:
        raise ValueError(f"{stream.name} has no rules of ComplianceAsCode")
    return frozenset(found)


def put_content(host: LabHost, stream: Path) -> str:
    """Copy a data stream to the host and return its path there."""
    path = f"{ON_HOST}/{stream.name}"
    # Only root looks in: what lies there is no finding of either scanner.
    host.exec(f"mkdir -p -m 0700 {ON_HOST}; cat >{path}", stdin=stream.read_text())
    return path


def evaluate(host: LabHost, stream: Path, wanted: Iterable[str]) -> dict[str, Verdict | None]:
    """Return what OpenSCAP says of each wanted rule that the stream has.

    The values are those of the largest profile. ``None``: the rule says nothing of the host.
    """
    known = rules_of(stream)
    wanted = known & frozenset(wanted)
    path = put_content(host, stream)
    tailoring = f"{ON_HOST}/pairs.xml"
    host.exec(f"cat >{tailoring}", stdin=_tailoring(known, wanted))
    done = host.exec(
        f"oscap xccdf eval --progress --tailoring-file {tailoring}"
        f" --profile {PAIRS_PROFILE} {path}",
        check=False,
    )
    if done.returncode not in EVALUATED:
        raise LabError(f"oscap on {host.name}: {done.stderr.strip()[-1000:]}")
    said = dict(re.findall(rf"^{RULE_PREFIX}(\S+):(\w+)$", done.stdout, re.MULTILINE))
    if not wanted & said.keys():
        raise LabError(f"oscap on {host.name} printed no result of a rule that was asked for.")
    # A rule in a group that the content leaves out by default is not spoken of at all.
    return {rule: RESULTS.get(said.get(rule, "notselected")) for rule in sorted(wanted)}


def _tailoring(known: Iterable[str], wanted: frozenset[str]) -> str:
    lines = [
        f'<select idref="{RULE_PREFIX}{rule}" selected="{str(rule in wanted).lower()}"/>'
        for rule in sorted(known)
    ]
    return "\n".join(
        (
            '<Tailoring xmlns="http://checklists.nist.gov/xccdf/1.2"',
            ' id="xccdf_org.openwatch_tailoring_pairs">',
            '<version time="2026-01-01T00:00:00">1</version>',
            f'<Profile id="{PAIRS_PROFILE}" extends="{PROFILE_PREFIX}{PROFILE}">',
            "<title>The rules that are compared</title>",
            *lines,
            "</Profile>",
            "</Tailoring>",
        )
    )
