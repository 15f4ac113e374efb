"""The kernel's settings: sysctl values at run time, and kernel modules."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes.base import Item, Probe, failure

_SYSCTL_KEY: Final = re.compile(r"[a-z0-9_]+(?:[./][A-Za-z0-9_*-]+)+\Z")
_MODULE: Final = re.compile(r"[a-zA-Z0-9_-]+\Z")


@dataclass(frozen=True, slots=True)
class Module:
    """What the host does with one kernel module (``None``: it cannot be said)."""

    loaded: bool
    built_in: bool | None
    available: bool | None
    blacklisted: bool
    install: str | None


class _LineProbe(Probe):
    """Shared: one item for all subjects; each subject answers with lines ``<subject> <rest>``."""

    seconds = 10
    max_bytes = 1024 * 1024

    def facts(
        self, requests: Sequence[Request], results: Mapping[str, ItemResult]
    ) -> Iterable[Fact]:
        (item,) = self.items(requests)
        result = results.get(item.id)
        problem = failure(item, result)
        lines: dict[str, list[bytes]] = {}
        for line in (b"" if result is None else result.output).splitlines(keepends=True):
            subject, _, rest = line.partition(b" ")
            lines.setdefault(self.spelt(subject.decode("utf-8", "replace")), []).append(rest)
        for request in requests:
            yield Fact(
                request=request,
                command=self.command(request),
                output=b"".join(lines.get(self.spelt(request.subject), [])),
                exit_status=None if result is None else result.exit_status,
                could_not=problem,
                seconds=0.0 if result is None else result.seconds / max(1, len(requests)),
            )

    def spelt(self, subject: str) -> str:
        """Return the one spelling of a subject that has several."""
        return subject

    @abstractmethod
    def command(self, request: Request) -> str:
        """Return what a person would type to ask the same."""


class SysctlProbe(_LineProbe):
    """The running value of one sysctl key, read from /proc/sys."""

    name = "sysctl"

    def spelt(self, subject: str) -> str:
        return sysctl_path(subject)

    def command(self, request: Request) -> str:
        return f"sysctl -n {request.subject}"

    def items(self, requests: Sequence[Request]) -> tuple[Item, ...]:
        keys = [_checked(r.subject, _SYSCTL_KEY) for r in requests]
        # The kernel answers the first read of a value alone, and some shells read byte by byte:
        # one grep reads all. Where it does not tell of each, each is asked for alone.
        body = (
            "set -f; n=0 e= k=\n"
            'g() { if [ -e "/proc/sys/$2" ]; then n=$((n+1)) e="$e /proc/sys/$2" k="$k $1 $2"\n'
            'else echo "$1 absent"; fi; }\n'
            + "\n".join(f"g {key} {sysctl_path(key)}" for key in keys)
            + "\n[ $n -gt 0 ] || exit 0\n"
            "o=$(grep -Hm1 '' -- $e 2>/dev/null | sed 's,^/proc/sys/\\([^:]*\\):,\\1 =,')\n"
            'if [ "$(printf "%s\\n" "$o" | grep -c "^[^ ]* =")" = $n ]\n'
            'then printf "%s\\n" "$o"; exit 0; fi\n'
            "set -- $k\n"
            'while [ $# -gt 0 ]; do if v=$(cat "/proc/sys/$2" 2>/dev/null)\n'
            'then printf "%s =%s\\n" "$1" "$v"; else echo "$1 denied"; fi; shift 2; done'
        )
        return (Item(self.name, body, "sysctl", self.seconds, self.max_bytes),)

    def read(self, fact: Fact) -> str | CouldNot | None:
        """Return the value with blanks folded, or ``None`` when this kernel has no such key."""
        if fact.could_not is not None:
            return fact.could_not
        text = fact.output.decode("utf-8", "replace").strip()
        if text == "absent":
            return None
        if text == "denied":
            return CouldNot(Reason.DENIED, f"{fact.request.subject} may not be read.")
        if not text.startswith("="):
            return CouldNot(Reason.UNPARSABLE, f"No value of {fact.request.subject}.")
        return " ".join(text[1:].split())


class ModuleProbe(_LineProbe):
    """A kernel module: loaded, built in, on the disk, and what modprobe(8) would do with it."""

    name = "module"

    def spelt(self, subject: str) -> str:
        return subject.replace("-", "_")

    def command(self, request: Request) -> str:
        return f"modprobe -n -v {request.subject}; lsmod"

    def items(self, requests: Sequence[Request]) -> tuple[Item, ...]:
        names = [_checked(r.subject, _MODULE) for r in requests]
        # Names are the same with - and _ (modprobe(8)). Each table is gone through once for all.
        pattern = "|".join(re.sub("[-_]", "[-_]", name) for name in names)
        listed = " ".join(names)
        body = (
            # modprobe passes over a file that it may not read and says nothing.
            "for d in /etc /run /usr/local/lib /usr/lib /lib; do d=$d/modprobe.d\n"
            '[ -d "$d" ] || continue; for f in "$d" "$d"/*.conf; do\n'
            '[ ! -e "$f" ] || [ -r "$f" ] || { echo "$f: Permission denied" >&2; exit 1; }\n'
            "done; done\n"
            "command -v modprobe >/dev/null 2>&1 || exit 127\n"
            f"p='{pattern}'\n"
            "k=/lib/modules/$(uname -r)\n"
            "if [ -e /proc/modules ]; then l=$(cut -d' ' -f1 /proc/modules) || exit 1\n"
            'printf "%s\\n" "$l" | grep -xE "$p" | sed "s/$/ loaded/"; fi\n'
            'if [ -r "$k/modules.dep" ] && [ -r "$k/modules.builtin" ]; then\n'
            f"printf '%s index\\n' {listed}\n"
            'cut -d: -f1 "$k/modules.dep" | sed -nE "s,.*/($p)\\.ko.*,\\1 available,p"\n'
            'sed -nE "s,.*/($p)\\.ko.*,\\1 builtin,p" "$k/modules.builtin"; fi\n'
            "modprobe --showconfig 2>/dev/null |"
            ' sed -nE "s/^(install|blacklist) +($p)( +(.*))?$/\\2 \\1 \\4/p"\n'
            f"printf '%s end\\n' {listed}"
        )
        return (Item(self.name, body, "modprobe", self.seconds, self.max_bytes),)

    def read(self, fact: Fact) -> Module | CouldNot:
        if fact.could_not is not None:
            return fact.could_not
        lines = fact.output.decode("utf-8", "replace").splitlines()
        if not lines or lines[-1] != "end":
            return CouldNot(Reason.UNPARSABLE, f"No answer about {fact.request.subject}.")
        installs = [line.removeprefix("install ") for line in lines if line.startswith("install ")]
        indexed = "index" in lines
        return Module(
            loaded="loaded" in lines,
            built_in="builtin" in lines if indexed else None,
            available=("available" in lines or "builtin" in lines) if indexed else None,
            blacklisted=any(line.split()[0] == "blacklist" for line in lines if line),
            # Of several commands kmod runs the first.
            install=installs[0].strip() if installs else None,
        )


def sysctl_path(key: str) -> str:
    """Return the path of a key below /proc/sys.

    sysctl(8): dots and slashes change places when the first separator is a dot.
    """
    first = next((c for c in key if c in "./"), ".")
    return key if first == "/" else key.translate(str.maketrans("./", "/."))


def _checked(subject: str, pattern: re.Pattern[str]) -> str:
    if not pattern.match(subject):
        raise ValueError(f"not a name that can be asked for: {subject!r}")
    return subject
