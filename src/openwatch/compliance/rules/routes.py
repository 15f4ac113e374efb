"""The catalogue over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from openwatch.compliance.rules import service
from openwatch.compliance.rules.schema import Framework, RuleDetail, RulePage
from openwatch.compliance.rules.service import RuleFilters
from openwatch.engine.rules.schema import Category, Severity
from openwatch.identity.access import requires
from openwatch.kit.http import ListQuery
from openwatch.kit.paging import Page

router = APIRouter(tags=["rules"])

READ = [requires("rule:read")]


@router.get("/rules", dependencies=READ)
async def list_rules(
    wanted: ListQuery,
    severity: Annotated[list[Severity], Query()] = [],  # noqa: B006
    category: Annotated[list[Category], Query()] = [],  # noqa: B006
    framework: Annotated[str | None, Query(description="Only rules that it cites.")] = None,
) -> RulePage:
    """List the rules. Sort by id, title, severity or category."""
    filters = RuleFilters(wanted.search, tuple(severity), tuple(category), framework)
    return service.list_rules(
        await service.corpus(),
        filters,
        sort=wanted.sort,
        cursor=wanted.cursor,
        limit=wanted.limit,
    )


@router.get("/rules/{rule_id}", dependencies=READ)
async def get_rule(rule_id: str) -> RuleDetail:
    """Get a rule: what it wants, why, and how it is mended."""
    return service.detail(await service.corpus(), rule_id)


@router.get("/frameworks", dependencies=READ)
async def list_frameworks() -> Page[Framework]:
    """List the benchmarks and catalogues that rules refer to."""
    found = service.frameworks(await service.corpus())
    return Page(items=found, total=len(found))
