"""The embedded database on disk: where it is and which user its server runs as."""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from openwatch.db.errors import NO_ACCOUNT, NO_SERVER_USER, NOT_WRITABLE, WRONG_OWNER
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import SYSTEM_DATA_DIR

SERVER_USERS: Final = ("openwatch", "postgres", "nobody")
# sockaddr_un.sun_path holds 108 bytes (unix(7)); the server appends "/.s.PGSQL.5432" and a NUL.
LONGEST_SOCKET_FOLDER: Final = 108 - len("/.s.PGSQL.5432") - 1
_MOVED: Final = "postgres.location"
# initdb runs its sibling programs through a shell and puts paths between double quotes.
_UNQUOTABLE: Final = frozenset('"$`\\\n')


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The account of the server processes; ``drop`` when this process is root and must change."""

    name: str
    uid: int
    gid: int
    drop: bool

    def run(
        self,
        command: list[str | Path],
        *,
        stdin: bytes = b"",
        stderr: IO[bytes] | int = subprocess.PIPE,
        own_session: bool = False,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program as this user, without a terminal, in ``/``; return its captured output.

        Its environment is clean: no ``PG*`` variable, locale or secret of ours reaches it.
        """
        return subprocess.run(
            command,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/"},
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=own_session,
            user=self.uid if self.drop else None,
            group=self.gid if self.drop else None,
            extra_groups=[] if self.drop else None,
            check=False,
        )

    def can_enter(self, folder: Path) -> bool:
        """True when this user may pass through every part of the path."""
        try:
            return self.run(["sh", "-c", 'cd -- "$0"', str(folder)]).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False


@dataclass(frozen=True, slots=True)
class Cluster:
    """The folders of one embedded database."""

    home: Path
    user: ServerUser

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def copies(self) -> Path:
        return self.home / "programs"

    @property
    def lock(self) -> Path:
        return self.home / "lock"

    @property
    def start_log(self) -> Path:
        return self.home / "start.log"

    @property
    def exists(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    @property
    def major(self) -> str | None:
        """The major version that made the data; None before the first start."""
        return (self.data / "PG_VERSION").read_text().strip() if self.exists else None

    @property
    def socket_folder(self) -> Path:
        """Where the server's socket is: in the data, or in a short path when that is too long."""
        if len(os.fsencode(self.data)) <= LONGEST_SOCKET_FOLDER:
            return self.data
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path("/run" if self.user.drop else "/tmp") / f"openwatch-{self.user.uid}-{name}"

    def make_private_folder(self, folder: Path) -> None:
        """Make ``folder`` for the server's user alone; raises ``db.not_writable``."""
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            if self.user.drop and folder.lstat().st_uid == 0:
                os.chown(folder, self.user.uid, self.user.gid, follow_symlinks=False)
            about = folder.lstat()
        except OSError as error:
            raise _not_writable(folder, error) from None
        # In a folder that all may write to, somebody else could have been there first.
        if folder.is_symlink() or about.st_uid != self.user.uid or about.st_mode & 0o077:
            raise OpenWatchError(
                NOT_WRITABLE, folder=folder, problem="it exists and is not private to this user"
            )


def locate(data_dir: Path) -> tuple[Cluster, str | None]:
    """Return the cluster of a data directory, and a sentence when it had to be put elsewhere.

    Root cannot run the server, and the user who can may not be allowed into root's folders. No
    mode of an existing folder is changed: the database then lives below /var/lib/openwatch, and
    the file ``postgres.location`` in the data directory names the place.
    Raises ``db.not_writable``, ``db.wrong_owner``, ``db.no_account``, ``db.no_server_user``.
    """
    if _UNQUOTABLE & set(str(data_dir)):
        problem = 'PostgreSQL cannot work in a path with any of the characters " $ ` \\'
        raise OpenWatchError(NOT_WRITABLE, folder=data_dir, problem=problem)
    if os.geteuid() != 0:
        return Cluster(_own_home(data_dir), _this_user()), None
    make_data_dir(data_dir)
    moved = _read_moved(data_dir)
    if moved is not None:
        return Cluster(moved, _server_user(moved / "data")), None
    home = data_dir / "postgres"
    _make(home, mode=0o711)
    user = _server_user(home / "data")
    if user.can_enter(home):
        return Cluster(home, user), None
    elsewhere = SYSTEM_DATA_DIR / f"postgres-{secrets.token_hex(4)}"
    _make(SYSTEM_DATA_DIR, mode=0o711)
    _make(elsewhere, mode=0o711)
    if not user.can_enter(elsewhere):
        raise OpenWatchError(
            NOT_WRITABLE,
            folder=home,
            problem=f"PostgreSQL runs as {user.name}, which may enter neither it nor {elsewhere}",
        )
    (data_dir / _MOVED).write_text(f"{elsewhere}\n")
    reason = (
        f"PostgreSQL cannot run as root; it runs as {user.name}, which may not enter {data_dir}. "
        f"The database is therefore in {elsewhere}."
    )
    return Cluster(elsewhere, user), reason


def is_located(data_dir: Path) -> bool:
    """True when a cluster was made for this data directory; asking makes nothing."""
    return (data_dir / "postgres").exists() or (data_dir / _MOVED).exists()


def _own_home(data_dir: Path) -> Path:
    make_data_dir(data_dir)
    home = data_dir / "postgres"
    _make(home, mode=0o700)
    for folder in (home, home / "data"):
        if folder.exists() and folder.stat().st_uid != os.geteuid():
            raise OpenWatchError(
                WRONG_OWNER,
                folder=folder,
                owner=_name_of(folder.stat().st_uid),
                user=_name_of(os.geteuid()),
            )
    return home


def make_data_dir(data_dir: Path) -> None:
    """Make the data directory unless it exists; raises ``db.not_writable``.

    Root's can be passed through, so that the server's user reaches the database in it; what else
    is in it protects itself. An empty one is ours too, such as one that ``mktemp -d`` made.
    """
    if os.geteuid() != 0:
        _make(data_dir, mode=0o700)
        return
    empty = not data_dir.exists() or not any(data_dir.iterdir())
    _make(data_dir, mode=0o711)
    if empty:
        data_dir.chmod(0o711)


def _make(folder: Path, *, mode: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
    except OSError as error:
        raise _not_writable(folder, error) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OpenWatchError(NOT_WRITABLE, folder=folder, problem="this user may not write to it")


def _not_writable(folder: Path, error: OSError) -> OpenWatchError:
    return OpenWatchError(NOT_WRITABLE, folder=folder, problem=error.strerror or str(error))


def _read_moved(data_dir: Path) -> Path | None:
    pointer = data_dir / _MOVED
    if not pointer.exists():
        return None
    home = Path(pointer.read_text().strip())
    if not home.is_dir():
        raise OpenWatchError(
            NOT_WRITABLE,
            folder=home,
            problem=f"{pointer} says that the database is there, but it is gone",
        )
    return home


def _this_user() -> ServerUser:
    uid = os.geteuid()
    try:
        return ServerUser(pwd.getpwuid(uid).pw_name, uid, os.getegid(), drop=False)
    except KeyError:
        raise OpenWatchError(NO_ACCOUNT, uid=uid) from None


def _server_user(data: Path) -> ServerUser:
    """Return whoever owns the data already; for new data the first user of the list."""
    if data.exists() and data.stat().st_uid != 0:
        entry = pwd.getpwuid(data.stat().st_uid)
        return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, drop=True)
    for name in SERVER_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid, drop=True)
    raise OpenWatchError(NO_SERVER_USER, users=", ".join(SERVER_USERS))


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"
