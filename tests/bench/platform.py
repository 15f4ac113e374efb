"""What the platform adds: hundreds of hosts through one worker, and what a scan leaves stored."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from lab.sim import SimFleet, sim_fleet
from openwatch.db.url import database_url
from openwatch.kit.settings import Settings
from tests.bench.figures import Report
from tests.e2e.product import Product, product_running

FLEET: Final = 500
AGAIN: Final = 50
"""So many are scanned once more to see what an unchanged scan leaves."""
POLL_SECONDS: Final = 0.2
GIVE_UP_SECONDS: Final = 900.0
QUEUE_TABLES: Final = "procrastinate_"
"""Rows of the queue are pruned when their scan is old: they are not what a scan leaves stored."""


async def platform(report: Report) -> None:
    """Scan a simulated fleet twice through the real server and one real worker."""
    async with sim_fleet(FLEET) as fleet:
        await asyncio.to_thread(_measure, report, fleet)


def _measure(report: Report, fleet: SimFleet) -> None:
    group = f"{FLEET} simulated hosts through one worker"
    with product_running(with_admin=True) as product:
        worker = product.running.children()["worker"]
        credential = product.post(
            "/credentials",
            {"name": "fleet", "username": "root", "private_key": fleet.user_key},
        )["id"]
        hosts = [
            product.post(
                "/hosts",
                {"name": f"sim{index}", "address": address, "port": fleet.port,
                 "credential_id": credential},
            )["id"]
            for index, address in enumerate(fleet.addresses)
        ]  # fmt: skip
        _scan_all(product, hosts[:1])
        cpu, began = _cpu_seconds(worker), time.monotonic()
        states = _scan_all(product, hosts)
        wall = time.monotonic() - began
        report.add(group, "completed", states.get("completed", 0), "scans")
        report.add(group, "wall, first asked to last finished", wall, "s")
        report.add(group, "scans a second", FLEET / wall, "1/s")
        report.add(group, "CPU of the worker a scan", (_cpu_seconds(worker) - cpu) / FLEET, "s")
        report.add(group, "memory of the worker, highest", _peak_mib(worker), "MiB")
        before = _stored(product)
        _scan_all(product, hosts[:AGAIN])
        growth = _stored(product) - before
        report.add(group, "stored by an unchanged scan", growth / AGAIN, "bytes")


def _scan_all(product: Product, hosts: list[str]) -> Mapping[str, int]:
    scans = [product.start_scan(host) for host in hosts]
    deadline = time.monotonic() + GIVE_UP_SECONDS
    states: dict[str, int] = {}
    for scan in scans:
        while (state := product.get(f"/scans/{scan}")["state"]) in ("queued", "running"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"scan {scan} is still {state}")
            time.sleep(POLL_SECONDS)
        states[state] = states.get(state, 0) + 1
    return states


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


def _cpu_seconds(pid: int) -> float:
    """proc(5): fields 14 and 15 of stat are user and system time in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError("proc(5) shows no VmHWM")
