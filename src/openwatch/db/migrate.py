"""Bring the schema up to date, once, however many processes start at the same moment."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from openwatch.db.errors import (
    NEWER_SCHEMA,
    NOT_MIGRATED,
    SERVER_DISK_FULL,
    SERVER_TOO_OLD,
    UNREACHABLE,
)
from openwatch.db.url import sqlalchemy_url
from openwatch.kit.errors import OpenWatchError

FOLDER: Final = Path(__file__).parent / "migrations"
VERSIONS: Final = FOLDER / "versions"
MINIMUM_SERVER: Final = 150_000  # PostgreSQL 15, as server_version_num
# The key of our advisory lock: "openwatc" in ASCII, so that it cannot be guessed by accident.
LOCK_KEY: Final = int.from_bytes(b"openwatc")
CONNECT_TIMEOUT_SECONDS: Final = 10
# PostgreSQL, appendix A: connection exception, invalid authorization, insufficient resources (too
# many connections), operator intervention (shutting down), unknown database.
_CONNECTION_CLASSES: Final = frozenset({"08", "28", "53", "57", "3D"})


def upgrade(url: str) -> None:
    """Apply every missing migration in one transaction.

    Raises ``db.unreachable``, ``db.server_too_old``, ``db.newer_schema``, ``db.disk_full``.
    """
    with _connect(url) as connection, connection.begin():
        _require_server(connection)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        current = _current(connection)
        if current == head():
            return
        _require_known(current)
        _run_alembic(connection)


def require_current(url: str) -> None:
    """Raise ``db.not_migrated`` or ``db.newer_schema`` unless the schema is this version's."""
    with _connect(url) as connection:
        current = _current(connection)
    if current == head():
        return
    _require_known(current)
    raise OpenWatchError(NOT_MIGRATED, current=current or "empty", needed=head())


def current_revision(url: str) -> str | None:
    """Return the revision that the database is at; None when it is empty."""
    with _connect(url) as connection:
        return _current(connection)


@lru_cache(maxsize=1)
def revisions() -> tuple[str, ...]:
    """Return every revision in order: each file of ``migrations/versions`` is named after its own.

    Read from the names, so that a process that has nothing to migrate does not load Alembic.
    """
    return tuple(sorted(path.stem for path in VERSIONS.glob("[0-9]*.py")))


def head() -> str:
    """Return the newest revision that this version of OpenWatch knows."""
    return revisions()[-1]


def _run_alembic(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current(connection: Connection) -> str | None:
    exists = connection.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    if not exists.scalar_one():
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _require_known(current: str | None) -> None:
    if current is not None and current not in revisions():
        raise OpenWatchError(NEWER_SCHEMA, current=current)


def _require_server(connection: Connection) -> None:
    number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if number < MINIMUM_SERVER:
        raise OpenWatchError(
            SERVER_TOO_OLD, version=number // 10_000, minimum=MINIMUM_SERVER // 10_000
        )


@contextmanager
def _connect(url: str) -> Generator[Connection]:
    """Yield a connection of its own; its failures are told as registered errors."""
    engine = create_engine(
        sqlalchemy_url(url),
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )
    try:
        with engine.connect() as connection:
            yield connection
    except OperationalError as error:
        problem = str(error.orig).strip().partition("\n")[0] or type(error.orig).__name__
        if isinstance(error.orig, psycopg.errors.DiskFull):
            raise OpenWatchError(SERVER_DISK_FULL, problem=problem) from None
        if _is_about_connection(error):
            raise OpenWatchError(UNREACHABLE, problem=problem) from None
        raise
    finally:
        engine.dispose()


def _is_about_connection(error: OperationalError) -> bool:
    """True when there is no connection; an error of a statement carries another SQLSTATE class."""
    state = getattr(error.orig, "sqlstate", None)
    return state is None or state[:2] in _CONNECTION_CLASSES
