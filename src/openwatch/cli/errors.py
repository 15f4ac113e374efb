"""How the command line says what is wrong: one sentence and what to do, never a traceback."""

from __future__ import annotations

import sys
from typing import Final, NoReturn

import typer

from openwatch.kit.errors import OpenWatchError

EXIT_USAGE: Final = 2


def usage_error(message: str, fix: str) -> NoReturn:
    """Print what is wrong with the command and end with exit code 2."""
    print(f"openwatch: {message}\n  {fix}", file=sys.stderr)
    raise typer.Exit(EXIT_USAGE)


def print_error(error: OpenWatchError) -> None:
    """Print a registered error: its sentence and what to do next."""
    print(f"openwatch: {error.message}\n  {error.fix}", file=sys.stderr)
