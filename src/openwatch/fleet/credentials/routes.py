"""Credentials over HTTP: secrets go in and never come out."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response, status

from openwatch.db.requests import Db
from openwatch.fleet.credentials import service
from openwatch.fleet.credentials.schema import Credential, CredentialCreate, CredentialUpdate
from openwatch.fleet.keys import Keys
from openwatch.identity.access import requires
from openwatch.kit.http import IfMatch, ListQuery, etag
from openwatch.kit.paging import Page

router = APIRouter(tags=["credentials"])

READ = [requires("credential:read")]
WRITE = [requires("credential:write")]


@router.get("/credentials", dependencies=READ)
async def list_credentials(db: Db, wanted: ListQuery) -> Page[Credential]:
    """List credentials. Sort by name, username, hosts_count, created_at or updated_at."""
    async with db.read() as conn:
        return await service.list_credentials(
            conn,
            search=wanted.search,
            sort=wanted.sort,
            cursor=wanted.cursor,
            limit=wanted.limit,
        )


@router.post("/credentials", dependencies=WRITE, status_code=status.HTTP_201_CREATED)
async def create_credential(
    db: Db, keys: Keys, request: CredentialCreate, response: Response
) -> Credential:
    """Keep a credential: a private key, a password, or both."""
    async with db.transaction() as tx:
        credential = await service.create(tx, keys, request)
    response.headers["ETag"] = etag(credential.version)
    response.headers["Location"] = f"/api/v1/credentials/{credential.id}"
    return credential


@router.get("/credentials/{credential_id}", dependencies=READ)
async def get_credential(db: Db, credential_id: UUID, response: Response) -> Credential:
    """Get what may be known of a credential."""
    async with db.read() as conn:
        credential = await service.get(conn, credential_id)
    response.headers["ETag"] = etag(credential.version)
    return credential


@router.patch("/credentials/{credential_id}", dependencies=WRITE)
async def update_credential(
    db: Db,
    keys: Keys,
    credential_id: UUID,
    request: CredentialUpdate,
    expected: IfMatch,
    response: Response,
) -> Credential:
    """Change a credential: fields that are left out stay, a secret that is null is removed."""
    async with db.transaction() as tx:
        credential = await service.change(tx, keys, credential_id, request, expected=expected)
    response.headers["ETag"] = etag(credential.version)
    return credential


@router.delete(
    "/credentials/{credential_id}", dependencies=WRITE, status_code=status.HTTP_204_NO_CONTENT
)
async def delete_credential(db: Db, credential_id: UUID) -> None:
    """Remove a credential and its secrets. Refused while hosts log in with it."""
    async with db.transaction() as tx:
        await service.delete(tx, credential_id)
