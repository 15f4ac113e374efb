"""What is known of the SSH host keys, and what happens when a host shows one.

A host is trusted by the keys that it showed before. While any trusted key of a host at an address
is known, every other key there is refused, whatever its algorithm: who stands in between could
otherwise offer a key of another kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.engine import Database
from openwatch.engine.transport.host_keys import key_changed, key_unknown
from openwatch.engine.transport.model import HostKey
from openwatch.fleet import errors
from openwatch.fleet.host_keys import store
from openwatch.fleet.host_keys.schema import KnownHostKey
from openwatch.fleet.hosts import service as hosts
from openwatch.fleet.hosts.model import HostKeyPolicy
from openwatch.fleet.hosts.schema import Host
from openwatch.kit.clock import now
from openwatch.kit.errors import OpenWatchError
from openwatch.signals.service import Subject, emit

SEEN_EVERY: Final = timedelta(hours=1)
"""How exact the time of the last sight is: a scan that changes nothing writes nothing."""

KNOWN_IN: Final = "the host's page"
"""Where a person finds the keys that are known."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server on the way to a host: whose keys count, and what to do with a first one."""

    host_id: UUID
    policy: HostKeyPolicy


@dataclass(frozen=True, slots=True)
class DatabaseHostKeys:
    """Decides about host keys by what the database knows (``engine.transport.HostKeys``).

    ``servers`` holds each server of the way by its address and port.
    """

    db: Database
    servers: Mapping[tuple[str, int], Server]

    async def check(self, address: str, port: int, key: HostKey) -> None:
        """Return when the key is trusted; a first key is remembered where the policy says so.

        Raises ``host.key_unknown`` or ``host.key_changed``. What was shown is noted in a
        transaction of its own, so that it is kept although the connection is refused.
        """
        server = self.servers[address, port]
        async with self.db.transaction() as tx:
            problem = await _judge(tx, server, address, port, key)
        if problem is not None:
            raise problem

    async def key_types(self, address: str, port: int) -> tuple[str, ...]:
        """Return the algorithms of the keys that are trusted for a server."""
        server = self.servers[address, port]
        async with self.db.read() as conn:
            rows = await store.at_address(conn, server.host_id, address, port)
        return tuple(sorted({row["algorithm"] for row in rows if row["trusted"]} - {None}))


async def list_keys(conn: AsyncConnection, host_id: UUID) -> list[KnownHostKey]:
    """Return the keys of a host, trusted ones first; raises ``host.unknown``."""
    await hosts.get(conn, host_id)
    return [
        KnownHostKey(**{name: row[name] for name in KnownHostKey.model_fields})
        for row in await store.all_of(conn, host_id)
    ]


async def is_known(conn: AsyncConnection, *, address: str, port: int, fingerprint: str) -> bool:
    """Return whether some host at an address is trusted by a key."""
    return await store.is_trusted(conn, address=address, port=port, fingerprint=fingerprint)


async def trust(tx: AsyncConnection, host: Host, fingerprint: str) -> None:
    """Trust a key of a host at its address, which from then on must show it (or another one)."""
    at = now()
    rows = await store.at_address(tx, host.id, host.address, host.port)
    known = next((row for row in rows if row["fingerprint"] == fingerprint), None)
    await store.put(
        tx,
        {
            "host_id": host.id,
            "address": host.address,
            "port": host.port,
            "fingerprint": fingerprint,
            "algorithm": known and known["algorithm"],
            "public_key": known and known["public_key"],
            "trusted": True,
            "first_seen_at": at,
            "last_seen_at": known and known["last_seen_at"],
        },
    )
    data = {"fingerprint": fingerprint, "address": host.address, "port": host.port}
    await _tell(tx, "host.key_trusted", host.id, data)


async def remove(tx: AsyncConnection, host_id: UUID, fingerprint: str) -> None:
    """Forget a key; the next key that the host shows is then judged by its policy.

    Raises ``host.unknown``, ``host.key_not_listed``.
    """
    host = await hosts.lock(tx, host_id)
    if not await store.remove(tx, host_id, fingerprint):
        raise OpenWatchError(errors.HOST_KEY_UNKNOWN, fingerprint=fingerprint)
    data = {"name": host.name, "changed": ["host_keys"], "fingerprint": fingerprint}
    await _tell(tx, "host.updated", host_id, data)


async def _judge(
    tx: AsyncConnection, server: Server, address: str, port: int, key: HostKey
) -> OpenWatchError | None:
    # Two first connections at once must not both be the first.
    await hosts.lock(tx, server.host_id)
    rows = await store.at_address(tx, server.host_id, address, port)
    trusted = [row for row in rows if row["trusted"]]
    shown = next((row for row in rows if row["fingerprint"] == key.fingerprint), None)
    if shown is not None and shown["trusted"]:
        await _note_seen(tx, server, address, port, key, shown)
        return None
    if trusted:
        if shown is None:
            await _remember(tx, server, address, port, key, trusted=False)
            await _tell_changed(tx, server, address, port, key, trusted)
        expected = [_key(row) for row in trusted]
        return key_changed(address, port, key, expected=expected, known_in=KNOWN_IN)
    if server.policy is HostKeyPolicy.STRICT:
        if shown is None:
            await _remember(tx, server, address, port, key, trusted=False)
        return key_unknown(address, port, key)
    await _remember(tx, server, address, port, key, trusted=True)
    data = {"fingerprint": key.fingerprint, "address": address, "port": port}
    await _tell(tx, "host.key_trusted", server.host_id, data)
    return None


async def _note_seen(
    tx: AsyncConnection, server: Server, address: str, port: int, key: HostKey, row: RowMapping
) -> None:
    last = row["last_seen_at"]
    if row["public_key"] is None:
        await _remember(tx, server, address, port, key, trusted=True)
    elif last is None or now() - last > SEEN_EVERY:
        await store.seen(tx, server.host_id, fingerprint=key.fingerprint, at=now())


async def _remember(
    tx: AsyncConnection, server: Server, address: str, port: int, key: HostKey, *, trusted: bool
) -> None:
    at = now()
    await store.put(
        tx,
        {
            "host_id": server.host_id,
            "address": address,
            "port": port,
            "fingerprint": key.fingerprint,
            "algorithm": key.algorithm,
            "public_key": key.public_key,
            "trusted": trusted,
            "first_seen_at": at,
            "last_seen_at": at,
        },
    )


async def _tell_changed(
    tx: AsyncConnection,
    server: Server,
    address: str,
    port: int,
    key: HostKey,
    trusted: Sequence[RowMapping],
) -> None:
    data = {
        "address": address,
        "port": port,
        "fingerprint": key.fingerprint,
        "expected": [row["fingerprint"] for row in trusted],
    }
    await _tell(tx, "host.key_changed", server.host_id, data)


async def _tell(tx: AsyncConnection, kind: str, host_id: UUID, data: dict[str, Any]) -> None:
    await emit(tx, kind, subject=Subject("host", host_id), host_id=host_id, data=data)


def _key(row: RowMapping) -> HostKey:
    return HostKey(row["algorithm"] or "", row["public_key"] or "", row["fingerprint"])
