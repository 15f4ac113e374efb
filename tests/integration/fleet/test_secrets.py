"""Secrets are used and then nowhere to be found."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import httpx
import psycopg
import pytest
import zstandard
from psycopg import sql

from lab.session import LabHost, LabSession
from tests.fixtures.api import Servers, ensure_admin, signed_in_client
from tests.fixtures.worker import Workers

SECONDS = 60.0


@dataclass(frozen=True)
class Canary:
    """Secrets that occur nowhere else, and the account that they open."""

    password: str
    passphrase: str
    wrong: str
    private_key: str
    public_key: str

    @classmethod
    def hatch(cls) -> Canary:
        passphrase = f"passphrase-{secrets.token_hex(12)}"
        key = asyncssh.generate_private_key("ssh-ed25519")
        return cls(
            password=f"password-{secrets.token_hex(12)}",
            passphrase=passphrase,
            wrong=f"wrong-{secrets.token_hex(12)}",
            private_key=key.export_private_key(passphrase=passphrase).decode(),
            public_key=key.export_public_key().decode().strip(),
        )

    def traces(self) -> dict[str, bytes]:
        """What would give each secret away, in the forms in which it could be stored."""
        # Lines of the key after its first ones, which say only what kind of key it is.
        key_line = self.private_key.splitlines()[4]
        plain = {
            "password": self.password,
            "passphrase": self.passphrase,
            "wrong password": self.wrong,
            "private key": key_line,
        }
        found: dict[str, bytes] = {}
        for name, text in plain.items():
            raw = text.encode()
            found[name] = raw
            found[f"{name} in hex"] = raw.hex().encode()
            found[f"{name} in base64"] = base64.b64encode(raw)[:-4]
        return found


def settle(host: LabHost, canary: Canary) -> None:
    """Make the account that the canary opens, with sudo for its password."""
    host.exec(
        "useradd -m -s /bin/sh canary && chpasswd && mkdir -p -m 700 ~canary/.ssh "
        f"&& echo '{canary.public_key}' > ~canary/.ssh/authorized_keys "
        "&& chown -R canary ~canary/.ssh "
        "&& echo 'canary ALL=(ALL) ALL' > /etc/sudoers.d/canary",
        stdin=f"canary:{canary.password}\n",
    )


@dataclass
class Watch:
    """Looks at the command line and the environment of every process, all the time."""

    traces: dict[str, bytes]
    seen: set[str] = field(default_factory=set[str])
    looked: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._run, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _run(self, over: threading.Event) -> None:
        while True:
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        data = (process / name).read_bytes()
                    except OSError:
                        continue
                    self.looked += 1
                    self.seen |= {
                        f"{what} in {name}" for what, t in self.traces.items() if t in data
                    }
            if over.wait(0.02):
                return


def dump(database_url: str) -> Iterator[tuple[str, bytes]]:
    """Yield every row of every table as text, and compressed evidence as it reads."""
    with psycopg.connect(database_url) as connection:
        names = connection.execute(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (name,) in names:
            statement = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.SQL(name))
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                yield name, b"".join(bytes(part) for part in copy)
        for (data,) in connection.execute("SELECT data FROM evidence"):
            yield "evidence, unpacked", zstandard.ZstdDecompressor().decompress(data)


async def use(client: httpx.AsyncClient, host: LabHost, canary: Canary) -> list[bytes]:
    """Use the secrets in every way that there is; return all answers."""
    answers: list[bytes] = []

    async def ask(method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = await client.request(method, f"/api/v1{path}", json=body, headers=headers)
        answers.append(answer.content + repr(answer.headers).encode())
        return answer.json() if answer.content else None

    good = {
        "username": "canary",
        "private_key": canary.private_key,
        "passphrase": canary.passphrase,
        "password": canary.password,
        "sudo_password": canary.password,
    }
    where = {"address": host.address}
    test = await ask("POST", "/connection-tests", {**where, "credential": good})
    assert test["ok"], test
    wrong = {"username": "canary", "password": canary.wrong}
    assert not (await ask("POST", "/connection-tests", {**where, "credential": wrong}))["ok"]
    # Requests that are refused for what stands beside the secrets.
    await ask("POST", "/connection-tests", {"address": "a b", "credential": good})
    await ask("POST", "/credentials", {"name": "x", **good, "extra": canary.password})
    await ask("POST", "/credentials", {"name": "x", **good, "passphrase": canary.wrong})
    await ask("POST", "/credentials", {"name": "x", **good, "password": canary.password * 60})
    await ask("POST", "/credentials", {"name": "x", **good, "private_key": [canary.private_key]})

    credential = await ask("POST", "/credentials", {"name": "canary", **good})
    saved = {"name": "canary", **where, "credential_id": credential["id"]}
    host_id = (await ask("POST", "/hosts", saved))["id"]
    assert (await ask("POST", f"/hosts/{host_id}/connection-test"))["ok"]
    scan = await ask("POST", f"/hosts/{host_id}/scans")
    deadline = time.monotonic() + SECONDS
    while scan["state"] in ("queued", "running") and time.monotonic() < deadline:
        scan = await ask("GET", f"/scans/{scan['id']}")
    assert (scan["state"], scan["privilege"]) == ("completed", "sudo_password"), scan

    for path in ("/credentials", f"/credentials/{credential['id']}", "/hosts", "/events/log"):
        await ask("GET", f"{path}?limit=200" if "?" not in path else path)
    await ask("GET", f"/scans/{scan['id']}/bundle")
    await ask("PATCH", f"/credentials/{credential['id']}", {"password": canary.password},
              **{"If-Match": "*"})  # fmt: skip
    await ask("DELETE", f"/hosts/{host_id}")
    await ask("DELETE", f"/credentials/{credential['id']}")
    return answers


@pytest.mark.ac("fleet-08")
async def test_secrets_leave_no_trace(
    lab: LabSession, database_url: str, servers: Servers, workers: Workers
) -> None:
    canary = Canary.hatch()
    watch = Watch(canary.traces())
    workers.folder = servers.folder
    with lab.fresh("bookworm") as host:
        settle(host, canary)
        server = servers.start(OPENWATCH_LOG_LEVEL="debug", OPENWATCH_LOG_FORMAT="json")
        await _make_admin(database_url)
        workers.start(OPENWATCH_LOG_LEVEL="debug")
        with watch.running():
            async with signed_in_client(server.base_url) as client:
                answers = await use(client, host, canary)
    server.stop()
    for worker in workers.started:
        worker.stop()

    places = [("an answer", answer) for answer in answers]
    places += dump(database_url)
    places += [(f.name, f.read_bytes()) for f in servers.folder.rglob("*") if f.is_file()]
    assert any(name.endswith(".log") and data for name, data in places)
    found = {
        f"{what} in {name}"
        for name, data in places
        for what, trace in canary.traces().items()
        if trace in data
    }
    assert found | watch.seen == set()
    assert watch.looked > 100


async def _make_admin(database_url: str) -> None:
    from openwatch.db.engine import Database

    database = Database(database_url)
    await ensure_admin(database)
    await database.aclose()


def test_the_search_would_find_a_trace() -> None:
    canary = Canary.hatch()
    traces = canary.traces()
    assert traces["private key"] in canary.private_key.encode()
    packed = base64.b64encode(canary.password.encode())
    assert traces["password in base64"] in packed
    watch = Watch({"own": b"pytest"})
    with watch.running():
        pass  # at least one whole look
    assert watch.seen
