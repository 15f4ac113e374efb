"""Pairs of rules that ask the same question, and what both scanners say of them on lab hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from lab.drift import MISCONFIGURATIONS
from lab.session import LabHost, LabSession
from openwatch.engine.assess import Verdict
from openwatch.engine.rules import load_corpus
from openwatch.engine.rules.variables import preset
from openwatch.engine.scan import scan
from openwatch.engine.transport import AcceptNew, Login, Target, connect_ssh
from tests.differential.content import PRODUCTS, Content
from tests.differential.openscap import evaluate, rules_of

HERE: Final = Path(__file__).parent
PAIRS_FILE: Final = HERE / "pairs.yml"
DISAGREEMENTS_FILE: Final = HERE / "disagreements.yml"

State = Literal["clean", "hardened", "sabotaged"]
STATES: Final[tuple[State, ...]] = ("clean", "hardened", "sabotaged")
SUITES: Final = tuple(PRODUCTS)
HOSTS: Final = tuple(f"{suite}-{state}" for suite in SUITES for state in STATES)

# Whose verdict is right: ours, theirs, or both, each of its own question.
RIGHT: Final = ("ours", "theirs", "both")


@dataclass(frozen=True, slots=True)
class Compared:
    """One pair on one host."""

    rule: str
    theirs_rules: tuple[str, ...]
    host: str
    ours: Verdict
    theirs: Verdict
    message: str

    @property
    def agree(self) -> bool:
        return self.ours is self.theirs


@dataclass(frozen=True, slots=True)
class Explained:
    """Why the verdicts on a pair differ on some hosts."""

    rule: str
    hosts: tuple[str, ...]
    ours: Verdict
    theirs: Verdict
    right: str
    why: str

    @property
    def keys(self) -> frozenset[tuple[str, str, Verdict, Verdict]]:
        return frozenset((self.rule, host, self.ours, self.theirs) for host in self.hosts)


def pairs() -> dict[str, tuple[str, ...]]:
    """Return our rule -> the rules of the other side that together ask the same."""
    document: dict[str, dict[str, list[str]]] = yaml.safe_load(PAIRS_FILE.read_text("utf-8"))
    return {rule: tuple(theirs) for group in document.values() for rule, theirs in group.items()}


def disagreements() -> tuple[Explained, ...]:
    """Return the disagreements that were looked into."""
    entries = yaml.safe_load(DISAGREEMENTS_FILE.read_text("utf-8"))
    return tuple(_explained(entry, rule) for entry in entries for rule in entry["rules"])


def _explained(entry: Mapping[str, Any], rule: str) -> Explained:
    return Explained(
        rule=rule,
        hosts=tuple(_hosts(entry["hosts"])),
        ours=Verdict(entry["ours"]),
        theirs=Verdict(entry["theirs"]),
        right=entry["right"],
        why=" ".join(entry["why"].split()),
    )


def _hosts(words: Iterable[str]) -> Iterator[str]:
    """``all``, a suite, a state, or one host by its name."""
    for host in HOSTS:
        if not {"all", host, *host.split("-")}.isdisjoint(words):
            yield host


async def compare(lab: LabSession, suite: str, content: Content) -> tuple[Compared, ...]:
    """Return all pairs on a host of this suite: as it comes, hardened, and then sabotaged."""
    found: list[Compared] = []
    with lab.fresh(f"{suite}-peers") as host:
        for state in STATES:
            _bring_to(host, state)
            found += await _on(lab, host, f"{suite}-{state}", content.stream(suite))
    return tuple(found)


def _bring_to(host: LabHost, state: State) -> None:
    match state:
        case "clean":
            return
        case "hardened":
            host.harden()
        case "sabotaged":
            host.plant(*MISCONFIGURATIONS)


async def _on(lab: LabSession, host: LabHost, name: str, stream: Path) -> Iterator[Compared]:
    corpus = load_corpus()
    theirs = evaluate(host, stream, {rule for rules in pairs().values() for rule in rules})
    login = Login("scan", private_key=lab.key_path.read_text())
    transport = await connect_ssh(Target(host.address, login=login), host_keys=AcceptNew())
    try:
        # The values of one benchmark on both sides: theirs is the CIS profile.
        layers = (preset(corpus.variables, "cis"),)
        report = await scan(transport, corpus=corpus, layers=layers)
    finally:
        await transport.aclose()
    ours = {outcome.rule_id: outcome for outcome in report.outcomes}
    return (
        Compared(rule, known, name, ours[rule].verdict, verdict, ours[rule].message)
        for rule, names in pairs().items()
        if rule in ours
        and (known := tuple(name for name in names if name in theirs))
        and (verdict := together(theirs[name] for name in known)) is not None
    )


def together(verdicts: Iterable[Verdict | None]) -> Verdict | None:
    """Return the verdict on several rules of which all have to hold; ``None``: it is not known.

    Rules that do not concern the host have no say, unless none concerns it.
    """
    said = set(verdicts)
    if said == {Verdict.NOT_APPLICABLE}:
        return Verdict.NOT_APPLICABLE
    for verdict in (Verdict.FAIL, Verdict.ERROR, None):
        if verdict in said:
            return verdict
    return Verdict.PASS


def unknown_names(content: Content) -> list[str]:
    """Return the names in pairs.yml that neither product of the content has."""
    known = frozenset[str]().union(*(rules_of(content.stream(suite)) for suite in SUITES))
    return sorted({name for names in pairs().values() for name in names} - known)
