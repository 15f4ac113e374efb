"""Every route of the wing."""

from __future__ import annotations

from fastapi import APIRouter

from openwatch.fleet.connections.routes import router as connections
from openwatch.fleet.credentials.routes import router as credentials
from openwatch.fleet.groups.routes import router as groups
from openwatch.fleet.host_keys.routes import router as host_keys
from openwatch.fleet.hosts.routes import router as hosts
from openwatch.fleet.imports.routes import router as imports

router = APIRouter()
router.include_router(hosts)
router.include_router(host_keys)
router.include_router(groups)
router.include_router(credentials)
router.include_router(connections)
router.include_router(imports)
