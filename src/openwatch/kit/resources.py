"""Where the files that are not code live: in the installed package, or in a source checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_CHECKOUT: Final = _PACKAGE.parents[1]


def ui_dir() -> Path | None:
    """Return the folder of the built UI (it holds ``index.html``), or None when it is not built."""
    return _first_with("index.html", _PACKAGE / "api" / "static", _CHECKOUT / "web" / "dist")


def corpus_dir() -> Path | None:
    """Return the folder of the built-in rules (it holds ``frameworks``), or None without one."""
    return _first_with("frameworks", _PACKAGE / "_corpus", _CHECKOUT / "corpus")


def _first_with(name: str, *folders: Path) -> Path | None:
    return next((folder for folder in folders if (folder / name).exists()), None)
