"""The table of hosts.

What scans write (``state``, the score, ``os_*``) stands in the same row as what people write, so
that a page of the fleet, sorted and filtered by any of it, is one statement over one table. Only
edits by people count up ``version``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from openwatch.db.base import metadata


class HostState(StrEnum):
    """What the last scans say about a host."""

    NEVER_SCANNED = "never_scanned"
    SCANNING = "scanning"
    OK = "ok"
    FAILED = "failed"


class HostKeyPolicy(StrEnum):
    """What to do with the first key that a host shows. A changed key is refused by both."""

    ACCEPT_NEW = "accept_new"
    STRICT = "strict"


STATE_RULE: Final = (
    "CASE WHEN active_scan_id IS NOT NULL THEN 'scanning' "
    "WHEN last_scan_state = 'failed' THEN 'failed' "
    "WHEN current_scan_id IS NOT NULL THEN 'ok' "
    "ELSE 'never_scanned' END"
)

hosts: Final = Table(
    "hosts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("username", Text),
    Column("environment", Text),
    Column("description", Text, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("credential_id", Uuid, ForeignKey("credentials.id"), index=True),
    Column("jump_host_id", Uuid, ForeignKey("hosts.id"), index=True),
    Column("host_key_policy", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default=text("1")),
    # The scan whose outcomes are the host's current ones.
    Column("current_scan_id", Uuid),
    Column("current_scan_at", DateTime(timezone=True)),
    Column("os_family", Text),
    Column("os_id", Text),
    Column("os_version", Text),
    Column("os_name", Text),
    Column("score", Double),
    Column("score_formula", Text),
    Column("coverage", Double),
    Column("pass_count", Integer),
    Column("fail_count", Integer),
    Column("error_count", Integer),
    Column("not_applicable_count", Integer),
    Column("manual_count", Integer),
    Column("not_configured_count", Integer),
    Column("failing_critical", Integer),
    Column("failing_high", Integer),
    Column("failing_medium", Integer),
    Column("failing_low", Integer),
    # The scan that ended last, whether it succeeded or not, and the one that is not over yet.
    Column("last_scan_id", Uuid),
    Column("last_scan_state", Text),
    Column("last_scan_finished_at", DateTime(timezone=True)),
    Column("last_scan_failure_code", Text),
    Column("active_scan_id", Uuid),
    Column("state", Text, Computed(STATE_RULE, persisted=True), nullable=False),
    CheckConstraint("port BETWEEN 1 AND 65535", name="port"),
    CheckConstraint("host_key_policy IN ('accept_new', 'strict')", name="host_key_policy"),
    CheckConstraint("jump_host_id <> id", name="jump_host"),
)

LIVE: Final = hosts.c.deleted_at.is_(None)

Index("uq_hosts_name_live", func.lower(hosts.c.name), unique=True, postgresql_where=LIVE)
