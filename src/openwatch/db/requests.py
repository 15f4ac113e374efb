"""The database as a route gets it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from openwatch.db.engine import Database


def database_of(request: Request) -> Database:
    """Return the one database of the app that serves ``request``."""
    database = request.app.state.database
    assert isinstance(database, Database)
    return database


Db = Annotated[Database, Depends(database_of)]
