"""From an inventory row to a live login: targets, jump chains and connection tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.engine import Database
from openwatch.engine.scan import take_snapshot
from openwatch.engine.snapshot import Platform
from openwatch.engine.transport import (
    ConnectionReport,
    HostKey,
    HostKeys,
    Login,
    Step,
    StepResult,
    Target,
    connect_ssh,
    test_connection,
)
from openwatch.engine.transport.errors import CREDENTIAL_MISSING
from openwatch.engine.transport.host_keys import key_changed
from openwatch.engine.transport.model import place
from openwatch.fleet import errors
from openwatch.fleet.connections.schema import (
    ConnectionStep,
    ConnectionTest,
    ConnectionTestRequest,
    SeenHostKey,
)
from openwatch.fleet.credentials import service as credentials
from openwatch.fleet.host_keys import service as host_keys
from openwatch.fleet.host_keys.service import DatabaseHostKeys, Server
from openwatch.fleet.hosts import service as hosts
from openwatch.fleet.hosts.model import HostKeyPolicy
from openwatch.fleet.hosts.schema import Os
from openwatch.fleet.hosts.store import Way
from openwatch.kit.crypto import Keyring
from openwatch.kit.errors import OpenWatchError

DETECT_SECONDS: Final = 15.0
"""How long a connection test waits for the name of the operating system, which is an extra."""


@dataclass(frozen=True, slots=True)
class Route:
    """A host, ready to be connected to: whom to log in as, over which hosts, by which keys."""

    target: Target
    host_keys: HostKeys


async def route_to(db: Database, keyring: Keyring, host_id: UUID) -> Route:
    """Return the route to a saved host.

    Raises ``host.unknown``, ``credential.missing`` when it or a jump host has no credential, and
    ``keys.*`` when a secret does not open.
    """
    async with db.read() as conn:
        hops = await hosts.way(conn, host_id)
        targets = [await _target(conn, keyring, hop) for hop in hops]
    return Route(_chained(targets), DatabaseHostKeys(db, _servers(hops)))


async def check(db: Database, keyring: Keyring, request: ConnectionTestRequest) -> ConnectionTest:
    """Try a host that is not saved, step by step; its key is not kept.

    Raises what is wrong with the request itself: ``credential.*``, ``host.jump_host_unknown``.
    """
    login = await _login_of(db, keyring, request)
    jump: tuple[Target, ...] = ()
    known = DatabaseHostKeys(db, {})
    if request.jump_host_id is not None:
        route = await _route_over(db, keyring, request.jump_host_id)
        jump, known = (*route.target.jump, route.target), route.host_keys
    target = Target(request.address, port=request.port, login=login, jump=jump)
    keys = _TrialKeys(known, request.address, request.port, request.trust_host_key)
    return await _test(db, Route(target, keys))


async def check_saved(
    db: Database, keyring: Keyring, host_id: UUID, *, trust_host_key: str | None = None
) -> ConnectionTest:
    """Try a saved host, step by step. ``trust_host_key`` is trusted from now on.

    Raises ``host.unknown``, ``credential.missing``, ``keys.*``.
    """
    if trust_host_key is not None:
        async with db.transaction() as tx:
            host = await hosts.lock(tx, host_id)
            await host_keys.trust(tx, host, trust_host_key)
    return await _test(db, await route_to(db, keyring, host_id))


@dataclass(slots=True)
class _TrialKeys:
    """Host keys for one test of an unsaved host: its own key is looked at and not kept."""

    known: HostKeys
    address: str
    port: int
    expected: str | None

    async def check(self, address: str, port: int, key: HostKey) -> None:
        if (address, port) != (self.address, self.port):
            return await self.known.check(address, port, key)
        if self.expected not in (None, key.fingerprint):
            expected = HostKey("", "", self.expected or "")
            raise key_changed(address, port, key, expected=[expected], known_in="this request")
        return None

    async def key_types(self, address: str, port: int) -> tuple[str, ...]:
        if (address, port) != (self.address, self.port) and isinstance(
            self.known, DatabaseHostKeys
        ):
            return await self.known.key_types(address, port)
        return ()


async def _test(db: Database, route: Route) -> ConnectionTest:
    report = await test_connection(route.target, host_keys=route.host_keys)
    logged_in = any(s.step is Step.AUTHENTICATE and s.status == "ok" for s in report.steps)
    host_key = await _seen(db, route.target, report)
    return ConnectionTest(
        ok=report.ok,
        steps=[_told(step, host_key) for step in report.steps],
        host_key=host_key,
        privilege=report.privilege,
        os=await _detect(route) if logged_in else None,
    )


def _told(step: StepResult, host_key: SeenHostKey | None) -> ConnectionStep:
    told = ConnectionStep.model_validate(step)
    if step.step is not Step.HOST_KEY or step.status != "ok" or not host_key or host_key.known:
        return told
    message = f"The host shows a key that is new here: {host_key.algorithm} {host_key.fingerprint}."
    return told.model_copy(update={"message": message})


async def _seen(db: Database, target: Target, report: ConnectionReport) -> SeenHostKey | None:
    key = report.host_key
    if key is None:
        return None
    async with db.read() as conn:
        known = await host_keys.is_known(
            conn, address=target.address, port=target.port, fingerprint=key.fingerprint
        )
    return SeenHostKey(algorithm=key.algorithm, fingerprint=key.fingerprint, known=known)


async def _detect(route: Route) -> Os | None:
    """Return the operating system, or nothing: the test has already told what matters."""
    try:
        async with asyncio.timeout(DETECT_SECONDS):
            transport = await connect_ssh(route.target, host_keys=route.host_keys)
            try:
                snapshot, _ = await take_snapshot(transport, lambda _: ())
            finally:
                await transport.aclose()
    except (OpenWatchError, TimeoutError):
        return None
    platform = snapshot.identity.platform
    return os_of(platform) if isinstance(platform, Platform) else None


def os_of(platform: Platform) -> Os:
    """Return the API's shape of a platform."""
    return Os(
        family=platform.family,
        id=platform.id,
        version=platform.version_id,
        name=platform.name,
    )


async def _login_of(db: Database, keyring: Keyring, request: ConnectionTestRequest) -> Login:
    if request.credential is not None:
        return await credentials.inline_login(request.credential, username=request.username)
    if request.credential_id is None:
        raise OpenWatchError(
            CREDENTIAL_MISSING,
            where=place(request.address, request.port),
            detail="the request has no credential",
        )
    async with db.read() as conn:
        return await credentials.login(
            conn, keyring, request.credential_id, username=request.username
        )


async def _route_over(db: Database, keyring: Keyring, jump_host_id: UUID) -> Route:
    try:
        return await route_to(db, keyring, jump_host_id)
    except OpenWatchError as error:
        if error.kind is not errors.HOST_UNKNOWN:
            raise
        raise OpenWatchError(
            errors.JUMP_HOST_UNKNOWN, host_id=jump_host_id, field="jump_host_id"
        ) from None


async def _target(conn: AsyncConnection, keyring: Keyring, hop: Way) -> Target:
    if hop.credential_id is None:
        raise missing_credential(hop.name, hop.address, hop.port)
    login = await credentials.login(conn, keyring, hop.credential_id, username=hop.username)
    return Target(hop.address, port=hop.port, login=login)


def missing_credential(name: str, address: str, port: int) -> OpenWatchError:
    """Return the error for a host that no credential was given to."""
    return OpenWatchError(
        CREDENTIAL_MISSING, where=place(address, port), detail=f"{name} has no credential"
    )


def _chained(targets: Sequence[Target]) -> Target:
    """Return the first target with all others as its jump hosts, nearest to here first."""
    host, *jumps = targets
    return Target(host.address, port=host.port, login=host.login, jump=tuple(reversed(jumps)))


def _servers(hops: Sequence[Way]) -> dict[tuple[str, int], Server]:
    return {
        (hop.address, hop.port): Server(hop.id, HostKeyPolicy(hop.host_key_policy)) for hop in hops
    }
