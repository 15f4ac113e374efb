"""The live stream: over processes, cuts, restarts and slow readers."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from openwatch.db import embedded, migrate
from openwatch.db.engine import Database
from openwatch.kit.ids import uuid7
from openwatch.kit.settings import Settings
from openwatch.signals import hub, routes, stream
from openwatch.signals.service import Subject, announce, emit
from tests.fixtures.api import (
    LiveServer,
    Servers,
    StreamFrame,
    ensure_admin,
    live_server,
    signed_in_client,
    stream_frames,
)
from tests.fixtures.machine import Clock

EVENTS = "/api/v1/events"


async def _tell(database: Database, count: int = 1, size: int = 0) -> list[str]:
    """Tell of ``count`` hosts, each in a transaction of its own; return their ids."""
    hosts = [uuid7() for _ in range(count)]
    for host in hosts:
        async with database.transaction() as tx:
            data = {"padding": "x" * size} if size else {}
            await emit(tx, "host.created", subject=Subject("host", host), data=data)
    return [str(host) for host in hosts]


@asynccontextmanager
async def _follow(
    client: httpx.AsyncClient, last_id: str | None = None
) -> AsyncGenerator[AsyncIterator[StreamFrame]]:
    headers = {"Accept": "text/event-stream"}
    if last_id is not None:
        headers["Last-Event-ID"] = last_id
    async with client.stream("GET", EVENTS, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        frames = stream_frames(answer)
        opening = await anext(frames)
        assert opening.id is not None
        yield frames


async def _take(frames: AsyncIterator[StreamFrame], count: int) -> list[StreamFrame]:
    """Return the next frames that carry something; fails when they do not come."""
    taken: list[StreamFrame] = []
    async with asyncio.timeout(20):
        while len(taken) < count:
            frame = await anext(frames)
            if frame.event is not None:
                taken.append(frame)
    return taken


async def _settle(database: Database, frames: AsyncIterator[StreamFrame]) -> None:
    """Wait until a stream has caught up: from then on it reads the database only to see whether
    its session lives. One that reads while the database is away ends, and its client resumes."""
    (host,) = await _tell(database)
    assert _hosts(await _take(frames, 1)) == [host]


def _hosts(frames: list[StreamFrame]) -> list[str]:
    return [frame.data["subject"]["id"] for frame in frames if frame.data is not None]


@pytest.fixture
async def live(database_url: str, tmp_path: Path) -> AsyncIterator[LiveServer]:
    async with live_server(database_url, tmp_path) as server:
        yield server


@pytest.mark.ac("signals-05")
async def test_an_event_reaches_the_streams_of_all_processes(
    servers: Servers, database: Database, machine_clock: Clock
) -> None:
    await ensure_admin(database)
    first, second = servers.start(), servers.start()
    async with (
        signed_in_client(first.base_url) as a,
        signed_in_client(second.base_url) as b,
        _follow(a) as from_first,
        _follow(b) as from_second,
    ):
        for _ in range(3):
            began = machine_clock()
            (host,) = await _tell(database)
            (seen_first,) = await _take(from_first, 1)
            (seen_second,) = await _take(from_second, 1)
            # Announced, not found by the look that is taken at the log every so often anyway.
            assert machine_clock() - began < hub.LOOK_ANYWAY_SECONDS / 2
            assert seen_first == seen_second
            assert seen_first.event == "host.created"
            assert _hosts([seen_first]) == [host]
            assert seen_first.data is not None
            assert seen_first.id == str(seen_first.data["id"])


@pytest.mark.ac("signals-06")
async def test_a_stream_goes_on_at_another_process_after_a_kill(
    servers: Servers, database: Database
) -> None:
    """Events go on all the while; the reader must get each once and in order."""
    await ensure_admin(database)
    told: list[str] = []
    stop = asyncio.Event()

    async def tell() -> None:
        while not stop.is_set():
            told.extend(await _tell(database))
            await asyncio.sleep(0.01)

    server = servers.start()
    spare = servers.start()
    async with signed_in_client(server.base_url) as client:
        cookies = dict(client.cookies)
        async with _follow(client) as frames:
            teller = asyncio.create_task(tell())
            received = await _take(frames, 10)
            server.kill()
            with pytest.raises(httpx.TransportError):
                while True:
                    received += await _take(frames, 1)
    async with (
        httpx.AsyncClient(base_url=spare.base_url, cookies=cookies, timeout=30) as client,
        _follow(client, received[-1].id) as frames,
    ):
        received += await _take(frames, 30)
        stop.set()
        await teller
        received += await _take(frames, len(told) - len(received))
    assert _hosts(received) == told
    ids = [int(frame.id) for frame in received if frame.id is not None]
    assert ids == sorted(set(ids))


@pytest.mark.ac("signals-06")
async def test_a_reader_that_was_cut_before_its_first_event_misses_nothing(
    live: LiveServer,
) -> None:
    async with signed_in_client(live.base_url) as client:
        async with client.stream("GET", EVENTS) as answer:
            opening = await anext(stream_frames(answer))
        hosts = await _tell(live.app.state.database, 3)
        async with _follow(client, opening.id) as frames:
            assert _hosts(await _take(frames, 3)) == hosts


@pytest.mark.ac("signals-06")
async def test_a_long_absence_is_caught_up_in_order(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PAGE_EVENTS", 7)
    async with signed_in_client(live.base_url) as client:
        async with _follow(client) as frames:
            await _tell(live.app.state.database)
            (last,) = await _take(frames, 1)
        hosts = await _tell(live.app.state.database, 40)
        async with client.stream("GET", f"{EVENTS}?last_event_id={last.id}") as answer:
            assert _hosts(await _take(stream_frames(answer), 40)) == hosts


@pytest.mark.ac("signals-06")
async def test_the_header_of_a_reconnect_beats_the_query_of_the_first_connect(
    live: LiveServer,
) -> None:
    async with signed_in_client(live.base_url) as client:
        hosts = await _tell(live.app.state.database, 3)
        async with _follow(client, "0") as frames:
            ids = [f.id async for f in _until_host(frames, hosts[1])]
        headers = {"Last-Event-ID": str(ids[-1])}
        async with client.stream("GET", f"{EVENTS}?last_event_id=0", headers=headers) as answer:
            assert _hosts(await _take(stream_frames(answer), 1)) == hosts[2:]


async def _until_host(frames: AsyncIterator[StreamFrame], host: str) -> AsyncGenerator[StreamFrame]:
    while True:
        (frame,) = await _take(frames, 1)
        yield frame
        if _hosts([frame]) == [host]:
            return


async def test_a_burst_larger_than_the_ring_arrives_whole(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "RING_FRAMES", 10)
    hosts = [uuid7() for _ in range(200)]
    async with (
        live_server(database_url, tmp_path) as live,
        signed_in_client(live.base_url) as client,
        _follow(client) as frames,
    ):
        async with live.app.state.database.transaction() as tx:
            for host in hosts:
                await emit(tx, "host.created", subject=Subject("host", host))
        assert _hosts(await _take(frames, 200)) == [str(host) for host in hosts]


@pytest.mark.ac("signals-06")
async def test_a_stream_that_is_opened_before_the_hub_knows_its_place_misses_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told between the reader's first look and the hub's belongs to neither."""
    may_look = asyncio.Event()
    look = hub.Hub._read_log

    async def look_late(self: hub.Hub) -> None:
        await may_look.wait()
        await look(self)

    monkeypatch.setattr(hub.Hub, "_read_log", look_late)
    async with (
        live_server(database_url, tmp_path) as live,
        signed_in_client(live.base_url) as client,
        _follow(client) as frames,
    ):
        hosts = await _tell(live.app.state.database, 2)
        may_look.set()
        hosts += await _tell(live.app.state.database, 2)
        assert _hosts(await _take(frames, 4)) == hosts


@pytest.mark.ac("signals-07")
async def test_a_reader_that_takes_nothing_is_dropped_and_others_are_not_held_up(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SEND_SECONDS", 1.0)
    database = live.app.state.database
    async with signed_in_client(live.base_url) as client:
        session = (await client.get("/api/v1/session")).json()
        address = urlsplit(live.base_url)
        assert address.hostname is not None
        with socket.socket() as sleeper:
            sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sleeper.connect((address.hostname, address.port))
            cookie = client.cookies["openwatch_session"]
            sleeper.sendall(
                f"GET {EVENTS} HTTP/1.1\r\nHost: {address.netloc}\r\n"
                f"Cookie: openwatch_session={cookie}\r\n\r\n".encode()
            )
            async with _follow(client) as frames:
                await _until(lambda: _streams(live, session) == 2)
                for _ in range(100):
                    # Each is taken before the next is told: this reader is never behind.
                    hosts = await _tell(database, size=50_000)
                    assert _hosts(await _take(frames, 1)) == hosts
                await _until(lambda: _streams(live, session) == 1)


def _streams(live: LiveServer, session: dict[str, dict[str, str]]) -> int:
    return live.app.state.hub.streams_of(UUID(session["user"]["id"]))


async def _until(is_so: object, seconds: float = 20) -> None:
    assert callable(is_so)
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.02)


@pytest.mark.ac("signals-07")
async def test_streams_that_left_are_forgotten(live: LiveServer) -> None:
    async with signed_in_client(live.base_url) as client:
        session = (await client.get("/api/v1/session")).json()
        tasks_before = len(asyncio.all_tasks())
        for _ in range(30):
            async with _follow(client):
                assert _streams(live, session) >= 1
        await _until(lambda: _streams(live, session) == 0)
        await _until(lambda: len(asyncio.all_tasks()) <= tasks_before + 1)


@pytest.mark.ac("signals-08")
async def test_a_stream_needs_a_session(live: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=live.base_url) as client:
        answer = await client.get(EVENTS)
    assert answer.status_code == 401
    assert answer.json()["code"] == "auth.required"


@pytest.mark.ac("signals-08")
async def test_signing_out_at_another_process_ends_the_stream_at_once(
    live: LiveServer, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The next look at the session comes too late to be what ends the stream.
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 3600.0)
    async with (
        live_server(database_url, tmp_path / "other") as other,
        signed_in_client(live.base_url) as client,
        _follow(client) as frames,
    ):
        async with httpx.AsyncClient(
            base_url=other.base_url, cookies=client.cookies, headers=client.headers
        ) as elsewhere:
            assert (await elsewhere.delete("/api/v1/session")).status_code == 204
        (last,) = await _take(frames, 1)
        assert last.event == "session.ended"
        with pytest.raises(StopAsyncIteration):
            await _take(frames, 1)


@pytest.mark.ac("signals-08")
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sessions",
        "UPDATE sessions SET expires_at = now()",
        "UPDATE sessions SET last_seen_at = now() - interval '2 hours'",
    ],
)
async def test_a_session_that_ran_out_ends_its_stream(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.1)
    async with signed_in_client(live.base_url) as client, _follow(client) as frames:
        alive = await anext(frames)
        assert alive.comment == "alive"
        async with live.app.state.database.transaction() as tx:
            await tx.execute(text(statement))
        async with asyncio.timeout(20):
            async for frame in frames:
                assert frame.comment == "alive"


@pytest.mark.ac("signals-08")
async def test_a_stream_does_not_keep_its_session_alive(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    database = live.app.state.database
    last_seen = text("SELECT max(last_seen_at) FROM sessions")
    async with signed_in_client(live.base_url) as client:
        async with database.transaction() as tx:
            earlier = "UPDATE sessions SET last_seen_at = now() - interval '30 minutes'"
            await tx.execute(text(earlier))
        async with database.read() as conn:
            before = (await conn.execute(last_seen)).scalar_one()
        async with _follow(client) as frames:
            for _ in range(4):
                await anext(frames)
        async with database.read() as conn:
            assert (await conn.execute(last_seen)).scalar_one() == before


@pytest.mark.ac("signals-09")
async def test_progress_is_announced_without_an_id(live: LiveServer) -> None:
    database, scan = live.app.state.database, uuid7()
    async with signed_in_client(live.base_url) as client, _follow(client) as frames:
        async with database.transaction() as tx:
            await announce(
                tx,
                "scan.progress",
                subject=Subject("scan", scan),
                host_id=uuid7(),
                data={"stage": "collect", "done": 3, "total": 9},
            )
        (frame,) = await _take(frames, 1)
        assert (frame.id, frame.event) == (None, "scan.progress")
        assert frame.data is not None
        assert frame.data["data"] == {"stage": "collect", "done": 3, "total": 9}
        assert frame.data["id"] is None


async def test_a_notification_of_somebody_else_is_ignored(live: LiveServer) -> None:
    database = live.app.state.database
    async with signed_in_client(live.base_url) as client, _follow(client) as frames:
        async with database.transaction() as tx:
            for payload in ("not json", "{}", '{"id": 1}', "[1]"):
                await tx.execute(
                    text("SELECT pg_notify('openwatch_signals', :payload)"), {"payload": payload}
                )
        (host,) = await _tell(database)
        assert _hosts(await _take(frames, 1)) == [host]


@pytest.mark.ac("signals-10")
async def test_connections_that_the_server_ends_are_made_again(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 3600.0)
    database = live.app.state.database
    async with signed_in_client(live.base_url) as client, _follow(client) as frames:
        await _settle(database, frames)
        for _ in range(3):
            async with database.transaction() as tx:
                await tx.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            hosts = await _tell(database, 3)
            assert _hosts(await _take(frames, 3)) == hosts


@pytest.fixture
def own_postgres() -> Iterator[Settings]:
    """An embedded server for this test alone, because it is stopped and started."""
    folder = Path(tempfile.mkdtemp(prefix="openwatch-restart-"))
    settings = Settings(data_dir=folder)
    try:
        yield settings
    finally:
        embedded.stop(settings)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.ac("signals-10")
async def test_a_restart_of_the_database_loses_no_event(
    own_postgres: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 3600.0)
    uri = embedded.start(own_postgres, durable=False).uri
    migrate.upgrade(uri)
    writer = Database(uri)
    async with (
        live_server(uri, tmp_path) as live,
        signed_in_client(live.base_url) as client,
        _follow(client) as frames,
    ):
        await _settle(writer, frames)
        hosts = await _tell(writer, 3)
        await asyncio.to_thread(embedded.stop, own_postgres)
        down = await client.get("/api/v1/session")
        assert down.status_code == 503
        assert down.json()["code"] == "service.database_unavailable"
        await asyncio.to_thread(embedded.start, own_postgres, durable=False)
        hosts += await _tell(writer, 3)
        assert _hosts(await _take(frames, 6)) == hosts
        assert (await client.get("/api/v1/session")).status_code == 200
    await writer.aclose()


@pytest.mark.ac("signals-11")
async def test_a_server_that_is_stopped_ends_its_streams_at_once(
    servers: Servers, database: Database
) -> None:
    await ensure_admin(database)
    server = servers.start()
    async with signed_in_client(server.base_url) as client, _follow(client) as frames:
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        async with asyncio.timeout(20):
            assert [frame async for frame in frames] == []
        status = await stopping
    # The web server did not have to cut anything off when its patience was at an end.
    assert "graceful shutdown exceeded" not in server.log.read_text()
    assert status in {0, -15, 143}, server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.ac("signals-13")
async def test_an_id_from_another_log_is_told_to_begin_anew(live: LiveServer) -> None:
    (host,) = await _tell(live.app.state.database)
    async with (
        signed_in_client(live.base_url) as client,
        _follow(client, "999999999999") as frames,
    ):
        (reset,) = await _take(frames, 1)
        assert reset.event == "stream.reset"
        (after,) = await _tell(live.app.state.database)
        assert _hosts(await _take(frames, 1)) == [after]
    assert host != after


@pytest.mark.parametrize("last_id", ["x", "-1", "1.5", "9" * 30, "%00"])
async def test_an_id_that_is_none_is_refused(live: LiveServer, last_id: str) -> None:
    async with signed_in_client(live.base_url) as client:
        answer = await client.get(f"{EVENTS}?last_event_id={last_id}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "event.last_id_invalid"


async def test_one_account_cannot_take_all_connections(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "STREAMS_PER_USER", 2)
    async with signed_in_client(live.base_url) as client:
        async with _follow(client), _follow(client):
            refused = await client.get(EVENTS)
        assert refused.status_code == 429
        assert refused.json()["code"] == "event.too_many_streams"
