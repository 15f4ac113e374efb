"""`openwatch`: one command per module, imported when it is used, so that help is instant.

A command's module has ``app``, a ``typer.Typer``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final

import typer

from openwatch import __version__

COMMANDS: Final = {
    "up": ("openwatch.cli.up", "Start everything here: database, API, worker and UI."),
    "serve": ("openwatch.cli.serve", "Run one API and UI process."),
    "worker": ("openwatch.cli.worker", "Run one worker process, which does the scans."),
    "hosts": ("openwatch.cli.hosts", "Import hosts from a file into this server."),
    "check": ("openwatch.cli.check", "Scan hosts now and print the findings; needs no server."),
    "snapshot": ("openwatch.cli.snapshot", "Look into saved snapshots; see what changed."),
    "reassess": ("openwatch.cli.reassess", "Judge saved snapshots again with other rules."),
    "rules": ("openwatch.cli.rules", "Look at the rules: list, show, test files of your own."),
    "frameworks": ("openwatch.cli.frameworks", "Look at the benchmarks and their coverage."),
    "verify": ("openwatch.cli.verify", "Prove offline that an evidence bundle is unchanged."),
}
# Everything after the command's name belongs to the command, --help too.
_PASS_ON: Final = {"allow_extra_args": True, "ignore_unknown_options": True}
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it

app = typer.Typer(
    name="openwatch",
    help="Compliance for Linux fleets: scans over SSH, with evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"openwatch {__version__}")
        raise typer.Exit


@app.callback()
def openwatch(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Take the options that come before the command."""


def _register(name: str, module: str, summary: str) -> None:
    def run(context: typer.Context) -> None:
        command = typer.main.get_command(import_module(module).app)
        command(args=context.args, prog_name=f"openwatch {name}")

    app.command(name, help=summary, context_settings=_PASS_ON, add_help_option=False)(run)


for _name, (_module, _summary) in COMMANDS.items():
    _register(_name, _module, _summary)


def main() -> None:
    """Run `openwatch`; the exit status is 0, or what the command documents."""
    run(app)


def run(program: Callable[[], object]) -> None:
    """Run a program; an error that we know is two sentences on standard error, exit status 2."""
    try:
        program()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        from openwatch.cli.errors import EXIT_USAGE, print_error
        from openwatch.kit.errors import OpenWatchError

        if not isinstance(error, OpenWatchError):
            raise
        print_error(error)
        sys.exit(EXIT_USAGE)


if __name__ == "__main__":
    main()
