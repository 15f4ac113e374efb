"""The schema as the migrations build it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from openwatch.db import embedded, migrate, models
from openwatch.db.base import metadata
from openwatch.db.url import sqlalchemy_url
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import Settings

SYSTEM_SERVERS = sorted(Path("/usr/lib/postgresql").glob("1[5-9]/bin"))


@pytest.fixture
def empty_database(embedded_server: str) -> Iterator[str]:
    postgres = embedded_server.replace(f"/{embedded.DATABASE}?", "/postgres?")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_empty")
        yield embedded_server.replace(f"/{embedded.DATABASE}?", "/test_empty?")
        connection.execute("DROP DATABASE test_empty WITH (FORCE)")


@pytest.mark.ac("bootstrap-08")
def test_processes_that_migrate_together_all_find_the_schema(empty_database: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate.upgrade, [empty_database] * 3))
    assert migrate.current_revision(empty_database) == migrate.head()
    migrate.require_current(empty_database)


def test_a_database_without_schema_says_what_to_run(empty_database: str) -> None:
    with pytest.raises(OpenWatchError) as caught:
        migrate.require_current(empty_database)
    assert caught.value.code == "db.not_migrated"
    assert "owadm migrate" in caught.value.fix


def test_a_schema_from_the_future_is_left_alone(empty_database: str) -> None:
    migrate.upgrade(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for refused in (migrate.upgrade, migrate.require_current):
        with pytest.raises(OpenWatchError) as caught:
            refused(empty_database)
        assert caught.value.code == "db.newer_schema"


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(OpenWatchError) as caught:
        migrate.upgrade("postgresql://ada:hunter2@127.0.0.1:1/openwatch")
    assert caught.value.code == "db.unreachable"
    assert "hunter2" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.skipif(not SYSTEM_SERVERS, reason="no PostgreSQL of the distribution is installed")
def test_the_oldest_server_that_is_supported_takes_the_whole_schema() -> None:
    data_dir = Path(tempfile.mkdtemp(prefix="openwatch-system-"))
    settings = Settings(data_dir=data_dir, postgres_bin=SYSTEM_SERVERS[0])
    try:
        uri = embedded.start(settings, durable=False).uri
        migrate.upgrade(uri)
        migrate.require_current(uri)
    finally:
        embedded.stop(settings)
        shutil.rmtree(data_dir)


def test_tables_in_code_and_in_migrations_agree(database_url: str) -> None:
    assert models.MODULES
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _parents: (
                    kind != "table"
                    or not str(name).startswith(("procrastinate_", "rule_state_closed_"))
                ),
            },
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def test_revisions_form_one_line_and_are_named_after_their_files() -> None:
    scripts = ScriptDirectory(str(migrate.FOLDER))
    assert len(scripts.get_heads()) == 1
    in_order = [script.revision for script in scripts.walk_revisions()][::-1]
    assert tuple(in_order) == migrate.revisions()
    assert scripts.get_current_head() == migrate.head()
