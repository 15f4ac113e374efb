"""Simulated hosts in a process of their own, so that their cost is not the scanner's."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any, Literal

from lab.sim.faults import Slow
from lab.sim.fleet import SimFleet, sim_fleet


def inventory(fleet: SimFleet) -> dict[str, Any]:
    """All that a client needs to log in, as JSON-ready values."""
    return {
        "key": str(fleet.key_path),
        "password": fleet.password,
        "known_hosts": str(fleet.known_hosts),
        "hosts": [
            {
                "name": host.name,
                "address": host.address,
                "port": host.port,
                "host_key": host.host_key,
            }
            for host in fleet.hosts
        ],
    }


async def serve(
    count: int,
    *,
    recording: Path | Literal["local", "once"],
    latency: float = 0.0,
    slow: float = 0.0,
    port: int = 0,
) -> int:
    """Print the inventory as one line of JSON, then serve until SIGINT or SIGTERM; return 0.

    ``slow``: each answer of a host takes so many seconds.
    """
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    faults = dict.fromkeys(range(count), Slow(slow)) if slow else None
    async with sim_fleet(
        count, recording=recording, latency=latency, faults=faults, port=port
    ) as fleet:
        print(json.dumps(inventory(fleet)), flush=True)
        await ended.wait()
    return 0
