"""``./ow demo``: OpenWatch over hosts that are there to be scanned, with something to find.

As root the hosts are real ones of the lab, hardened and then misconfigured on purpose; elsewhere
they are simulated ones that answer like this machine. Nothing of it outlives the demonstration.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from lab.control import Want
from lab.drift import MISCONFIGURATIONS
from lab.errors import LabError, UnavailableError
from lab.session import LabHost, lab_session
from lab.sim import Fault, sim_fleet
from openwatch.cli.readiness import is_ready
from openwatch.cli.supervised import PARENT_VARIABLE
from openwatch.db.cluster import make_data_dir
from openwatch.kit.settings import Settings

ADMIN: Final = "admin"
ACCOUNT: Final = "scan"
POLL_SECONDS: Final = 0.2
STOP_SECONDS: Final = 90.0
# Name of the host, its image, whether it is hardened before it is misconfigured.
REAL: Final = (("web-1", "trixie", True), ("db-1", "bookworm", True), ("old-1", "rhel9", False))
SIMULATED: Final = ("web-1", "web-2", "db-1", "broken-1")
BROKEN: Final = 3  # the last simulated host loses its connection, to show what that looks like
BROKEN_AFTER_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class DemoHost:
    """A host to add. ``says`` is its description in the inventory."""

    name: str
    address: str
    port: int
    environment: str
    says: str


@dataclass(frozen=True, slots=True)
class Hosts:
    """Running hosts and the private key of the account that scans them."""

    private_key: str
    hosts: tuple[DemoHost, ...]


async def demo(arguments: Sequence[str]) -> int:
    """Run until Ctrl-C; return the exit status of `openwatch up`, which gets the arguments."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    password = secrets.token_urlsafe(12)
    async with _hosts() as hosts:
        if stop.is_set():
            return 0
        with _data_dir() as data_dir:
            up = await _start(data_dir, password, arguments)
            try:
                return await _follow(up, stop, hosts, password)
            finally:
                await _end(up)


async def _follow(
    up: asyncio.subprocess.Process, stop: asyncio.Event, hosts: Hosts, password: str
) -> int:
    ended = asyncio.create_task(up.wait())
    stopped = asyncio.create_task(stop.wait())
    added = asyncio.create_task(_add(hosts, password))
    try:
        await asyncio.wait({ended, stopped, added}, return_when=asyncio.FIRST_COMPLETED)
        if added.done():
            added.result()
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return 0 if stopped.done() else ended.result()
    finally:
        for task in (added, stopped):
            task.cancel()


async def _add(hosts: Hosts, password: str) -> None:
    """Add the hosts and scan them, through the API like any script."""
    settings = Settings()
    while await asyncio.to_thread(is_ready, settings) is not None:
        await asyncio.sleep(POLL_SECONDS)
    # Our own server on this machine: its certificate may be self-signed.
    async with httpx.AsyncClient(base_url=f"{settings.base_url}/api/v1", verify=False) as api:
        login = {"username": ADMIN, "password": password}
        session = await _post(api, "/session", login)
        api.headers["X-CSRF-Token"] = session["csrf_token"]
        credential = await _post(
            api,
            "/credentials",
            {"name": "demo", "username": ACCOUNT, "private_key": hosts.private_key},
        )
        for host in hosts.hosts:
            made = await _post(
                api,
                "/hosts",
                {
                    "name": host.name,
                    "address": host.address,
                    "port": host.port,
                    "environment": host.environment,
                    "description": host.says,
                    "tags": ["demo"],
                    "credential_id": credential["id"],
                },
            )
            await _post(api, f"/hosts/{made['id']}/scans", None)
    names = ", ".join(host.name for host in hosts.hosts)
    _say(f"added and scanning: {names}. Sign in as {ADMIN} with the password {password}")


async def _post(api: httpx.AsyncClient, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    answer = await api.post(path, json=body)
    if answer.is_error:
        problem = answer.json()
        raise LabError(f"POST {path}: {problem['detail']}", problem.get("fix", ""))
    return answer.json()


async def _start(
    data_dir: Path, password: str, arguments: Sequence[str]
) -> asyncio.subprocess.Process:
    secret = data_dir / "admin-password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "openwatch.cli.main", "up", *arguments),
        # Ctrl-C at the terminal is for us: hosts and server end in order.
        start_new_session=True,
        env={
            **os.environ,
            "OPENWATCH_DATA_DIR": str(data_dir),
            "OPENWATCH_ADMIN_USERNAME": ADMIN,
            "OPENWATCH_ADMIN_PASSWORD_FILE": str(secret),
            PARENT_VARIABLE: str(os.getpid()),
        },
    )


async def _end(up: asyncio.subprocess.Process) -> None:
    if up.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        up.terminate()
    try:
        await asyncio.wait_for(up.wait(), STOP_SECONDS)
    except TimeoutError:
        up.kill()


@contextlib.contextmanager
def _data_dir():
    """A data directory for this run only: the hosts are new each time, so their history is too."""
    data_dir = Path(tempfile.mkdtemp(prefix="openwatch-demo-"))
    make_data_dir(data_dir)
    try:
        yield data_dir
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


@contextlib.asynccontextmanager
async def _hosts() -> AsyncGenerator[Hosts]:
    """Real hosts where this machine can run them, else simulated ones; says which and why."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            session = stack.enter_context(lab_session("demo", say=_say))
        except UnavailableError as reason:
            _say(f"simulated hosts, which answer like this machine: {reason}")
            faults = {BROKEN: Fault.DROP(BROKEN_AFTER_BYTES)}
            fleet = await stack.enter_async_context(sim_fleet(len(SIMULATED), faults=faults))
            yield Hosts(
                fleet.user_key,
                tuple(
                    DemoHost(name, host.address, host.port, "demo", "simulated host")
                    for name, host in zip(SIMULATED, fleet.hosts, strict=True)
                ),
            )
            return
        _say("starting lab hosts (the first time their images are built, a minute or two)")
        wanted = [Want(name, image) for name, image, _ in REAL]
        started = await asyncio.to_thread(session.start, wanted)
        for host, (_, _, hardened) in zip(started, REAL, strict=True):
            await asyncio.to_thread(_prepare, host, hardened=hardened)
        described = tuple(
            DemoHost(host.name, host.address, host.port, "demo", f"lab host, {host.suite}")
            for host in started
        )
        yield Hosts(session.key_path.read_text(), described)


def _prepare(host: LabHost, *, hardened: bool) -> None:
    if hardened:
        host.harden()
    record = host.lab.host(host.name)
    host.plant(*(name for name, what in MISCONFIGURATIONS.items() if what.possible_on(record)))


def _say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(demo(sys.argv[1:])))
    except LabError as problem:
        _say(str(problem))
        sys.exit(1)
