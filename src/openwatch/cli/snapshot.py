"""``openwatch snapshot``: look into saved snapshots, and see what changed between two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from openwatch.cli.output import FormOption, OutputForm, console, plain, print_json
from openwatch.engine.facts import CouldNot, Fact, Request
from openwatch.engine.snapshot import Snapshot, not_collected, read_snapshot
from openwatch.engine.snapshot_diff import FactChange, difference

app = typer.Typer(
    help="Look into saved snapshots (openwatch check --save FILE).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

EXIT_CHANGED: Final = 1
MAX_LINES: Final = 40
"""How many lines of one changed fact the table shows; JSON has all."""

_MARKS: Final = {"+": "green", "-": "red", "@": "cyan"}


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A saved snapshot.")],
    fact: Annotated[str, typer.Argument(help="Print the answer of this fact alone.")] = "",
    *,
    output: FormOption = OutputForm.TABLE,
) -> None:
    """Show whose snapshot it is and which facts it holds; with FACT, the bytes of that fact."""
    snapshot = read_snapshot(file)
    if fact:
        _show_fact(snapshot, fact, output)
        return
    if output is OutputForm.JSON:
        print_json(
            _about(snapshot)
            | {
                "facts": [
                    f.document() | {"hash": f.hash} for _, f in sorted(snapshot.facts.items())
                ]
            }
        )
        return
    screen = console()
    for name, value in _about(snapshot).items():
        screen.print(f"{name:<10}{plain(str(value))}", markup=False, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("fact", "bytes", "hash", "could not"):
        table.add_column(column, overflow="fold", justify="right" if column == "bytes" else "left")
    for _, found in sorted(snapshot.facts.items()):
        problem = "" if found.could_not is None else plain(str(found.could_not))
        table.add_row(Text(found.id), str(len(found.output)), found.hash[:12], Text(problem))
    screen.print()
    screen.print(table)
    screen.print(f"{len(snapshot.facts)} facts", style="dim")


def _show_fact(snapshot: Snapshot, fact: str, output: OutputForm) -> None:
    request = Request.from_id(fact)
    found = snapshot.facts.get(fact) or Fact(request, "", could_not=not_collected(request))
    if output is OutputForm.JSON:
        print_json(found.document())
    elif found.could_not is not None:
        console().print(plain(str(found.could_not)), markup=False, highlight=False)
    else:
        text = found.output.decode("utf-8", "backslashreplace")
        console().print(plain(text), markup=False, highlight=False, end="", soft_wrap=True)


def _about(snapshot: Snapshot) -> dict[str, str]:
    identity = snapshot.identity
    platform = identity.platform
    return {
        "host": identity.hostname,
        "platform": str(platform) if isinstance(platform, CouldNot) else platform.name,
        "kernel": identity.kernel,
        "taken": snapshot.taken_at.isoformat(timespec="seconds"),
        "privilege": snapshot.privilege,
        "hash": snapshot.hash,
    }


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="The earlier snapshot.")],
    after: Annotated[Path, typer.Argument(help="The later one.")],
    *,
    output: FormOption = OutputForm.TABLE,
    context: Annotated[
        int, typer.Option("--context", "-U", min=0, max=100, help="Equal lines around a change.")
    ] = 1,
    fail_on_change: Annotated[
        bool, typer.Option(help="Exit with 1 when anything changed.")
    ] = False,
) -> None:
    """Show what changed on a host between two snapshots, fact by fact."""
    first, second = read_snapshot(before), read_snapshot(after)
    changes = difference(first, second)
    if output is OutputForm.JSON:
        print_json(
            {
                "before": _about(first),
                "after": _about(second),
                "changes": [change.document() for change in changes],
            }
        )
    else:
        _print_changes(first, second, changes, context)
    if changes and fail_on_change:
        raise typer.Exit(EXIT_CHANGED)


def _print_changes(
    first: Snapshot, second: Snapshot, changes: tuple[FactChange, ...], context: int
) -> None:
    screen = console()
    if first.identity.machine_id != second.identity.machine_id:
        screen.print("These are snapshots of two different machines.", style="yellow")
    for change in changes:
        title = Text.assemble((change.fact, "bold"), "  ", (change.change.value, "dim"))
        screen.print(title)
        _print_lines(screen, list(change.lines(context)))
        screen.print()
    same = len(first.facts.keys() | second.facts.keys()) - len(changes)
    screen.print(f"{len(changes)} facts differ, {same} are the same")


def _print_lines(screen: Console, lines: list[str]) -> None:
    for line in lines[:MAX_LINES]:
        screen.print(Text(f"  {plain(line)}", style=_MARKS.get(line[:1], "")), soft_wrap=True)
    if len(lines) > MAX_LINES:
        screen.print(
            f"  … {len(lines) - MAX_LINES} more lines (--format json has all)", style="dim"
        )
