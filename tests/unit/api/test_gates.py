"""The gates before every route."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from openwatch.api.gates import (
    BodyLimit,
    Deadline,
    is_known_name,
    is_same_origin,
    known_names,
)
from openwatch.api.problems import BodyTooLarge
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import Settings

NAMES = known_names(Settings(host="ow.example.org", allowed_hosts=" Scan.Example.NET , ,x"))


@pytest.mark.ac("api-06")
@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "LOCALHOST:8765",
        "127.0.0.1:8765",
        "192.0.2.7",
        "[::1]:8765",
        "[2001:db8::1]",
        "ow.example.org",
        "ow.example.org.",
        "scan.example.net:443",
    ],
)
def test_own_names_and_addresses_are_answered(header: str) -> None:
    assert is_known_name(header, NAMES)


@pytest.mark.ac("api-06")
@pytest.mark.parametrize(
    "header",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example@localhost.evil.example",
        "localhost:8765.evil.example",
        "[::1",
        "0x7f000001.evil.example",
        ":8765",
    ],
)
def test_other_names_are_not(header: str) -> None:
    assert not is_known_name(header, NAMES)


@pytest.mark.ac("identity-05")
@pytest.mark.parametrize(
    ("site", "origin", "is_same"),
    [
        ("same-origin", None, True),
        ("same-origin", "http://behind.a.proxy", True),
        ("none", None, True),
        ("cross-site", "http://127.0.0.1:8765", False),
        ("same-site", None, False),
        (None, None, True),
        (None, "http://127.0.0.1:8765", True),
        (None, "https://127.0.0.1:8765", True),
        (None, "http://127.0.0.1:8766", False),
        (None, "null", False),
        (None, "", False),
    ],
)
def test_the_browser_says_where_a_request_comes_from(
    site: str | None, origin: str | None, is_same: bool
) -> None:
    assert is_same_origin(site=site, origin=origin, host="127.0.0.1:8765") is is_same


def _scope(**headers: str) -> Scope:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/", "headers": raw}


async def _read_all(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass


async def _send_nothing(message: Message) -> None:
    pass


def _chunks(*sizes: int) -> Receive:
    left = list(sizes)

    async def receive() -> Message:
        size = left.pop(0)
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(left)}

    return receive


@pytest.mark.ac("api-05")
@pytest.mark.parametrize("length", ["11", "999999999999", "9" * 5000, "-1", "1e3", "ten"])
async def test_a_declared_length_is_refused_before_anything_is_read(length: str) -> None:
    limited = BodyLimit(_read_all, limit_bytes=10)
    with pytest.raises(BodyTooLarge):
        await limited(_scope(content_length=length), _chunks(), _send_nothing)


@pytest.mark.ac("api-05")
async def test_an_undeclared_body_is_refused_when_it_grows_too_large() -> None:
    limited = BodyLimit(_read_all, limit_bytes=10)
    await limited(_scope(), _chunks(4, 6), _send_nothing)
    with pytest.raises(BodyTooLarge):
        await limited(_scope(), _chunks(4, 4, 4, 4), _send_nothing)
    with pytest.raises(BodyTooLarge):
        await limited(_scope(content_length="4"), _chunks(11), _send_nothing)


@pytest.mark.ac("api-05")
async def test_work_without_an_answer_is_stopped() -> None:
    was_stopped = False

    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal was_stopped
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            was_stopped = True
            raise

    with pytest.raises(OpenWatchError) as caught:
        await Deadline(hang, seconds=0.05)(_scope(), _chunks(), _send_nothing)
    assert caught.value.code == "request.timed_out"
    assert was_stopped


@pytest.mark.ac("api-05")
async def test_an_answer_that_has_begun_may_last() -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.2)
        await send({"type": "http.response.body", "body": b"late"})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Deadline(stream, seconds=0.05)(_scope(), _chunks(), send)
    assert sent[-1]["body"] == b"late"


async def test_a_time_out_of_the_work_itself_is_not_taken_for_ours() -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError("of the work")

    with pytest.raises(TimeoutError, match="of the work"):
        await Deadline(fail, seconds=5)(_scope(), _chunks(), _send_nothing)
