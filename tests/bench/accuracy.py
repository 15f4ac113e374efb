"""How often our verdicts and those of OpenSCAP agree, written into docs/accuracy.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.errors import UnavailableError
from lab.session import LabSession
from openwatch.engine.assess import Verdict
from tests.bench.figures import Report
from tests.differential.comparison import (
    HOSTS,
    STATES,
    SUITES,
    Compared,
    Explained,
    compare,
    disagreements,
    pairs,
)
from tests.differential.content import PROFILE, Content, content

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
RELEASES: Final = {"bookworm": "Debian 12", "trixie": "Debian 13"}
WHO: Final = {"ours": "OpenWatch", "theirs": "OpenSCAP", "both": "each of its own question"}


async def accuracy(report: Report, lab: LabSession) -> None:
    """Compare all pairs on all hosts; add the figures and write the page."""
    try:
        ssg = content()
    except UnavailableError as reason:
        report.skip("agreement with OpenSCAP", str(reason))
        return
    found = [c for suite in SUITES for c in await compare(lab, suite, ssg)]
    group = f"agreement with OpenSCAP, content {ssg.version}"
    report.add(group, "verdicts compared", len(found), "")
    report.add(group, "the same", sum(c.agree for c in found), "")
    report.add(group, "explained differences", len(_explained(found)), "")
    report.add(group, "unexplained differences", len(_unexplained(found)), "")
    PAGE.write_text(page(found, ssg), "utf-8")


def page(found: Sequence[Compared], ssg: Content) -> str:
    """Return the text of docs/accuracy.md."""
    same = sum(c.agree for c in found)
    explained = _explained(found)
    right = Counter(entry.right for _, entry in explained)
    asked = len(found) - right["both"]
    lines = [
        "# How accurate the verdicts are",
        "",
        "<!-- Written by `./ow bench accuracy`. Do not edit: the reasons are in",
        "     tests/differential/disagreements.yml. -->",
        "",
        f"{len({c.rule for c in found})} rules ask the same question as rules of the",
        "[ComplianceAsCode](https://github.com/ComplianceAsCode/content) content",
        f"that Debian packages ({ssg.version}), which OpenSCAP evaluates on the host itself. Both",
        "scan the same hosts of the lab, each as it comes, hardened, and then with every",
        "misconfiguration planted that the lab knows. Both judge with the values of CIS (profile",
        f"`{PROFILE}`, preset `cis`).",
        "",
        f"**{same} of {asked} verdicts on the same question are the same",
        f"({same / asked:.1%}).** Of the {asked - same} that differ, OpenWatch is right in",
        f"{right['ours']}, OpenSCAP in {right['theirs']}; each is explained below. {right['both']}",
        "more differ because on that host the two rules turn out to ask for different things: they",
        "are explained as well, and not counted.",
        "",
        "A difference in which OpenSCAP turns out to be right does not stay in the table: the rule",
        "is mended, with a case that fails without it. So the figures say where both stand now,",
        "not who was right more often.",
        "",
        "| Host | Verdicts | The same | Pass | Fail | Other |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for host in HOSTS:
        here = [c for c in found if c.host == host]
        agreed = Counter(c.ours.value for c in here if c.agree)
        suite, _, state = host.partition("-")
        lines.append(
            f"| {RELEASES[suite]}, {state} | {len(here)} | {agreed.total()} | {agreed['pass']} |"
            f" {agreed['fail']} | {agreed.total() - agreed['pass'] - agreed['fail']} |"
        )
    lines += ["", "Pass, fail and other are what both say.", "", "## Where they differ", ""]
    lines += ["| Rule | Hosts | OpenWatch | OpenSCAP | Right | Why |", "|---|---|---|---|---|---|"]
    for entry in disagreements():
        lines.append(
            f"| `{entry.rule}` | {_hosts(entry)} | {entry.ours.value} | {entry.theirs.value} |"
            f" {WHO[entry.right]} | {entry.why} |"
        )
    lines += [
        "",
        "## What this does not show",
        "",
        "The hosts share the kernel of one machine: no audit system, no AppArmor, no boot loader.",
        f"{len(pairs())} pairs are known; a pair has no say on a host whose content lacks the rule",
        "or does not evaluate it. Rules of Ubuntu, the RHEL family and SUSE are proven on host",
        "fixtures only.",
        "",
    ]
    return "\n".join(lines)


def _explained(found: Sequence[Compared]) -> list[tuple[Compared, Explained]]:
    known = {key: entry for entry in disagreements() for key in entry.keys}
    return [(c, known[k]) for c in found if not c.agree and (k := _key(c)) in known]


def _unexplained(found: Sequence[Compared]) -> list[Compared]:
    known = {key for entry in disagreements() for key in entry.keys}
    return [c for c in found if not c.agree and _key(c) not in known]


def _key(c: Compared) -> tuple[str, str, Verdict, Verdict]:
    return (c.rule, c.host, c.ours, c.theirs)


def _hosts(entry: Explained) -> str:
    if set(entry.hosts) == set(HOSTS):
        return "all"
    suites = {host.split("-")[0] for host in entry.hosts}
    states = [s for s in STATES if any(host.endswith(s) for host in entry.hosts)]
    if len(entry.hosts) == len(suites) * len(states):
        where = "" if suites == set(SUITES) else RELEASES[next(iter(suites))]
        which = "" if len(states) == len(STATES) else " and ".join(states)
        return ", ".join(part for part in (where, which) if part)
    return ", ".join(entry.hosts)
