"""Hosts over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response, status

from openwatch.db.requests import Db
from openwatch.fleet.host_keys import service as host_keys
from openwatch.fleet.hosts import service
from openwatch.fleet.hosts.model import HostState
from openwatch.fleet.hosts.schema import Host, HostCreate, HostFacets, HostFilters, HostUpdate
from openwatch.identity.access import requires
from openwatch.kit.http import IfMatch, ListParameters, ListQuery, etag
from openwatch.kit.paging import Page

router = APIRouter(tags=["hosts"])

READ = [requires("host:read")]
WRITE = [requires("host:write")]


def _filters(
    state: Annotated[list[HostState], Query()] = [],  # noqa: B006
    os: Annotated[list[str], Query(description="As in the facets: `debian 12`.")] = [],  # noqa: B006
    environment: Annotated[list[str], Query()] = [],  # noqa: B006
    tag: Annotated[list[str], Query()] = [],  # noqa: B006
    group: Annotated[list[UUID], Query(description="In it, or in a group in it.")] = [],  # noqa: B006
    score_below: Annotated[float | None, Query(ge=0, le=1.01)] = None,
    deleted: Annotated[bool, Query(description="Those that were deleted, not the others.")] = False,
) -> HostFilters:
    return HostFilters(
        state=state,
        os=os,
        environment=environment,
        tag=tag,
        group=group,
        score_below=score_below,
        deleted=deleted,
    )


Filters = Annotated[HostFilters, Depends(_filters)]


@router.get("/hosts", dependencies=READ)
async def list_hosts(db: Db, wanted: ListQuery, filters: Filters) -> Page[Host]:
    """List hosts. Sort by name, address, environment, state, os, score, failing or last_scan."""
    async with db.read() as conn:
        return await service.list_hosts(
            conn,
            filters=_searching(filters, wanted),
            sort=wanted.sort,
            cursor=wanted.cursor,
            limit=wanted.limit,
        )


@router.get("/hosts/facets", dependencies=READ)
async def get_host_facets(
    db: Db, filters: Filters, search: Annotated[str | None, Query(max_length=200)] = None
) -> HostFacets:
    """Count hosts by each value of each filter, under all the other filters."""
    async with db.read() as conn:
        return await service.facets(conn, filters.model_copy(update={"search": search}))


@router.post("/hosts", dependencies=WRITE, status_code=status.HTTP_201_CREATED)
async def create_host(db: Db, request: HostCreate, response: Response) -> Host:
    """Add a host."""
    async with db.transaction() as tx:
        host = await service.create(tx, request)
        if request.trust_host_key is not None:
            await host_keys.trust(tx, host, request.trust_host_key)
    response.headers["ETag"] = etag(host.version)
    response.headers["Location"] = f"/api/v1/hosts/{host.id}"
    return host


@router.get("/hosts/{host_id}", dependencies=READ)
async def get_host(db: Db, host_id: UUID, response: Response) -> Host:
    """Get a host."""
    async with db.read() as conn:
        host = await service.get(conn, host_id)
    response.headers["ETag"] = etag(host.version)
    return host


@router.patch("/hosts/{host_id}", dependencies=WRITE)
async def update_host(
    db: Db, host_id: UUID, request: HostUpdate, expected: IfMatch, response: Response
) -> Host:
    """Change a host: fields that are left out stay as they are."""
    async with db.transaction() as tx:
        host = await service.change(tx, host_id, request, expected=expected)
    response.headers["ETag"] = etag(host.version)
    return host


@router.delete("/hosts/{host_id}", dependencies=WRITE, status_code=status.HTTP_204_NO_CONTENT)
async def delete_host(db: Db, host_id: UUID) -> None:
    """Remove a host from the inventory. Its scans and their evidence stay; a running scan stops."""
    async with db.transaction() as tx:
        await service.delete(tx, host_id)


@router.post("/hosts/{host_id}/restore", dependencies=WRITE)
async def restore_host(db: Db, host_id: UUID, response: Response) -> Host:
    """Bring a deleted host back, with all that it had. 409 when its name is taken by now."""
    async with db.transaction() as tx:
        host = await service.restore(tx, host_id)
    response.headers["ETag"] = etag(host.version)
    return host


def _searching(filters: HostFilters, wanted: ListParameters) -> HostFilters:
    return filters.model_copy(update={"search": wanted.search})
