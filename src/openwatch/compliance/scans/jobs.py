"""Entry points of the queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from openwatch.compliance.scans.runner import ScanRunner


async def run_scan(runner: ScanRunner, payload: Mapping[str, Any]) -> None:
    """Carry out the scan that a job names."""
    await runner.run(UUID(payload["host_id"]), UUID(payload["scan_id"]))
