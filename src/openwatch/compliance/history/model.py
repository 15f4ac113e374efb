"""The tables of verdicts over time.

``rule_state`` holds what is true now, ``rule_state_closed`` what was true from ``valid_from`` until
just before ``valid_to``. Both are written only when something changes. The closed table is split by
the month of ``valid_to``, so that a question about a date reads only the months after it, and an
old month can be dropped whole.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, DateTime, Integer, LargeBinary, Table, Text, Uuid

from openwatch.db.base import metadata

rule_state: Final = Table(
    "rule_state",
    metadata,
    Column("host_id", Uuid, primary_key=True),
    Column("rule_id", Text, primary_key=True),
    Column("rule_version", Integer, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("evidence_hash", LargeBinary, nullable=False),
    Column("valid_from", DateTime(timezone=True), nullable=False),
    # Room in each page for rows that change, so that they stay beside their host's other rows.
    postgresql_with={"fillfactor": 85},
)

rule_state_closed: Final = Table(
    "rule_state_closed",
    metadata,
    Column("host_id", Uuid, primary_key=True),
    Column("rule_id", Text, primary_key=True),
    Column("rule_version", Integer, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("evidence_hash", LargeBinary, nullable=False),
    Column("valid_from", DateTime(timezone=True), nullable=False),
    Column("valid_to", DateTime(timezone=True), primary_key=True),
    postgresql_partition_by="RANGE (valid_to)",
)
