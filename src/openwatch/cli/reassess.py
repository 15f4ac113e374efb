"""``openwatch reassess``: judge saved snapshots again, and see which verdicts turn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from openwatch.cli.output import FormOption, OutputForm, console, plain, print_json
from openwatch.cli.site_values import SiteValues, site_values
from openwatch.engine.assess import Outcome, count_verdicts
from openwatch.engine.assess.reassess import Judgement, Reassessment, Turn, reassess
from openwatch.engine.rules import load_corpus
from openwatch.engine.rules.site import Site
from openwatch.engine.snapshot import Snapshot, read_snapshot

EXIT_TURNED: Final = 1


def command(
    snapshots: Annotated[list[Path], typer.Argument(metavar="SNAPSHOT", help="Saved snapshots.")],
    *,
    rules: Annotated[
        Path | None, typer.Option(help="Judge with the rules in this directory.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Judge with the values that a benchmark names: cis or stig.")
    ] = "",
    site: Annotated[Path | None, typer.Option(help="Judge with this file of site values.")] = None,
    set_variable: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of a variable; may be repeated.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="Compare with the rules in this directory, not with the built-in ones."),
    ] = None,
    output: FormOption = OutputForm.TABLE,
    fail_on_change: Annotated[bool, typer.Option(help="Exit with 1 when a verdict turns.")] = False,
) -> None:
    """Judge saved snapshots with other rules or site values, and list the verdicts that turn.

    The comparison is with the built-in rules (or --against) at their default values. No host is
    asked: "would we have passed in January under the new benchmark" is answered from January's
    snapshot.
    """
    corpus, old = load_corpus(rules), load_corpus(against)
    values = site_values(corpus, site=site, preset_name=preset, given=set_variable or [])
    before = Judgement(old, SiteValues(Site(), ()).layers(""))
    found: list[tuple[str, Snapshot, Reassessment]] = []
    for path in snapshots:
        snapshot = read_snapshot(path)
        name = snapshot.identity.hostname or path.name
        after = Judgement(corpus, values.layers(name))
        found.append((name, snapshot, reassess(snapshot, before, after)))
    if output is OutputForm.JSON:
        print_json({"hosts": [_document(*one) for one in found]})
    else:
        for one in found:
            _print_host(*one)
    if fail_on_change and any(result.turns for _, _, result in found):
        raise typer.Exit(EXIT_TURNED)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command(name="reassess", help=command.__doc__)(command)


def _document(name: str, snapshot: Snapshot, result: Reassessment) -> dict[str, Any]:
    return {
        "host": name,
        "taken_at": snapshot.taken_at.isoformat(),
        "snapshot": snapshot.hash,
        "before": count_verdicts(result.before),
        "after": count_verdicts(result.after),
        "turns": [turn.document() for turn in result.turns],
    }


def _print_host(name: str, snapshot: Snapshot, result: Reassessment) -> None:
    screen = console()
    taken = snapshot.taken_at.isoformat(sep=" ", timespec="minutes")
    screen.print(Text.assemble((plain(name), "bold"), f"  as of {taken}"))
    if result.turns:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("rule", "before", "after", "why"):
            table.add_column(column, overflow="fold")
        for turn in result.turns:
            table.add_row(
                Text(turn.rule_id), _verdict(turn.before), _verdict(turn.after), Text(_why(turn))
            )
        screen.print(table)
    screen.print(f"before  {_summary(result.before)}", highlight=False)
    screen.print(f"after   {_summary(result.after)}", highlight=False)
    screen.print()


def _verdict(outcome: Outcome | None) -> str:
    return "no such rule" if outcome is None else outcome.verdict.value


def _why(turn: Turn) -> str:
    outcome = turn.after or turn.before
    return "" if outcome is None else plain(outcome.message)


def _summary(outcomes: tuple[Outcome, ...]) -> str:
    return ", ".join(f"{count} {name}" for name, count in count_verdicts(outcomes).items() if count)
