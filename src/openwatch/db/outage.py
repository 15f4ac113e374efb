"""Tell a database that cannot answer now from a fault in our own statements."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from openwatch.kit.errors import OpenWatchError


def is_outage(error: BaseException) -> bool:
    """True when the same call can succeed later: connection lost, server stopped, pool empty."""
    if isinstance(error, OpenWatchError):
        return error.code.startswith("db.")
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(
        error,
        OperationalError
        | InterfaceError
        | PoolTimeout
        | psycopg.OperationalError
        | psycopg.InterfaceError,
    )
