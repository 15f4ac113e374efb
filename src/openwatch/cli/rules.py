"""``openwatch rules``: look at the rules, and test rule files of your own."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from openwatch.engine.errors import RULES_INVALID
from openwatch.engine.rules import Category, Corpus, Rule, Severity, load_corpus
from openwatch.engine.rules.conflicts import conflicts, duplicates
from openwatch.kit.errors import OpenWatchError

app = typer.Typer(
    help="Look at the rules: list, show, lint files of your own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class ListFormat(StrEnum):
    """The form of a list."""

    TABLE = "table"
    JSON = "json"


RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="Use the rules in this directory.")
]
FormatOption = Annotated[ListFormat, typer.Option("--format", "-f", help="Form of the output.")]


@app.command("list")
def list_rules(
    *,
    output: FormatOption = ListFormat.TABLE,
    category: Annotated[Category | None, typer.Option(help="Only this category.")] = None,
    severity: Annotated[Severity | None, typer.Option(help="Only this severity.")] = None,
    framework: Annotated[str, typer.Option(help="Only rules that this framework cites.")] = "",
    rules: RulesOption = None,
) -> None:
    """List the rules."""
    corpus = load_corpus(rules)
    if framework:
        corpus = corpus.cited_by(framework)
    chosen = [
        rule
        for _, rule in sorted(corpus.rules.items())
        if category in (None, rule.category) and severity in (None, rule.severity)
    ]
    if output is ListFormat.JSON:
        _print_json([_summary(rule) for rule in chosen])
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("rule", "severity", "category", "title"):
        table.add_column(column, overflow="fold")
    for rule in chosen:
        table.add_row(rule.id, rule.severity.value, rule.category.value, rule.title)
    console = _console()
    console.print(table)
    console.print(f"{len(chosen)} rules", style="dim")


@app.command()
def show(
    rule_id: Annotated[str, typer.Argument(metavar="RULE", help="The id of a rule.")],
    *,
    output: FormatOption = ListFormat.TABLE,
    rules: RulesOption = None,
) -> None:
    """Show one rule: what it wants, why, how to mend it, and who asks for it."""
    corpus = load_corpus(rules)
    rule = corpus.rule(rule_id)
    if output is ListFormat.JSON:
        _print_json(rule.model_dump(mode="json", by_alias=True, exclude_defaults=True))
        return
    _show(rule, corpus)


@app.command()
def lint(
    directory: Annotated[Path, typer.Argument(help="A directory of rules.")],
) -> None:
    """Check rule files: every problem is told with its file and line; so are rules that cannot
    both be satisfied, and rules that ask the same. Exits with 2 on any.
    """
    corpus = load_corpus(directory)
    clashes = [*conflicts(corpus), *duplicates(corpus)]
    if clashes:
        listed = "\n".join(f"  {clash}" for clash in clashes)
        raise OpenWatchError(RULES_INVALID, count=len(clashes), problems=listed)
    print(f"{len(corpus.rules)} rules, no problem")


@app.command()
def variables(*, output: FormatOption = ListFormat.TABLE, rules: RulesOption = None) -> None:
    """List the variables, their types, limits and defaults."""
    corpus = load_corpus(rules)
    if output is ListFormat.JSON:
        _print_json(
            [
                {"name": name, **definition.model_dump(mode="json")}
                for name, definition in sorted(corpus.variables.items())
            ]
        )
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("variable", "type", "default", "description"):
        table.add_column(column, overflow="fold")
    for name, definition in sorted(corpus.variables.items()):
        default = "not set" if definition.default is None else str(definition.default)
        table.add_row(name, definition.type.value, default, definition.description)
    _console().print(table)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a rule file, for editors."""
    _print_json(Rule.model_json_schema())


def _summary(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "title": rule.title,
        "severity": rule.severity.value,
        "category": rule.category.value,
        "tags": list(rule.tags),
        "platforms": [
            platform.model_dump(mode="json", exclude_none=True) for platform in rule.platforms
        ],
        "references": {name: list(ids) for name, ids in rule.references.items()},
    }


def _show(rule: Rule, corpus: Corpus) -> None:
    console = _console()
    console.print(rule.id, style="bold", highlight=False)
    console.print(f"{rule.title} ({rule.severity.value}, {rule.category.value})", markup=False)
    for label, text in (
        ("What", rule.description),
        ("Why", rule.rationale),
        ("Fix", rule.fix),
        ("Platforms", "; ".join(_platform(p.model_dump()) for p in rule.platforms)),
        ("Facts", ", ".join(sorted(request.id for request in rule.requests()))),
        ("Variables", ", ".join(sorted(rule.variables())) or "none"),
        ("Sources", "; ".join(rule.sources)),
    ):
        console.print()
        console.print(label, style="dim")
        console.print(f"  {text}", markup=False, highlight=False)
    console.print()
    console.print("References", style="dim")
    for name, ids in rule.references.items():
        title = corpus.frameworks[name].title
        console.print(f"  {title}: {', '.join(ids)}", markup=False, highlight=False)


def _platform(entry: dict[str, Any]) -> str:
    low, high = entry["min"], entry["max"]
    match low, high:
        case None, None:
            return str(entry["family"])
        case _, None:
            return f"{entry['family']} {low} and later"
        case None, _:
            return f"{entry['family']} up to {high}"
        case _:
            return f"{entry['family']} {low} to {high}"


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=160, no_color=True)


def _print_json(document: object) -> None:
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
