"""The embedded PostgreSQL server: started on a private socket, shared by all our processes.

No TCP port is opened. The socket lies in a folder of mode 0700 and the server asks the kernel who
connects (peer authentication), so there is no password to keep.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from openwatch.db import programs as pg
from openwatch.db.cluster import Cluster, is_located, locate
from openwatch.db.errors import DISK_FULL, START_FAILED, STOP_FAILED
from openwatch.db.programs import Programs
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import Settings

DATABASE: Final = "openwatch"
ROLE: Final = "openwatch"

_MEGABYTE: Final = 1 << 20
_ROOM_TO_CREATE_MB: Final = 250  # programs 30 MB, new data 40 MB, first WAL segments
_ROOM_TO_START_MB: Final = 40  # a checkpoint plus a few WAL segments of 16 MB
_STOP_SECONDS: Final = 60
_RECOVERY_SECONDS: Final = 900.0  # replaying WAL after a crash
_SLOW_SECONDS: Final = 3.0
_PREDECESSOR_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05
_NO_SPACE: Final = ("No space left on device", "Disk quota exceeded")
# What a new server says while the processes of a killed one are still going away.
_PREDECESSOR_LIVES: Final = ("pre-existing shared memory block", 'lock file "postmaster.pid"')

# The shell leaves at once, so that the server is no child of ours and outlives us. The paths are
# arguments: no character in them is special.
_DETACH: Final = '"$0" -D "$1" </dev/null >&2 & echo $!'

Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Server:
    """A running embedded server. ``started`` is False when it already ran."""

    uri: str
    started: bool


def ensure(settings: Settings) -> str:
    """Return the libpq URI of the embedded database; start its server when it is not running."""
    return start(settings).uri


def start(
    settings: Settings, *, durable: bool = True, notice: Notice = lambda _text: None
) -> Server:
    """Start the embedded server unless it runs. Safe to call from many processes at once.

    ``durable=False`` turns fsync off: for tests. ``notice`` is told of what takes time.
    Raises ``db.*`` errors of this package.
    """
    cluster, moved = locate(settings.data_dir)
    if moved:
        notice(moved)
    with _alone(cluster):
        programs = _programs(settings, cluster, notice)
        if _answers(cluster, programs):
            return Server(_uri(cluster), started=False)
        if not cluster.exists:
            notice("creating the database (about a second)")
            _create(cluster, programs, durable=durable)
        _launch(cluster, programs, durable=durable, notice=notice)
    return Server(_uri(cluster), started=True)


def is_running(settings: Settings) -> bool:
    """True when the embedded server answers on its socket."""
    if not is_located(settings.data_dir):
        return False
    cluster, _ = locate(settings.data_dir)
    return cluster.exists and _answers(cluster, _programs(settings, cluster, lambda _text: None))


def has_process(settings: Settings) -> bool:
    """True when the server's process lives; cheaper than ``is_running``, which asks the server."""
    if not is_located(settings.data_dir):
        return False
    cluster, _ = locate(settings.data_dir)
    try:
        first_line = (cluster.data / "postmaster.pid").read_text().partition("\n")[0]
        return _is_alive(int(first_line))
    except (OSError, ValueError):
        return False


def stop(settings: Settings) -> bool:
    """Stop the embedded server: sessions end, nothing is lost. False when it was not running.

    Raises ``db.stop_failed`` when it does not end in time.
    """
    if not is_located(settings.data_dir):
        return False
    cluster, _ = locate(settings.data_dir)
    if not cluster.exists:
        return False
    with _alone(cluster):
        programs = _programs(settings, cluster, lambda _text: None)
        control = [programs.bin / "pg_ctl", "-D", cluster.data]
        if cluster.user.run([*control, "status"]).returncode != 0:
            return False
        done = cluster.user.run([*control, "stop", "-m", "fast", "-w", "-t", str(_STOP_SECONDS)])
        if done.returncode != 0 and _answers(cluster, programs):
            raise OpenWatchError(STOP_FAILED, seconds=_STOP_SECONDS, log=_server_log(cluster))
        return True


@contextlib.contextmanager
def _alone(cluster: Cluster) -> Generator[None]:
    """Hold the cluster's lock: of several processes one does the work, the others then find it."""
    with cluster.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _programs(settings: Settings, cluster: Cluster, notice: Notice) -> Programs:
    found = pg.find(chosen=settings.postgres_bin, data_major=cluster.major, copies=cluster.copies)
    if not cluster.exists:
        _require_room(cluster, _ROOM_TO_CREATE_MB)
        notice(f"PostgreSQL {found.version} from {found.bin}")
    try:
        ours = pg.private_copy(found, cluster.copies)
    except OSError as error:
        raise _failure(cluster, f"its programs could not be copied: {error}") from None
    # A data directory may be mounted noexec; then the originals serve if the user can reach them.
    for programs in (ours, found):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            if cluster.user.run([programs.bin / "postgres", "-V"]).returncode == 0:
                return programs
    raise _failure(cluster, f"{cluster.user.name} may not execute {ours.bin / 'postgres'}")


def _answers(cluster: Cluster, programs: Programs) -> bool:
    """True when the server accepts connections. The pid file is no proof: it survives a kill."""
    if not cluster.socket_folder.exists():
        return False
    ready = [programs.bin / "pg_isready", "-q", "-h", cluster.socket_folder]
    return cluster.user.run([*ready, "-U", ROLE, "-d", DATABASE]).returncode == 0


def _create(cluster: Cluster, programs: Programs, *, durable: bool) -> None:
    """Make the data whole under another name first: a kill in between leaves nothing half-made."""
    new = cluster.home / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    cluster.make_private_folder(new)
    init: list[str | Path] = [
        programs.bin / "initdb",
        *("-D", new, "-U", ROLE, "-A", "peer", "-E", "UTF8", "--locale=C.UTF-8"),
        *(() if durable else ("--no-sync",)),
    ]
    _run_or_fail(cluster, init)
    # Single-user mode: the database exists before anybody can connect.
    single: list[str | Path] = [programs.bin / "postgres", "--single", "-D", new, "postgres"]
    _run_or_fail(cluster, single, stdin=f"CREATE DATABASE {DATABASE}\n".encode())
    new.rename(cluster.data)


def _run_or_fail(cluster: Cluster, command: list[str | Path], *, stdin: bytes = b"") -> None:
    done = cluster.user.run(command, stdin=stdin)
    if done.returncode != 0:
        said = (done.stderr + done.stdout).decode(errors="replace")
        raise _failure(cluster, said.strip() or f"{command[0]} ended with {done.returncode}")


def _launch(cluster: Cluster, programs: Programs, *, durable: bool, notice: Notice) -> None:
    _require_room(cluster, _ROOM_TO_START_MB)
    cluster.make_private_folder(cluster.socket_folder)
    _configure(cluster, durable=durable)
    deadline = time.monotonic() + _PREDECESSOR_SECONDS
    while True:
        said = _launch_once(cluster, programs, notice)
        if said is None:
            return
        if not any(text in said for text in _PREDECESSOR_LIVES) or time.monotonic() > deadline:
            raise _failure(cluster, said)
        notice("waiting for the processes of a killed server to end")
        time.sleep(1)


def _launch_once(cluster: Cluster, programs: Programs, notice: Notice) -> str | None:
    """Start the server and wait for it; return None, or what it said when it ended instead."""
    launched_at = time.time()
    with cluster.start_log.open("wb") as log:
        command = ["sh", "-c", _DETACH, programs.bin / "postgres", cluster.data]
        launched = cluster.user.run(command, stderr=log, own_session=True)
    pid = int(launched.stdout)
    started = time.monotonic()
    told = False
    while time.monotonic() - started < _RECOVERY_SECONDS:
        if _answers(cluster, programs):
            return None
        if not _is_alive(pid):
            return _last_words(cluster, since=launched_at)
        if not told and time.monotonic() - started > _SLOW_SECONDS:
            notice("the database repairs itself after a crash; its size decides how long")
            told = True
        time.sleep(_POLL_SECONDS)
    return f"it was not ready after {_RECOVERY_SECONDS:.0f} seconds"


def _configure(cluster: Cluster, *, durable: bool) -> None:
    """Write the server's configuration; it is ours, so each start writes it anew."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MEGABYTE
    buffers_mb = min(1024, max(128, memory_mb // 8))
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(cluster.socket_folder),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": f"{buffers_mb}MB",
        "max_wal_size": "2GB",
        "wal_compression": "on",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "default_text_search_config": "pg_catalog.simple",
        "logging_collector": "on",
        "log_filename": "postgresql-%a.log",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_truncate_on_rotation": "on",
        "fsync": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        "synchronous_commit": "on" if durable else "off",
    }
    lines = [f"{name} = '{_quoted(value)}'" for name, value in options.items()]
    _write(cluster, "postgresql.conf", lines)
    _write(cluster, "pg_hba.conf", ["local all all peer map=openwatch"])
    names = {"root", cluster.user.name, pwd.getpwuid(os.geteuid()).pw_name}
    _write(cluster, "pg_ident.conf", [f'openwatch "{name}" {ROLE}' for name in sorted(names)])


def _quoted(value: str) -> str:
    return value.replace("'", "''")


def _write(cluster: Cluster, name: str, lines: list[str]) -> None:
    path = cluster.data / name
    try:
        path.write_text("\n".join(["# Written by OpenWatch at each start.", *lines, ""]))
        if cluster.user.drop:
            os.chown(path, cluster.user.uid, cluster.user.gid)
    except OSError as error:
        raise _failure(cluster, f"{path}: {error.strerror}") from None


def _require_room(cluster: Cluster, needed_mb: int) -> None:
    free_mb = shutil.disk_usage(cluster.home).free // _MEGABYTE
    if free_mb < needed_mb:
        raise OpenWatchError(DISK_FULL, folder=cluster.home, free_mb=free_mb, needed_mb=needed_mb)


def _failure(cluster: Cluster, said: str) -> OpenWatchError:
    if any(text in said for text in _NO_SPACE):
        free_mb = shutil.disk_usage(cluster.home).free // _MEGABYTE
        return OpenWatchError(
            DISK_FULL, folder=cluster.home, free_mb=free_mb, needed_mb=_ROOM_TO_CREATE_MB
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"\b(FATAL|PANIC|error)\b", line)]
    problem = (telling or lines or ["it gave no reason"])[-1]
    return OpenWatchError(START_FAILED, problem=problem, log=_server_log(cluster))


def _server_log(cluster: Cluster) -> Path:
    logs = sorted((cluster.data / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
    return logs[-1] if logs else cluster.start_log


def _last_words(cluster: Cluster, *, since: float) -> str:
    """Return what the server said since then: to its log, and before it had one."""
    logs = {cluster.start_log, _server_log(cluster)}
    fresh = sorted((path for path in logs if path.stat().st_mtime >= since - 1), key=str)
    texts = [path.read_text(errors="replace") for path in fresh]
    return "\n".join("\n".join(text.splitlines()[-20:]) for text in texts)


def _is_alive(pid: int) -> bool:
    """True when the process runs and is no zombie (proc_pid_stat(5): state follows the name)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _uri(cluster: Cluster) -> str:
    folder = quote(str(cluster.socket_folder), safe="")
    return f"postgresql://{ROLE}@/{DATABASE}?host={folder}"
