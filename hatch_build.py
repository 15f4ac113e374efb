"""Wheel build: carry the built UI and the rule corpus inside the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CARRIED = {"web/dist": "openwatch/api/static", "corpus": "openwatch/_corpus"}


class CarryData(BuildHookInterface[Any]):
    """Add what lives outside ``src`` to a wheel; an editable install reads it from the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        for source, target in CARRIED.items():
            folder = Path(self.root) / source
            if not folder.is_dir():
                raise FileNotFoundError(
                    f"{source} is missing, and a wheel without it would not work: "
                    "run `./ow build-ui` in a full checkout first."
                )
            build_data["force_include"][str(folder)] = target
