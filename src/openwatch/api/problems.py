"""Errors as answers: RFC 9457 problem details, the same for every error there can be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import psycopg
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from openwatch.api import errors
from openwatch.db.outage import is_outage
from openwatch.kit.errors import OpenWatchError

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:openwatch:error:"
FIELDS_NAMED: Final = 5
_OWN_MEMBERS: Final = frozenset(
    {"type", "title", "status", "code", "detail", "fix", "instance", "request_id", "retryable"}
)


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(examples=["port"])
    message: str = Field(examples=["Input should be less than or equal to 65535"])


class Problem(BaseModel):
    """An error (RFC 9457). Some codes carry further members, such as `active_scan_id`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:openwatch:error:host.exists"])
    title: str = Field(examples=["Conflict"])
    status: int = Field(examples=[409])
    code: str = Field(description="Stable; scripts decide by it.", examples=["host.exists"])
    detail: str = Field(description="What happened, as a sentence.")
    fix: str = Field(description="What to do next.")
    instance: str = Field(examples=["/api/v1/hosts"])
    request_id: str = Field(description="Also in the header X-Request-Id and in the server's log.")
    retryable: bool = Field(description="The very same request may succeed later.")
    errors: list[FieldProblem] | None = None


class BodyTooLarge(HTTPException):
    """Passes through FastAPI's reading of the body, which wraps every other exception."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self.limit_bytes = limit_bytes


def to_error(failure: Exception, scope: Scope) -> OpenWatchError:
    """Return the registered error that a failure is told as."""
    match failure:
        case OpenWatchError():
            return failure
        case RequestValidationError():
            return _invalid(_field_problems(failure.errors()))
        case BodyTooLarge():
            return OpenWatchError(errors.TOO_LARGE, limit_bytes=failure.limit_bytes)
        case HTTPException():
            return _refusal(failure, scope)
        case DBAPIError() if isinstance(failure.orig, psycopg.DataError):
            # A value that the schema lets through and PostgreSQL cannot hold, such as NUL in text.
            return _invalid([FieldProblem(field="", message="a value cannot be stored")])
        case _ if is_outage(failure):
            return OpenWatchError(errors.DATABASE_SILENT)
        case _:
            return OpenWatchError(errors.INTERNAL, logged_as=request_id_of(scope))


def render(
    error: OpenWatchError, scope: Scope, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer that tells an error."""
    status = error.kind.status
    members = {key: value for key, value in error.params.items() if key not in _OWN_MEMBERS}
    field = members.pop("field", None)
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + error.code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": error.code,
        "detail": error.message,
        "fix": error.fix,
        "instance": scope["path"],
        "request_id": request_id_of(scope),
        "retryable": error.kind.retryable,
        **members,
    }
    if field is not None:
        body["errors"] = [{"field": field, "message": error.message}]
    sent = {"cache-control": "no-store", **(headers or {})}
    if "retry_after" in members:
        sent["retry-after"] = str(members["retry_after"])
    if status == HTTPStatus.UNAUTHORIZED:
        sent["www-authenticate"] = 'Session realm="openwatch"'  # RFC 9110, 15.5.2 wants one
    # json, not orjson: text from the request may hold what is no valid UTF-8.
    return Response(json.dumps(body, default=str), status, sent, MEDIA_TYPE)


def request_id_of(scope: Scope) -> str:
    """Return the id of the request that is being answered."""
    return str(scope.get("state", {}).get("request_id", ""))


def _invalid(problems: Sequence[FieldProblem]) -> OpenWatchError:
    named = [f"{p.field}: {p.message}" if p.field else p.message for p in problems]
    summary = "; ".join(named[:FIELDS_NAMED])
    if len(named) > FIELDS_NAMED:
        summary += f"; and {len(named) - FIELDS_NAMED} more"
    details = [problem.model_dump() for problem in problems]
    return OpenWatchError(errors.INVALID, summary=f"{summary}.", errors=details)


def _field_problems(found: Sequence[Any]) -> list[FieldProblem]:
    return [
        FieldProblem(
            field=_field(item["type"], item["loc"]),
            message=str(item["msg"]).removeprefix("Value error, "),
        )
        for item in found
    ]


def _field(kind: str, place: Sequence[str | int]) -> str:
    """Return ``credential.name`` for ``("body", "credential", "name")``."""
    return "" if kind == "json_invalid" else ".".join(str(part) for part in place[1:])


def _refusal(failure: HTTPException, scope: Scope) -> OpenWatchError:
    match failure.status_code:
        case HTTPStatus.NOT_FOUND:
            return OpenWatchError(errors.UNKNOWN_ADDRESS, path=scope["path"])
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = (failure.headers or {}).get("Allow", "another method")
            return OpenWatchError(
                errors.WRONG_METHOD, path=scope["path"], method=scope["method"], allowed=allowed
            )
        case _:
            reason = failure.detail.rstrip(".").lower()
            return OpenWatchError(errors.REFUSED, reason=reason)
