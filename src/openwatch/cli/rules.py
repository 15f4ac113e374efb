"""``openwatch rules``: look at the rules, and test rule files of your own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

from openwatch.cli.errors import usage_error
from openwatch.cli.output import FormOption, OutputForm, RulesOption, console, print_json
from openwatch.engine.errors import RULES_INVALID
from openwatch.engine.rules import Category, Corpus, Rule, Severity, load_corpus
from openwatch.engine.rules.conflicts import conflicts, duplicates, losses
from openwatch.engine.rules.corpus import VariablesFile
from openwatch.engine.rules.explain import explain
from openwatch.engine.rules.platforms import platform_names
from openwatch.engine.rules.reference import cited_controls, reference, rule_list
from openwatch.engine.rules.remedy import Step
from openwatch.engine.rules.template import case_template, rule_template
from openwatch.engine.rules.traps import traps
from openwatch.engine.rules.variables import VariableDefinition
from openwatch.kit.errors import OpenWatchError

app = typer.Typer(
    help="Look at the rules: list, show, document; lint and begin files of your own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_rules(
    *,
    output: FormOption = OutputForm.TABLE,
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
    if output is OutputForm.JSON:
        print_json([_summary(rule) for rule in chosen])
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("rule", "severity", "category", "title"):
        table.add_column(column, overflow="fold")
    for rule in chosen:
        table.add_row(rule.id, rule.severity.value, rule.category.value, rule.title)
    screen = console()
    screen.print(table)
    screen.print(f"{len(chosen)} rules", style="dim")


@app.command()
def show(
    rule_id: Annotated[str, typer.Argument(metavar="RULE", help="The id of a rule.")],
    *,
    output: FormOption = OutputForm.TABLE,
    rules: RulesOption = None,
) -> None:
    """Show one rule: what it wants, why, how to mend it, and who asks for it."""
    corpus = load_corpus(rules)
    rule = corpus.rule(rule_id)
    if output is OutputForm.JSON:
        document = rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        print_json({**document, "controls": _controls(rule, corpus)})
        return
    _show(rule, corpus)


@app.command()
def lint(
    directory: Annotated[Path, typer.Argument(help="A directory of rules.")],
) -> None:
    """Check rule files: every problem is told with its file and line; so are rules that cannot
    both be satisfied, rules that ask the same, rules that lose what they supersede says of a
    control, and checks that walk into a known trap. Exits with 2 on any.
    """
    corpus = load_corpus(directory)
    lists = corpus.controls
    found = [*conflicts(corpus), *duplicates(corpus), *losses(corpus), *traps(corpus)]
    if found:
        listed = "\n".join(f"  {problem}" for problem in found)
        raise OpenWatchError(RULES_INVALID, count=len(found), problems=listed)
    controls = sum(len(found.controls) for found in lists.values())
    print(f"{len(corpus.rules)} rules, {controls} controls, no problem")


@app.command()
def docs(
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write this file, not to the terminal.")
    ] = None,
    framework: Annotated[str, typer.Option(help="Only rules that this framework cites.")] = "",
    only_list: Annotated[bool, typer.Option("--list", help="One line for each rule.")] = False,
    rules: RulesOption = None,
) -> None:
    """Print the rule reference: every rule in words, as Markdown.

    Example: openwatch rules docs --output rules-reference.md
    """
    corpus = load_corpus(rules)
    wanted = corpus.cited_by(framework) if framework else corpus
    text = rule_list(wanted) if only_list else reference(wanted)
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        usage_error(f"{output} cannot be written: {error.strerror}.", "Name another file.")


@app.command()
def new(
    directory: Annotated[Path, typer.Argument(help="A directory of rules.")],
    rule_id: Annotated[str, typer.Argument(metavar="RULE", help="The id, e.g. ssh-quiet.")],
    *,
    category: Annotated[Category, typer.Option(help="The part of a host that it is about.")],
    cases: Annotated[
        Path | None,
        typer.Option(help="Write a case file too, below this directory (tests/corpus/cases)."),
    ] = None,
) -> None:
    """Write a rule to start from: commented, and right as it stands. Nothing is overwritten.

    Example: openwatch rules new corpus ssh-quiet --category access-control
    """
    try:
        text = rule_template(rule_id, category)
    except ValueError:
        advice = "Use small letters, digits and single hyphens, at most 80 in all."
        usage_error(f"{rule_id} is no id of a rule.", advice)
    place = Path(category.value) / f"{rule_id}.yml"
    written = [(directory / place, text)]
    if cases is not None:
        written.append((cases / place, case_template(rule_id)))
    if taken := next((path for path, _ in written if path.exists()), None):
        usage_error(f"{taken} is there already.", "Choose another id, or remove the file.")
    for path, text in written:
        _write_new(path, text)
        print(path)


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        usage_error(f"{path} cannot be written: {error.strerror}.", "Choose another directory.")


@app.command()
def variables(*, output: FormOption = OutputForm.TABLE, rules: RulesOption = None) -> None:
    """List the variables, their types, limits and defaults."""
    corpus = load_corpus(rules)
    if output is OutputForm.JSON:
        print_json(
            [
                {"name": name, **definition.model_dump(mode="json")}
                for name, definition in sorted(corpus.variables.items())
            ]
        )
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("variable", "type", "default", "presets", "description"):
        table.add_column(column, overflow="fold")
    for name, definition in sorted(corpus.variables.items()):
        default = "not set" if definition.default is None else str(definition.default)
        presets = "\n".join(_preset(definition, preset) for preset in definition.presets)
        table.add_row(name, definition.type.value, default, presets, definition.description)
    console().print(table)


def _preset(definition: VariableDefinition, name: str) -> str:
    """Return the values of a preset in words: ``stig 900 on ubuntu 22.04, else 600``."""
    said: list[str] = []
    for entry in definition.entries(name):
        value = ",".join(entry.value) if isinstance(entry.value, tuple) else str(entry.value)
        if entry.platforms:
            value += f" on {platform_names(entry.platforms)}"
        elif said:
            value = f"else {value}"
        said.append(value)
    return f"{name} {', '.join(said)}"


@app.command()
def schema(
    *,
    variables: Annotated[
        bool, typer.Option("--variables", help="That of variables.yml instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of a rule file, or of the variables, for editors."""
    print_json((VariablesFile if variables else Rule).model_json_schema())


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
    screen = console()
    screen.print(rule.id, style="bold", highlight=False)
    screen.print(f"{rule.title} ({rule.severity.value}, {rule.category.value})", markup=False)
    for label, text in (
        ("What", rule.description),
        ("Why", rule.rationale),
        ("Fix", rule.fix),
        ("Variables", _variables(rule, corpus)),
        ("Depends on", ", ".join(rule.depends_on)),
        ("Supersedes", ", ".join(rule.supersedes)),
        ("Superseded by", ", ".join(corpus.superseding.get(rule.id, ()))),
        ("Sources", "; ".join(rule.sources)),
    ):
        if text:
            _section(screen, label, [text])
    for form in explain(rule):
        gate = [f"only where {'  ' * line.depth}{line.text}" for line in form.gate]
        lines = [f"{'  ' * line.depth}{line.text}" for line in form.lines]
        places = [f"kept in: {', '.join(form.places)}"] if form.places else []
        _section(screen, f"On {form.platforms}", [*gate, *lines, *places])
    if steps := rule.steps():
        _section(screen, "Remedy", [_step(step) for step in steps])
    screen.print()
    screen.print("References", style="dim")
    for name, relation, ids in cited_controls(corpus, rule):
        line = f"  {relation} {corpus.frameworks[name].title}: {', '.join(ids)}"
        screen.print(line, markup=False, highlight=False)


def _controls(rule: Rule, corpus: Corpus) -> list[dict[str, Any]]:
    return [
        {"framework": name, "control": control, "relation": relation}
        for name, relation, ids in cited_controls(corpus, rule)
        for control in ids
    ]


def _section(screen: Console, label: str, lines: Sequence[str]) -> None:
    screen.print()
    screen.print(label, style="dim")
    for line in lines:
        screen.print(f"  {line}", markup=False, highlight=False)


def _variables(rule: Rule, corpus: Corpus) -> str:
    defaults = {name: corpus.variables[name].default for name in sorted(rule.variables())}
    return ", ".join(
        f"{name} = {'not set' if default is None else default}"
        for name, default in defaults.items()
    )


def _value(value: object) -> str:
    match value:
        case {"var": str(name)}:
            return f"${{{name}}}"
        case list():
            return ", ".join(map(str, cast("list[object]", value)))
        case _:
            return str(value)


def _step(step: Step) -> str:
    parameters = getattr(step, step.mechanism).model_dump(mode="json", exclude_defaults=True)
    shown = ", ".join(f"{name} {_value(value)}" for name, value in parameters.items())
    after = "".join(f", then reload {unit}" for unit in step.reload)
    after += "".join(f", then restart {unit}" for unit in step.restart)
    channel = ", touches the way to the host" if step.control_channel else ""
    return f"{step.mechanism}: {shown}{after} ({step.risk.value} risk{channel})"
