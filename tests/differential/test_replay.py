"""A host, and a file with what it answered: the same rules give the same verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.drift import MISCONFIGURATIONS
from lab.session import LabSession
from openwatch.engine.assess import Outcome, assess
from openwatch.engine.rules import load_corpus
from openwatch.engine.scan import ScanReport, scan
from openwatch.engine.snapshot import read_snapshot, write_snapshot
from openwatch.engine.transport import AcceptNew, Login, Target, connect_ssh


async def scanned(lab: LabSession, address: str) -> ScanReport:
    login = Login("scan", private_key=lab.key_path.read_text())
    transport = await connect_ssh(Target(address, login=login), host_keys=AcceptNew())
    try:
        return await scan(transport, corpus=load_corpus())
    finally:
        await transport.aclose()


def documents(outcomes: tuple[Outcome, ...]) -> dict[str, object]:
    return {outcome.rule_id: outcome.document() for outcome in outcomes}


@pytest.mark.ac("differential-04")
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
async def test_the_live_host_and_its_recorded_snapshot_get_the_same_outcomes(
    lab: LabSession, suite: str, tmp_path: Path
) -> None:
    with lab.fresh(suite) as host:
        for bring in (lambda: None, host.harden, lambda: host.plant(*MISCONFIGURATIONS)):
            bring()
            live = await scanned(lab, host.address)
            write_snapshot(live.snapshot, tmp_path / "host.snap")
            recorded = read_snapshot(tmp_path / "host.snap")
            replayed = assess(load_corpus(), recorded)
            assert documents(replayed) == documents(live.outcomes)
            assert recorded.hash == live.snapshot.hash
            again = await scanned(lab, host.address)
            assert {o.rule_id: o.verdict for o in again.outcomes} == {
                o.rule_id: o.verdict for o in replayed
            }
