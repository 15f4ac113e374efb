"""What can go wrong with an import as a whole, as a person should read it."""

from __future__ import annotations

from typing import Final

from openwatch.kit.errors import register

IMPORT_UNKNOWN: Final = register(
    "import.unknown",
    status=404,
    message="There is no import {import_id}.",
    fix="Start one again; trials are kept for a day only.",
)
IMPORT_NOT_TEXT: Final = register(
    "import.not_text",
    status=422,
    message="The file is not text: {problem}.",
    fix="Save it as text, such as CSV in UTF-8, and choose that file.",
)
IMPORT_UNREADABLE: Final = register(
    "import.unreadable",
    status=422,
    message="The file cannot be read at line {line}: {problem}",
    fix="Mend that line, or say which format the file has.",
)
IMPORT_EMPTY: Final = register(
    "import.empty",
    status=422,
    message="The file names no host.",
    fix="Give one host per line, or say which format the file has.",
)
IMPORT_TOO_MANY_ROWS: Final = register(
    "import.too_many_rows",
    status=422,
    message="The file names more than {limit} hosts.",
    fix="Split it, and import one part after the other.",
)
IMPORT_COLUMN_UNKNOWN: Final = register(
    "import.column_unknown",
    status=422,
    message="The file has no column {column}; it has {columns}.",
    fix="Name a column as the file does.",
)
IMPORT_MAPPING_INVALID: Final = register(
    "import.mapping_invalid",
    status=422,
    message="{mapping} does not say which column holds which field: {problem}.",
    fix="Write column=field, each field once; the fields are {fields}.",
)
IMPORT_NO_NAME: Final = register(
    "import.no_name",
    status=422,
    message="No column was chosen as the name or the address of the hosts.",
    fix="Choose a column for at least one of both.",
)
IMPORT_ROWS_REFUSED: Final = register(
    "import.rows_refused",
    status=409,
    message="{refused} rows are refused, so nothing was imported.",
    fix="Correct these rows, or import row by row: then the others come in.",
)
IMPORT_GIVEN_UP: Final = register(
    "import.given_up",
    status=500,
    message="The import ended without a result, because no worker could finish it.",
    fix="Look at the log of the workers, then import the file again: what came in is recognised.",
)
IMPORT_TOO_MANY_GROUPS: Final = register(
    "import.too_many_groups",
    status=422,
    message="The column {column} would make more than {limit} groups.",
    fix="Choose another column for the group, or none.",
)
