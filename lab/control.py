"""A lab: starting, stopping and touching its hosts."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from lab import host as hosts
from lab import network
from lab.accounts import PASSPHRASE, PASSWORD
from lab.errors import HostFailedError, LabError
from lab.host import MINI, SYSTEMD
from lab.image import image_named
from lab.image_build import Say, ensure_image
from lab.keys import key_path, make_keys
from lab.machine import (
    NSPAWN,
    Process,
    cpu_group,
    cpu_seconds,
    has_nspawn,
    processes_naming,
    remove_groups,
    require_machine,
)
from lab.place import Place
from lab.state import HostRecord, State, load, locked, save

AUTO: Final = "auto"
# Booting is CPU-bound: more at a time than twice the cores makes every host late.
PARALLEL_STARTS: Final = 4
# systemd takes about five instances a host; the kernel's default of 128 ends at some 20 hosts,
# which then hang in their boot without a word.
INOTIFY_INSTANCES: Final = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_WANTED: Final = 8192


@dataclass(frozen=True, slots=True)
class Want:
    """A host that is wanted: its name, image, and whether it sits behind the jump host."""

    name: str
    image: str
    private: bool = False


class Lab:
    """The real hosts of one place on this machine."""

    def __init__(self, place: Place, *, say: Say | None = None) -> None:
        self.place = place
        self._say = say or _to_stderr

    # ------------------------------------------------------------------------------- reading
    @property
    def hosts(self) -> dict[str, HostRecord]:
        """The hosts by name, running or not."""
        return load(self.place).hosts

    def host(self, name: str) -> HostRecord:
        """The host ``name``; ``LabError`` names those that there are."""
        known = self.hosts
        if name not in known:
            names = ", ".join(known) or "none"
            raise LabError(f"There is no lab host {name!r}.", f"There are: {names}.")
        return known[name]

    def inventory(self) -> dict[str, object]:
        """All that a client needs to log in, as JSON-ready values."""
        return {
            "lab": self.place.name,
            "directory": str(self.place.directory),
            "key": str(key_path(self.place)),
            "password": PASSWORD,
            "passphrase": PASSPHRASE,
            "known_hosts": str(self.place.known_hosts),
            "jump_host": next((host.name for host in self.hosts.values() if host.jump), None),
            "hosts": [
                {
                    "name": host.name,
                    "address": host.address,
                    "port": 22,
                    "image": host.image,
                    "init": host.init,
                    "private": host.private,
                    "jump": host.jump,
                    "host_key": host.host_key,
                    "running": not hosts.stopped(host),
                }
                for host in self.hosts.values()
            ],
        }

    def cpu_seconds(self, name: str) -> float | None:
        """CPU seconds that all processes of a host used since its first start, if counted."""
        group = cpu_group(f"{self.place.control_group}/{self.host(name).name}")
        return cpu_seconds(group) if group else None

    # ------------------------------------------------------------------------------ starting
    def up(
        self, wanted: Sequence[Want], *, init: str = AUTO, owner: Process | None = None
    ) -> list[HostRecord]:
        """Start the hosts that are wanted and do not run; return all wanted ones.

        ``init``: "systemd", "mini" or "auto" (systemd if the first host comes up with it).
        ``owner``: the process with which the lab ends; see ``sweep_orphans``.
        """
        require_machine()
        if init == SYSTEMD and not has_nspawn():
            raise LabError(
                f"{NSPAWN} is missing on this machine.",
                "Install with: apt-get install systemd-container, or use --init mini.",
            )
        lower = {
            want.image: ensure_image(image_named(want.image), self.place.images, say=self._say)
            for want in wanted
        }
        with locked(self.place):
            state = load(self.place)
            state.owner = owner or state.owner
            make_keys(self.place)
            _raise_inotify_limit()
            records = self._records(state, wanted, init)
            self._start(state, [record for record in records if hosts.stopped(record)], lower, init)
            self._write_known_hosts(state)
            return records

    def _records(self, state: State, wanted: Sequence[Want], init: str) -> list[HostRecord]:
        block = network.make_bridges(self.place)
        for host in state.hosts.values():
            if not host.private and IPv4Address(host.address) not in block:
                raise LabError(
                    f"The address of {host.name}, {host.address}, is in use by something else.",
                    "Make the lab anew: lab down, then lab up.",
                )
        for want in wanted:
            if want.name in state.hosts:
                continue
            number = state.next_number()
            pool = network.PRIVATE_BLOCK if want.private else block
            jump = not want.private and not any(host.jump for host in state.hosts.values())
            state.hosts[want.name] = HostRecord(
                name=want.name,
                number=number,
                image=want.image,
                init=MINI if init == MINI or not has_nspawn() else SYSTEMD,
                address=str(network.host_address(pool, number)),
                private=want.private,
                jump=jump,
            )
            # Before anything is made: `down` then finds it even if this process dies here.
            save(self.place, state)
        return [state.hosts[want.name] for want in wanted]

    def _start(
        self, state: State, off: list[HostRecord], lower: dict[str, list[Path]], init: str
    ) -> None:
        waiting: list[HostRecord] = []
        started = time.monotonic()
        for position, record in enumerate(off):
            if position == 0 and init == AUTO and record.init == SYSTEMD:
                self._try_systemd(state, record, off, lower)
                continue
            record.process = hosts.start(self.place, record, lower=lower[record.image])
            save(self.place, state)
            waiting.append(record)
            if len(waiting) >= PARALLEL_STARTS:
                hosts.wait_until_up(self.place, waiting.pop(0))
        for record in waiting:
            hosts.wait_until_up(self.place, record)
        if off:
            seconds = time.monotonic() - started
            self._say(f"{len(off)} host{'s' * (len(off) > 1)} up in {seconds:.1f} s")

    def _try_systemd(
        self,
        state: State,
        record: HostRecord,
        off: list[HostRecord],
        lower: dict[str, list[Path]],
    ) -> None:
        """Fall back to the minimal init for all when the first host does not boot systemd."""
        try:
            record.process = hosts.start(self.place, record, lower=lower[record.image])
            save(self.place, state)
            hosts.wait_until_up(self.place, record)
        except HostFailedError as failure:
            self._say(f"systemd does not start here, so hosts run a minimal init. {failure}")
            hosts.finish_stop(record, deadline=0)
            hosts.delete(self.place, record)
            for other in off:
                other.init = MINI
            record.process = hosts.start(self.place, record, lower=lower[record.image])
            save(self.place, state)
            hosts.wait_until_up(self.place, record)

    # ------------------------------------------------------------------------------ stopping
    def down(self, names: Iterable[str] | None = None) -> None:
        """Stop and delete hosts; without names all of them, and all that a killed run left."""
        require_machine(images=False)
        with locked(self.place):
            if names is not None:
                self._down_some(list(names))
                return
            try:
                state = load(self.place)
            except LabError:
                state = State()
            self._stop(state.hosts.values())
            for record in state.hosts.values():
                hosts.delete(self.place, record)
            self._sweep()

    def _down_some(self, names: list[str]) -> None:
        for name in names:
            self.host(name)
        state = load(self.place)
        leaving = [state.hosts[name] for name in names]
        self._stop(leaving)
        for record in leaving:
            hosts.delete(self.place, record)
            del state.hosts[record.name]
            save(self.place, state)
        self._write_known_hosts(state)

    def _stop(self, leaving: Iterable[HostRecord]) -> None:
        leaving = list(leaving)
        for record in leaving:
            hosts.ask_to_stop(record)
        deadline = time.monotonic() + hosts.POWER_OFF_SECONDS
        for record in leaving:
            hosts.finish_stop(record, deadline=deadline)

    def _sweep(self) -> None:
        """Remove all that carries this lab's directory or prefix, known to the state or not."""
        for process in processes_naming(self.place.directory, (NSPAWN, "unshare")):
            for part in (process.child(), process):
                if part:
                    part.signal(signal.SIGKILL)
            while process.alive():
                time.sleep(hosts.POLL_SECONDS)
        network.remove_all(self.place)
        hosts.unmount(self.place.directory)
        remove_groups(self.place.control_group)
        shutil.rmtree(self.place.directory, ignore_errors=True)

    # ------------------------------------------------------------------------------ touching
    def reboot(self, name: str) -> None:
        """Power a host off and start it again; what it wrote stays."""
        with locked(self.place):
            state = load(self.place)
            record = state.hosts[self.host(name).name]
            image = image_named(record.image)
            lower = ensure_image(image, self.place.images, say=self._say)
            self._stop([record])
            save(self.place, state)
            hosts.unmount(hosts.directory(self.place, record))
            # What the kernel keeps per network namespace (net.*, nftables) starts anew as well.
            network.disconnect(self.place, record.name, record.number)
            record.process = hosts.start(self.place, record, lower=lower)
            save(self.place, state)
            hosts.wait_until_up(self.place, record)

    def cut(self, name: str) -> None:
        """Pull the network cable of a host: packets are lost without a word."""
        network.set_cable(self.place, self.host(name).number, up=False)

    def mend(self, name: str) -> None:
        """Put the cable back."""
        network.set_cable(self.place, self.host(name).number, up=True)

    def rekey(self, name: str) -> str:
        """Give a host other SSH host keys, as a reinstallation does; return the new public key."""
        with locked(self.place):
            state = load(self.place)
            record = state.hosts[self.host(name).name]
            hosts.new_host_keys(self.place, record)
            hosts.reload_sshd(record)
            save(self.place, state)
            self._write_known_hosts(state)
            return record.host_key

    def _write_known_hosts(self, state: State) -> None:
        lines = [f"{host.address} {host.host_key}\n" for host in state.hosts.values()]
        self.place.known_hosts.write_text("".join(lines))


def in_use(place: Place) -> bool:
    """Whether the process that a lab belongs to is running."""
    try:
        owner = load(place).owner
    except LabError:
        return False
    return owner is not None and owner.alive()


def sweep_orphans(*, home: Path | None = None, say: Say | None = None) -> tuple[str, ...]:
    """Remove labs of this checkout whose owner has ended; return their names."""
    swept: list[str] = []
    for place in Place.all(home=home):
        try:
            owner = load(place).owner
        except LabError:
            continue
        if owner and not owner.alive():
            Lab(place, say=say).down()
            swept.append(place.name)
    return tuple(swept)


def _raise_inotify_limit() -> None:
    if int(INOTIFY_INSTANCES.read_text()) < INOTIFY_WANTED:
        INOTIFY_INSTANCES.write_text(str(INOTIFY_WANTED))


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
