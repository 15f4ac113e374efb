"""Which database: the one that the settings name, or the embedded one."""

from __future__ import annotations

from typing import Final

from psycopg import ProgrammingError, conninfo
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from openwatch.db import embedded
from openwatch.db.errors import URL_INVALID
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import Settings

DRIVER: Final = "postgresql+psycopg"


def is_external(settings: Settings) -> bool:
    """True when the settings name a server, so that none is started here."""
    return settings.database_url is not None


def database_url(settings: Settings) -> str:
    """Return a libpq URI for the database; starts the embedded server when it is not running.

    Raises ``db.url_invalid`` and everything that ``embedded.ensure`` raises.
    """
    if settings.database_url is None:
        return embedded.ensure(settings)
    return normalise(settings.database_url)


def normalise(text: str) -> str:
    """Return a libpq URI for a URI or a ``key=value`` string; raises ``db.url_invalid``.

    No message quotes the text: it may hold a password.
    """
    try:
        known = conninfo.conninfo_to_dict(text)
    except ProgrammingError:
        raise OpenWatchError(URL_INVALID, problem="libpq cannot read it") from None
    if not known.get("dbname"):
        raise OpenWatchError(URL_INVALID, problem="it names no database")
    if "://" in text:
        return text
    parts = {key: str(value) for key, value in known.items() if value is not None}
    url = URL.create(
        "postgresql",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        database=parts.pop("dbname"),
        query=parts,
    )
    return url.render_as_string(hide_password=False)


def sqlalchemy_url(uri: str) -> URL:
    """Return the SQLAlchemy URL (psycopg 3) of a libpq URI; raises ``db.url_invalid``."""
    try:
        url = make_url(uri)
    except ArgumentError:
        raise OpenWatchError(URL_INVALID, problem="it cannot be parsed") from None
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise OpenWatchError(URL_INVALID, problem="it is not for PostgreSQL")
    return url.set(drivername=DRIVER)
