"""What the platform adds: hundreds of hosts through one worker, and what a scan leaves stored.

The simulated hosts are a process of their own, so that what they cost is nobody else's. CPU is what
the kernel counts for each process; wall times say more about what else the machine does.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from lab.errors import UnavailableError
from lab.record import record
from lab.session import LabSession, lab_session
from openwatch.db.url import database_url
from openwatch.engine.rules import load_corpus
from openwatch.engine.transport import AcceptNew, Login, Target, connect_ssh, read_identity
from openwatch.kit.settings import Settings
from tests.bench.figures import Report
from tests.e2e.product import Product, product_running

FLEET: Final = 200
AGAIN: Final = 100
"""So many are scanned once more: nothing has changed on them."""
FAR: Final = 50
FAR_ROUND_TRIP: Final = 0.05
CROWD: Final = 500
CROWD_SECONDS: Final = 40.0
"""So long each of two answers takes: all hosts of the fleet are on the way at once."""
POLL_SECONDS: Final = 0.5
GIVE_UP_SECONDS: Final = 900.0
QUEUE_TABLES: Final = "procrastinate_"
"""Rows of the queue are pruned when their scan is old: they are not what a scan leaves stored."""
LOCAL: Final = "once"


async def platform(report: Report) -> None:
    """Scan simulated fleets through the real server and one real worker."""
    with tempfile.TemporaryDirectory() as folder:
        plays = str(await _recording(report, Path(folder) / "host.rec"))
        await asyncio.to_thread(_measure, report, plays)
        await asyncio.to_thread(_crowd, report, plays)


async def _recording(report: Report, path: Path) -> Path | str:
    """Return what simulated hosts say: what a host of the lab said, or this machine."""
    try:
        with lab_session("bench-platform") as lab:
            await _record(lab, path)
    except UnavailableError as reason:
        report.skip("the answers of a host of the lab (this machine's are played)", str(reason))
        return LOCAL
    return path


async def _record(lab: LabSession, path: Path) -> None:
    login = Login("scan", private_key=read_identity(lab.key_path).private_key)
    target = Target(lab.hosts["bookworm"].address, login=login)
    transport = await connect_ssh(target, host_keys=AcceptNew())
    try:
        (await record(transport, corpus=load_corpus())).write(path)
    finally:
        await transport.aclose()


def _measure(report: Report, plays: str) -> None:
    with product_running(with_admin=True) as product:
        with _fleet(FLEET, plays) as inventory:
            hosts = _add(product, inventory, "near")
            _scan_all(report, product, hosts[:1])
            group = f"{FLEET} simulated hosts through one worker"
            _window(report, f"{group}, first scan", product, hosts)
            before = _stored(product)
            again = f"{AGAIN} of them once more, nothing has changed"
            _window(report, again, product, hosts[:AGAIN])
            growth = (_stored(product) - before) / AGAIN
            report.add(again, "stored by a scan", growth, "bytes")
        with _fleet(FAR, plays, latency=FAR_ROUND_TRIP) as inventory:
            hosts = _add(product, inventory, "far")
            milliseconds = FAR_ROUND_TRIP * 1000
            _window(report, f"{FAR} more, {milliseconds:.0f} ms away, first scan", product, hosts)


def _crowd(report: Report, plays: str) -> None:
    """All hosts at once: they answer so slowly that none is done before all have begun."""
    group = f"{CROWD} hosts at once in one worker"
    settings = {"worker_concurrency": str(CROWD)}
    with (
        product_running(with_admin=True, **settings) as product,
        _fleet(CROWD, plays, slow=CROWD_SECONDS) as inventory,
    ):
        hosts = _add(product, inventory, "crowd")
        most = _window(report, group, product, hosts)
        report.add(group, "running at once, highest that was seen", most, "scans")


@contextmanager
def _fleet(
    count: int, plays: str, *, latency: float = 0.0, slow: float = 0.0
) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "lab", "sim", str(count)]
    options = ["--recording", plays, "--latency", str(latency), "--slow", str(slow)]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def _add(product: Product, inventory: dict[str, Any], name: str) -> list[str]:
    secret = Path(inventory["key"]).read_text("utf-8")
    body = {"name": name, "username": "root", "private_key": secret}
    credential = product.post("/credentials", body)["id"]
    return [
        product.post(
            "/hosts",
            {"name": f"{name}-{host['name']}", "address": host["address"], "port": host["port"],
             "credential_id": credential},
        )["id"]
        for host in inventory["hosts"]
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Cpu:
    """Seconds of CPU so far."""

    worker: float
    api: float
    database: float

    @classmethod
    def now(cls, product: Product) -> _Cpu:
        children = product.running.children()
        return cls(
            _cpu_seconds(children["worker"]),
            _cpu_seconds(children["serve"]),
            _database_seconds(product.place.data_dir),
        )


def _window(report: Report, group: str, product: Product, hosts: Sequence[str]) -> int:
    """Scan all hosts, report what it cost, and return how many scans were seen to run at once."""
    before, began = _Cpu.now(product), time.monotonic()
    most = _scan_all(report, product, hosts)
    wall, after, count = time.monotonic() - began, _Cpu.now(product), len(hosts)
    worker = product.running.children()["worker"]
    spent = (
        ("worker", after.worker - before.worker),
        ("API", after.api - before.api),
        ("database", after.database - before.database),
    )
    report.add(group, "CPU a scan, all in", sum(cpu for _, cpu in spent) / count, "s")
    for what, cpu in spent:
        report.add(group, f"  {what}", cpu / count, "s")
    report.add(group, "memory of the worker, highest", _peak_mib(worker), "MiB")
    report.add(group, "scans a second", count / wall, "1/s")
    report.add(group, "load of the machine at the end", os.getloadavg()[0], "")
    return most


def _scan_all(report: Report, product: Product, hosts: Sequence[str]) -> int:
    failed, most = _total(product, "failed"), 0
    for host in hosts:
        product.start_scan(host)
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while running := _total(product, "running", "queued"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{running} scans are not over")
        most = max(most, _total(product, "running"))
        time.sleep(POLL_SECONDS)
    if lost := _total(product, "failed") - failed:
        last = product.get("/scans", state="failed", limit=1)["items"][0]
        report.skip(f"{lost} scans, which failed; the last", str(last["failure"]["message"]))
    return most


def _total(product: Product, *states: str) -> int:
    return int(product.get("/scans", state=list(states), limit=1)["total"])


def _stored(product: Product) -> int:
    """Return the bytes of all rows, as PostgreSQL keeps them (compressed, without indexes)."""
    settings = Settings(data_dir=product.place.data_dir)
    with psycopg.connect(database_url(settings)) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'"
        ).fetchall()
        total = 0
        for schema, table in tables:
            if table.startswith(QUEUE_TABLES):
                continue
            query = sql.SQL("SELECT coalesce(sum(pg_column_size(t.*)), 0) FROM ONLY {} t").format(
                sql.Identifier(schema, table)
            )
            row = connection.execute(query).fetchone()
            total += int(row[0]) if row else 0
        return total


def _times(pid: int | str) -> list[int]:
    """proc(5), fields 14 to 17 of stat: clock ticks, user and system, own and of ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [int(ticks) for ticks in fields[11:15]]


def _cpu_seconds(pid: int) -> float:
    return sum(_times(pid)[:2]) / os.sysconf("SC_CLK_TCK")


def _database_seconds(data_dir: Path) -> float:
    """Return the CPU of the server on this data directory, of its processes and of ended ones."""
    ticks = 0
    server = _server_pid(data_dir)
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if entry.name == server:
                ticks += sum(_times(entry.name))
            elif parent == server:
                ticks += sum(_times(entry.name)[:2])
    return ticks / os.sysconf("SC_CLK_TCK")


def _server_pid(data_dir: Path) -> str:
    (found,) = data_dir.rglob("postmaster.pid")
    return found.read_text().split("\n", 1)[0].strip()


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError("proc(5) shows no VmHWM")
