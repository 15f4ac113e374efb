"""What the collector brings home from a host on paper: the bytes of each item, and how it ended."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from openwatch.engine.facts import Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes import Item, Probe
from tests.corpus import (
    raw_accounts,
    raw_certificates,
    raw_desktop,
    raw_filesystem,
    raw_keys,
    raw_network,
)
from tests.corpus.host import Directory, File, Host, Trouble
from tests.corpus.raw_audit import audit, audit_log

Asked = Sequence[Request]


def answers(
    host: Host, probe: Probe, requests: Asked, cannot: Mapping[str, Trouble]
) -> dict[str, ItemResult]:
    """Return the results of the probe's items on this host."""
    (item,) = probe.items(requests)
    own: dict[str, Trouble] = {
        r.subject: cannot[r.id] for r in requests if r.subject and r.id in cannot
    }
    output = RENDERERS[probe.name](host, requests, own)
    trouble = cannot.get(probe.name)
    if trouble is not None and probe.name in _DENIED_BY_SUBJECT and trouble == "denied":
        every: dict[str, Trouble] = dict.fromkeys((r.subject for r in requests), trouble)
        return {item.id: ItemResult(RENDERERS[probe.name](host, requests, every), b"", 0)}
    if trouble is not None:
        # Blocks that were whole before the end are answers; here there is none.
        before = b"" if probe.name in ("stat", "content") else output
        return {item.id: failed(item, before, trouble)}
    if "incomplete" in own.values():
        return {item.id: ItemResult(output, b"", None)}
    return {item.id: ItemResult(output, b"", 0)}


_DENIED_BY_SUBJECT: Final = ("stat", "content", "sysctl")
"""Their programs go on after a refusal and say for each subject that it was refused."""


def failed(item: Item, output: bytes, trouble: Trouble) -> ItemResult:
    """Return how an item ends in this trouble."""
    match trouble:
        case "denied":
            return ItemResult(b"", f"{item.command}: Permission denied\n".encode(), 1)
        case "tool_missing":
            return ItemResult(b"", b"", 127)
        case "timed_out":
            return ItemResult(output[: len(output) // 2], b"", 124)
        case "truncated":
            return ItemResult((output + b"\0" * item.max_bytes)[: item.max_bytes], b"", 141)
        case "incomplete":
            return ItemResult(output[: len(output) // 2], b"", None)
        case "tool_failed":
            return ItemResult(b"", f"{item.command}: internal error\n".encode(), 1)
        case "unparsable":
            return ItemResult(b"\xff* segmentation fault *\n", b"", 0)


def _refuse(own: Mapping[str, Trouble], *possible: str) -> None:
    if impossible := set(own.values()) - set(possible):
        raise ValueError(f"a single fact of this probe is never {', '.join(sorted(impossible))}")


def _os_release(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    return "".join(f'{key}="{value}"\n' for key, value in host.os_release.items()).encode()


def _kernel(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    machine_id = "0123456789abcdef0123456789abcdef"
    lines = (host.hostname, host.kernel, host.arch, machine_id, "0", host.kernel_arguments)
    return "".join(f"{line}\n" for line in lines).encode()


def _capabilities(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    told = host.capabilities.items()
    names = [f"?{n}" if has == "unknown" else n for n, has in told if has]
    if host.capabilities.get("virtual", False) is False:
        names.append("physical")
    return "".join(f"{name}\n" for name in (*names, "end")).encode()


def _passwd(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    return host.files["/etc/passwd"].content.encode()


def _group(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    return host.files["/etc/group"].content.encode()


def _shadow(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    text = host.files["/etc/shadow"].content
    text = re.sub(r"(?m)^([^:\n]*):([!*]*)(\$[^$:\n]*\$)[^:\n]*:", r"\1:\2\3<redacted>:", text)
    return re.sub(r"(?m)^([^:\n]*):([!*]*)([^!*$:\n][^:\n]*):", r"\1:\2<redacted>:", text).encode()


def _packages(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    version, arch = {"dpkg": ("1.0-1", "amd64"), "rpm": ("0:1.0-1", "x86_64")}[host.package_format]
    told = ((name, *said.partition(" ")[::2]) for name, said in host.packages.items())
    lines = [f"{name}|{own or version}|{arch}|{status}\n" for name, status, own in told]
    return f"#{host.package_format}\n{''.join(lines)}".encode()


def _units(host: Host, requests: Asked, own: Mapping[str, Trouble]) -> bytes:
    _refuse(own)
    return b"\n".join(_unit(host, request.subject) for request in requests)


def _unit(host: Host, asked: str) -> bytes:
    found = next((n for n, u in host.units.items() if asked in (n, *u.aliases)), None)
    if found is None:
        values = {
            "Id": asked, "Names": asked, "LoadState": "not-found", "ActiveState": "inactive",
            "SubState": "dead", "UnitFileState": "", "FragmentPath": "",
        }  # fmt: skip
    else:
        file_state, active = host.units[found].state.split()
        values = {
            "Id": found,
            "Names": " ".join((found, *host.units[found].aliases)),
            "LoadState": "masked" if file_state == "masked" else "loaded",
            "ActiveState": active,
            "SubState": "running" if active == "active" else "dead",
            "UnitFileState": file_state,
            "FragmentPath": "" if file_state == "masked" else f"/usr/lib/systemd/system/{found}",
        }
    return "".join(f"{key}={value}\n" for key, value in values.items()).encode()


def _mounts(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    lines = []
    for number, (target, mount) in enumerate(host.mounts.items(), start=20):
        per_mount = mount.options.replace(" ", ",")
        where = target.replace(" ", "\\040")
        lines.append(
            f"{number} 1 8:{number} / {where} {per_mount} shared:{number}"
            f" - {mount.type} {mount.source} rw\n"
        )
    return "".join(lines).encode()


def _sshd(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    lines = []
    for key, value in host.sshd.items():
        values = (value,) if isinstance(value, str) else value
        lines += [f"{key} {one}\n" for one in values]
    return "".join(lines).encode()


def _sysctl(host: Host, requests: Asked, own: Mapping[str, Trouble]) -> bytes:
    _refuse(own, "denied")
    lines = []
    for request in requests:
        key = request.subject
        if key in own:
            lines.append(f"{key} denied\n")
        elif key in host.sysctl:
            lines.append(f"{key} ={host.sysctl[key]}\n")
        else:
            lines.append(f"{key} absent\n")
    return "".join(lines).encode()


def _modules(host: Host, requests: Asked, own: Mapping[str, Trouble]) -> bytes:
    _refuse(own)
    lines = []
    for request in requests:
        name = request.subject
        module = host.modules.get(name)
        said = []
        if module and module.loaded:
            said.append("loaded")
        if host.module_index:
            said.append("index")
            said += ["builtin"] if module and module.built_in else []
            said += ["available"] if module and module.available else []
        if module and module.install:
            said.append(f"install {module.install}")
        if module and module.blacklisted:
            said.append("blacklist ")
        lines += [f"{name} {word}\n" for word in (*said, "end")]
    return "".join(lines).encode()


_TCP_LISTEN, _UDP_BOUND = "0A", "07"


def _sockets(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    tables: dict[str, list[str]] = {"tcp": [], "tcp6": [], "udp": [], "udp6": []}
    for socket in host.sockets:
        protocol, rest = socket.split(" ", 1)
        address, port = rest.rsplit(":", 1)
        parsed = ipaddress.ip_address(address.strip("[]"))
        words = [parsed.packed[i : i + 4][::-1] for i in range(0, len(parsed.packed), 4)]
        table = protocol + ("6" if parsed.version == 6 else "")
        state = _TCP_LISTEN if protocol == "tcp" else _UDP_BOUND
        line = f"{b''.join(words).hex().upper()}:{int(port):04X} {state} 0"
        tables[table].append(line)
    text = "".join(f"#{name}\n" + "".join(f"{x}\n" for x in rows) for name, rows in tables.items())
    return f"{text}#end\n".encode()


def _sweep(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    uids = " ".join(str(i) for i in sorted(set(host.ids("passwd").values())))
    gids = " ".join(str(i) for i in sorted(set(host.ids("group").values())))
    head = "#directory\n" if host.directory_service else ""
    files = "".join(
        f"{entry.type[0]}|{entry.mode.lstrip('0')}|{entry.uid}|{entry.gid}|{entry.path}\0"
        for entry in host.sweep
    )
    head += f"#uids {uids}\n#gids {gids}\n" + "".join(f"#skipped {m}\n" for m in host.unwalked)
    return f"{head}#files\n{files}".encode()


def _stat(host: Host, requests: Asked, own: Mapping[str, Trouble]) -> bytes:
    _refuse(own, "denied", "incomplete")
    return _until_cut((_stat_block(host, r.subject, own.get(r.subject)) for r in requests), own)


def _until_cut(blocks: Iterable[bytes], own: Mapping[str, Trouble]) -> bytes:
    """Return the blocks up to the one that is cut short: nothing comes after a cut."""
    output = b""
    for block in blocks:
        output += block
        if "incomplete" in own.values() and not block.endswith(b"\n.\n"):
            break
    return output


def _stat_block(host: Host, subject: str, trouble: Trouble | None) -> bytes:
    if trouble == "denied":
        return f"@denied {subject}\n.\n".encode()
    uids, gids = host.ids("passwd"), host.ids("group")
    lines = [f"@ok {subject}\n"]
    for path, entry in _paths(host, subject, host.files, host.directories):
        kind = _kind(entry)
        uid, gid = uids.get(entry.owner, 4242), gids.get(entry.group, 4242)
        owner = entry.owner if entry.owner in uids else "UNKNOWN"
        group = entry.group if entry.group in gids else "UNKNOWN"
        mode = entry.mode.lstrip("0") or "0"
        lines.append(f"={mode}|{uid}|{gid}|{owner}|{group}|{kind}|{path}\n")
    block = "".join((*lines, ".\n"))
    return (block[: len(block) // 2] if trouble else block).encode()


def _kind(entry: File | Directory) -> str:
    if isinstance(entry, Directory):
        return "directory"
    return "regular file" if entry.content else "regular empty file"


def _content(host: Host, requests: Asked, own: Mapping[str, Trouble]) -> bytes:
    _refuse(own, "denied", "incomplete", "truncated")
    blocks = (_content_block(host, r.subject, own.get(r.subject)) for r in requests)
    return _until_cut(blocks, own)


def _content_block(host: Host, subject: str, trouble: Trouble | None) -> bytes:
    found = _paths(host, subject, host.files)
    if trouble == "denied" and not found:
        return f"@denied {subject}\n.\n".encode()
    if trouble == "truncated" and not found:
        raise ValueError(f"{subject} matches nothing that could be too large")
    lines = [f"@ok {subject}\n"]
    for path, entry in found:
        assert isinstance(entry, File)
        if trouble in ("denied", "truncated"):
            lines.append({"denied": "!", "truncated": "+"}[trouble] + f"{path}\n")
            continue
        text = re.sub(r"(?m)^(?!\Z)", " ", entry.content)
        lines.append(f"={path}\n{text}\n")
    block = "".join((*lines, ".\n"))
    return (block[: len(block) // 2] if trouble == "incomplete" else block).encode()


def _paths(
    host: Host, subject: str, *trees: Mapping[str, File] | Mapping[str, Directory]
) -> list[tuple[str, File | Directory]]:
    """Return what a path or pattern of sh(1) matches, in the order of the C locale."""
    if not set(subject) & set("*?["):
        found = [tree[subject] for tree in trees if subject in tree]
        return [(subject, found[-1])] if found else []
    entries: dict[str, File | Directory] = {p: e for tree in trees for p, e in tree.items()}
    wanted = subject.split("/")
    return [(path, entries[path]) for path in sorted(entries) if _matches(path.split("/"), wanted)]


def _matches(parts: list[str], patterns: list[str]) -> bool:
    return len(parts) == len(patterns) and all(
        part == pattern
        or (fnmatch.fnmatchcase(part, pattern) and (part[:1] != "." or pattern[:1] == "."))
        for part, pattern in zip(parts, patterns, strict=True)
    )


RENDERERS: Final[Mapping[str, Callable[[Host, Asked, Mapping[str, Trouble]], bytes]]] = {
    "os_release": _os_release,
    "kernel": _kernel,
    "capabilities": _capabilities,
    "stat": _stat,
    "content": _content,
    "sysctl": _sysctl,
    "module": _modules,
    "packages": _packages,
    "unit": _units,
    "mounts": _mounts,
    "passwd": _passwd,
    "group": _group,
    "shadow": _shadow,
    "sshd": _sshd,
    "sockets": _sockets,
    "sweep": _sweep,
    "audit": audit,
    "audit_log": audit_log,
    **raw_accounts.RENDERERS,
    **raw_certificates.RENDERERS,
    **raw_desktop.RENDERERS,
    **raw_filesystem.RENDERERS,
    **raw_keys.RENDERERS,
    **raw_network.RENDERERS,
}
