"""Scans and their outcomes over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response, status
from pydantic import AwareDatetime
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance.history.store import OutcomeFilters
from openwatch.compliance.rules import service as rules
from openwatch.compliance.scans import outcomes, service
from openwatch.compliance.scans.model import ScanState
from openwatch.compliance.scans.outcomes import Wanted
from openwatch.compliance.scans.schema import (
    HistoryPoint,
    HostOutcomePage,
    OutcomeDetail,
    Queued,
    Scan,
    ScanOutcomePage,
)
from openwatch.compliance.scans.store import ScanFilters
from openwatch.db.requests import Db
from openwatch.engine.assess import Verdict
from openwatch.engine.rules.schema import Category, Severity
from openwatch.fleet.hosts.schema import HostChoice
from openwatch.identity.access import Caller, requires
from openwatch.identity.idempotency.service import Answer, OnceDep
from openwatch.kit.http import ListQuery
from openwatch.kit.paging import Page

router = APIRouter(tags=["scans"])

READ = [requires("scan:read")]
MayScan = Annotated[Caller, requires("scan:execute")]

HISTORY_DEFAULT = 30
HISTORY_MOST = 500


async def _wanted(
    listing: ListQuery,
    verdict: Annotated[list[Verdict], Query()] = [],  # noqa: B006
    severity: Annotated[list[Severity], Query()] = [],  # noqa: B006
    category: Annotated[list[Category], Query()] = [],  # noqa: B006
    framework: Annotated[str | None, Query(description="Only rules that it cites.")] = None,
) -> Wanted:
    cited = (await rules.corpus()).citations(framework) if framework else None
    filters = OutcomeFilters(
        verdict=tuple(verdict),
        severity=tuple(severity),
        category=tuple(category),
        cited=cited,
        search=listing.search,
    )
    return Wanted(filters, listing.sort, listing.cursor, listing.limit)


WantedOutcomes = Annotated[Wanted, Depends(_wanted)]


@router.post("/hosts/{host_id}/scans", status_code=status.HTTP_202_ACCEPTED, response_model=Scan)
async def create_scan(host_id: UUID, caller: MayScan, once: OnceDep) -> Response:
    """Scan a host. 409 `scan.active` names the scan that is not over yet."""

    async def work(tx: AsyncConnection) -> Answer:
        return _accepted(await service.request(tx, host_id, requested_by=caller.user_id))

    return await once.run(work)


@router.post("/scans", status_code=status.HTTP_202_ACCEPTED, response_model=Queued)
async def create_scans(choice: HostChoice, caller: MayScan, once: OnceDep) -> Response:
    """Scan several hosts: those with these ids, or all that the filters of the list let through."""

    async def work(tx: AsyncConnection) -> Answer:
        queued = await service.request_all(tx, choice, requested_by=caller.user_id)
        return Answer(status.HTTP_202_ACCEPTED, queued)

    return await once.run(work)


@router.get("/scans", dependencies=READ)
async def list_scans(
    db: Db,
    wanted: ListQuery,
    host_id: UUID | None = None,
    state: Annotated[list[ScanState], Query()] = [],  # noqa: B006
    since: Annotated[AwareDatetime | None, Query(description="Queued then or later.")] = None,
) -> Page[Scan]:
    """List scans, newest first. Sort by queued_at, finished_at, state or host_name."""
    filters = ScanFilters(host_id, tuple(state), since, wanted.search)
    async with db.read() as conn:
        return await service.list_scans(
            conn, filters, sort=wanted.sort, cursor=wanted.cursor, limit=wanted.limit
        )


@router.get("/scans/{scan_id}", dependencies=READ)
async def get_scan(db: Db, scan_id: UUID) -> Scan:
    """Get a scan: its state, progress, score, and the signed root of what it found."""
    async with db.read() as conn:
        return await service.get(conn, scan_id)


@router.post(
    "/scans/{scan_id}/cancel",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=[requires("scan:execute")],
)
async def cancel_scan(db: Db, scan_id: UUID) -> Scan:
    """Stop a scan: at once while it waits, within seconds while it runs."""
    async with db.transaction() as tx:
        return await service.cancel(tx, scan_id)


@router.post("/scans/{scan_id}/retry", status_code=status.HTTP_202_ACCEPTED, response_model=Scan)
async def retry_scan(scan_id: UUID, caller: MayScan, once: OnceDep) -> Response:
    """Scan the host of a scan that is over once more."""

    async def work(tx: AsyncConnection) -> Answer:
        return _accepted(await service.retry(tx, scan_id, requested_by=caller.user_id))

    return await once.run(work)


@router.get("/scans/{scan_id}/outcomes", dependencies=READ)
async def list_scan_outcomes(db: Db, scan_id: UUID, wanted: WantedOutcomes) -> ScanOutcomePage:
    """List the outcomes of a scan, gravest first.

    Sort by priority, rule_id, title, category, severity, verdict or valid_from.
    """
    async with db.read() as conn:
        return await outcomes.of_scan(conn, scan_id, wanted)


@router.get("/scans/{scan_id}/outcomes/{rule_id}", dependencies=READ)
async def get_scan_outcome(db: Db, scan_id: UUID, rule_id: str) -> OutcomeDetail:
    """Get one outcome: what was read, what was expected, and the evidence."""
    async with db.read() as conn:
        return await outcomes.detail(conn, scan_id, rule_id)


@router.get(
    "/scans/{scan_id}/bundle",
    dependencies=READ,
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def get_scan_bundle(db: Db, scan_id: UUID) -> Response:
    """Download what proves a scan; `openwatch verify FILE` checks it anywhere."""
    async with db.read() as conn:
        data = await outcomes.bundle(conn, scan_id)
    named = {"Content-Disposition": f'attachment; filename="openwatch-scan-{scan_id}.json"'}
    return Response(data, media_type="application/json", headers=named)


@router.get("/hosts/{host_id}/outcomes", dependencies=READ)
async def list_host_outcomes(
    db: Db,
    host_id: UUID,
    wanted: WantedOutcomes,
    at: Annotated[
        AwareDatetime | None, Query(description="As it was then; now when left out.")
    ] = None,
) -> HostOutcomePage:
    """List the outcomes of a host, now or at any time, gravest first."""
    async with db.read() as conn:
        return await outcomes.of_host(conn, host_id, at, wanted)


@router.get("/hosts/{host_id}/history", dependencies=READ)
async def get_host_history(
    db: Db,
    host_id: UUID,
    limit: Annotated[int, Query(ge=1, le=HISTORY_MOST)] = HISTORY_DEFAULT,
) -> Page[HistoryPoint]:
    """Get the scores of a host after its last scans, newest first."""
    async with db.read() as conn:
        return await outcomes.score_history(conn, host_id, limit)


def _accepted(scan: Scan) -> Answer:
    return Answer(status.HTTP_202_ACCEPTED, scan, headers={"Location": f"/api/v1/scans/{scan.id}"})
