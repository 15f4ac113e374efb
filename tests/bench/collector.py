"""Where the collector's CPU goes on a host: each item alone, less what an empty program costs."""

from __future__ import annotations

from collections.abc import Iterable

from lab.session import LabHost, LabSession
from openwatch.engine.assess.assess import concerns
from openwatch.engine.collector import grouped, program
from openwatch.engine.probes import PROBES, Item
from openwatch.engine.rules import load_corpus
from openwatch.engine.scan import IDENTITY, take_snapshot
from openwatch.engine.transport import Login, Target, Transport, read_identity
from tests.bench.connection import connected
from tests.bench.figures import Report, median

ROUNDS = 5
SHOWN = 14
NONCE = "0" * 32


async def by_item(report: Report, lab: LabSession, image: str = "bookworm") -> None:
    """Add the CPU of each item of a full collection, the most expensive first."""
    host = lab.hosts[image]
    corpus = load_corpus()
    login = Login("root", private_key=read_identity(lab.key_path).private_key)
    async with connected(Target(host.address, login=login)) as transport:
        snapshot, _ = await take_snapshot(transport, lambda seen: concerns(corpus, seen))
        requests = [f.request for f in snapshot.facts.values() if f.request not in IDENTITY]
        groups = grouped(requests)
        items = [item for name, asked in groups.items() for item in PROBES[name].items(asked)]
        empty = await _cpu(transport, host, [])
        costs = {item.id: await _cpu(transport, host, [item]) - empty for item in items}
        before = _last_process(host)
        whole = await _cpu(transport, host, items, together=True)
        processes = (_last_process(host) - before - 1) / ROUNDS
    group = f"CPU of the collector on the host by item, {len(requests)} facts"
    report.add(group, "all in one program", whole * 1000, "ms")
    report.add(group, "all in one program: processes", processes, "")
    report.add(group, "an empty program", empty * 1000, "ms")
    for name, cpu in sorted(costs.items(), key=lambda entry: -entry[1])[:SHOWN]:
        report.add(group, name, cpu * 1000, "ms")


def _last_process(host: LabHost) -> int:
    """The number of a new process on the host: between two of them lie all that were started."""
    return int(host.exec("echo $$").stdout)


async def _cpu(
    transport: Transport, host: LabHost, items: Iterable[Item], *, together: bool = False
) -> float:
    text = program(items, NONCE, together=together)
    seconds: list[float] = []
    for _ in range(ROUNDS):
        before = host.cpu_seconds() or 0.0
        await transport.run(text, privileged=True, receive=_ignore, deadline=120)
        seconds.append((host.cpu_seconds() or 0.0) - before)
    return median(seconds)


def _ignore(*_: object) -> None:
    return None
