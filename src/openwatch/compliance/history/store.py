"""All SQL about verdicts over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Table,
    Text,
    Uuid,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.compliance.history.model import rule_state, rule_state_closed
from openwatch.compliance.rules.model import rule_versions
from openwatch.db.engine import Database
from openwatch.db.keyset import AnySelect, Order, SortKey, cut_page, select_page

Q = TypeVar("Q", bound=AnySelect)

_STAGE: Final = text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_verdicts (
        host_id uuid, rule_id text, rule_version integer, verdict text, evidence_hash bytea
    ) ON COMMIT DELETE ROWS
""")
_staged: Final = Table(
    "staged_verdicts",
    MetaData(),
    Column("host_id", Uuid),
    Column("rule_id", Text),
    Column("rule_version", Integer),
    Column("verdict", Text),
    Column("evidence_hash", LargeBinary),
)

# One statement, one snapshot: every part sees the table as it was before. What changed or went is
# closed, what changed is overwritten, what is new is added; an unchanged row is not touched.
_APPLY: Final = text("""
    WITH compared AS (
        SELECT host_id, rule_id, now_.rule_version, now_.verdict, now_.evidence_hash,
               was.rule_version AS old_version, was.verdict AS old_verdict,
               was.evidence_hash AS old_hash, was.valid_from AS old_from
        FROM staged_verdicts AS now_
        FULL JOIN (SELECT * FROM rule_state WHERE host_id = :host) AS was USING (host_id, rule_id)
        WHERE (now_.verdict, now_.evidence_hash, now_.rule_version)
            IS DISTINCT FROM (was.verdict, was.evidence_hash, was.rule_version)
    ), closed AS (
        INSERT INTO rule_state_closed
            (host_id, rule_id, rule_version, verdict, evidence_hash, valid_from, valid_to)
        SELECT host_id, rule_id, old_version, old_verdict, old_hash, old_from, :at
        FROM compared WHERE old_verdict IS NOT NULL
    ), gone AS (
        DELETE FROM rule_state AS state USING compared
        WHERE compared.verdict IS NULL
          AND state.host_id = :host AND state.rule_id = compared.rule_id
    ), changed AS (
        UPDATE rule_state AS state SET rule_version = compared.rule_version,
            verdict = compared.verdict, evidence_hash = compared.evidence_hash, valid_from = :at
        FROM compared
        WHERE compared.verdict IS NOT NULL AND compared.old_verdict IS NOT NULL
          AND state.host_id = :host AND state.rule_id = compared.rule_id
    ), added AS (
        INSERT INTO rule_state
            (host_id, rule_id, rule_version, verdict, evidence_hash, valid_from)
        SELECT host_id, rule_id, rule_version, verdict, evidence_hash, :at
        FROM compared WHERE old_verdict IS NULL
    )
    SELECT old_verdict, verdict, count(*) FROM compared
    WHERE old_verdict IS DISTINCT FROM verdict GROUP BY 1, 2 ORDER BY 1, 2
""")

SEVERITIES: Final = ("critical", "high", "medium", "low")
VERDICTS: Final = ("fail", "error", "not_configured", "manual", "pass", "not_applicable")
"""What needs attention first comes first."""


@dataclass(frozen=True, slots=True)
class Change:
    """How many rules of a host went from one verdict to another; ``None``: no verdict."""

    before: str | None
    after: str | None
    rules: int


@dataclass(frozen=True, slots=True)
class OutcomeFilters:
    """Which outcomes a list shows; several values of one filter mean any of them."""

    verdict: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    cited: Mapping[str, frozenset[str] | None] | None = None
    """Which controls of which frameworks; ``None`` for a framework: any of its controls."""
    search: str | None = None


async def apply(
    db: Database,
    tx: AsyncConnection,
    *,
    host_id: UUID,
    at: datetime,
    verdicts: Iterable[tuple[str, int, str, bytes]],
) -> list[Change]:
    """Make these the verdicts of a host from ``at`` on, and return what changed.

    ``verdicts`` are rule id, rule version, verdict and evidence hash. A rule that is not among
    them has no verdict from then on.
    """
    await tx.execute(_STAGE)
    await db.copy_rows(
        tx, _staged, [c.name for c in _staged.columns], ((host_id, *row) for row in verdicts)
    )
    rows = await tx.execute(_APPLY, {"host": host_id, "at": at})
    return [Change(*row) for row in rows]


def _rank(column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[Any]:
    return case({value: rank for rank, value in enumerate(values)}, value=column, else_=len(values))


def _cites(framework: str, controls: frozenset[str] | None) -> ColumnElement[bool]:
    references = rule_versions.c.references
    if controls is None:
        return references.has_key(framework)
    return references[framework].has_any(array(sorted(controls), type_=Text))


class _Outcomes:
    """The verdicts of one host at one time, joined with the rules as they were then."""

    def __init__(self, host_id: UUID, at: datetime | None) -> None:
        self.state = _state(host_id, at)
        self.joined = self.state.join(
            rule_versions, rule_versions.c.number == self.state.c.rule_version
        )
        self.sort_keys: Mapping[str, SortKey] = {
            "rule_id": SortKey(self.state.c.rule_id),
            "title": SortKey(func.lower(rule_versions.c.title)),
            "category": SortKey(rule_versions.c.category),
            "severity": SortKey(_rank(rule_versions.c.severity, SEVERITIES), type=int),
            "verdict": SortKey(_rank(self.state.c.verdict, VERDICTS), type=int),
            "valid_from": SortKey(self.state.c.valid_from, type=datetime),
            "priority": SortKey(
                _rank(self.state.c.verdict, VERDICTS) * len(SEVERITIES)
                + _rank(rule_versions.c.severity, SEVERITIES),
                type=int,
            ),
        }

    def columns(self) -> tuple[ColumnElement[Any], ...]:
        return (
            self.state.c.rule_id,
            self.state.c.verdict,
            self.state.c.evidence_hash,
            self.state.c.valid_from,
            self.state.c.rule_version,
            rule_versions.c.title,
            rule_versions.c.severity,
            rule_versions.c.category,
        )

    def matching(self, statement: Q, filters: OutcomeFilters, *, besides: str = "") -> Q:
        """Narrow a statement by all filters except the one called ``besides``."""
        conditions: dict[str, tuple[ColumnElement[Any], tuple[str, ...]]] = {
            "verdict": (self.state.c.verdict, filters.verdict),
            "severity": (rule_versions.c.severity, filters.severity),
            "category": (rule_versions.c.category, filters.category),
        }
        for name, (column, values) in conditions.items():
            if values and name != besides:
                statement = statement.where(column.in_(values))
        if filters.cited is not None:
            statement = statement.where(or_(*[_cites(*item) for item in filters.cited.items()]))
        if filters.search:
            found = (self.state.c.rule_id, rule_versions.c.title)
            statement = statement.where(
                or_(*[column.icontains(filters.search, autoescape=True) for column in found])
            )
        return statement


def sort_keys(host_id: UUID, at: datetime | None) -> Mapping[str, SortKey]:
    """Return what a list of outcomes can be sorted by."""
    return _Outcomes(host_id, at).sort_keys


async def page(
    conn: AsyncConnection,
    host_id: UUID,
    at: datetime | None,
    *,
    filters: OutcomeFilters,
    order: Order,
    cursor: str | None,
    limit: int,
) -> tuple[Sequence[RowMapping], str | None]:
    """Return a page of the verdicts of a host at a time (now, when ``None``)."""
    outcomes = _Outcomes(host_id, at)
    # The order names columns of a statement like this one; here it has to name this one's.
    order = Order(order.text, outcomes.sort_keys[order.text.removeprefix("-")], order.descending)
    statement = outcomes.matching(select(*outcomes.columns()).select_from(outcomes.joined), filters)
    statement = select_page(
        statement, order=order, id_column=outcomes.state.c.rule_id, cursor=cursor
    )
    rows = (await conn.execute(statement.limit(limit + 1))).mappings().all()
    return cut_page(rows, order=order, limit=limit)


async def count(
    conn: AsyncConnection, host_id: UUID, at: datetime | None, filters: OutcomeFilters
) -> int:
    outcomes = _Outcomes(host_id, at)
    statement = select(func.count()).select_from(outcomes.joined)
    return (await conn.execute(outcomes.matching(statement, filters))).scalar_one()


async def facets(
    conn: AsyncConnection, host_id: UUID, at: datetime | None, filters: OutcomeFilters
) -> dict[str, dict[str, int]]:
    """Return counts by value for each dimension; a dimension's own filter does not narrow it."""
    outcomes = _Outcomes(host_id, at)
    dimensions = {
        "verdict": outcomes.state.c.verdict,
        "severity": rule_versions.c.severity,
        "category": rule_versions.c.category,
    }
    branches = [
        outcomes.matching(
            select(
                literal(name).label("dimension"),
                column.label("value"),
                func.count().label("number"),
            ).select_from(outcomes.joined),
            filters,
            besides=name,
        ).group_by(column)
        for name, column in dimensions.items()
    ]
    found: dict[str, dict[str, int]] = {name: {} for name in dimensions}
    for row in await conn.execute(union_all(*branches)):
        found[row.dimension][row.value] = row.number
    return found


async def one(
    conn: AsyncConnection, host_id: UUID, at: datetime | None, rule_id: str
) -> RowMapping | None:
    """Return the verdict on one rule with the rule as it was then."""
    outcomes = _Outcomes(host_id, at)
    statement = (
        select(*outcomes.columns(), rule_versions.c.references, rule_versions.c.definition)
        .select_from(outcomes.joined)
        .where(outcomes.state.c.rule_id == rule_id)
    )
    return (await conn.execute(statement)).mappings().one_or_none()


def _state(host_id: UUID, at: datetime | None) -> FromClause:
    """Return the intervals of a host that hold at a time, one for each rule."""
    names = [column.name for column in rule_state.columns]
    current = select(*[rule_state.c[name] for name in names]).where(rule_state.c.host_id == host_id)
    if at is None:
        return current.subquery("state")
    closed = select(*[rule_state_closed.c[name] for name in names]).where(
        and_(
            rule_state_closed.c.host_id == host_id,
            rule_state_closed.c.valid_from <= at,
            rule_state_closed.c.valid_to > at,
        )
    )
    return union_all(current.where(rule_state.c.valid_from <= at), closed).subquery("state")


# ── Partitions ──────────────────────────────────────────────────────────────────────────────────

REST: Final = "rule_state_closed_rest"
_EXISTS: Final = text("SELECT to_regclass(:name) IS NOT NULL")


async def ensure_month(tx: AsyncConnection, first_day: date, next_month: date) -> bool:
    """Make the partition of a month when there is none; rows that came before it move into it."""
    name = f"rule_state_closed_{first_day:%Y_%m}"
    if (await tx.execute(_EXISTS, {"name": name})).scalar_one():
        return False
    # Names and dates are ours, and DDL takes no parameters.
    bounds = f"FROM ('{first_day} 00:00:00+00') TO ('{next_month} 00:00:00+00')"
    within = f"valid_to >= '{first_day} 00:00:00+00' AND valid_to < '{next_month} 00:00:00+00'"
    await tx.execute(text(f"LOCK TABLE {REST} IN ACCESS EXCLUSIVE MODE"))
    await tx.execute(text(f"CREATE TABLE {name} (LIKE rule_state_closed INCLUDING ALL)"))
    await tx.execute(
        text(
            f"WITH moved AS (DELETE FROM {REST} WHERE {within} RETURNING *) "
            f"INSERT INTO {name} SELECT * FROM moved"
        )
    )
    await tx.execute(
        text(f"ALTER TABLE rule_state_closed ATTACH PARTITION {name} FOR VALUES {bounds}")
    )
    return True
