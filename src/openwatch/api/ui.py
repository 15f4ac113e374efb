"""The built UI, served from memory.

Only files that were there at start are served, under the very names that they have, so no path can
reach anything else.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

API_ROOT: Final = "/api/"
INDEX: Final = "index.html"
# Vite puts everything whose name holds a hash of its content there.
HASHED_FOLDER: Final = "assets/"
IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATE: Final = "no-cache"
COMPRESSED_FROM_BYTES: Final = 1024
_COMPRESSIBLE: Final = ("text/", "application/javascript", "application/json", "image/svg+xml")

NOT_BUILT: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>OpenWatch</title></head>
<body><h1>The user interface is not built</h1>
<p>The OpenWatch server runs, but this installation has no user interface.</p>
<p>In a source checkout, run <code>./ow build-ui</code> and start OpenWatch again.
The API is there: <a href="/api/v1/docs">/api/v1/docs</a>.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class UiFile:
    """One file, ready to be sent."""

    content: bytes
    compressed: bytes | None
    media_type: str
    digest: str
    cache_control: str


def load(folder: Path) -> dict[str, UiFile]:
    """Return the files below ``folder`` by their path, such as ``assets/index-1a2b.js``."""
    return {
        path.relative_to(folder).as_posix(): _load_file(path, path.relative_to(folder).as_posix())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def answer(request: Request, files: dict[str, UiFile]) -> Response:
    """Return the file that a path names, and the app itself for every address of the app."""
    if not files:
        return Response(
            NOT_BUILT, 503, {"Cache-Control": "no-store"}, media_type="text/html; charset=utf-8"
        )
    path = request.url.path.lstrip("/")
    found = files.get(path)
    if found is None:
        # A missing file is missing; answering it with a page would only confuse the browser.
        if path.startswith(HASHED_FOLDER) or PurePosixPath(path).suffix in {".js", ".css", ".map"}:
            return Response("There is no such file.\n", 404, media_type="text/plain")
        found = files[INDEX]
    return _send(request, found)


def fallback(folder: Path | None) -> ASGIApp:
    """Return what answers where no route does: the UI in ``folder``, or how to build it."""
    files = {} if folder is None else load(folder)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(API_ROOT) or scope["method"] not in {"GET", "HEAD"}:
            raise HTTPException(404)
        await answer(Request(scope), files)(scope, receive, send)

    return serve


def _load_file(path: Path, name: str) -> UiFile:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type == "text/javascript":  # its name in the registry, RFC 9239
        media_type = "text/javascript; charset=utf-8"
    shrinks = media_type.startswith(_COMPRESSIBLE) and len(content) >= COMPRESSED_FROM_BYTES
    return UiFile(
        content=content,
        compressed=gzip.compress(content, mtime=0) if shrinks else None,
        media_type=media_type,
        digest=hashlib.sha256(content).hexdigest()[:32],
        cache_control=IMMUTABLE if name.startswith(HASHED_FOLDER) else REVALIDATE,
    )


def _send(request: Request, file: UiFile) -> Response:
    content, tag = file.content, file.digest
    headers = {"Cache-Control": file.cache_control, "Vary": "Accept-Encoding"}
    if file.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content, tag = file.compressed, f"{file.digest}-gzip"
        headers["Content-Encoding"] = "gzip"
    headers["ETag"] = f'"{tag}"'
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, 200, headers, file.media_type)
