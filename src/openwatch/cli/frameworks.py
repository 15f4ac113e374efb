"""``openwatch frameworks``: the benchmarks, their controls, and the coverage of each by rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from openwatch.cli.output import FormOption, OutputForm, RulesOption, console, print_json
from openwatch.engine.rules import Corpus, load_corpus
from openwatch.engine.rules.coverage import (
    Coverage,
    MappedControl,
    MappedRule,
    State,
    coverage,
    mapped_control,
    mapped_controls,
)

app = typer.Typer(
    help="Look at the benchmarks and catalogues: list, show controls, print coverage.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

FrameworkArgument = Annotated[
    str, typer.Argument(metavar="FRAMEWORK", help="A framework, e.g. cis_debian12.")
]


@app.command("list")
def list_frameworks(*, output: FormOption = OutputForm.TABLE, rules: RulesOption = None) -> None:
    """List the frameworks: version, controls, and how many rules refer to them."""
    corpus = load_corpus(rules)
    entries = [_entry(corpus, name) for name in sorted(corpus.frameworks)]
    if output is OutputForm.JSON:
        print_json(entries)
        return
    table = _table(
        "framework", "version", "controls", "rules", "title", right=("controls", "rules")
    )
    for entry in entries:
        controls = "-" if entry["controls"] is None else str(entry["controls"])
        row = (entry["id"], entry["version"], controls, str(entry["rules"]), entry["title"])
        table.add_row(*row)
    console().print(table)


@app.command()
def show(
    framework: FrameworkArgument,
    control: Annotated[
        str, typer.Argument(metavar="CONTROL", help="Only this control, e.g. 5.1.20.")
    ] = "",
    *,
    output: FormOption = OutputForm.TABLE,
    rules: RulesOption = None,
) -> None:
    """Show the controls of a framework, or one of them, with the rules that speak of each.

    Example: openwatch frameworks show cis_debian12 5.1.20
    """
    corpus = load_corpus(rules)
    if control:
        mapped = mapped_control(corpus, framework, control)
        if output is OutputForm.JSON:
            print_json(_document(mapped))
        else:
            _print_control(mapped, corpus.frameworks[framework].title)
        return
    controls = mapped_controls(corpus, framework)
    if output is OutputForm.JSON:
        print_json([_document(mapped) for mapped in controls])
        return
    table = _table("control", "state", "level", "title", "rules")
    for mapped in controls:
        row = (mapped.state.value, _level(mapped), mapped.title, _some(mapped.rules))
        table.add_row(mapped.control.id, *row)
    console().print(table)


@app.command("coverage")
def print_coverage(
    frameworks: Annotated[
        list[str] | None,
        typer.Argument(metavar="FRAMEWORK", help="Only these. Without one: all."),
    ] = None,
    *,
    uncovered: Annotated[
        bool, typer.Option("--uncovered", help="List the automatable controls without a check.")
    ] = False,
    output: FormOption = OutputForm.TABLE,
    rules: RulesOption = None,
) -> None:
    """Print how much of each framework the rules answer.

    covered: a rule satisfies the control. partial: rules only contribute to it. manual: a person
    has to judge it, so it is in no percentage. The shares are those of the automatable controls:
    "covered" of covered ones, "evidence" of covered and partial ones.
    """
    corpus = load_corpus(rules)
    names = frameworks or sorted(corpus.controls)
    sums = [coverage(corpus, name) for name in names]
    missing = {name: _uncovered(corpus, name) for name in names} if uncovered else {}
    if output is OutputForm.JSON:
        print_json([_sums(found, missing.get(found.framework)) for found in sums])
        return
    numbers = ("covered", "partial", "uncovered", "manual", "total", "covered %", "evidence %")
    table = _table("framework", *numbers, right=numbers)
    for found in sums:
        table.add_row(
            found.framework,
            *(str(n) for n in (found.covered, found.partial, found.uncovered, found.manual)),
            str(found.total),
            _percent(found.covered_percent),
            _percent(found.evidenced_percent),
        )
    console().print(table)
    for name, controls in missing.items():
        _print_uncovered(name, controls)


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        justify = "right" if column in right else "left"
        table.add_column(column, overflow="fold", justify=justify)
    return table


def _entry(corpus: Corpus, name: str) -> dict[str, Any]:
    framework = corpus.frameworks[name]
    found = corpus.controls.get(name)
    return {
        "id": name,
        "title": framework.title,
        "publisher": framework.publisher,
        "version": framework.version,
        "family": framework.family,
        "relation": framework.relation.value,
        "derived_through": framework.derived.through if framework.derived else None,
        "controls": len(found.controls) if found else None,
        "rules": len(corpus.cited_by(name).rules),
    }


_SHOWN: Final = 2

_FACTS: Final = {"server", "workstation", "severity", "specification", "through", "reason"}


def _document(mapped: MappedControl) -> dict[str, Any]:
    control = mapped.control
    facts = control.model_dump(mode="json", include=_FACTS, exclude_defaults=True)
    return {
        "id": control.id,
        "title": mapped.title,
        "sections": list(mapped.path),
        **facts,
        "state": mapped.state.value,
        "rules": [
            {
                "id": m.rule.id,
                "title": m.rule.title,
                "relation": m.relation.value,
                "measured": m.measured,
            }
            for m in mapped.rules
        ],
    }


def _some(rules: Sequence[MappedRule]) -> str:
    """Return the ids of the strongest rules and how many more: AC-6 has over a hundred."""
    ids = ", ".join(mapped.rule.id for mapped in rules[:_SHOWN])
    more = len(rules) - _SHOWN
    return f"{ids} and {more} more" if more > 0 else ids


def _level(mapped: MappedControl) -> str:
    """Return the severity, or the levels for servers and workstations where they differ."""
    control = mapped.control
    if named := control.severity or control.specification:
        return named.value
    levels = {"server": control.server, "workstation": control.workstation}
    if len(set(levels.values())) == 1:
        return f"L{control.server}" if control.server else ""
    return ", ".join(f"{name} L{level}" for name, level in levels.items() if level)


def _print_control(mapped: MappedControl, framework: str) -> None:
    out = console()
    out.print(f"{framework} {mapped.control.id}", style="bold", highlight=False, markup=False)
    out.print(mapped.title, highlight=False, markup=False)
    for label, text in (
        ("Section", " / ".join(mapped.path)),
        ("Level", _level(mapped)),
        ("State", mapped.state.value),
        ("Reason", mapped.control.reason or ""),
        ("Through", ", ".join(mapped.control.through or ())),
    ):
        if text:
            out.print(f"{label}: {text}", highlight=False, markup=False)
    out.print()
    out.print("Rules" if mapped.rules else "No rule speaks of it.", style="dim")
    for m in mapped.rules:
        judged = "" if m.measured else ", judged by a person"
        out.print(
            f"  {m.relation.value}  {m.rule.id}: {m.rule.title}{judged}",
            highlight=False, markup=False,
        )  # fmt: skip


def _uncovered(corpus: Corpus, framework: str) -> list[MappedControl]:
    controls = mapped_controls(corpus, framework)
    return [mapped for mapped in controls if mapped.state is State.UNCOVERED]


def _sums(found: Coverage, missing: Iterable[MappedControl] | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "framework": found.framework,
        "total": found.total,
        "manual": found.manual,
        "automatable": found.automatable,
        "covered": found.covered,
        "partial": found.partial,
        "uncovered": found.uncovered,
        "covered_percent": found.covered_percent,
        "evidenced_percent": found.evidenced_percent,
    }
    if missing is not None:
        document["uncovered_controls"] = [
            {"id": mapped.control.id, "title": mapped.title} for mapped in missing
        ]
    return document


def _percent(value: float | None) -> str:
    return "no data" if value is None else f"{value:.1f}"


def _print_uncovered(framework: str, controls: Sequence[MappedControl]) -> None:
    out = console()
    out.print()
    out.print(f"{framework}: {len(controls)} without a check", style="bold", highlight=False)
    for mapped in controls:
        out.print(f"  {mapped.control.id}  {mapped.title}", highlight=False, markup=False)
