"""What the walks over homes and the search path of root bring home from a host on paper."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from openwatch.engine.facts import Request
from openwatch.engine.probes.homes import INIT_FILES
from openwatch.engine.probes.root_path import FILES
from tests.corpus.host import Directory, File, Host, Trouble

Asked = Sequence[Request]

_OPEN_KEY: Final = re.compile(
    r"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU"
    r"|-----BEGIN (?:RSA |EC |DSA )?PRIVATE KEY-----\n(?!Proc-Type: 4,ENCRYPTED)"
)


def _people(host: Host) -> Iterator[tuple[str, int, int, str]]:
    for line in host.files["/etc/passwd"].content.splitlines():
        parts = line.split(":")
        if len(parts) != 7 or re.search(r"/(nologin|false|true)\Z", parts[6]):
            continue
        uid = int(parts[2])
        if uid == 0 or (uid >= 1000 and uid != 65534):
            home = parts[5] if parts[5] == "/" else parts[5].removesuffix("/")
            yield parts[0], uid, int(parts[3]), home


def is_remote(host: Host, path: str) -> bool:
    return any(
        mount.type.startswith("nfs") and f"{path}/".startswith(f"{target}/")
        for target, mount in host.mounts.items()
    )


def owner(host: Host, entry: File | Directory) -> tuple[int, int]:
    users, groups = host.ids("passwd"), host.ids("group")
    uid = users[entry.owner] if entry.owner in users else int(entry.owner)
    return uid, groups[entry.group] if entry.group in groups else int(entry.group)


def _line(host: Host, kind: str, path: str, entry: File | Directory) -> str:
    uid, gid = owner(host, entry)
    return f"{kind} {int(entry.mode, 8):o}|{uid}|{gid}|{path}\n"


def _homes(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    return "".join((*(_home(host, *person) for person in _people(host)), ".\n")).encode()


def _home(host: Host, user: str, uid: int, gid: int, home: str) -> str:
    text = f"@{user}|{uid}|{gid}|{home}\n"
    if not home.startswith("/"):
        return f"{text}H undefined\n"
    if is_remote(host, home):
        return f"{text}H remote\n"
    directory = host.directories.get(home)
    if directory is None:
        return f"{text}H {'other' if home in host.files else 'absent'}\n"
    user_id, group = owner(host, directory)
    text += f"H {int(directory.mode, 8):o}|{user_id}|{group}|{home}\n"
    inside = {path: file for path, file in host.files.items() if path.startswith(f"{home}/")}
    for path, file in inside.items():
        name = path.removeprefix(f"{home}/")
        strange = owner(host, file) != (uid, gid) or int(file.mode, 8) & 0o7037
        if name[0] == "." and "/" not in name and strange:
            text += _line(host, "D", path, file)
    for name in (".forward", ".netrc", ".rhosts", ".shosts", ".bash_history"):
        if f"{home}/{name}" in inside:
            text += _line(host, "S", f"{home}/{name}", inside[f"{home}/{name}"])
    text += "".join(
        _init_file(host, f"{home}/{name}") for name in INIT_FILES if f"{home}/{name}" in inside
    )
    for path, file in inside.items():
        if path.startswith(f"{home}/.ssh/") and _OPEN_KEY.match(file.content):
            text += f"K {path}\n"
    return text


def _init_file(host: Host, path: str) -> str:
    text = f"F {path}\n"
    content = host.files[path].content
    for number, line in enumerate(content.splitlines(), start=1):
        if re.search(r"\b(PATH|path|umask)\b", line) and not line.strip().startswith("#"):
            text += f"I {number} {line}\n"
    for word in re.findall(r"(?m)(?<![\w./])/[\w./-]+", re.sub(r"(?m)^\s*#.*", "", content)):
        program = host.files.get(word)
        if program is not None and int(program.mode, 8) & 0o002:
            text += f"W {path}|{word}\n"
    return text


def _home_tree(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    text = ""
    for user, uid, gid, home in _people(host):
        if uid == 0:
            continue
        text += f"@{user}|{uid}|{gid}|{home}\n"
        if is_remote(host, home):
            text += "H remote\n"
            continue
        groups = {gid} | {
            int(row[2])
            for line in host.files["/etc/group"].content.splitlines()
            if len(row := line.split(":")) == 4 and user in row[3].split(",")
        }
        entries: dict[str, File | Directory] = {**host.files, **host.directories}
        below = {
            path: entry
            for path, entry in sorted(entries.items())
            if path.startswith(f"{home}/") and "/." not in path
        }
        text += "".join(_line(host, "M", p, e) for p, e in below.items() if int(e.mode, 8) & 0o027)
        text += "".join(
            _line(host, "G", p, e) for p, e in below.items() if owner(host, e)[1] not in groups
        )
    return f"{text}.\n".encode()


def _root_path(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    named: set[str] = set()
    for path, file in host.files.items():
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in FILES):
            content = re.sub(r"\$HOME|\$\{HOME\}|~(?=/)", "/root", file.content)
            named |= set(re.findall(r"(?<![\w./+@%-])/[\w./+@%-]*", content))
    text = ""
    for path in sorted(named):
        entry = host.directories.get(path) or host.files.get(path)
        if entry is None:
            text += f"-{path}\n"
            continue
        kind = "directory" if path in host.directories else "regular file"
        text += f"={int(entry.mode, 8):o}|{owner(host, entry)[0]}|{kind}|{path}\n"
    return f"{text}.\n".encode()


RENDERERS: Final[Mapping[str, Callable[[Host, Asked, Mapping[str, Trouble]], bytes]]] = {
    "homes": _homes,
    "home_tree": _home_tree,
    "root_path": _root_path,
}
