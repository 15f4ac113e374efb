"""Host keys over HTTP."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, status

from openwatch.db.requests import Db
from openwatch.fleet.host_keys import service
from openwatch.fleet.host_keys.schema import KnownHostKey
from openwatch.identity.access import requires
from openwatch.kit.paging import Page

router = APIRouter(tags=["host keys"])


@router.get("/hosts/{host_id}/host-keys", dependencies=[requires("host:read")])
async def list_host_keys(db: Db, host_id: UUID) -> Page[KnownHostKey]:
    """List the keys of a host: those that are trusted, then those that were refused."""
    async with db.read() as conn:
        keys = await service.list_keys(conn, host_id)
    return Page(items=keys, total=len(keys))


# A fingerprint is base64, which has slashes in it.
@router.delete(
    "/hosts/{host_id}/host-keys/{fingerprint:path}",
    dependencies=[requires("host:write")],
    status_code=status.HTTP_204_NO_CONTENT,
)
async def delete_host_key(db: Db, host_id: UUID, fingerprint: str) -> None:
    """Forget a key. The next key that the host shows is then judged by its policy."""
    async with db.transaction() as tx:
        await service.remove(tx, host_id, fingerprint)
