"""What the look at the keys that open accounts brings home from a host on paper."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from openwatch.engine.facts import Request
from tests.corpus.host import Host, Trouble
from tests.corpus.raw_accounts import is_remote, owner

Asked = Sequence[Request]

_DEFAULT: Final = ".ssh/authorized_keys .ssh/authorized_keys2"


def _authorised_keys(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    patterns = str(host.sshd.get("authorizedkeysfile", _DEFAULT))
    accounts, paths = "", list[str]()
    for line in host.files["/etc/passwd"].content.splitlines():
        name, _pw, uid, _gid, _gecos, home, *_ = line.split(":")
        for pattern in patterns.split():
            if pattern == "none":
                continue
            path = pattern.replace("%h", home).replace("%u", name).replace("%U", uid)
            path = path if path.startswith("/") else f"{home.removesuffix('/')}/{path}"
            if is_remote(host, path):
                accounts += f"~{name}|{uid}|{path}\n"
            elif path in host.files:
                accounts += f"@{name}|{uid}|{path}\n"
                paths.append(path)
    stats = lines = ""
    for path in paths:
        file = host.files[path]
        user, group = owner(host, file)
        stats += f"F {int(file.mode, 8):o}|{user}|{group}|{path}\n"
        lines += f"= {path}\n"
        for number, text in enumerate(file.content.splitlines(), start=1):
            if re.search(r"[ \t]AAAA[A-Za-z0-9+/]", text) and not text.lstrip().startswith("#"):
                lines += f"L {number} {text}\n"
    return f"P {patterns}\n{accounts}{stats}{lines}.\n".encode()


RENDERERS: Final[Mapping[str, Callable[[Host, Asked, Mapping[str, Trouble]], bytes]]] = {
    "authorised_keys": _authorised_keys,
}
