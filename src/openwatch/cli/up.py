"""`openwatch up`: the whole product in one process tree on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
import webbrowser
from collections.abc import AsyncGenerator, Awaitable, Generator
from pathlib import Path
from typing import Final, TypeVar

import typer

from openwatch import __version__
from openwatch.cli.listening import listen
from openwatch.cli.readiness import is_ready
from openwatch.cli.supervised import follow_parent
from openwatch.cli.supervisor import Child
from openwatch.db import embedded
from openwatch.db.cluster import make_data_dir
from openwatch.kit.errors import OpenWatchError, register
from openwatch.kit.settings import Settings, get_settings

ALREADY_RUNS: Final = register(
    "up.already_runs",
    status=409,
    message="OpenWatch already runs with the data in {data_dir}: process {pid}, {url}.",
    fix="Open that address, or stop it first (Ctrl-C there, or `kill {pid}`).",
)
NOT_READY: Final = register(
    "up.not_ready",
    status=503,
    message="The {name} ends again and again while starting. It said last: {said}",
    fix="Its log is {log}.",
)

PATIENCE_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.1
WATCH_SECONDS: Final = 1.0
MOST_STARTS: Final = 3

T = TypeVar("T")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def up(
    browser: bool = typer.Option(
        True, "--browser/--no-browser", help="Open the address in a browser once it is ready."
    ),
) -> None:
    """Start everything here and keep it running until Ctrl-C (or SIGTERM)."""
    follow_parent()
    settings = get_settings()
    with _only_one(settings):
        asyncio.run(_Up(settings, browser=browser).run())


def say(text: str) -> None:
    """Print one line of progress at once, also into a pipe; its reader may have gone."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


@contextlib.contextmanager
def _only_one(settings: Settings) -> Generator[None]:
    """Hold the data directory; raises ``up.already_runs`` when another `up` holds it."""
    make_data_dir(settings.data_dir)
    path = settings.data_dir / "up.lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OpenWatchError(
                ALREADY_RUNS, data_dir=settings.data_dir, **_holder(path)
            ) from None
        lock.truncate(0)
        json.dump({"pid": os.getpid(), "url": settings.base_url}, lock)
        lock.flush()
        yield


def _holder(path: Path) -> dict[str, str]:
    try:
        holder = json.loads(path.read_text())
        return {"pid": str(holder["pid"]), "url": str(holder["url"])}
    except (ValueError, KeyError, TypeError):
        return {"pid": "unknown", "url": "still starting"}


class _Up:
    """One run of `openwatch up`."""

    def __init__(self, settings: Settings, *, browser: bool) -> None:
        self._settings = settings
        self._browser = browser
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        # A killed `up` leaves its database running; the next one takes it over by this mark.
        self._owns_database = settings.data_dir / "up.owns-database"
        self._watching: asyncio.Task[None] | None = None
        logs = settings.data_dir / "log"
        self._children = [
            Child("API", "serve", log_folder=logs, say=self._warn),
            Child("worker", "worker", log_folder=logs, say=self._warn),
        ]

    async def run(self) -> None:
        """Start, say where it is, wait for the end, stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        say(f"OpenWatch {__version__}, data in {self._settings.data_dir}")
        listen(self._settings).close()  # before anything is started: is the address free?
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._stop_database)
            await stack.enter_async_context(self._running_children())
            url = await self._start_database()
            link = await self._step("schema", asyncio.to_thread(self._prepare, url))
            for child in self._children:
                child.release()
            if await self._until_ready():
                self._greet(link)
                await self._stop.wait()
        say("stopped")

    async def _start_database(self) -> str:
        if self._settings.database_url is not None:
            say("  database   external, as OPENWATCH_DATABASE_URL says")
            return self._settings.database_url
        starting = asyncio.to_thread(embedded.start, self._settings, notice=self._note)
        server = await self._step("database", starting)
        if server.started:
            self._owns_database.touch()
        self._watching = asyncio.create_task(self._watch_database())
        return server.uri

    async def _stop_database(self) -> None:
        if self._watching is None:
            return
        self._watching.cancel()
        if not self._owns_database.exists():
            say("the database ran before and is left running")
            return
        await asyncio.to_thread(embedded.stop, self._settings)
        self._owns_database.unlink()
        say("database stopped")

    def _prepare(self, url: str) -> str | None:
        # Imported here, not above: while this loads, the children load too.
        from openwatch.cli.first_run import prepare

        return prepare(self._settings, url, notice=self._note)

    async def _watch_database(self) -> None:
        """Bring the embedded server back when something killed it."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if embedded.has_process(self._settings):
                continue
            self._warn("the database has gone; starting it again")
            try:
                await asyncio.to_thread(embedded.start, self._settings, notice=self._note)
            except OpenWatchError as error:
                self._warn(f"{error.message} {error.fix}")

    @contextlib.asynccontextmanager
    async def _running_children(self) -> AsyncGenerator[None]:
        tasks = [asyncio.create_task(child.run()) for child in self._children]
        try:
            yield
        finally:
            self._stop.set()
            stops = asyncio.gather(*(child.stop() for child in self._children))
            hurry = asyncio.create_task(self._hurry.wait())
            await asyncio.wait([stops, hurry], return_when=asyncio.FIRST_COMPLETED)
            if self._hurry.is_set():
                for child in self._children:
                    child.kill()
            await stops
            hurry.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_ready(self) -> bool:
        """Wait until /readyz says yes; False when we are told to stop before.

        Raises ``up.not_ready`` when a child ends again and again.
        """
        began = time.monotonic()
        told = ""
        while not self._stop.is_set():
            problem = await asyncio.to_thread(is_ready, self._settings)
            if problem is None:
                say(f"  API and worker ready ({time.monotonic() - began:.1f} s)")
                return True
            self._require_life()
            if time.monotonic() - began > PATIENCE_SECONDS and problem != told:
                self._note(f"still waiting: {problem}")
                told = problem
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), POLL_SECONDS)
        return False

    def _require_life(self) -> None:
        for child in self._children:
            if child.starts >= MOST_STARTS:
                said = " / ".join(child.last_lines[-2:]) or "nothing"
                raise OpenWatchError(NOT_READY, name=child.name, said=said, log=child.log_file)

    def _greet(self, link: str | None) -> None:
        from openwatch.kit.certificate import certificate

        tls = certificate(self._settings)
        if tls is not None and tls.self_signed:
            say(f"  certificate self-signed, SHA-256 {tls.fingerprint}")
        say("")
        if link is None:
            say(f"OpenWatch runs at {self._settings.base_url}")
        else:
            say(f"OpenWatch runs at {self._settings.base_url}. Make the administrator here, once:")
            say(f"  {link}")
        say("Ctrl-C stops everything.")
        if self._browser and _has_display():
            asyncio.get_running_loop().run_in_executor(
                None, webbrowser.open, link or self._settings.base_url
            )

    async def _step(self, name: str, work: Awaitable[T]) -> T:
        began = time.monotonic()
        result = await work
        say(f"  {name:<10} ready ({time.monotonic() - began:.1f} s)")
        return result

    def _note(self, text: str) -> None:
        say(f"             {text}")

    def _warn(self, text: str) -> None:
        if not self._stop.is_set():
            with contextlib.suppress(OSError):
                print(f"! {text}", file=sys.stderr, flush=True)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
            return
        say("stopping (press Ctrl-C again to kill)")
        self._stop.set()


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
