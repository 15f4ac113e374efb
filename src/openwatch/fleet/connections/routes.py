"""Connection tests over HTTP."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from openwatch.db.requests import Db
from openwatch.fleet.connections import service
from openwatch.fleet.connections.schema import (
    ConnectionTest,
    ConnectionTestRequest,
    SavedConnectionTestRequest,
)
from openwatch.fleet.keys import Keys
from openwatch.identity.access import requires

router = APIRouter(tags=["hosts"])

WRITE = [requires("host:write")]


@router.post("/connection-tests", dependencies=WRITE, name="test_connection")
async def try_connection(db: Db, keys: Keys, request: ConnectionTestRequest) -> ConnectionTest:
    """Try to log in to a host that is not saved, and tell which step fails. Nothing is kept."""
    return await service.check(db, keys, request)


@router.post("/hosts/{host_id}/connection-test", dependencies=WRITE, name="test_host_connection")
async def try_host_connection(
    db: Db, keys: Keys, host_id: UUID, request: SavedConnectionTestRequest | None = None
) -> ConnectionTest:
    """Try to log in to a saved host, and tell which step fails."""
    trusted = request.trust_host_key if request is not None else None
    return await service.check_saved(db, keys, host_id, trust_host_key=trusted)
