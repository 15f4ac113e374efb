"""Our verdicts beside those of OpenSCAP with ComplianceAsCode's content, on the same hosts."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from lab.errors import UnavailableError
from lab.session import LabSession
from openwatch.engine.assess import Verdict
from openwatch.engine.rules import load_corpus
from tests.differential.comparison import (
    HOSTS,
    RIGHT,
    SUITES,
    Compared,
    Explained,
    compare,
    disagreements,
    pairs,
    together,
    unknown_names,
)
from tests.differential.content import Content, content
from tests.differential.openscap import RESULTS


@pytest.fixture(scope="session")
def ssg() -> Content:
    try:
        return content()
    except UnavailableError as reason:
        pytest.skip(f"no content to compare with: {reason}")


def complaints(found: Iterable[Compared], explained: Iterable[Explained]) -> list[str]:
    """Return what the table of disagreements does not say, and what it says in vain."""
    found = list(found)
    seen = {(c.rule, c.host, c.ours, c.theirs): c for c in found if not c.agree}
    known = {key for entry in explained for key in entry.keys}
    measured = {c.host for c in found}
    unexplained = [
        f"{c.rule} on {c.host}: ours {c.ours.value}, theirs {c.theirs.value} "
        f"({', '.join(c.theirs_rules)}); ours says: {c.message}"
        for key, c in sorted(seen.items())
        if key not in known
    ]
    gone = [
        f"{rule} on {host}: explained, but not so any more ({ours.value}, {theirs.value})"
        for rule, host, ours, theirs in sorted(known - seen.keys())
        if host in measured
    ]
    return unexplained + gone


@pytest.mark.ac("differential-01", "differential-02")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("suite", SUITES)
async def test_the_verdicts_agree_or_the_difference_is_explained(
    lab: LabSession, ssg: Content, suite: str
) -> None:
    found = await compare(lab, suite, ssg)
    # Enough of both verdicts to mean something: a host that fails everything agrees with a broken
    # scanner.
    said = [c.theirs for c in found if c.agree]
    assert min(said.count(Verdict.PASS), said.count(Verdict.FAIL)) > 100
    assert complaints(found, disagreements()) == [], f"with {ssg.version} of the content"


@pytest.mark.ac("differential-03")
def test_every_pair_names_rules_that_both_sides_have(ssg: Content) -> None:
    ours = load_corpus().rules
    assert sorted(rule for rule in pairs() if rule not in ours) == []
    assert unknown_names(ssg) == []


@pytest.mark.ac("differential-02")
def test_every_explanation_says_who_is_right_and_why() -> None:
    for entry in disagreements():
        assert entry.hosts, f"{entry.rule}: no host"
        assert set(entry.hosts) <= set(HOSTS)
        assert entry.right in RIGHT
        assert len(entry.why) > 40, f"{entry.rule}: why?"
        assert entry.ours is not entry.theirs
        assert entry.rule in pairs()


@pytest.mark.ac("differential-02")
def test_neither_a_new_disagreement_nor_one_that_is_gone_passes_unseen() -> None:
    here, why = ("bookworm-clean",), "a reason that is long enough to be one, in our own words"
    entry = Explained("a-rule", here, Verdict.PASS, Verdict.FAIL, "ours", why)
    differs = Compared("a-rule", ("x",), here[0], Verdict.PASS, Verdict.FAIL, "")
    other = Compared("a-rule", ("x",), here[0], Verdict.ERROR, Verdict.FAIL, "")
    agrees = Compared("a-rule", ("x",), here[0], Verdict.PASS, Verdict.PASS, "")
    assert complaints([differs], [entry]) == []
    assert len(complaints([differs], [])) == 1
    assert len(complaints([other], [entry])) == 2
    assert len(complaints([agrees], [entry])) == 1


def test_several_rules_together_say_what_the_strictest_says() -> None:
    p, f, e, n = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.NOT_APPLICABLE
    assert [together(v) for v in ([p, p], [p, n], [n, n], [p, f, e], [p, e], [p, None])] == [
        *(p, p, n, f, e, None)
    ]
    assert set(RESULTS.values()) == {p, f, e, n}
