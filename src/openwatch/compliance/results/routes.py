"""Evidence over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response, status

from openwatch.compliance.results import service
from openwatch.db.requests import Db
from openwatch.identity.access import requires

router = APIRouter(tags=["evidence"])

Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="In lower-case hexadecimal.")]

FOR_EVER = "private, max-age=31536000, immutable"
"""What an address by content names never changes."""


@router.get(
    "/evidence/{sha256}",
    dependencies=[requires("scan:read")],
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def get_evidence(
    db: Db,
    sha256: Sha256,
    download: Annotated[bool, Query(description="Send it as a file.")] = False,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Get the exact bytes of a piece of evidence: their SHA-256 is the address."""
    headers = {"ETag": f'"{sha256}"', "Cache-Control": FOR_EVER}
    if if_none_match == headers["ETag"]:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    async with db.read() as conn:
        data = await service.read(conn, sha256)
    if download:
        headers["Content-Disposition"] = f'attachment; filename="evidence-{sha256[:16]}.json"'
    return Response(data, media_type="application/json", headers=headers)
