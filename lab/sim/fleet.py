"""Many simulated hosts at once."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import asyncssh

from lab.accounts import PASSWORD
from lab.errors import LabError
from lab.sim.faults import AnyFault
from lab.sim.host import KEY_ALGORITHM, Access, SimHost
from lab.sim.recording import Local, Once, Player, Recording, Replay
from lab.wan import Line

LOCAL: Final = "local"
ONCE: Final = "once"
Plays = Recording | Path | Literal["local", "once"]
# Linux answers on all of 127.0.0.0/8, so every host can have an address without any set-up.
PER_NET: Final = 250
MAX_HOSTS: Final = PER_NET * 250
PORT_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class SimFleet:
    """Running simulated hosts and what opens them.

    ``user_key`` is the text of the private key that every account accepts; it also lies in
    ``key_path`` (mode 0600). ``known_hosts`` is a file with the published host keys.
    """

    hosts: tuple[SimHost, ...]
    port: int
    user_key: str
    key_path: Path
    known_hosts: Path
    password: str

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(host.address for host in self.hosts)


@asynccontextmanager
async def sim_fleet(
    count: int,
    *,
    recording: Plays = ONCE,
    faults: Mapping[int, AnyFault] | None = None,
    latency: float = 0.0,
    rate: float = 0.0,
    sudo_asks: bool = False,
    port: int = 0,
) -> AsyncIterator[SimFleet]:
    """Run ``count`` simulated hosts on 127.1.x.y.

    ``recording``: what they answer. A recording or its file; "local": each program is executed
    with sh on this machine as the current user; "once": executed the first time, replayed after.
    ``faults``: by index of the host. ``latency``: round trip in seconds; ``rate``: bytes per
    second (0: no limit). ``sudo_asks``: sudo wants the password of all but root.
    """
    if not 0 < count <= MAX_HOSTS:
        raise LabError(f"A simulated fleet has 1 to {MAX_HOSTS} hosts, not {count}.")
    user_key = asyncssh.generate_private_key(KEY_ALGORITHM)
    access = Access(user_key.convert_to_public(), PASSWORD, sudo_asks)
    sockets, port = _bind([_address(index) for index in range(count)], port)
    player = _player(recording)
    hosts = tuple(
        SimHost(
            f"sim{index}",
            _address(index),
            port,
            access=access,
            player=player,
            line=Line(latency=latency, rate=rate),
            fault=(faults or {}).get(index),
        )
        for index in range(count)
    )
    directory = Path(tempfile.mkdtemp(prefix="openwatch-sim-"))
    try:
        fleet = SimFleet(
            hosts=hosts,
            port=port,
            user_key=user_key.export_private_key().decode(),
            key_path=directory / "id_ed25519",
            known_hosts=directory / "known_hosts",
            password=PASSWORD,
        )
        fleet.key_path.touch(mode=0o600)
        fleet.key_path.write_text(fleet.user_key)
        fleet.known_hosts.write_text("".join(host.known_hosts_line for host in hosts))
        for host, listener in zip(hosts, sockets, strict=True):
            await host.start(listener)
        yield fleet
    finally:
        for host in hosts:
            await host.stop()
        for listener in sockets:
            listener.close()
        shutil.rmtree(directory, ignore_errors=True)


def _address(index: int) -> str:
    return f"127.1.{index // PER_NET}.{index % PER_NET + 1}"


def _player(recording: Plays) -> Player:
    match recording:
        case "local":
            return Local()
        case "once":
            return Once()
        case Path():
            return Replay(Recording.read(recording))
        case Recording():
            return Replay(recording)


def _bind(addresses: list[str], port: int) -> tuple[list[socket.socket], int]:
    """Sockets bound to one port on all addresses: the wanted one, or (0) any that is free."""
    for _ in range(PORT_ATTEMPTS):
        sockets: list[socket.socket] = []
        chosen = port
        try:
            for address in addresses:
                listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                sockets.append(listener)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, chosen))
                chosen = listener.getsockname()[1]
            return sockets, chosen
        except OSError as error:
            for listener in sockets:
                listener.close()
            if port:
                raise LabError(f"Port {port} on {addresses[0]} is taken: {error}.") from error
    raise LabError("No port is free on all addresses of the simulated fleet.")
