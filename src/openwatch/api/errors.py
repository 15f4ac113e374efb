"""Errors of the HTTP layer itself."""

from __future__ import annotations

from openwatch.kit.errors import register

INVALID = register(
    "request.invalid",
    status=422,
    message="The request cannot be accepted: {summary}",
    fix="Correct what `errors` names and send it again; /api/v1/docs describes every request.",
)
UNKNOWN_ADDRESS = register(
    "request.not_found",
    status=404,
    message="There is nothing at {path}.",
    fix="Check the address; /api/v1/docs lists all of them.",
)
WRONG_METHOD = register(
    "request.method_not_allowed",
    status=405,
    message="{path} does not accept {method}.",
    fix="Use {allowed}.",
)
REFUSED = register(
    "request.refused",
    status=400,
    message="The request cannot be read: {reason}.",
    fix="Send it as /api/v1/docs describes.",
)
TOO_LARGE = register(
    "request.too_large",
    status=413,
    message="The request has more than {limit_bytes} bytes.",
    fix="Send less at once.",
)
TIMED_OUT = register(
    "request.timed_out",
    status=503,
    message="The answer took longer than {seconds} s, so the work was stopped and undone.",
    fix="Try again; if it stays slow, look at the server's load and its log.",
    retryable=True,
)
UNKNOWN_HOST_NAME = register(
    "request.unknown_host_name",
    status=421,
    message="This server does not answer to the name in the Host header.",
    fix="Use the server's address, or add the name to OPENWATCH_ALLOWED_HOSTS.",
)
DATABASE_SILENT = register(
    "service.database_unavailable",
    status=503,
    message="The database does not answer at this moment.",
    fix="Try again shortly. If it lasts, look at /readyz and at the server's log.",
    retryable=True,
)
INTERNAL = register(
    "internal.error",
    status=500,
    message="Something went wrong on the server. It was logged as request {logged_as}.",
    fix="Try again; if it happens again, give the administrator the request id.",
    retryable=True,
)
