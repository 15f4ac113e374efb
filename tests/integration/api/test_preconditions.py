"""Two people change one thing."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from openwatch.kit.ids import uuid7
from tests.fixtures.api import Api


async def _new_host(api: Api) -> httpx.Response:
    body = {"name": f"web-{uuid7().hex[-8:]}", "address": "192.0.2.7"}
    answer = await api.client.post("/api/v1/hosts", json=body)
    assert answer.status_code == 201, answer.text
    return answer


async def _change(api: Api, host: str, tag: str | None, text: str) -> httpx.Response:
    headers = {} if tag is None else {"If-Match": tag}
    return await api.client.patch(
        f"/api/v1/hosts/{host}", json={"description": text}, headers=headers
    )


@pytest.mark.ac("api-11")
async def test_a_change_needs_the_version_that_it_was_based_on(signed_in_api: Api) -> None:
    made = await _new_host(signed_in_api)
    host, tag = made.json()["id"], made.headers["etag"]
    assert tag == f'"{made.json()["version"]}"'
    missing = await _change(signed_in_api, host, None, "without looking")
    assert (missing.status_code, missing.json()["code"]) == (428, "request.precondition_required")
    changed = await _change(signed_in_api, host, tag, "first")
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    for stale in (tag, '"99"', "W/" + changed.headers["etag"], "nonsense", '""'):
        refused = await _change(signed_in_api, host, stale, "too late")
        assert refused.status_code == 412
        assert refused.json()["code"] == "request.precondition_failed"
    read = await signed_in_api.client.get(f"/api/v1/hosts/{host}")
    assert read.json()["description"] == "first"
    assert read.headers["etag"] == changed.headers["etag"]
    assert (await _change(signed_in_api, host, "*", "whatever it was")).status_code == 200


@pytest.mark.ac("api-11")
async def test_of_two_changes_at_once_one_wins(signed_in_api: Api) -> None:
    made = await _new_host(signed_in_api)
    host, tag = made.json()["id"], made.headers["etag"]
    answers = await asyncio.gather(
        *(_change(signed_in_api, host, tag, f"by {i}") for i in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
