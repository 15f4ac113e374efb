"""Entry points of the queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from openwatch.db.engine import Database
from openwatch.fleet.imports.runner import run_import as carry_out


async def run_import(db: Database, payload: Mapping[str, Any]) -> None:
    """Carry out the import that a job names."""
    await carry_out(db, UUID(payload["import_id"]))
