"""Alembic's entry: runs on the connection that ``openwatch.db.migrate`` opened and locked."""

from __future__ import annotations

from alembic import context

from openwatch.db import models
from openwatch.db.base import metadata

assert models  # importing it declares every table on the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=True,
)
context.run_migrations()
