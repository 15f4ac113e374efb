"""Imports over HTTP. The file is the body of the request; everything else stands in its address."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.requests import Db
from openwatch.fleet.fields import Environment, Tag
from openwatch.fleet.imports import service
from openwatch.fleet.imports.model import Key, Mode, OnExisting, Outcome
from openwatch.fleet.imports.readers.sheet import Format
from openwatch.fleet.imports.schema import (
    Analysis,
    Defaults,
    FileName,
    Import,
    ImportRow,
    Options,
)
from openwatch.fleet.imports.service import Source
from openwatch.identity.access import Caller, requires
from openwatch.identity.idempotency.service import Answer, OnceDep
from openwatch.kit.http import ListQuery
from openwatch.kit.paging import Page

router = APIRouter(tags=["imports"])

READ = [requires("host:read")]
WRITE = [requires("host:write")]
MayWrite = Annotated[Caller, requires("host:write")]

Encoding = Literal["utf-8", "utf-16-le", "utf-16-be", "windows-1252", "iso-8859-1", "iso-8859-15"]
Delimiter = Literal[",", ";", "\t", "|"]

MAX_FILE_BYTES: Final = 32 * 1024 * 1024
"""50,000 rows with long descriptions; the server reads a file as a whole."""

FILE_PATHS: Final = ("/bulk/hosts/analyze-csv", "/bulk/hosts/import")
"""Where a body may be as large as a file."""

FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "The file as it is: CSV, plain text, known_hosts or an Ansible inventory.",
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


async def _source(
    request: Request,
    file_name: Annotated[FileName | None, Query(description="Shown in the list.")] = None,
    format: Annotated[Format | None, Query(description="Found out when left out.")] = None,  # noqa: A002
    encoding: Annotated[Encoding | None, Query(description="Found out when left out.")] = None,
    delimiter: Annotated[Delimiter | None, Query(description="Found out when left out.")] = None,
    map: Annotated[  # noqa: A002
        list[str],
        Query(
            description="Which column holds which field, as `column=field`; as suggested when "
            "left out.",
            examples=[["Host Name=name", "IP=address"]],
        ),
    ] = [],  # noqa: B006
) -> Source:
    # Read here, after the guard: nobody without a session can send 32 MB.
    return Source(await request.body(), file_name, format, encoding, delimiter, map)


def _options(
    mode: Mode = Mode.PER_ROW,
    on_existing: OnExisting = OnExisting.SKIP,
    key: Annotated[Key, Query(description="What says that a host is known already.")] = Key.NAME,
    dry_run: Annotated[
        bool, Query(description="Say what would happen, and change nothing.")
    ] = False,
    environment: Annotated[Environment | None, Query(description="Of new hosts.")] = None,
    tag: Annotated[list[Tag], Query(description="Of new hosts, besides their own.")] = [],  # noqa: B006
    group_id: Annotated[UUID | None, Query(description="Where new hosts are put too.")] = None,
    credential_id: Annotated[UUID | None, Query(description="Of new hosts.")] = None,
) -> Options:
    return Options(
        mode=mode,
        on_existing=on_existing,
        key=key,
        dry_run=dry_run,
        defaults=Defaults(
            environment=environment, tags=tag, group_id=group_id, credential_id=credential_id
        ),
    )


File = Annotated[Source, Depends(_source)]
Chosen = Annotated[Options, Depends(_options)]


@router.post("/bulk/hosts/analyze-csv", dependencies=WRITE, openapi_extra=FILE)
async def analyze_hosts_file(file: File, key: Key = Key.NAME) -> Analysis:
    """Say what a file holds: format, columns and their fields, the first rows, what is wrong."""
    return await service.analyse(file, key=key)


@router.post(
    "/bulk/hosts/import",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=Import,
    openapi_extra=FILE,
)
async def import_hosts(caller: MayWrite, file: File, options: Chosen, once: OnceDep) -> Response:
    """Import the hosts of a file, or try it. A worker does it: follow the import that is answered.

    Groups that rows name are made where they are missing.
    """
    prepared = await service.prepare(file)

    async def work(tx: AsyncConnection) -> Answer:
        asked = await service.request(tx, prepared, options, requested_by=caller.user_id)
        location = {"Location": f"/api/v1/bulk/hosts/imports/{asked.id}"}
        return Answer(status.HTTP_202_ACCEPTED, asked, location)

    return await once.run(work)


@router.get("/bulk/hosts/imports", dependencies=READ)
async def list_imports(db: Db, wanted: ListQuery) -> Page[Import]:
    """List imports, the latest first. Trials are kept for a day."""
    async with db.read() as conn:
        return await service.list_imports(
            conn, sort=wanted.sort, cursor=wanted.cursor, limit=wanted.limit
        )


@router.get("/bulk/hosts/imports/{import_id}", dependencies=READ)
async def get_import(db: Db, import_id: UUID) -> Import:
    """Get an import: how far it is, or how it ended."""
    async with db.read() as conn:
        return await service.get(conn, import_id)


@router.get("/bulk/hosts/imports/{import_id}/rows", dependencies=READ)
async def list_import_rows(
    db: Db,
    import_id: UUID,
    wanted: ListQuery,
    outcome: Annotated[list[Outcome], Query()] = [],  # noqa: B006
) -> Page[ImportRow]:
    """List what became of the rows of a file. Sort by line."""
    async with db.read() as conn:
        return await service.list_rows(
            conn,
            import_id,
            outcomes=outcome,
            sort=wanted.sort,
            cursor=wanted.cursor,
            limit=wanted.limit,
        )


@router.get(
    "/bulk/hosts/imports/{import_id}/refused.csv",
    dependencies=READ,
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def download_refused_rows(db: Db, import_id: UUID) -> Response:
    """Download the refused rows with what is wrong with each, to correct and import them again."""
    async with db.read() as conn:
        parts = await service.refused_file(conn, import_id)
    headers = {"Content-Disposition": f'attachment; filename="refused-{import_id}.csv"'}
    return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=headers)
