"""Connections: transactions, reads, COPY and LISTEN over psycopg 3 and SQLAlchemy Core."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import JSON, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from openwatch.db.url import sqlalchemy_url
from openwatch.kit.logging import get_logger

log = get_logger(__name__)

POOL_SIZE: Final = 10
POOL_OVERFLOW: Final = 20
POOL_WAIT_SECONDS: Final = 10.0
POOL_RECYCLE_SECONDS: Final = 1800
CONNECT_TIMEOUT_SECONDS: Final = 10
APPLICATION_NAME: Final = "openwatch"
# A transaction that was left open by a hung peer must not hold locks for ever.
IDLE_IN_TRANSACTION: Final = "5min"

_RECONNECT_FIRST_SECONDS: Final = 0.2
_RECONNECT_MOST_SECONDS: Final = 10.0
_TYPE_MODIFIER: Final = re.compile(r"\(.*?\)")
_OWN_NAMES: Final = {"varchar": "character varying", "float": "double precision"}


class Database:
    """A pool of connections to one database. Made per process (and per event loop)."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = POOL_SIZE,
        idle_in_transaction: str = IDLE_IN_TRANSACTION,
    ) -> None:
        """``url`` is a libpq URI, as ``openwatch.db.url.database_url`` returns it.

        ``idle_in_transaction`` is when PostgreSQL ends a transaction in which nothing happens.
        """
        self.url = url
        self._engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=POOL_OVERFLOW,
            pool_timeout=POOL_WAIT_SECONDS,
            pool_recycle=POOL_RECYCLE_SECONDS,
            pool_pre_ping=True,
            # What a statement was given may be a secret, a hash of one or a whole document: an
            # error that ends in the log names the statement only.
            hide_parameters=True,
            json_serializer=_to_json,
            json_deserializer=orjson.loads,
            connect_args={
                "application_name": APPLICATION_NAME,
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "options": f"-c idle_in_transaction_session_timeout={idle_in_transaction}"
                " -c timezone=UTC",
            },
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncConnection]:
        """Yield a connection in a transaction: committed on a clean exit, else rolled back."""
        async with self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """Yield a connection for queries; what they see is one snapshot, and nothing is written."""
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        async with self._engine.connect() as connection:
            yield await connection.execution_options(**options)

    async def listen(self, channel: str) -> AsyncGenerator[str]:
        """Yield the payload of every NOTIFY on ``channel``, for ever, on a connection of its own.

        An empty payload is yielded after every (re)connection: notifications are not kept while
        nobody listens, so the reader looks then for what it has missed.
        """
        failures = 0
        while True:
            try:
                async with await self._listening(channel) as connection:
                    failures = 0
                    yield ""
                    async for notice in connection.notifies():
                        yield notice.payload
            except psycopg.OperationalError as error:
                failures += 1
                wait = _back_off(failures)
                log.warning(
                    "lost the notification channel; reconnecting",
                    channel=channel,
                    seconds=round(wait, 1),
                    reason=str(error).strip(),
                )
                await asyncio.sleep(wait)

    async def _listening(self, channel: str) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(
            self.url,
            autocommit=True,
            application_name=f"{APPLICATION_NAME}-listen",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
        )
        try:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        except BaseException:
            await connection.close()
            raise
        return connection

    async def copy_rows(
        self,
        tx: AsyncConnection,
        table: Table,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
    ) -> int:
        """Write ``rows`` into ``table`` by binary COPY inside ``tx``; return how many there were.

        Values are what psycopg adapts for the column's type (uuid.UUID, aware datetime, bytes ...);
        for JSON columns plain dicts and lists.
        """
        pool_entry = await tx.get_raw_connection()
        connection = cast("psycopg.AsyncConnection[Any]", pool_entry.driver_connection)
        json_at = [i for i, name in enumerate(columns) if isinstance(table.c[name].type, JSON)]
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        count = 0
        async with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([_type_name(table, name) for name in columns])
            for row in rows:
                await copy.write_row(_wrap_json(row, json_at) if json_at else row)
                count += 1
        return count

    async def aclose(self) -> None:
        """Close every pooled connection."""
        await self._engine.dispose()


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _wrap_json(row: Sequence[Any], json_at: list[int]) -> list[Any]:
    wrapped = list(row)
    for i in json_at:
        if wrapped[i] is not None:
            wrapped[i] = Jsonb(wrapped[i], dumps=orjson.dumps)
    return wrapped


def _type_name(table: Table, column: str) -> str:
    """Return PostgreSQL's own name of a column's type, without a length: ``character varying``."""
    compiled = table.c[column].type.compile(dialect=postgresql.dialect())
    name = _TYPE_MODIFIER.sub("", compiled).strip().lower()
    element = name.removesuffix("[]")
    return _OWN_NAMES.get(element, element) + name[len(element) :]


def _back_off(failures: int) -> float:
    longest = min(_RECONNECT_MOST_SECONDS, _RECONNECT_FIRST_SECONDS * 2**failures)
    return random.uniform(longest / 2, longest)
