"""What is registered is used: no dead permission, event kind or error code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import openwatch
from openwatch.api.app import create_app
from openwatch.api.openapi import api_routes, guards_of
from openwatch.identity.permissions import permissions
from openwatch.kit.settings import Settings
from openwatch.signals.kinds import event_kinds

ROOT = Path(openwatch.__file__).parent
TREES = {path: ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}


def test_every_permission_opens_a_route() -> None:
    app = create_app(Settings())
    required = {g.permission for _, route in api_routes(app) for g in guards_of(route)}
    assert {p.name for p in permissions()} == required - {None}


def test_every_event_kind_is_told_by_somebody() -> None:
    told = {
        text for path, tree in TREES.items() if path.name != "kinds.py" for text in _texts(tree)
    }
    assert [kind.name for kind in event_kinds() if kind.name not in told] == []


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_error_is_raised_by_somebody() -> None:
    registered = {
        target.id: path
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        for target in _registered_names(node)
    }
    used = {
        name for tree in TREES.values() for node in ast.walk(tree) for name in _used_names(node)
    }
    assert [f"{path.parent.name}: {n}" for n, path in registered.items() if n not in used] == []


def _registered_names(node: ast.AST) -> Iterator[ast.Name]:
    match node:
        case ast.Assign(targets=[ast.Name() as name], value=ast.Call(func=ast.Name(id="register"))):
            yield name
        case ast.AnnAssign(target=ast.Name() as name, value=ast.Call(func=ast.Name(id="register"))):
            yield name
        case _:
            return


def _used_names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            yield name
        case ast.Attribute(attr=name, ctx=ast.Load()):
            yield name
        case _:
            return
