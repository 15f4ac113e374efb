"""Every route of the wing."""

from __future__ import annotations

from fastapi import APIRouter

from openwatch.compliance.results.routes import router as results
from openwatch.compliance.rules.routes import router as rules
from openwatch.compliance.scans.routes import router as scans

router = APIRouter()
router.include_router(scans)
router.include_router(results)
router.include_router(rules)
