"""Packages import downwards only, and each other only through named doors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import openwatch

ROOT = Path(openwatch.__file__).parent

# The floors, lowest first. A package imports packages of lower floors, never of higher ones.
FLOORS = (
    ("kit",),
    ("db",),
    ("engine",),
    ("identity", "signals"),
    ("fleet",),
    ("compliance",),
    ("jobs",),
    ("api",),
    ("cli",),
)
FLOOR_OF = {package: floor for floor, packages in enumerate(FLOORS) for package in packages}
# Domains put work into the queue and the queue's workers call domains: the port is below them.
PORTS = {"openwatch.jobs.port": FLOOR_OF["engine"]}

DOMAINS = frozenset({"identity", "signals", "fleet", "compliance"})
# Through which modules a domain may be imported by another package of another floor or side.
DOORS = frozenset({"service", "access", "permissions", "kinds", "schema", "routes"})
LIBRARIES_OF_THE_ENGINE = frozenset({"kit", "engine"})


@dataclass(frozen=True)
class Import:
    """``module`` imports ``target``, at a line."""

    module: str
    target: str
    line: int

    @property
    def source_package(self) -> str:
        return self.module.split(".")[1]

    @property
    def target_package(self) -> str:
        return self.target.split(".")[1]

    @property
    def source_floor(self) -> int:
        return PORTS.get(self.module, FLOOR_OF[self.source_package])

    @property
    def target_floor(self) -> int:
        return PORTS.get(self.target, FLOOR_OF[self.target_package])

    @property
    def is_join(self) -> bool:
        """A store may join the tables of a floor below: lists are filtered and sorted in SQL."""
        is_of_tables = self.module.endswith(".store") and self.target.endswith(".model")
        return is_of_tables and self.target_floor < self.source_floor

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_module(name: str) -> bool:
    path = ROOT.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def imports_of(path: Path) -> Iterator[Import]:
    """Yield what a file imports of ours, resolved to modules, wherever the statement stands."""
    module = _module_name(path)
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                targets = [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(base), level=0):
                members = [f"{base}.{alias.name}" for alias in node.names]
                targets = [member if _is_module(member) else base for member in members]
            case _:
                continue
        for target in targets:
            if target.startswith("openwatch.") and target.split(".")[1] in FLOOR_OF:
                yield Import(module, target, node.lineno)


IMPORTS = tuple(
    found
    for path in sorted(ROOT.rglob("*.py"))
    for found in imports_of(path)
    if found.source_package in FLOOR_OF
)


def _tables(found: Import) -> bool:
    """db gathers every table and every migration; nobody else may look up."""
    return found.module in {"openwatch.db.models", "openwatch.db.migrations.env"}


@pytest.mark.ac("api-12")
def test_every_package_has_its_floor() -> None:
    packages = {p.name for p in ROOT.iterdir() if (p / "__init__.py").is_file()}
    assert packages == set(FLOOR_OF)


@pytest.mark.ac("api-12")
def test_nothing_imports_upwards() -> None:
    upward = [
        str(found)
        for found in IMPORTS
        if found.target_floor > found.source_floor and not _tables(found)
    ]
    assert upward == []


@pytest.mark.ac("api-12")
def test_the_engine_knows_only_the_kit() -> None:
    strange = [
        str(found)
        for found in IMPORTS
        if found.source_package == "engine" and found.target_package not in LIBRARIES_OF_THE_ENGINE
    ]
    assert strange == []


@pytest.mark.ac("api-12")
def test_a_domain_is_entered_through_its_doors() -> None:
    """Another wing's tables, SQL and errors are its own business."""
    around = [
        str(found)
        for found in IMPORTS
        if found.source_package in DOMAINS
        and found.target_package in DOMAINS
        and found.source_package != found.target_package
        and found.target.split(".")[-1] not in DOORS
        and not found.is_join
    ]
    assert around == []


@pytest.mark.ac("api-12")
def test_sql_of_a_package_is_written_in_its_store() -> None:
    """Rooms: tables are named in model, SQL in store; services, routes and schemas hold none."""
    forbidden = {"select", "insert", "update", "delete", "text"}
    found: list[str] = []
    for path in sorted(ROOT.rglob("*.py")):
        if path.stem not in {"service", "routes", "schema"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
                names = {alias.name for alias in node.names} & forbidden
                found += [f"{_module_name(path)} imports {name}" for name in sorted(names)]
    assert found == []


@pytest.mark.ac("api-12")
def test_the_check_sees_what_it_forbids(tmp_path: Path) -> None:
    """Imports inside functions and of names are resolved too."""
    assert any(
        found.module == "openwatch.api.openapi" and found.target == "openwatch.api.app"
        for found in IMPORTS
    )
    assert any(
        found.module == "openwatch.identity.sessions.service"
        and found.target == "openwatch.identity.sessions.store"
        for found in IMPORTS
    )
