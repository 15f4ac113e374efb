"""Groups over HTTP."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from fastapi import APIRouter, Response, status

from openwatch.db.requests import Db
from openwatch.fleet.groups import service
from openwatch.fleet.groups.schema import (
    Group,
    GroupCreate,
    GroupOfHost,
    GroupUpdate,
    MembersChange,
    MembersChanged,
    RuleField,
    RulePreview,
    RulePreviewRequest,
)
from openwatch.identity.access import requires
from openwatch.kit.http import IfMatch, ListQuery, etag
from openwatch.kit.paging import Page

router = APIRouter(tags=["groups"])

T = TypeVar("T")

READ = [requires("group:read")]
WRITE = [requires("group:write")]


@router.get("/groups", dependencies=READ)
async def list_groups(db: Db, wanted: ListQuery) -> Page[Group]:
    """List groups with their hosts added up. Sort by name, created_at or updated_at."""
    async with db.read() as conn:
        return await service.list_groups(
            conn,
            search=wanted.search,
            sort=wanted.sort,
            cursor=wanted.cursor,
            limit=wanted.limit,
        )


@router.post("/groups", dependencies=WRITE, status_code=status.HTTP_201_CREATED)
async def create_group(db: Db, request: GroupCreate, response: Response) -> Group:
    """Add a group: by hand, or by a rule that finds its hosts."""
    async with db.transaction() as tx:
        group = await service.create(tx, request)
    response.headers["ETag"] = etag(group.version)
    response.headers["Location"] = f"/api/v1/groups/{group.id}"
    return group


@router.get("/groups/rule-fields", dependencies=READ)
async def list_rule_fields() -> Page[RuleField]:
    """List what a rule can ask for, and how each can be compared."""
    return _whole(service.rule_fields())


@router.post("/groups/preview", dependencies=READ)
async def preview_rule(db: Db, request: RulePreviewRequest) -> RulePreview:
    """Show what a rule would hold. 422 `group.rule_invalid` tells where it is not understood."""
    async with db.read() as conn:
        return await service.preview(conn, request.rule)


@router.get("/groups/{group_id}", dependencies=READ)
async def get_group(db: Db, group_id: UUID, response: Response) -> Group:
    """Get a group."""
    async with db.read() as conn:
        group = await service.get(conn, group_id)
    response.headers["ETag"] = etag(group.version)
    return group


@router.patch("/groups/{group_id}", dependencies=WRITE)
async def update_group(
    db: Db, group_id: UUID, request: GroupUpdate, expected: IfMatch, response: Response
) -> Group:
    """Change a group: fields that are left out stay as they are."""
    async with db.transaction() as tx:
        group = await service.change(tx, group_id, request, expected=expected)
    response.headers["ETag"] = etag(group.version)
    return group


@router.delete("/groups/{group_id}", dependencies=WRITE, status_code=status.HTTP_204_NO_CONTENT)
async def delete_group(db: Db, group_id: UUID) -> None:
    """Remove a group; its hosts stay. Refused while other groups stand in it."""
    async with db.transaction() as tx:
        await service.delete(tx, group_id)


@router.post("/groups/{group_id}/members", dependencies=WRITE)
async def change_group_members(db: Db, group_id: UUID, request: MembersChange) -> MembersChanged:
    """Put hosts into a group by hand, and take hosts out. Doing it twice changes nothing."""
    async with db.transaction() as tx:
        return await service.change_members(tx, group_id, request)


@router.get("/hosts/{host_id}/groups", dependencies=READ)
async def list_groups_of_host(db: Db, host_id: UUID) -> Page[GroupOfHost]:
    """List the groups that hold a host themselves."""
    async with db.read() as conn:
        return _whole(await service.of_host(conn, host_id))


def _whole(items: list[T]) -> Page[T]:
    """Return the only page of a short list."""
    return Page(items=items, total=len(items))
