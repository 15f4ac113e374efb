"""Criteria and the tests that prove them.

`python tools/specs.py check` fails on a criterion without a test, a test that names a criterion
which does not exist, and a criterion that is proven only by reading source text.
`python tools/specs.py docs` writes docs/criteria.md; `check` fails when that page is stale.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "criteria.md"
IDENTIFIER = re.compile(r"[a-z][a-z-]*-\d{2,3}")
SCRIPT_TITLE = re.compile(r"ac:([a-z][a-z-]*-\d{2,3})")
SOURCE_READERS = frozenset({"getsource", "getsourcelines", "getsourcefile"})
PRODUCT_DIRECTORIES = ("src", "web/src", "corpus", "lab")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One promise: a numbered, testable behaviour."""

    id: str
    behaviour: str
    wing: str


@dataclass(frozen=True, slots=True)
class Proof:
    """A test that names criteria. ``reads_source``: it only looks at the text of the product."""

    test: str
    criteria: tuple[str, ...]
    reads_source: bool


def criteria(directory: Path) -> tuple[list[Criterion], list[str]]:
    """Return the criteria of all wings, and what is wrong in their files."""
    found: list[Criterion] = []
    problems: list[str] = []
    for path in sorted(directory.glob("*.yml")):
        document = yaml.safe_load(path.read_text("utf-8"))
        wing = document.get("wing")
        if wing != path.stem:
            problems.append(f"specs/{path.name}: wing {wing!r} is not the name of the file")
        for entry in document.get("criteria", []):
            criterion = Criterion(str(entry["id"]), str(entry["behaviour"]).strip(), path.stem)
            if not IDENTIFIER.fullmatch(criterion.id) or not criterion.id.startswith(path.stem):
                problems.append(f"specs/{path.name}: {criterion.id!r} is not {path.stem}-NN")
            found.append(criterion)
    seen: set[str] = set()
    for criterion in found:
        if criterion.id in seen:
            problems.append(f"specs/{criterion.wing}.yml: {criterion.id} stands twice")
        seen.add(criterion.id)
    return found, problems


def python_proofs(directory: Path) -> Iterator[Proof]:
    """Yield the Python tests that name criteria with ``@pytest.mark.ac``."""
    for path in sorted(directory.rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        whole_module = _module_marks(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            named = tuple(_marks(node.decorator_list))
            if node.name.startswith("test"):
                named += whole_module
            if named:
                name = f"{path.relative_to(ROOT).as_posix()}::{node.name}"
                yield Proof(name, named, _reads_source(node))


def _module_marks(tree: ast.Module) -> tuple[str, ...]:
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark"
            for target in statement.targets
        ):
            value = statement.value
            marks = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
            return tuple(_marks(marks))
    return ()


def _marks(decorators: Iterable[ast.expr]) -> Iterator[str]:
    for decorator in decorators:
        if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
            continue
        if decorator.func.attr != "ac":
            continue
        for argument in decorator.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def _reads_source(node: ast.AST) -> bool:
    """Return whether a test takes the product's text as its evidence."""
    for child in ast.walk(node):
        if isinstance(child, ast.Attribute) and child.attr in SOURCE_READERS:
            return True
        if (
            isinstance(child, ast.Call)
            and isinstance(child.func, ast.Attribute)
            and child.func.attr in ("read_text", "read_bytes")
            and _names_product(child.func.value)
        ):
            return True
    return False


def _names_product(node: ast.expr) -> bool:
    return any(
        isinstance(child, ast.Constant)
        and isinstance(child.value, str)
        and child.value.rstrip("/").startswith(PRODUCT_DIRECTORIES)
        for child in ast.walk(node)
    )


def script_proofs(directory: Path) -> Iterator[Proof]:
    """Yield the Vitest tests whose title names criteria as ``ac:<id>``."""
    for path in sorted(directory.rglob("*.test.ts*")):
        if "node_modules" in path.parts:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if named := tuple(SCRIPT_TITLE.findall(line)):
                yield Proof(f"{path.relative_to(ROOT).as_posix()}:{number}", named, False)


def problems_of(found: list[Criterion], proofs: list[Proof]) -> Iterator[str]:
    """Yield everything that keeps a criterion from being proven."""
    known = {criterion.id for criterion in found}
    for proof in proofs:
        for name in proof.criteria:
            if name not in known:
                yield f"{proof.test}: names {name}, which no file in specs/ has"
    for criterion in found:
        of_it = [proof for proof in proofs if criterion.id in proof.criteria]
        if not of_it:
            yield f"specs/{criterion.wing}.yml: {criterion.id} has no test"
        elif all(proof.reads_source for proof in of_it):
            yield f"specs/{criterion.wing}.yml: {criterion.id} is proven only by reading source"


def page(found: list[Criterion], proofs: list[Proof]) -> str:
    """Return the page that shows every criterion with its tests."""
    lines = [
        "# What is promised, and which test proves it",
        "",
        "Written by `python tools/specs.py docs`; the promises stand in `specs/`.",
    ]
    for wing in dict.fromkeys(criterion.wing for criterion in found):
        lines += ["", f"## {wing}", "", "| | Behaviour | Tests |", "|---|---|---|"]
        for criterion in found:
            if criterion.wing != wing:
                continue
            tests = [proof.test for proof in proofs if criterion.id in proof.criteria]
            listed = "<br>".join(f"`{test}`" for test in sorted(set(tests)))
            behaviour = " ".join(criterion.behaviour.split()).replace("|", "\\|")
            lines.append(f"| {criterion.id} | {behaviour} | {listed} |")
    return "\n".join(lines) + "\n"


def main(command: str) -> int:
    """Run a command; returns the exit status."""
    found, problems = criteria(ROOT / "specs")
    proofs = [*python_proofs(ROOT / "tests"), *script_proofs(ROOT / "web")]
    text = page(found, proofs)
    if command == "docs":
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, "utf-8")
        return 0
    problems += problems_of(found, proofs)
    if not problems and (not PAGE.exists() or PAGE.read_text("utf-8") != text):
        problems.append("docs/criteria.md is stale: run `python tools/specs.py docs`")
    for problem in problems:
        print(problem)
    print(f"{len(found)} criteria, {len(proofs)} tests name them, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("check", "docs"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
