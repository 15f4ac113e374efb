"""Every module that declares tables, imported so that the metadata is whole."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Final

import openwatch

WINGS: Final = ("identity", "signals", "fleet", "compliance", "jobs")


def _model_modules() -> Iterator[str]:
    for wing in WINGS:
        package = import_module(f"{openwatch.__name__}.{wing}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] == "model":
                yield module.name


MODULES: Final = tuple(import_module(name) for name in sorted(_model_modules()))
