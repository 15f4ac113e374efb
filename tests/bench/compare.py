"""Ours and other tools on the same host in the same run, near and far away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from lab.errors import LabError, UnavailableError
from lab.session import LabHost, LabSession
from lab.wan import wan
from openwatch.engine.collector import collect
from openwatch.engine.facts import CouldNot, Request
from openwatch.engine.rules import load_corpus
from openwatch.engine.scan import ScanReport, scan
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.transport import Login, Target, Transport, read_identity
from tests.bench.connection import connected
from tests.bench.figures import Report, median, times
from tests.bench.on_host import Cost, on_host
from tests.bench.peers import (
    USER,
    Checks,
    ToolFailedError,
    Way,
    ansible,
    on_the_host,
    testinfra,
    throw_away_environment,
)
from tests.differential.content import PROFILE, content
from tests.differential.openscap import EVALUATED, PROFILE_PREFIX, put_content

Result = TypeVar("Result")

IMAGE: Final = "bookworm-peers"
FILES: Final = 110_000
FILES_A_DIRECTORY: Final = 1000
TREE: Final = "/srv/tree"
ROUND_TRIP: Final = 0.050
ROUNDS: Final = 5
MIB: Final = 1024 * 1024
KIB: Final = 1024
# Equal questions for the tools that ask one by one.
QUESTIONS, MODES, PACKAGES, SERVICES = 100, 40, 30, 8
MAKE_TREE: Final = f"""python3 -c '
import os
for d in range({FILES // FILES_A_DIRECTORY}):
    os.makedirs("{TREE}/%d" % d)
    for f in range({FILES_A_DIRECTORY}):
        os.close(os.open("{TREE}/%d/%d" % (d, f), os.O_CREAT | os.O_WRONLY, 0o644))
'"""


async def compare(report: Report, lab: LabSession) -> None:
    """Scan a host with a large tree with everything there is."""
    host = lab.hosts[IMAGE]
    host.exec(MAKE_TREE)
    inodes = int(host.exec("find / -xdev | wc -l").stdout)
    key = lab.key_path
    here = Way(host.address, host.port, key)
    try:
        rules = load_corpus().rules
        taken: ScanReport | None = None
        ours: dict[float, Cost] = {}
        for latency in (0.0, ROUND_TRIP):
            async with _line(here, latency) as way:
                ours[latency], taken = await _ours(host, way)
        assert taken is not None
        group = f"full scan of a host with {inodes:,} inodes"
        for latency, cost in ours.items():
            _add(report, group, f"OpenWatch, {len(rules)} rules over SSH{_far(latency)}", cost)
        report.add(group, "OpenWatch: round trips", taken.traffic.round_trips, "")
        await _openscap(report, group, host, key, ours[0.0])
        await _lynis(report, group, host, key, ours[0.0])
        await _one_by_one(report, host, here, taken.snapshot, ours, len(rules))
    finally:
        host.exec(f"rm -rf {TREE}")


# -------------------------------------------------------------------------------------------- ours
async def _ours(host: LabHost, way: Way) -> tuple[Cost, ScanReport]:
    corpus = load_corpus()
    costs: list[Cost] = []
    report: ScanReport | None = None
    for _ in range(ROUNDS):
        with on_host(host) as cost:
            report = await _with(way, lambda transport: scan(transport, corpus=corpus))
        costs.append(cost)
    assert report is not None
    return _median(costs), report


async def _with(way: Way, work: Callable[[Transport], Awaitable[Result]]) -> Result:
    login = Login(USER, private_key=read_identity(way.key).private_key)
    target = Target(way.address, port=way.port, login=login)
    async with connected(target) as transport:
        return await work(transport)


# -------------------------------------------------------------------------------------- on the host
async def _openscap(report: Report, group: str, host: LabHost, key: Path, ours: Cost) -> None:
    try:
        found = content()
        path = put_content(host, found.stream("bookworm"))
        command = f"oscap xccdf eval --progress --profile {PROFILE_PREFIX}{PROFILE} {path}"
        with on_host(host) as cost:
            printed = await on_the_host(host, key, command, good=EVALUATED)
    except (UnavailableError, LabError, ToolFailedError) as reason:
        report.skip("OpenSCAP", str(reason))
        return
    rules = sum(line.startswith("xccdf_") for line in printed.splitlines())
    what = f"OpenSCAP on the host itself, {rules} rules ({PROFILE}, {found.version})"
    _add(report, group, what, cost, ours)


async def _lynis(report: Report, group: str, host: LabHost, key: Path, ours: Cost) -> None:
    try:
        with on_host(host) as cost:
            await on_the_host(host, key, "lynis audit system --quick --no-colors", good=(0, 78))
    except ToolFailedError as reason:
        report.skip("Lynis", str(reason))
        return
    _add(report, group, "Lynis on the host itself", cost, ours)


# --------------------------------------------------------------------------------------- one by one
async def _one_by_one(
    report: Report,
    host: LabHost,
    here: Way,
    snapshot: Snapshot,
    scans: dict[float, Cost],
    rules: int,
) -> None:
    checks, requests = _checks(snapshot)
    group = f"{len(checks)} equal questions over SSH"
    ours: dict[float, Cost] = {}
    for latency in scans:
        costs: list[Cost] = []
        async with _line(here, latency) as way:
            for _ in range(ROUNDS):
                with on_host(host) as cost:
                    await _with(way, lambda t: collect(t, requests, privileged=True))
                costs.append(cost)
        ours[latency] = _median(costs)
        _add(report, group, f"OpenWatch{_far(latency)}", ours[latency])
    try:
        with throw_away_environment() as programs:
            for name, tool in (("testinfra", testinfra), ("Ansible", ansible)):
                for latency, mine in ours.items():
                    async with _line(here, latency) as way:
                        with on_host(host) as cost:
                            await tool(programs, way, checks)
                    _add(report, group, f"{name}{_far(latency)}", cost, mine)
                    a_check, a_rule = cost.wall / len(checks), scans[latency].wall / rules
                    report.add(group, f"{name}{_far(latency)}: a check, beside a rule of a scan",
                               a_check * 1000, "ms", ratio=times(a_check, a_rule))  # fmt: skip
    except (LabError, ToolFailedError) as reason:
        report.skip("testinfra and Ansible", str(reason))


def _checks(snapshot: Snapshot) -> tuple[Checks, list[Request]]:
    """Return questions whose answers the snapshot knows, for the others and as our requests."""
    modes = {
        value[0].path: f"{value[0].mode:04o}"
        for request, value in _values(snapshot, "stat")
        if len(value) == 1 and value[0].path == request.subject and value[0].mode < 0o1000
    }
    settings = {
        request.subject: value
        for request, value in _values(snapshot, "sysctl")
        if value and " " not in value
    }
    packages = snapshot.read(Request("packages"))
    services = [
        request.subject
        for request, unit in _values(snapshot, "unit")
        if unit.unit_file_state == "enabled" and request.subject.endswith(".service")
    ]
    left = QUESTIONS - MODES - PACKAGES - len(services[:SERVICES])
    checks = Checks(
        modes=dict(list(modes.items())[:MODES]),
        packages=tuple(name for name, package in sorted(packages.items()) if package.installed)[
            :PACKAGES
        ],
        settings=dict(list(settings.items())[:left]),
        services=tuple(services[:SERVICES]),
    )
    requests = [
        *(Request("stat", path) for path in checks.modes),
        *(Request("sysctl", key) for key in checks.settings),
        Request("packages"),
        *(Request("unit", name) for name in checks.services),
    ]
    return checks, requests


def _values(snapshot: Snapshot, probe: str) -> Iterator[tuple[Request, Any]]:
    for fact in snapshot.facts.values():
        if fact.request.probe == probe:
            value = snapshot.read(fact.request)
            if not isinstance(value, CouldNot) and value is not None:
                yield fact.request, value


# ------------------------------------------------------------------------------------------ figures
@asynccontextmanager
async def _line(here: Way, latency: float) -> AsyncIterator[Way]:
    if not latency:
        yield here
        return
    async with wan(here.address, here.port, latency=latency) as far_end:
        yield replace(here, address=far_end.address, port=far_end.port)


def _far(latency: float) -> str:
    return f", {latency * 1000:.0f} ms away" if latency else ""


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        wall=median([cost.wall for cost in costs]),
        cpu=median([cost.cpu for cost in costs]),
        memory=max(cost.memory for cost in costs),
        wire=int(median([cost.wire for cost in costs])),
    )


def _add(report: Report, group: str, what: str, cost: Cost, ours: Cost | None = None) -> None:
    def ratio(pick: Callable[[Cost], float]) -> str:
        return times(pick(cost), pick(ours)) if ours else ""

    report.add(group, f"{what}: wall", cost.wall, "s", ratio=ratio(lambda c: c.wall))
    report.add(group, "  CPU on the host", cost.cpu, "s", ratio=ratio(lambda c: c.cpu))
    report.add(group, "  memory on the host", cost.memory / MIB, "MiB",
               ratio=ratio(lambda c: c.memory))  # fmt: skip
    report.add(group, "  over the wire", cost.wire / KIB, "KiB", ratio=ratio(lambda c: c.wire))
