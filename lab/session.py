"""A lab for the time of one test run, benchmark or demonstration.

Hosts start when they are first asked for, and all of them go when the session ends. A session that
was killed leaves hosts behind; the next one removes them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab import drift, harden
from lab import host as hosts
from lab.accounts import PASSPHRASE, PASSWORD
from lab.control import AUTO, Lab, Want, sweep_orphans
from lab.errors import LabError
from lab.image import IMAGES
from lab.image_build import Say
from lab.keys import ENCRYPTED_KEY, KEY, RSA_KEY, STRANGERS_KEY, key_path
from lab.machine import Process, require_machine
from lab.place import Place

JUMP: Final = "bookworm"
PRIVATE: Final = "private"
SSH_PORT: Final = 22


@dataclass(frozen=True, slots=True)
class LabHost:
    """A running host. ``address`` and ``host_key`` are what a client needs; the rest acts on it."""

    name: str
    address: str
    suite: str
    init: str
    private: bool
    lab: Lab = field(repr=False)
    port: int = SSH_PORT

    @property
    def host_key(self) -> str:
        """Its public host key, one OpenSSH line without a comment."""
        return self.lab.host(self.name).host_key

    def exec(
        self, command: str, *, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root without SSH; ``LabError`` when it fails and ``check``."""
        return hosts.enter(self.lab.host(self.name), command, check=check, stdin=stdin)

    def plant(self, *names: str) -> None:
        """Plant misconfigurations of ``lab.drift``."""
        drift.plant(self.lab.host(self.name), drift.named(names))

    def unplant(self, *names: str) -> None:
        """Take planted misconfigurations away."""
        drift.mend(self.lab.host(self.name), drift.named(names))

    def harden(self) -> None:
        """Set what good practice asks for."""
        harden.harden(self.lab.host(self.name))

    def cut(self) -> None:
        """Pull the network cable."""
        self.lab.cut(self.name)

    def mend(self) -> None:
        """Put the cable back."""
        self.lab.mend(self.name)

    def reboot(self) -> None:
        self.lab.reboot(self.name)

    def rekey(self) -> str:
        """Give it another SSH host key; return that."""
        return self.lab.rekey(self.name)

    def cpu_seconds(self) -> float | None:
        """CPU seconds that all its processes have used, if this machine counts them."""
        return self.lab.cpu_seconds(self.name)


class HostsOnDemand(Mapping[str, LabHost]):
    """The hosts of a session by name: every image, and "private" behind the jump host."""

    def __init__(self, session: LabSession) -> None:
        self._session = session

    def __getitem__(self, name: str) -> LabHost:
        if name not in IMAGES and name != PRIVATE:
            raise KeyError(name)
        return self._session.host(name)

    def __iter__(self) -> Iterator[str]:
        return iter((*IMAGES, PRIVATE))

    def __len__(self) -> int:
        return len(IMAGES) + 1


class LabSession:
    """Hosts, the keys that open them, and the passwords."""

    def __init__(self, lab: Lab, *, init: str, owner: Process) -> None:
        self._lab = lab
        self._init = init
        self._owner = owner
        self._fresh = 0
        self.hosts = HostsOnDemand(self)
        self.password: Final = PASSWORD
        self.passphrase: Final = PASSPHRASE

    @property
    def key_path(self) -> Path:
        """The private key that opens every account."""
        return self._key(KEY)

    @property
    def encrypted_key_path(self) -> Path:
        """A key that opens every account, encrypted with ``passphrase``."""
        return self._key(ENCRYPTED_KEY)

    @property
    def rsa_key_path(self) -> Path:
        """An RSA key that opens every account."""
        return self._key(RSA_KEY)

    @property
    def strangers_key_path(self) -> Path:
        """A key that opens nothing."""
        return self._key(STRANGERS_KEY)

    @property
    def known_hosts(self) -> Path:
        """A known_hosts file with the keys of all hosts that were started."""
        return self._lab.place.known_hosts

    @property
    def jump_host(self) -> LabHost:
        """The host that reaches the private one."""
        for record in self._lab.hosts.values():
            if record.jump:
                return self._handle(record.name)
        return self.host(JUMP)

    def host(self, name: str) -> LabHost:
        """The host ``name``, started unless it runs."""
        private = name == PRIVATE
        if private:
            self.start([Want(self.jump_host.name, self.jump_host.suite)])
        return self.start([Want(name, JUMP if private else name, private)])[0]

    def start(self, wanted: Iterable[Want]) -> list[LabHost]:
        """Start several hosts at once."""
        records = self._lab.up(list(wanted), init=self._init, owner=self._owner)
        return [self._handle(record.name) for record in records]

    @contextmanager
    def fresh(self, image: str = JUMP) -> Iterator[LabHost]:
        """A host of one's own, for a test that breaks it; deleted afterwards."""
        self._fresh += 1
        host = self.start([Want(f"{image}-fresh{self._fresh}", image)])[0]
        try:
            yield host
        finally:
            self._lab.down([host.name])

    def _handle(self, name: str) -> LabHost:
        record = self._lab.host(name)
        return LabHost(
            name=record.name,
            address=record.address,
            suite=record.image,
            init=record.init,
            private=record.private,
            lab=self._lab,
        )

    def _key(self, name: str) -> Path:
        if not self._lab.place.keys.exists():
            self.host(JUMP)
        return key_path(self._lab.place, name)


@contextmanager
def lab_session(
    purpose: str = "session", *, init: str = AUTO, say: Say | None = None
) -> Iterator[LabSession]:
    """A lab that ends with the block, or with this process.

    Raises ``UnavailableError`` where real hosts cannot run.
    """
    require_machine()
    owner = Process.of(os.getpid())
    if owner is None:
        raise LabError("This process is not in /proc.", "Mount /proc.")
    sweep_orphans(say=say)
    lab = Lab(Place.of(f"{purpose}-{owner.pid}"), say=say)
    try:
        yield LabSession(lab, init=init, owner=owner)
    finally:
        lab.down()
