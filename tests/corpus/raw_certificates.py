"""Certificates as the collector brings them home from a host on paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from openwatch.engine.facts import Request
from openwatch.engine.rules import yaml
from tests.corpus.host import CertificateFile, Host, Trouble

Asked = Sequence[Request]


@cache
def _paper() -> Mapping[str, str]:
    return yaml.parse((Path(__file__).parent / "certificates.yml").read_text("utf-8"))


def _encoded(name: str) -> str:
    """Return a certificate on paper as base64 of its DER form."""
    return _paper()[name].replace(" ", "")


def _certificates(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    uses, files = "", ""
    for path, file in sorted(host.certificates.items()):
        line = 12 if file.directive else 0
        configured = file.configured if file.directive else ""
        uses += f"use|{file.service}|{file.role}|{configured}|{line}|{file.directive}|{path}\n"
        if path.startswith("/") and file.role != "include":
            files += _file(path, file)
    return f"{uses}#files\n{files}#end\n".encode()


def _file(path: str, file: CertificateFile) -> str:
    match file.state:
        case "gone":
            return f"-{path}\n"
        case "bundle":
            return f"b{path}\n"
        case "refused":
            return f"!{path}\n"
        case _:
            head = f"={file.mode.lstrip('0')}|0|0|{file.owner}|{file.group}|{path}\n"
    if file.role == "key":
        return head
    if file.state == "large":
        return f"{head}+\n"
    if file.state == "unreadable":
        return f"{head}!\n"
    found = "".join(
        "?\n" if name == "garbage" else f"*pem\n {_encoded(name)}\n.\n"
        for name in file.certificates
    )
    return f"{head}{found}{'k' if file.holds_key else ''}".rstrip("\n") + "\n"


RENDERERS: Final[Mapping[str, Callable[[Host, Asked, Mapping[str, Trouble]], bytes]]] = {
    "certificates": _certificates,
}
