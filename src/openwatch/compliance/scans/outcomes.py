"""The outcomes of a scan, of a host now, and of a host at any time: one way to read them all.

A completed scan replaces all verdicts of its host, so the outcomes of a scan are what was true of
its host at the moment when the scan was completed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance import errors
from openwatch.compliance.history import store as history
from openwatch.compliance.history.store import OutcomeFilters
from openwatch.compliance.results import service as results
from openwatch.compliance.rules import service as rules
from openwatch.compliance.scans import shapes, store
from openwatch.compliance.scans.model import ScanState
from openwatch.compliance.scans.schema import (
    FactRef,
    HistoryPoint,
    HostOutcome,
    HostOutcomePage,
    Observation,
    OutcomeDetail,
    OutcomeFacets,
    ScanOutcome,
    ScanOutcomePage,
    SiteValue,
)
from openwatch.db.keyset import parse_order
from openwatch.fleet.hosts import service as hosts
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.paging import Page

DEFAULT_SORT = "priority"
"""What needs attention first: by verdict, then by severity."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the outcomes is wanted."""

    filters: OutcomeFilters
    sort: str | None
    cursor: str | None
    limit: int


async def of_scan(conn: AsyncConnection, scan_id: UUID, wanted: Wanted) -> ScanOutcomePage:
    """Return a page of the outcomes of a scan; one that is not completed has none.

    Raises ``scan.unknown``, ``request.sort_invalid``, ``request.cursor_invalid``.
    """
    scan = await _scan(conn, scan_id)
    if scan["state"] != ScanState.COMPLETED:
        nothing = OutcomeFacets(verdict={}, severity={}, category={})
        return ScanOutcomePage(items=[], total=0, facets=nothing)
    found = await _page(conn, scan["host_id"], scan["finished_at"], wanted)
    return ScanOutcomePage(
        items=[ScanOutcome(**_outcome(row, found.documents)) for row in found.rows],
        next_cursor=found.next_cursor,
        total=found.total,
        facets=found.facets,
    )


async def of_host(
    conn: AsyncConnection, host_id: UUID, at: datetime | None, wanted: Wanted
) -> HostOutcomePage:
    """Return a page of the outcomes of a host at a time (now, when ``None``).

    Raises ``host.unknown``, ``request.sort_invalid``, ``request.cursor_invalid``.
    """
    await hosts.get(conn, host_id)
    scan = await store.completed_at(conn, host_id, at)
    if scan is None:
        nothing = OutcomeFacets(verdict={}, severity={}, category={})
        return HostOutcomePage(items=[], total=0, facets=nothing)
    found = await _page(conn, host_id, at, wanted)
    return HostOutcomePage(
        items=[
            HostOutcome(
                **_outcome(row, found.documents),
                valid_from=row["valid_from"],
                # Every scan looks at every rule, so the last scan is the last sight of each.
                last_observed=scan["finished_at"],
            )
            for row in found.rows
        ],
        next_cursor=found.next_cursor,
        total=found.total,
        facets=found.facets,
    )


async def detail(conn: AsyncConnection, scan_id: UUID, rule_id: str) -> OutcomeDetail:
    """Return one outcome with everything that it rests on.

    Raises ``scan.unknown``, ``scan.without_result``, ``outcome.unknown``, ``evidence.damaged``.
    """
    scan = await completed(conn, scan_id)
    row = await history.one(conn, scan["host_id"], scan["finished_at"], rule_id)
    if row is None:
        raise OpenWatchError(errors.OUTCOME_UNKNOWN, rule_id=rule_id)
    digest = row["evidence_hash"]
    document = (await results.read_documents(conn, {digest}))[digest]
    return OutcomeDetail(
        rule_id=rule_id,
        verdict=row["verdict"],
        severity=row["severity"],
        reason=document.get("reason"),
        message=document["message"],
        evidence_hash=digest.hex(),
        rule=rules.rule_text(row["definition"]),
        observations=[Observation.model_validate(o) for o in document["observations"]],
        variables=_site_values(document.get("variables", {})),
        facts=await _facts(conn, scan["tree_hash"], document["facts"]),
    )


def _site_values(document: Mapping[str, Any]) -> list[SiteValue]:
    return [
        SiteValue(
            name=name,
            value=entry["value"],
            origin=entry["from"],
            looser_than_default=entry.get("looser_than_default", False),
        )
        for name, entry in document.items()
    ]


async def score_history(conn: AsyncConnection, host_id: UUID, limit: int) -> Page[HistoryPoint]:
    """Return the scores of a host after its last scans, newest first; raises ``host.unknown``."""
    await hosts.get(conn, host_id)
    points = [shapes.history_point(row) for row in await store.history(conn, host_id, limit=limit)]
    return Page(items=points, total=len(points))


async def bundle(conn: AsyncConnection, scan_id: UUID) -> bytes:
    """Return the bundle that proves a scan.

    Raises ``scan.unknown``, ``scan.without_result``, ``evidence.damaged``.
    """
    scan = await completed(conn, scan_id)
    previous = None
    if scan["previous_root"] is not None:
        before = await store.find_by_root(conn, scan["host_id"], scan["previous_root"])
        previous = shapes.statement(before) if before is not None else None
    return await results.bundle(
        conn,
        statement=shapes.statement(scan),
        previous=previous,
        signature=scan["signature"],
        signing_key=scan["signing_key"],
    )


async def completed(conn: AsyncConnection, scan_id: UUID) -> RowMapping:
    """Return a completed scan; raises ``scan.unknown``, ``scan.without_result``."""
    scan = await _scan(conn, scan_id)
    if scan["state"] != ScanState.COMPLETED:
        raise OpenWatchError(errors.SCAN_WITHOUT_RESULT, state=scan["state"])
    return scan


@dataclass(frozen=True, slots=True)
class _Found:
    rows: Sequence[RowMapping]
    documents: Mapping[bytes, Mapping[str, Any]]
    next_cursor: str | None
    total: int
    facets: OutcomeFacets


async def _page(
    conn: AsyncConnection, host_id: UUID, at: datetime | None, wanted: Wanted
) -> _Found:
    filters = wanted.filters
    order = parse_order(wanted.sort, history.sort_keys(host_id, at), default=DEFAULT_SORT)
    rows, next_cursor = await history.page(
        conn,
        host_id,
        at,
        filters=filters,
        order=order,
        cursor=wanted.cursor,
        limit=wanted.limit,
    )
    return _Found(
        rows=rows,
        documents=await results.read_documents(conn, {row["evidence_hash"] for row in rows}),
        next_cursor=next_cursor,
        total=await history.count(conn, host_id, at, filters),
        facets=OutcomeFacets(**await history.facets(conn, host_id, at, filters)),
    )


def _outcome(row: RowMapping, documents: Mapping[bytes, Mapping[str, Any]]) -> dict[str, Any]:
    document = documents[row["evidence_hash"]]
    return {
        "rule_id": row["rule_id"],
        "title": row["title"],
        "severity": row["severity"],
        "category": row["category"],
        "verdict": row["verdict"],
        "reason": document.get("reason"),
        "message": document["message"],
        "evidence_hash": row["evidence_hash"].hex(),
    }


async def _facts(conn: AsyncConnection, tree: bytes, fact_ids: Iterable[str]) -> list[FactRef]:
    hashes = await results.fact_hashes(conn, tree, set(fact_ids))
    documents = await results.read_documents(conn, set(hashes.values()))
    return [
        FactRef(
            id=fact_id,
            hash=digest.hex(),
            command=documents[digest]["command"],
            exit_status=documents[digest].get("exit_status"),
        )
        for fact_id, digest in sorted(hashes.items())
    ]


async def _scan(conn: AsyncConnection, scan_id: UUID) -> RowMapping:
    scan = await store.find(conn, scan_id)
    if scan is None:
        raise OpenWatchError(errors.SCAN_UNKNOWN, scan_id=scan_id)
    return scan
