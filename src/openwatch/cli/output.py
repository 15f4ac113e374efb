"""What the commands share: options, a console, JSON, and text of hosts made harmless."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


class OutputForm(StrEnum):
    """The form of what a command prints."""

    TABLE = "table"
    JSON = "json"


FormOption = Annotated[OutputForm, typer.Option("--format", "-f", help="Form of the output.")]
RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="Use the rules in this directory.")
]


def console() -> Console:
    """Return a console; a pipe has no width: nothing is cut or wrapped for a program."""
    found = Console()
    return found if found.is_terminal else Console(width=200, no_color=True)


def plain(text: str) -> str:
    """Return text of a host without what a terminal would obey: names of files hold any byte."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def print_json(document: object) -> None:
    """Print a document as indented JSON."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
