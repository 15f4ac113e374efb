"""A connection for one piece of work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openwatch.engine.transport import AcceptNew, Target, Transport, connect_ssh


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Transport]:
    """Yield a connection to a host of the lab, whose key is new."""
    transport = await connect_ssh(target, host_keys=AcceptNew())
    try:
        yield transport
    finally:
        await transport.aclose()
