"""`openwatch hosts`: the inventory from the command line, on the machine of the server.

It asks the database, not the API, so that it needs no session; a worker does the work.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

from openwatch.cli.errors import usage_error
from openwatch.cli.interrupt import run_interruptible
from openwatch.cli.output import FormOption, OutputForm, plain, print_json
from openwatch.fleet.imports.model import Key, Mode, OnExisting
from openwatch.fleet.imports.readers.sheet import Format

if TYPE_CHECKING:
    from openwatch.db.engine import Database
    from openwatch.fleet.imports.schema import Import, ImportRow, Options
    from openwatch.fleet.imports.service import Source

EXIT_REFUSED: Final = 1
POLL_SECONDS: Final = 0.3
PATIENCE_SECONDS: Final = 20.0
"""How long nothing may happen before it is said that perhaps no worker runs."""

REFUSED_SHOWN: Final = 100
STDIN: Final = "-"

app = typer.Typer(
    name="hosts",
    help="Work with the inventory of this server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def hosts() -> None:
    """Work with the inventory of this server."""


@app.command("import")
def import_command(
    file: Annotated[
        str,
        typer.Argument(help="CSV, plain text, known_hosts or Ansible inventory; - reads stdin."),
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=FIELD", help="Which column holds which field."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")
    ] = False,
    atomic: Annotated[
        bool, typer.Option("--atomic", help="Import all rows, or none when one is refused.")
    ] = False,
    on_existing: Annotated[
        OnExisting, typer.Option(help="What happens to a host that is known.")
    ] = OnExisting.SKIP,
    key: Annotated[Key, typer.Option(help="What says that a host is known.")] = Key.NAME,
    file_format: Annotated[
        Format | None,
        typer.Option("--file-format", help="Format of the file; found out if not given."),
    ] = None,
    environment: Annotated[str | None, typer.Option(help="Environment of new hosts.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag of new hosts.")] = None,
    form: FormOption = OutputForm.TABLE,
) -> None:
    """Import hosts from a file into the server on this machine.

    Exit status: 0 all rows are in, 1 rows were refused, 2 the file or a setting cannot be used.
    """
    from pydantic import ValidationError

    from openwatch.fleet.imports.schema import Defaults, Options
    from openwatch.fleet.imports.service import Source

    source = Source(
        _read(file), None if file == STDIN else Path(file).name, file_format, mapping=mapping or ()
    )
    try:
        defaults = Defaults(environment=environment, tags=tag or [])
    except ValidationError as error:
        usage_error(str(error.errors()[0]["msg"]), "Correct --environment or --tag.")
    options = Options(
        mode=Mode.ATOMIC if atomic else Mode.PER_ROW,
        on_existing=on_existing,
        key=key,
        dry_run=dry_run,
        defaults=defaults,
    )
    done, refused = run_interruptible(_import(source, options))
    if form is OutputForm.JSON:
        print_json(done.model_dump(mode="json"))
    else:
        _show(done, refused)
    raise typer.Exit(EXIT_REFUSED if done.failure or done.counts.refused else 0)


def _read(file: str) -> bytes:
    from openwatch.fleet.imports.routes import MAX_FILE_BYTES

    try:
        with sys.stdin.buffer if file == STDIN else Path(file).open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        usage_error(f"{file} cannot be read: {error.strerror}.", "Name a file that you may read.")
    if len(data) > MAX_FILE_BYTES:
        usage_error(
            f"{file} has more than {MAX_FILE_BYTES // 1024 // 1024} MB.",
            "Split it, and import one part after the other.",
        )
    return data


async def _import(source: Source, options: Options) -> tuple[Import, Sequence[ImportRow]]:
    """Ask for the import and wait until it is over; return it and its first refused rows."""
    from openwatch.db.engine import Database
    from openwatch.db.url import database_url
    from openwatch.fleet.imports import service
    from openwatch.fleet.imports.model import Outcome
    from openwatch.kit.settings import get_settings

    prepared = await service.prepare(source)
    db = Database(await asyncio.to_thread(database_url, get_settings()), pool_size=1)
    try:
        async with db.transaction() as tx:
            asked = await service.request(tx, prepared, options, requested_by=None)
        done = await _until_over(db, asked.id)
        async with db.read() as conn:
            rows = await service.list_rows(
                conn,
                asked.id,
                outcomes=[Outcome.REFUSED],
                sort=None,
                cursor=None,
                limit=REFUSED_SHOWN,
            )
    finally:
        await db.aclose()
    return done, rows.items


async def _until_over(db: Database, import_id: UUID) -> Import:
    from openwatch.fleet.imports import service
    from openwatch.fleet.imports.model import ImportState

    moved, said = (time.monotonic(), -1), False
    while True:
        async with db.read() as conn:
            found = await service.get(conn, import_id)
        if found.state in {ImportState.COMPLETED, ImportState.FAILED}:
            return found
        if found.done != moved[1]:
            moved = (time.monotonic(), found.done)
        elif not said and found.state is ImportState.QUEUED:
            said = time.monotonic() - moved[0] > PATIENCE_SECONDS
            if said:
                print("openwatch: waiting for a worker; does `openwatch up` run?", file=sys.stderr)
        await asyncio.sleep(POLL_SECONDS)


def _show(done: Import, refused: Sequence[ImportRow]) -> None:
    for row in refused:
        print(f"line {row.line}  {plain(row.name)}  {plain(row.problem or '')}")
    if (more := done.counts.refused - len(refused)) > 0:
        print(f"... and {more} more")
    if done.failure is not None:
        print(f"{done.failure.message}\n  {done.failure.fix}")
        return
    counts = ", ".join(f"{n} {outcome}" for outcome, n in done.counts.model_dump().items() if n)
    print(f"{'would be: ' if done.dry_run else ''}{counts or 'nothing to do'}")
