"""What one scan costs: on the way, on the host and here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from lab.errors import UnavailableError
from lab.session import LabHost, LabSession, lab_session
from lab.sim import SimFleet, sim_fleet
from lab.wan import wan
from openwatch.engine.assess import Memo, assess
from openwatch.engine.assess.assess import concerns
from openwatch.engine.collector import collect
from openwatch.engine.rules import Corpus, load_corpus
from openwatch.engine.scan import ScanReport, scan
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.transport import Login, Target, Transport, read_identity
from tests.bench.connection import connected
from tests.bench.figures import Report, Stopwatch, measured, median, times

ROUNDS = 5
ROUND_TRIP = 0.040
FLEET = 200
IN_FLIGHT = 50

Result = TypeVar("Result")


async def one_host(report: Report, lab: LabSession) -> None:
    """A scan of a real host, and the same facts asked for one by one over one connection."""
    corpus = load_corpus()
    host = lab.hosts["bookworm"]
    login = Login("scan", private_key=read_identity(lab.key_path).private_key)
    near = Target(host.address, login=login)
    group = f"one real host, {len(corpus.rules)} rules"
    scans = [await _scanned(near, corpus, host) for _ in range(ROUNDS)]
    wall = median([watch.wall for _, watch, _ in scans])
    last = scans[-1][0]
    report.add(group, "facts", len(last.snapshot.facts), "")
    report.add(group, "round trips", last.traffic.round_trips, "")
    report.add(group, "received", last.traffic.bytes_received / 1024, "KiB")
    report.add(group, "wall", wall, "s")
    report.add(group, "CPU of the scanner", median([w.cpu for _, w, _ in scans]), "s")
    target_cpu = median([cpu for _, _, cpu in scans])
    if host.cpu_seconds() is None:
        report.skip("CPU on the host", "this machine does not count CPU by control group")
    else:
        report.add(group, "CPU on the host", target_cpu, "s")

    single, single_cpu = await _one_by_one(near, last.snapshot, host)
    report.add(group, "one question a round trip: wall", single.wall, "s",
               ratio=times(single.wall, wall))  # fmt: skip
    report.add(group, "one question a round trip: CPU on the host", single_cpu, "s",
               ratio=times(single_cpu, target_cpu))  # fmt: skip
    async with wan(host.address, host.port, latency=ROUND_TRIP) as far_end:
        far = replace(near, address=far_end.address, port=far_end.port)
        far_wall = median([(await _scanned(far, corpus, host))[1].wall for _ in range(3)])
        slow, _ = await _one_by_one(far, last.snapshot, host)
    report.add(group, "40 ms away: wall", far_wall, "s")
    report.add(group, "40 ms away, one question a round trip: wall", slow.wall, "s",
               ratio=times(slow.wall, far_wall))  # fmt: skip


async def _scanned(
    target: Target, corpus: Corpus, host: LabHost
) -> tuple[ScanReport, Stopwatch, float]:
    before = host.cpu_seconds() or 0.0
    with measured() as watch:
        report = await _with(target, lambda transport: scan(transport, corpus=corpus))
    return report, watch, (host.cpu_seconds() or 0.0) - before


async def _one_by_one(target: Target, snapshot: Snapshot, host: LabHost) -> tuple[Stopwatch, float]:
    requests = [fact.request for fact in snapshot.facts.values()]

    async def ask(transport: Transport) -> None:
        for request in requests:
            await collect(transport, [request], privileged=True)

    before = host.cpu_seconds() or 0.0
    with measured() as watch:
        await _with(target, ask)
    return watch, (host.cpu_seconds() or 0.0) - before


async def _with(target: Target, work: Callable[[Transport], Awaitable[Result]]) -> Result:
    async with connected(target) as transport:
        return await work(transport)


async def many_hosts(report: Report) -> None:
    """Hundreds of simulated hosts through one process, and the cost of one more."""
    corpus = load_corpus()
    group = f"{FLEET} simulated hosts, {IN_FLIGHT} at a time, one process"
    async with sim_fleet(FLEET) as fleet:
        await _fleet(fleet, corpus, 1)
        with measured() as few:
            await _fleet(fleet, corpus, FLEET // 4)
        with measured() as all_of_them:
            await _fleet(fleet, corpus, FLEET)
    report.add(group, "wall", all_of_them.wall, "s")
    report.add(group, "hosts a second", FLEET / all_of_them.wall, "1/s")
    report.add(group, "CPU a host, simulated host included", all_of_them.cpu / FLEET, "s")
    more = (all_of_them.wall - few.wall) / (FLEET - FLEET // 4)
    report.add(group, "one more host", more * 1000, "ms")


async def _fleet(fleet: SimFleet, corpus: Corpus, count: int) -> None:
    free = asyncio.Semaphore(IN_FLIGHT)
    login = Login("root", private_key=fleet.user_key)

    async def one(address: str) -> None:
        async with free:
            target = Target(address, port=fleet.port, login=login)
            await _with(target, lambda transport: scan(transport, corpus=corpus))

    await asyncio.gather(*(one(address) for address in fleet.addresses[:count]))


async def judging(report: Report) -> None:
    """The pure part: how long judging takes, what one more rule costs, what is remembered."""
    corpus = load_corpus()
    try:
        with lab_session("bench-judging") as lab:
            login = Login("scan", private_key=read_identity(lab.key_path).private_key)
            target = Target(lab.hosts["bookworm"].address, login=login)
            host = await _with(target, lambda transport: scan(transport, corpus=corpus))
        _judged(report, corpus, host.snapshot, "a host of the lab")
    except UnavailableError as reason:
        report.skip("judging a host of the lab", str(reason))
    async with sim_fleet(1) as fleet:
        login = Login("root", private_key=fleet.user_key)
        target = Target(fleet.addresses[0], port=fleet.port, login=login)
        here = await _with(target, lambda transport: scan(transport, corpus=corpus))
    _judged(report, corpus, here.snapshot, "this machine")


def _judged(report: Report, corpus: Corpus, snapshot: Snapshot, whose: str) -> None:
    walked = len(snapshot.facts["sweep"].output) / 1024 if "sweep" in snapshot.facts else 0.0
    group = f"judging {len(corpus.rules)} rules on the facts of {whose}"
    memo = Memo(corpus)
    assess(corpus, replace(snapshot), memo=memo)
    anew = _median_cpu(lambda: assess(corpus, replace(snapshot)))
    again = _median_cpu(lambda: assess(corpus, replace(snapshot), memo=memo))
    asked = len(concerns(corpus, snapshot))
    report.add(group, "anew: CPU", anew * 1000, "ms")
    report.add(group, "anew, one rule: CPU", anew * 1_000_000 / len(corpus.rules), "us")
    report.add(group, "the same facts again, hashed and looked up: CPU", again * 1000, "ms")
    report.add(group, "facts asked for", asked, "")
    report.add(group, "facts a rule", asked / len(corpus.rules), "")
    report.add(group, "what the walk over the file systems found", walked, "KiB")


def _median_cpu(work: Callable[[], object]) -> float:
    seconds: list[float] = []
    for _ in range(ROUNDS):
        with measured() as watch:
            work()
        seconds.append(watch.cpu)
    return median(seconds)
