"""What can be done with imports: look at a file, ask for its import, see what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.engine import Database
from openwatch.db.keyset import parse_order
from openwatch.fleet.errors import CREDENTIAL_NOT_FOUND, GROUP_HOLDS_BY_RULE, GROUP_NOT_FOUND
from openwatch.fleet.imports import errors, store
from openwatch.fleet.imports.columns import Field, Mapped, parse_mapping, suggest
from openwatch.fleet.imports.export import refused_csv
from openwatch.fleet.imports.model import ImportState, Outcome
from openwatch.fleet.imports.packing import first_rows, pack
from openwatch.fleet.imports.readers.read import read
from openwatch.fleet.imports.readers.sheet import Format, Sheet
from openwatch.fleet.imports.rows import Refused, understand
from openwatch.fleet.imports.schema import (
    Analysis,
    Counts,
    FoundColumn,
    Import,
    ImportFailure,
    ImportRow,
    LineRemark,
    Options,
    PreviewRow,
)
from openwatch.jobs.port import enqueue
from openwatch.kit.clock import now
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.ids import uuid7
from openwatch.kit.paging import Page
from openwatch.signals.service import Subject, emit

QUEUE: Final = "imports"
TASK: Final = "import"
ONE_AT_A_TIME: Final = "imports"
"""The lock of the queue: two imports at once would find each other's hosts half there."""

BEFORE_SCANS: Final = 1
"""A person waits for the end of an import; scans are queued by the thousand."""

PREVIEWED: Final = 20
PROBLEMS_SHOWN: Final = 100
MAX_GROUPS: Final = 500
"""How many groups one file may name: more is a column that holds something else."""

TRIALS_KEPT: Final = timedelta(days=1)
PATIENCE: Final = timedelta(minutes=2)
"""How long an import may be without a job before it is given up."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file, and what is told about it; ``None`` is found out."""

    data: bytes
    file_name: str | None = None
    format: Format | None = None
    encoding: str | None = None
    delimiter: str | None = None
    mapping: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was read and can be imported."""

    sheet: Sheet
    mapped: Mapped
    content: bytes
    file_name: str | None


async def analyse(source: Source, *, key: str) -> Analysis:
    """Return what a file holds. Raises ``import.*`` for one that cannot be read."""
    return await asyncio.to_thread(_analyse, source, key)


async def prepare(source: Source) -> Prepared:
    """Read a file. Raises ``import.*`` for one that cannot be imported."""
    return await asyncio.to_thread(_prepare, source)


async def request(
    tx: AsyncConnection, prepared: Prepared, options: Options, *, requested_by: UUID | None
) -> Import:
    """Ask for the import of a file: a worker carries it out.

    Raises ``group.not_found``, ``group.holds_by_rule``, ``credential.not_found``.
    """
    await _check_defaults(tx, options)
    import_id, at = uuid7(), now()
    total = len(prepared.sheet.rows)
    await store.add(
        tx,
        {
            "id": import_id,
            "file_name": prepared.file_name,
            "format": prepared.sheet.format,
            **options.model_dump(exclude={"defaults"}),
            "columns": list(prepared.sheet.columns),
            "mapped": {field.value: column for field, column in prepared.mapped.items()},
            "defaults": options.defaults.model_dump(mode="json"),
            "state": ImportState.QUEUED,
            "total": total,
            "position": 0,
            **dict.fromkeys(Outcome, 0),
            "content": prepared.content,
            "requested_by": requested_by,
            "created_at": at,
        },
    )
    await enqueue(
        tx,
        TASK,
        {"import_id": str(import_id)},
        queue=QUEUE,
        lock=ONE_AT_A_TIME,
        once=f"{TASK}:{import_id}",
        priority=BEFORE_SCANS,
    )
    data = {"file_name": prepared.file_name, "total": total, "dry_run": options.dry_run}
    await emit(tx, "import.created", subject=Subject("import", import_id), data=data)
    return await get(tx, import_id)


async def get(conn: AsyncConnection, import_id: UUID) -> Import:
    """Return an import; raises ``import.unknown``."""
    return _import(await _find(conn, import_id))


async def list_imports(
    conn: AsyncConnection, *, sort: str | None, cursor: str | None, limit: int
) -> Page[Import]:
    """Return one page; raises ``request.sort_invalid``, ``request.cursor_invalid``."""
    order = parse_order(sort, store.SORT_KEYS, default="-created_at")
    rows, next_cursor = await store.page(conn, order=order, cursor=cursor, limit=limit)
    total = await store.count(conn)
    return Page(items=[_import(row) for row in rows], next_cursor=next_cursor, total=total)


async def list_rows(
    conn: AsyncConnection,
    import_id: UUID,
    *,
    outcomes: Sequence[Outcome],
    sort: str | None,
    cursor: str | None,
    limit: int,
) -> Page[ImportRow]:
    """Return what became of rows; raises ``import.unknown`` and what lists raise."""
    await _find(conn, import_id)
    order = parse_order(sort, store.ROW_SORT_KEYS, default="line")
    rows, next_cursor, total = await store.page_of_rows(
        conn, import_id, outcomes=outcomes, order=order, cursor=cursor, limit=limit
    )
    items = [ImportRow(**{name: row[name] for name in ImportRow.model_fields}) for row in rows]
    return Page(items=items, next_cursor=next_cursor, total=total)


async def refused_file(conn: AsyncConnection, import_id: UUID) -> Iterable[str]:
    """Return the refused rows as CSV with their problems; raises ``import.unknown``."""
    row = await _find(conn, import_id)
    refused = await store.refused_rows(conn, import_id)
    return refused_csv(
        row["columns"], ((r["line"], r["problem"] or "", r["cells"] or []) for r in refused)
    )


async def fail(tx: AsyncConnection, import_id: UUID, error: OpenWatchError) -> None:
    """End an import that is not over with what went wrong."""
    ended = await store.finish(
        tx,
        import_id,
        {
            "state": ImportState.FAILED,
            "failure_code": error.code,
            "failure_message": error.message,
            "failure_fix": error.fix,
            "finished_at": now(),
        },
    )
    if ended:
        data = {"code": error.code, "message": error.message}
        await emit(tx, "import.failed", subject=Subject("import", import_id), data=data)


async def complete(tx: AsyncConnection, import_id: UUID) -> None:
    """End an import all of whose rows are done."""
    values = {"state": ImportState.COMPLETED, "finished_at": now()}
    if await store.finish(tx, import_id, values):
        done = await get(tx, import_id)
        data: dict[str, Any] = {"dry_run": done.dry_run, **done.counts.model_dump()}
        await emit(tx, "import.completed", subject=Subject("import", import_id), data=data)


async def tidy_up(db: Database) -> int:
    """Remove old trials, and fail imports whose job is gone; return how many that were."""
    async with db.transaction() as tx:
        removed = await store.remove_trials(tx, older_than=TRIALS_KEPT, at=now())
        lost = await store.without_job(tx, task=TASK, before=now() - PATIENCE)
        for import_id in lost:
            await fail(tx, import_id, OpenWatchError(errors.IMPORT_GIVEN_UP))
    return removed + len(lost)


def _analyse(source: Source, key: str) -> Analysis:
    sheet = _read(source)
    columns = suggest(sheet)
    try:
        mapped = parse_mapping(sheet, source.mapping)
    except OpenWatchError as error:
        if source.mapping or error.kind is not errors.IMPORT_NO_NAME:
            raise
        mapped = dict[Field, int]()
    found = understand(sheet.rows, mapped, key=key) if mapped else []
    refused = [row for row in found if isinstance(row, Refused)]
    problems = {row.number: row.problem for row in refused[:PROBLEMS_SHOWN]}
    return Analysis(
        format=sheet.format,
        encoding=sheet.encoding,
        delimiter=sheet.delimiter,
        columns=[
            FoundColumn(
                name=column.name,
                field=column.field,
                confidence=column.confidence,
                reason=column.reason,
                samples=list(column.samples),
                secret=column.secret,
            )
            for column in columns
        ],
        total=len(sheet.rows),
        rows=[
            PreviewRow(line=row.line, cells=list(row.cells), problem=problems.get(number))
            for number, row in enumerate(first_rows(sheet, PREVIEWED))
        ],
        refused=len(refused),
        problems=[LineRemark(line=row.line, text=row.problem) for row in refused[:PROBLEMS_SHOWN]],
        remarks=[LineRemark(line=remark.line, text=remark.text) for remark in sheet.remarks],
    )


def _prepare(source: Source) -> Prepared:
    sheet = _read(source)
    mapped = parse_mapping(sheet, source.mapping)
    if (column := mapped.get(Field.GROUP)) is not None:
        named = {row.cells[column] for row in sheet.rows}
        if len(named) > MAX_GROUPS:
            raise OpenWatchError(
                errors.IMPORT_TOO_MANY_GROUPS, column=sheet.columns[column], limit=MAX_GROUPS
            )
    return Prepared(sheet, mapped, pack(sheet), source.file_name)


def _read(source: Source) -> Sheet:
    return read(
        source.data, format=source.format, encoding=source.encoding, delimiter=source.delimiter
    )


async def _check_defaults(tx: AsyncConnection, options: Options) -> None:
    defaults = options.defaults
    if defaults.group_id is not None:
        found = await store.groups_named(tx, names=[], also=defaults.group_id)
        if not found:
            raise OpenWatchError(GROUP_NOT_FOUND, group_id=defaults.group_id, field="group_id")
        if found[0]["rule"] is not None:
            raise OpenWatchError(GROUP_HOLDS_BY_RULE, name=found[0]["name"], field="group_id")
    if defaults.credential_id is not None:
        await check_credential(tx, defaults.credential_id)


async def check_credential(tx: AsyncConnection, credential_id: UUID) -> None:
    """Raise ``credential.not_found`` unless there is such a credential."""
    if not await store.lock_credentials(tx, names=[], also=credential_id):
        raise OpenWatchError(
            CREDENTIAL_NOT_FOUND, credential_id=credential_id, field="credential_id"
        )


async def _find(conn: AsyncConnection, import_id: UUID) -> RowMapping:
    row = await store.find(conn, import_id)
    if row is None:
        raise OpenWatchError(errors.IMPORT_UNKNOWN, import_id=import_id)
    return row


def _import(row: RowMapping) -> Import:
    failure = None
    if row["failure_code"] is not None:
        failure = ImportFailure(
            code=row["failure_code"], message=row["failure_message"], fix=row["failure_fix"]
        )
    return Import(
        **{name: row[name] for name in _PLAIN},
        done=row["position"],
        counts=Counts(**{outcome.value: row[outcome.value] for outcome in Outcome}),
        failure=failure,
    )


_PLAIN: Final = tuple(Import.model_fields.keys() - {"done", "counts", "failure"})
