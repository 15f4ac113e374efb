"""`openwatch worker`: one worker process."""

from __future__ import annotations

import typer
import uvloop

from openwatch.cli.supervised import follow_parent, wait_until_released
from openwatch.jobs.worker import run
from openwatch.kit import logging
from openwatch.kit.settings import get_settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def worker() -> None:
    """Do scans until told to stop (SIGTERM, Ctrl-C); running scans are handed back to the queue."""
    follow_parent()
    settings = get_settings()
    logging.configure(level=settings.log_level, log_format=settings.log_format)
    wait_until_released()
    uvloop.run(run(settings))
