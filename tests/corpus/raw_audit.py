"""What auditctl(8) and the walk over the audit log print on a host on paper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from openwatch.engine.facts import Request
from tests.corpus.host import Directory, File, Host, Trouble

NO_RULES = "No rules\n"


def audit(host: Host, _: Sequence[Request], own: Mapping[str, Trouble]) -> bytes:
    """Return the state and the rules of the kernel: those of the files, where nothing is said."""
    if host.audit.missing is not None:
        return f"#missing {host.audit.missing}\n".encode()
    text = "".join(
        file.content
        for path, file in sorted(host.files.items())
        if path.startswith("/etc/audit/rules.d/") and path.endswith(".rules")
    )
    options = dict(re.findall(r"(?m)^-([efb]) (\d+)\s*$", text))
    immutable = "--loginuid-immutable" in text
    status = {
        "enabled": options.get("e", "1"),
        "failure": options.get("f", "1"),
        "pid": "612",
        "rate_limit": "0",
        "backlog_limit": options.get("b", "8192"),
        "lost": "7",
        "backlog": "3",
        "backlog_wait_time": "60000",
        "loginuid_immutable": "1 locked" if immutable else "0 unlocked",
        **host.audit.status,
    }
    told = "".join(f"{key} {value}\n" for key, value in status.items())
    rules = listed(text) if host.audit.loaded is None else host.audit.loaded
    for part in host.audit.without:
        lines = rules.splitlines(keepends=True)
        rules = "".join(line for line in lines if part not in line)
        if len(rules.splitlines()) == len(lines):
            raise ValueError(f"no loaded rule has {part!r}")
    return f"#status\n{told}#rules\n{rules or NO_RULES}#end\n".encode()


@lru_cache(maxsize=64)
def listed(text: str) -> str:
    """Return rules of a file as the kernel lists them."""
    lines: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0] not in ("-w", "-a", "-A"):
            continue
        printed = " ".join(words)
        if words[0] == "-w":
            printed = re.sub(r"^-w (\S+?)/?(?= |$)", r"-w \1", printed)
        else:
            printed = printed.replace("-k ", "-F key=")
        lines.append(re.sub(r"auid!=(unset|4294967295)", "auid!=-1", printed))
    return "".join(f"{line}\n" for line in lines)


def audit_log(host: Host, _: Sequence[Request], own: Mapping[str, Trouble]) -> bytes:
    """Return the directory and the files of the log."""
    file = host.files.get("/etc/audit/auditd.conf")
    if file is None:
        return b"#no configuration\n"
    named = re.findall(r"(?mi)^[ \t]*log_file[ \t]*=[ \t]*(.*?)[ \t]*$", file.content)
    path = named[-1] if named else "/var/log/audit/audit.log"
    directory = path.rpartition("/")[0]
    lines = [f"#log {path}"]
    if directory in host.directories:
        lines.append(_stat(host, directory, host.directories[directory]))
        lines.append(f"#disk {host.audit.log_megabytes} {_mount(host, directory)}")
        files = [_stat(host, p, f) for p, f in host.files.items() if p.startswith(path)]
        lines += sorted({re.sub(r"\.[0-9]+$", ".N", line) for line in files})
    return "".join(f"{line}\n" for line in (*lines, "#end")).encode()


def _mount(host: Host, path: str) -> str:
    while path not in host.mounts:
        path = path.rpartition("/")[0] or "/"
    return path


def _stat(host: Host, path: str, entry: File | Directory) -> str:
    uid, gid = host.ids("passwd").get(entry.owner, 4242), host.ids("group").get(entry.group, 4242)
    kind = "directory" if isinstance(entry, Directory) else "regular file"
    mode = entry.mode.lstrip("0") or "0"
    return f"={mode}|{uid}|{gid}|{entry.owner}|{entry.group}|{kind}|{path}"
