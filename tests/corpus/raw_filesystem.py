"""What the probes of boot loaders, devices, labels and profiles bring home from a host on paper."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from openwatch.engine.facts import Request
from openwatch.engine.probes.boot import BOOT_FILES, LINES
from tests.corpus.host import Host, Trouble

Asked = Sequence[Request]


def _refuse(own: Mapping[str, Trouble], *possible: str) -> None:
    if impossible := set(own.values()) - set(possible):
        raise ValueError(f"a single fact of this probe is never {', '.join(sorted(impossible))}")


def _named(paths: Mapping[str, object], pattern: str) -> list[str]:
    """Return the paths that a pattern of sh(1) matches, in the order of the C locale."""
    parts = pattern.split("/")
    return [
        path
        for path in sorted(paths)
        if len(path.split("/")) == len(parts)
        and all(fnmatch.fnmatchcase(a, b) for a, b in zip(path.split("/"), parts, strict=True))
    ]


def _boot(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    lines = ["#efi"] if host.efi else []
    for kind, patterns in BOOT_FILES.items():
        for path in (path for pattern in patterns for path in _named(host.files, pattern)):
            file = host.files[path]
            if kind == "script" and not int(file.mode, 8) & 0o111:
                continue
            lines.append(f"={kind} {path}")
            if kind != "image":
                lines += _wanted(file.content, LINES[kind])
    return "".join(f"{line}\n" for line in (*lines, "#end")).encode()


def _wanted(content: str, pattern: str) -> Iterator[str]:
    """Yield what grep -n prints, without the passwords, as sed(1) leaves it."""
    wanted = re.compile(pattern.replace("[[:space:]]", r"\s"))
    for number, line in enumerate(content.split("\n"), start=1):
        if not wanted.search(line):
            continue
        said = re.sub(r"(grub\.pbkdf2\.[a-zA-Z0-9]+\.)[0-9A-Fa-f.]+", r"\1<redacted>", line)
        said = re.sub(r"(GRUB2_PASSWORD)=(grub\.pbkdf2\.).*", r"\1 \2<redacted>", said)
        said = re.sub(r"(GRUB2_PASSWORD=).*", r"\1<redacted>", said)
        said = re.sub(r"^(\s*password\s+\S+\s+).*", r"\1<redacted>", said)
        yield f" {number}:{said}"


def _blocks(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    lines: list[str] = []
    for name, disk in host.disks.items():
        removable = "1" if disk.removable else "0"
        slaves = " ".join(disk.slaves)
        lines.append(
            f"block|{name}|{removable}|{disk.dm_uuid}|{disk.dm_name}|{disk.parent}|{slaves}"
        )
        lines += [f"link|{link}|{name}" for link in disk.links]
        lines += [f"swap|/dev/{name}"] if disk.swap else []
    return "".join(f"{line}\n" for line in (*lines, "#end")).encode()


def _link(host: Host, requests: Asked, own: Mapping[str, Trouble]) -> bytes:
    _refuse(own, "denied")
    output = ""
    for request in requests:
        lines = [f"@{request.subject}"]
        if request.subject in own:
            lines.append("!")
        for path in _named({**host.links, **host.files, **host.directories}, request.subject):
            target = host.links.get(path)
            lines.append(f"={path}" if target is None else f">{path}|{target}")
        output += "".join(f"{line}\n" for line in (*lines, "."))
    return output.encode()


def _processor(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    return f"{host.arch}\n {host.processor_flags}\n#end\n".encode()


def _apparmor(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    lines = [f"profile {name} ({p.mode})" for name, p in host.apparmor.items()]
    lines += [f"attach {name}|{p.attach}" for name, p in host.apparmor.items() if p.attach]
    lines += [f"free {path}" for path in host.unconfined]
    return "".join(f"{line}\n" for line in (*lines, "#end")).encode()


def _context(host: Host, requests: Asked, own: Mapping[str, Trouble]) -> bytes:
    _refuse(own, "denied")
    lines: list[str] = []
    for request in requests:
        path = request.subject
        said = f"={host.contexts[path]}" if path in host.contexts else "absent"
        lines.append(f"{path} {'denied' if path in own else said}\n")
    return "".join(lines).encode()


def _device_labels(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    lines = [f"{label}|{path}\n" for path, label in sorted(host.device_labels.items())]
    return "".join((*lines, "#end\n")).encode()


def _selinux_booleans(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    lines: list[str] = []
    for name, said in host.selinux_booleans.items():
        running, _, stored = said.partition(" ")
        lines.append(f"running {name} {int(running == 'on')}")
        lines.append(f"store {name} {stored or running}")
    return "".join(f"{line}\n" for line in (*lines, "store", "#end")).encode()


def _verify(host: Host, requests: Asked, own: Mapping[str, Trouble]) -> bytes:
    _refuse(own)
    tool = {"dpkg": "dpkg", "rpm": "rpm"}[host.package_format]
    output = ""
    for request in requests:
        installed = host.packages.get(request.subject, "").split(" ")[0] == "installed"
        lines = host.deviations.get(request.subject, ()) if installed else ("absent",)
        output += f"@{request.subject} {tool}\n" + "".join(f"{line}\n" for line in (*lines, "."))
    return output.encode()


RENDERERS: Final[Mapping[str, Callable[[Host, Asked, Mapping[str, Trouble]], bytes]]] = {
    "boot": _boot,
    "blocks": _blocks,
    "link": _link,
    "processor": _processor,
    "apparmor": _apparmor,
    "context": _context,
    "device_labels": _device_labels,
    "selinux_booleans": _selinux_booleans,
    "verify": _verify,
}
