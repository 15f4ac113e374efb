"""What a scan finds on a hardened host is exactly what was planted there."""

from __future__ import annotations

import pytest

from lab.drift import MISCONFIGURATIONS, Misconfiguration
from lab.harden import CANNOT_HAVE
from lab.session import LabHost, LabSession
from openwatch.engine.assess import Verdict
from openwatch.engine.rules import load_corpus
from openwatch.engine.scan import scan
from openwatch.engine.transport import AcceptNew, Login, Target, connect_ssh

pytestmark = pytest.mark.ac("lab-14")


async def not_passed(lab: LabSession, host: LabHost) -> set[str]:
    """The rules that failed or could not be measured."""
    login = Login("scan", private_key=lab.key_path.read_text())
    transport = await connect_ssh(Target(host.address, login=login), host_keys=AcceptNew())
    try:
        report = await scan(transport, corpus=load_corpus())
    finally:
        await transport.aclose()
    bad = (Verdict.FAIL, Verdict.ERROR)
    return {outcome.rule_id for outcome in report.outcomes if outcome.verdict in bad}


def broken(faults: list[Misconfiguration]) -> set[str]:
    return {rule for fault in faults for rule in fault.breaks}


async def test_all_that_is_planted_on_a_hardened_host_is_found_and_nothing_else(
    lab: LabSession,
) -> None:
    with lab.fresh("bookworm") as host:
        host.harden()
        before = await not_passed(lab, host)
        assert before >= CANNOT_HAVE.keys()
        expected = broken(list(MISCONFIGURATIONS.values()))
        assert not before & expected, "a hardened host passes what can be broken"
        host.plant(*MISCONFIGURATIONS)
        assert await not_passed(lab, host) - before == expected


async def test_each_one_breaks_the_rules_that_it_names(lab: LabSession) -> None:
    """Each has a number; the n-th scan sees those that have bit n, so that no two look alike."""
    numbered = dict(enumerate(MISCONFIGURATIONS.values(), start=1))
    with lab.fresh("trixie") as host:
        host.harden()
        before = await not_passed(lab, host)
        for bit in range(len(numbered).bit_length()):
            group = [fault for number, fault in numbered.items() if number >> bit & 1]
            host.plant(*(fault.name for fault in group))
            found = await not_passed(lab, host) - before
            assert found == broken(group)
            host.unplant(*(fault.name for fault in group))
        assert await not_passed(lab, host) == before
