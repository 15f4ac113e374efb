"""Every route of the wing."""

from __future__ import annotations

from fastapi import APIRouter

from openwatch.identity.sessions.routes import router as sessions
from openwatch.identity.setup.routes import router as setup

router = APIRouter()
router.include_router(setup)
router.include_router(sessions)
