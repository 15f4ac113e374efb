"""What has to be there before API and worker may begin: schema, keys, an administrator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from openwatch.db import migrate
from openwatch.db.engine import Database
from openwatch.db.url import normalise
from openwatch.identity.setup import service as setup
from openwatch.kit.crypto import Keyring
from openwatch.kit.errors import OpenWatchError, register
from openwatch.kit.settings import Settings

PASSWORD_FILE: Final = register(
    "up.password_file",
    status=500,
    message="The administrator's password cannot be read from {path}: {problem}.",
    fix="Put the password alone into the file that OPENWATCH_ADMIN_PASSWORD_FILE names.",
)


def prepare(settings: Settings, url: str, *, notice: Callable[[str], None]) -> str | None:
    """Migrate, make the keys and the administrator; return the first-run link when one is needed.

    The administrator is made from the password file of the settings, or by whoever opens the link.
    Raises ``db.*``, ``keys.*``, ``up.password_file``, ``password.*``.
    """
    uri = normalise(url)
    migrate.upgrade(uri)
    Keyring.load(settings.data_dir)
    return asyncio.run(_first_run(settings, uri, notice))


async def _first_run(settings: Settings, uri: str, notice: Callable[[str], None]) -> str | None:
    database = Database(uri, pool_size=1)
    try:
        async with database.transaction() as tx:
            if not await setup.is_required(tx):
                return None
            if settings.admin_password_file is None:
                token = await setup.issue_setup_token(tx)
                return f"{settings.base_url}/setup#token={token}" if token else None
            password = _read_password(settings.admin_password_file)
            await setup.create_first_admin(tx, settings.admin_username, password)
    finally:
        await database.aclose()
    notice(f"administrator {settings.admin_username!r} made from the password file")
    return None


def _read_password(path: Path) -> str:
    try:
        password = path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise OpenWatchError(PASSWORD_FILE, path=path, problem=problem) from None
    if not password:
        raise OpenWatchError(PASSWORD_FILE, path=path, problem="it is empty")
    return password
