"""Serving the built UI."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from openwatch.api import ui

INDEX = b"<!doctype html><title>OpenWatch</title>"
SCRIPT = b"console.log('ready');" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    built = tmp_path / "dist"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_bytes(INDEX)
    (built / "assets" / "index-1a2b3c.js").write_bytes(SCRIPT)
    (built / "favicon.svg").write_bytes(b"<svg/>")
    (tmp_path / "secret.txt").write_text("outside")
    return built


def _client(folder: Path | None) -> httpx.AsyncClient:
    app = Starlette()
    app.router.default = ui.fallback(folder)
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


@pytest.mark.ac("api-10")
@pytest.mark.parametrize("path", ["/", "/hosts", "/hosts/0190c0de/scans?tab=x", "/setup", "/a.b/c"])
async def test_every_address_of_the_app_is_the_app(folder: Path, path: str) -> None:
    async with _client(folder) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.content) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.ac("api-10")
async def test_a_hashed_file_is_kept_for_ever_and_sent_small(folder: Path) -> None:
    async with _client(folder) as client:
        answer = await client.get("/assets/index-1a2b3c.js")
        plain = await client.get("/assets/index-1a2b3c.js", headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.content == plain.content == SCRIPT
    assert plain.headers["etag"] != answer.headers["etag"]
    assert int(answer.headers["content-length"]) == len(gzip.compress(SCRIPT, mtime=0))
    assert answer.headers["content-type"].startswith("text/javascript")


async def test_a_file_that_is_unchanged_is_not_sent_again(folder: Path) -> None:
    async with _client(folder) as client:
        for path in ("/", "/assets/index-1a2b3c.js"):
            etag = (await client.get(path)).headers["etag"]
            again = await client.get(path, headers={"If-None-Match": etag})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == etag


@pytest.mark.parametrize("path", ["/assets/gone-9f.js", "/assets/", "/favicon.js", "/x/y.map"])
async def test_a_missing_file_is_missing(folder: Path, path: str) -> None:
    async with _client(folder) as client:
        assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "//etc/passwd"]
)
async def test_no_path_leads_out_of_the_folder(folder: Path, path: str) -> None:
    async with _client(folder) as client:
        answer = await client.get(path)
    assert b"outside" not in answer.content
    assert b"root:" not in answer.content


@pytest.mark.ac("api-10")
async def test_without_a_ui_a_page_says_how_to_build_it() -> None:
    async with _client(None) as client:
        answer = await client.get("/")
    assert answer.status_code == 503
    assert "./ow build-ui" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_addresses_of_the_api_and_changes_never_get_the_page(folder: Path) -> None:
    async with _client(folder) as client:
        assert (await client.get("/api/v1/nothing")).status_code == 404
        assert (await client.post("/hosts")).status_code == 404
