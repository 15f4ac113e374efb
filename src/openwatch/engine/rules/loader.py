"""Reads rule files; a broken one is told with its file, its line, what is wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml as pyyaml
from pydantic import BaseModel, ValidationError

from openwatch.engine.rules import yaml
from openwatch.engine.rules.schema import Rule

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, order=True)
class RuleProblem:
    """One thing that is wrong in a rule file."""

    file: str
    line: int
    what: str
    fix: str = ""

    def __str__(self) -> str:
        hint = f" {self.fix}" if self.fix else ""
        return f"{self.file}:{self.line}: {self.what}.{hint}"


def load_text(
    model: type[Model], text: str, file: str
) -> tuple[Model | None, tuple[RuleProblem, ...]]:
    """Return the validated document of one file, or every problem that it has."""
    try:
        document = yaml.parse(text)
    except pyyaml.YAMLError as error:
        what = f"not YAML: {yaml.error_text(error)}"
        return None, (RuleProblem(file, yaml.error_line(error), what, "Check the indentation."),)
    if not isinstance(document, dict):
        return None, (RuleProblem(file, 1, "the file is not a mapping of keys"),)
    try:
        return model.model_validate(document), ()
    except ValidationError as error:
        problems = (_problem(file, text, model, details) for details in error.errors())
        return None, tuple(sorted(set(problems)))


def load_rules(directory: Path) -> tuple[dict[str, Rule], tuple[RuleProblem, ...]]:
    """Return the rules below ``directory`` (``<category>/<rule id>.yml``) and all problems."""
    rules: dict[str, Rule] = {}
    problems: list[RuleProblem] = []
    for path in sorted(directory.glob("*/*.yml")):
        if path.parent.name in ("frameworks",):
            continue
        file = f"{path.parent.name}/{path.name}"
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(RuleProblem(file, 1, f"cannot be read: {error}"))
            continue
        rule, found = load_text(Rule, text, file)
        problems += found
        if rule is None:
            continue
        misplaced = list(_misplaced(rule, path, file, text))
        problems += misplaced
        if rule.id in rules:
            other = f"{rules[rule.id].category.value}/{path.name}"
            what = f"the id {rule.id!r} is that of {other} as well"
            problems.append(RuleProblem(file, yaml.line_of(text, ["id"]), what, "Rename one."))
        elif not misplaced:
            rules[rule.id] = rule
    return rules, tuple(problems)


_INDEXES: Final = ("variables.yml", "frameworks/index.yml")


def unread(directory: Path, frameworks: Container[str]) -> Iterable[RuleProblem]:
    """Yield the files that look like rules, or like the controls of a framework, and are not."""
    depths = ("", "*/", "*/*/")
    for path in sorted(p for depth in depths for p in directory.glob(f"{depth}*.y*ml")):
        file = path.relative_to(directory).as_posix()
        if file in _INDEXES or path.suffix not in (".yml", ".yaml") or "/." in f"/{file}":
            continue
        if file.startswith("frameworks/") and path.stem in frameworks:
            continue
        if path.suffix != ".yml" or file.count("/") != 1 or file.startswith("frameworks/"):
            yield RuleProblem(
                file, 1, "it is not read: a rule is <category>/<rule-id>.yml", "Move or rename it."
            )


def _misplaced(rule: Rule, path: Path, file: str, text: str) -> Iterable[RuleProblem]:
    if rule.id != path.stem:
        yield RuleProblem(
            file,
            yaml.line_of(text, ["id"]),
            f"the id {rule.id!r} is not the name of the file",
            f"Rename the file to {rule.id}.yml, or the rule to {path.stem}.",
        )
    if rule.category.value != path.parent.name:
        yield RuleProblem(
            file,
            yaml.line_of(text, ["category"]),
            f"the category {rule.category.value!r} is not the directory",
            f"Move the file to {rule.category.value}/, or say category: {path.parent.name}.",
        )


def _problem(file: str, text: str, model: type[BaseModel], details: Any) -> RuleProblem:
    path: tuple[str | int, ...] = details["loc"]
    line = yaml.line_of(text, path)
    where = ".".join(str(part) for part in path if part not in ("value", "variable"))
    match details["type"]:
        case "extra_forbidden":
            key = str(path[-1])
            close = difflib.get_close_matches(key, _known_keys(model), n=1)
            hint = f"Did you mean {close[0]!r}?" if close else "Remove it."
            return RuleProblem(file, line, f"unknown key {where!r}", hint)
        case "missing":
            return RuleProblem(file, line, f"the key {where!r} is missing", "Add it.")
        case _:
            message = str(details["msg"]).removeprefix("Value error, ").rstrip(".")
            what = f"{where}: {message}" if where else message
            given = details.get("input")
            shown = f"It is {given!r}." if isinstance(given, str | int | bool) else ""
            return RuleProblem(file, line, what, shown)


def _known_keys(model: type[BaseModel]) -> list[str]:
    """Return every key that occurs anywhere in the schema of a model."""
    schema = model.model_json_schema()
    objects = [schema, *schema.get("$defs", {}).values()]
    return sorted({key for entry in objects for key in entry.get("properties", {})})
