"""`owadm`: administration of one installation."""

from __future__ import annotations

import asyncio

import typer

from openwatch.cli.main import run

app = typer.Typer(
    name="owadm",
    help="Administer an OpenWatch installation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database's schema up to this version."""
    from openwatch.db import migrate
    from openwatch.db.url import database_url
    from openwatch.kit.settings import get_settings

    url = database_url(get_settings())
    before = migrate.current_revision(url)
    migrate.upgrade(url)
    after = migrate.head()
    print(f"schema {after}: nothing to do" if before == after else f"schema {before} -> {after}")


@app.command("status")
def status_command() -> None:
    """Show data directory, database, schema and whether the API is ready."""
    from openwatch.cli.readiness import is_ready
    from openwatch.db import embedded, migrate
    from openwatch.db.url import database_url, is_external
    from openwatch.kit.settings import get_settings

    settings = get_settings()
    print(f"data      {settings.data_dir}")
    running = is_external(settings) or embedded.is_running(settings)
    kind = "external" if is_external(settings) else "embedded"
    print(f"database  {kind}, {'configured' if is_external(settings) else _runs(running)}")
    if running:
        current = migrate.current_revision(database_url(settings))
        print(f"schema    {current or 'empty'} (this version needs {migrate.head()})")
    problem = is_ready(settings)
    print(f"API       {settings.base_url}: {problem or 'ready'}")
    raise typer.Exit(0 if running and problem is None else 1)


@app.command("setup-link")
def setup_link_command() -> None:
    """Print a new one-time link that makes the first administrator."""
    from openwatch.db.engine import Database
    from openwatch.db.url import database_url
    from openwatch.identity.setup import service
    from openwatch.kit.settings import get_settings

    settings = get_settings()
    url = database_url(settings)

    async def issue() -> str | None:
        database = Database(url, pool_size=1)
        try:
            async with database.transaction() as tx:
                return await service.issue_setup_token(tx)
        finally:
            await database.aclose()

    token = asyncio.run(issue())
    if token is None:
        print("There is an administrator already; sign in.")
        raise typer.Exit(1)
    print(f"{settings.base_url}/setup#token={token}")


def _runs(running: bool) -> str:
    return "running" if running else "not running"


def main() -> None:
    """Run `owadm`."""
    run(app)
