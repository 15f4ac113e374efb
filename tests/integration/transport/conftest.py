"""An SSH server of this machine's own, for whoever runs the tests: root is not needed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from openwatch.engine.transport import Login, Target, read_identity
from tests.integration.transport.servers import ADDRESS
from tests.ports import reserved_port
from tests.processes import end_with_tests

SSHD: Final = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
START_SECONDS: Final = 60
PRIVSEP: Final = Path("/run/sshd")


@dataclass(frozen=True)
class OwnSshd:
    """A running sshd that lets the current user in with ``key``."""

    directory: Path
    port: int
    username: str

    @property
    def key(self) -> Path:
        return self.directory / "id"

    @property
    def host_key(self) -> str:
        return (self.directory / "host_key.pub").read_text()

    def target(self, **login: object) -> Target:
        how = login or {"private_key": read_identity(self.key).private_key}
        return Target(ADDRESS, port=self.port, login=Login(self.username, **how))  # type: ignore[arg-type]


def keygen(*argv: str | Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *map(str, argv)], check=True)


def new_key(path: Path, *, kind: str = "ed25519") -> Path:
    keygen("-t", kind, "-N", "", "-C", path.name, "-f", path)
    return path


def _why_not() -> str | None:
    if SSHD is None or shutil.which("ssh-keygen") is None:
        return "needs sshd and ssh-keygen (Debian: openssh-server)"
    user = pwd.getpwuid(os.getuid())
    if not os.access(user.pw_shell, os.X_OK) or user.pw_shell.endswith(("nologin", "false")):
        return f"the user {user.pw_name} has no shell to log in with"
    if os.getuid() == 0 and not any(entry.pw_name == "sshd" for entry in pwd.getpwall()):
        return "sshd needs its system user `sshd` when root starts it (Debian: openssh-server)"
    return None


@pytest.fixture(scope="session")
def own_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSshd]:
    """An sshd on a free port of 127.0.0.1, with a user CA (``ca``) and MaxAuthTries 6."""
    if reason := _why_not():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("sshd")
    for name in ("id", "host_key", "ca"):
        new_key(directory / name)
    (directory / "authorized_keys").write_text((directory / "id.pub").read_text())
    port = reserved_port()
    config = directory / "sshd_config"
    config.write_text(
        f"ListenAddress {ADDRESS}:{port}\n"
        f"HostKey {directory}/host_key\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\n"
        f"TrustedUserCAKeys {directory}/ca.pub\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxSessions 1\n"
    )
    if os.getuid() == 0:
        # It stays: every connection of every sshd on this machine needs it.
        PRIVSEP.mkdir(mode=0o755, exist_ok=True)
    log = (directory / "log").open("wb")
    command = [str(SSHD), "-D", "-e", "-f", str(config)]
    server = subprocess.Popen(command, stderr=log, preexec_fn=end_with_tests)
    try:
        _wait_for(port, server, directory / "log")
        yield OwnSshd(directory, port, pwd.getpwuid(os.getuid()).pw_name)
    finally:
        server.terminate()
        server.wait()
        log.close()


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex((ADDRESS, port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"sshd did not start: {log.read_text()}")


def _takes_connections(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


@dataclass(frozen=True)
class Agent:
    """A running ssh-agent."""

    socket: Path

    def add(self, *keys: Path) -> None:
        environment = {**os.environ, "SSH_AUTH_SOCK": str(self.socket)}
        subprocess.run(["ssh-add", "-q", *map(str, keys)], check=True, env=environment)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    """An empty agent; the environment does not point to it."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("needs ssh-agent (Debian: openssh-client)")
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    end = time.monotonic() + START_SECONDS
    try:
        # It binds the socket first and listens later.
        while not _takes_connections(path):
            assert time.monotonic() < end, "ssh-agent did not start"
            time.sleep(0.01)
        yield Agent(path)
    finally:
        process.terminate()
        process.wait()
