"""Simulated hosts: SSH servers in one process that play what real hosts answered.

async with sim_fleet(200, faults={3: Fault.DROP(4096)}, latency=0.04) as fleet:
    host = fleet.hosts[0]          # host.address, host.port, fleet.user_key, fleet.known_hosts
"""

from lab.sim.faults import AnyFault, Fault, SudoSays
from lab.sim.fleet import LOCAL, ONCE, SimFleet, sim_fleet
from lab.sim.host import SimHost
from lab.sim.recording import Recording
from lab.sim.serve import serve

__all__ = [
    "LOCAL",
    "ONCE",
    "AnyFault",
    "Fault",
    "Recording",
    "SimFleet",
    "SimHost",
    "SudoSays",
    "serve",
    "sim_fleet",
]
