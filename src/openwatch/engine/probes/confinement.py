"""Mandatory access control: profiles of AppArmor, labels of SELinux."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.probes.base import Item, TableProbe, quote
from openwatch.engine.probes.kernel import _LineProbe  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of AppArmor that is loaded, and the running programs that escaped it."""

    name: str
    mode: str
    escaped: frozenset[str]
    """Programs that the profile is meant for and that run without it: started before it."""


_MAX_PATTERN: Final = 4096


class AppArmorProbe(TableProbe):
    """The profiles in the kernel, and the programs that run unconfined although one is for them."""

    name = "apparmor"
    command = "aa-status"
    seconds = 20
    body = r"""
d=/sys/kernel/security/apparmor
if [ ! -e "$d/profiles" ]; then
  [ -x /sys/kernel/security ] || { echo "securityfs: Permission denied" >&2; exit 1; }
  # A kernel without AppArmor has no profiles; one with it shows them where securityfs is mounted.
  m=; { read -r m </sys/module/apparmor/parameters/enabled; } 2>/dev/null
  [ "$m" != Y ] || { echo "securityfs is not mounted" >&2; exit 1; }
  echo '#end'; exit 0
fi
sed 's/^/profile /' "$d/profiles" || exit 1
for p in "$d"/policy/profiles/*; do
  a=; n=
  { read -r n <"$p/name"; read -r a <"$p/attach"; } 2>/dev/null
  [ -z "$a" ] || [ "$a" = '<unknown>' ] || printf 'attach %s|%s\n' "$n" "$a"
done
for p in /proc/[0-9]*; do
  c=; { read -r c <"$p/attr/apparmor/current" || read -r c <"$p/attr/current"; } 2>/dev/null
  [ "$c" = unconfined ] || continue
  x=$(readlink "$p/exe" 2>/dev/null) || continue
  case $x in /*) printf 'free %s\n' "$x";; esac
done
echo '#end'
"""

    def clean(self, output: bytes) -> bytes:
        # What happens to run now is no property of the host: only programs that have a profile
        # are kept.
        if not output.endswith(b"#end\n"):
            return output
        lines = set(output.splitlines(keepends=True))
        free = {line for line in lines if line.startswith(b"free ")}
        rules = [
            pattern
            for line in lines
            if line.startswith(b"attach ")
            and (pattern := attachment(_text(line).partition("|")[2])) is not None
        ]
        names = {_text(line).partition(" ")[2].rpartition(" (")[0] for line in lines
                 if line.startswith(b"profile ")}  # fmt: skip
        kept = {
            line
            for line in free
            if (path := _program(_text(line))) in names or any(r.fullmatch(path) for r in rules)
        }
        rest = lines - free - {b"#end\n"}
        return b"".join(sorted(rest | kept)) + b"#end\n"

    def parse(self, text: str) -> tuple[Profile, ...] | CouldNot:
        rows = text.split("\n")
        if rows[-2:] != ["#end", ""]:
            return CouldNot(Reason.UNPARSABLE, "The list of profiles is cut short.")
        modes: dict[str, str] = {}
        attached: dict[str, str] = {}
        free: list[str] = []
        for row in rows[:-2]:
            kind, _, rest = row.partition(" ")
            name, bracket, mode = rest.rpartition(" (")
            owner, bar, pattern = rest.partition("|")
            match kind:
                case "profile" if bracket and mode.endswith(")"):
                    modes[name] = mode[:-1]
                case "attach" if bar:
                    attached[owner] = pattern
                case "free" if rest.startswith("/"):
                    free.append(_program(row))
                case _:
                    return CouldNot(Reason.UNPARSABLE, f"Unexpected line {row[:80]!r}.")
        return tuple(
            Profile(name, mode, _escaped(name, mode, attached.get(name), free))
            for name, mode in modes.items()
        )


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").rstrip("\n")


def _program(row: str) -> str:
    return row.removeprefix("free ").removesuffix(" (deleted)")


def _escaped(name: str, mode: str, pattern: str | None, free: Sequence[str]) -> frozenset[str]:
    if mode == "unconfined":
        return frozenset()
    rule = attachment(pattern) if pattern else None
    return frozenset(
        path for path in free if path == name or (rule is not None and rule.fullmatch(path))
    )


def attachment(pattern: str) -> re.Pattern[str] | None:
    """Return a regular expression for a path pattern of apparmor.d(5) (``*``, ``**``, ``?``,
    ``{a,b}``, ``[abc]``), or ``None`` when it is none.
    """
    if len(pattern) > _MAX_PATTERN:
        return None
    parts: list[str] = []
    depth, i = 0, 0
    while i < len(pattern):
        c = pattern[i]
        i += 1
        match c:
            case "*" if pattern[i : i + 1] == "*":
                i += 1
                parts.append(".*")
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case "{":
                depth += 1
                parts.append("(?:")
            case "}" if depth:
                depth -= 1
                parts.append(")")
            case "," if depth:
                parts.append("|")
            case "[":
                end = pattern.find("]", i + 1)
                if end < 0:
                    return None
                body = pattern[i:end].replace("\\", "\\\\").replace("[", "\\[")
                parts.append(f"[{body}]")
                i = end + 1
            case "\\" if i < len(pattern):
                parts.append(re.escape(pattern[i]))
                i += 1
            case _:
                parts.append(re.escape(c))
    try:
        return re.compile("".join(parts)) if depth == 0 else None
    except re.error:
        return None


_PATH: Final = re.compile(r"/[A-Za-z0-9_./-]*\Z")
_CONTEXT: Final = re.compile(r"=([^:\s]+):([^:\s]+):([^:\s]+)(?::\S*)?\Z")


@dataclass(frozen=True, slots=True)
class Context:
    """The label of one path; ``None`` for each part when there is no such path."""

    user: str | None
    role: str | None
    type: str | None


class ContextProbe(_LineProbe):
    """The SELinux label of a path."""

    name = "context"

    def command(self, request: Request) -> str:
        return f"stat -c %C {request.subject}"

    def items(self, requests: Sequence[Request]) -> tuple[Item, ...]:
        for request in requests:
            if not _PATH.match(request.subject):
                raise ValueError(f"not a path that can be asked for: {request.subject!r}")
        steps = "\n".join(f"g {quote(r.subject)}" for r in requests)
        body = (
            "[ -e /sys/fs/selinux/enforce ] || { echo 'SELinux is off' >&2; exit 1; }\n"
            'g() { d=$1; while [ -n "$d" ] && [ ! -d "$d" ]; do d=${d%/*}; done\n'
            '[ -x "${d:-/}" ] || { echo "$1 denied"; return; }\n'
            'if [ ! -e "$1" ]; then echo "$1 absent"\n'
            'else printf "%s =" "$1"; stat -L -c %C "$1" || echo; fi; }\n' + steps
        )
        return (Item(self.name, body, "stat", self.seconds, self.max_bytes),)

    def read(self, fact: Fact) -> Context | CouldNot:
        if fact.could_not is not None:
            return fact.could_not
        text = fact.output.decode("utf-8", "replace").strip()
        if text == "absent":
            return Context(None, None, None)
        if text == "denied":
            return CouldNot(Reason.DENIED, f"{fact.request.subject} may not be seen.")
        match = _CONTEXT.fullmatch(text)
        if match is None:
            return CouldNot(Reason.UNPARSABLE, f"No label of {fact.request.subject}.")
        return Context(match[1], match[2], match[3])


class DeviceLabelsProbe(TableProbe):
    """Device files whose SELinux label is that of no device in particular."""

    name = "device_labels"
    command = "find /dev -context …"
    body = r"""
[ -e /sys/fs/selinux/enforce ] || { echo 'SELinux is off' >&2; exit 1; }
[ -r /dev ] && [ -x /dev ] || { echo '/dev: Permission denied' >&2; exit 1; }
o=$(find /dev -xdev ! -path '/dev/pts/*' ! -path '/dev/fd/*' \( -type c -o -type b \) \
  -exec stat -c '%C|%n' {} +) || exit 1
printf '%s\n' "$o" | grep -E '^(\?|[^:|]*:[^:|]*:(device_t|unlabeled_t)[:|])|^[^:]*$' | sort
echo '#end'
"""

    def parse(self, text: str) -> Mapping[str, str] | CouldNot:
        """Return the label of each such device file by its path."""
        rows = text.split("\n")
        if rows[-2:] != ["#end", ""]:
            return CouldNot(Reason.UNPARSABLE, "The list of device files is cut short.")
        found: dict[str, str] = {}
        for row in rows[:-2]:
            label, bar, path = row.partition("|")
            if not bar or not path.startswith("/"):
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {row[:80]!r}.")
            found[path] = label
        return found


@dataclass(frozen=True, slots=True)
class Booleans:
    """The booleans of the SELinux policy, by name: on or off.

    ``persisted`` are those of the policy store, which the next boot loads; ``local`` those that
    were set there with `setsebool -P`. ``persisted`` is ``None`` where nothing told it.
    """

    running: Mapping[str, bool]
    local: Mapping[str, bool]
    persisted: Mapping[str, bool] | None


class BooleansProbe(TableProbe):
    """The booleans of the SELinux policy, in the kernel and in the policy store.

    /sys/fs/selinux/booleans/NAME holds the value and the pending one. What was set for good stands
    in booleans.local of the store; all values of the store are known to semanage(8) alone.
    """

    name = "selinux_booleans"
    command = "getsebool -a; semanage boolean -l -n"
    seconds = 30
    body = r"""
d=/sys/fs/selinux/booleans
[ -e /sys/fs/selinux/enforce ] || { echo 'SELinux is off' >&2; exit 1; }
[ -r $d ] && [ -x $d ] || { echo "$d: Permission denied" >&2; exit 1; }
grep -H '' $d/* | sed "s,^$d/\([^:]*\):\([01]\) .*,running \1 \2,"
t=$(sed -n 's/^[[:space:]]*SELINUXTYPE[[:space:]]*=[[:space:]]*\([A-Za-z0-9_-]*\).*/\1/p' \
  /etc/selinux/config | tail -n1)
s=/var/lib/selinux/${t:-targeted}/active
[ -x "$s" ] || { echo "$s: Permission denied" >&2; exit 1; }
if [ -e "$s/booleans.local" ]; then
  l=$(cat "$s/booleans.local") || exit 1
  printf '%s\n' "$l" | sed -n 's/^\([A-Za-z0-9_]*\)=\([01]\)$/local \1 \2/p'
fi
if command -v semanage >/dev/null 2>&1; then
  p=$(semanage boolean -l -n) || exit 1
  printf '%s\n' "$p" |
    sed -nE 's/^([A-Za-z0-9_]+) +\((on|off) *, *(on|off)\).*/store \1 \3/p'
  echo store
fi
echo '#end'
"""

    def parse(self, text: str) -> Booleans | CouldNot:
        rows = text.split("\n")
        if rows[-2:] != ["#end", ""]:
            return CouldNot(Reason.UNPARSABLE, "The list of booleans is cut short.")
        tables: dict[str, dict[str, bool]] = {"running": {}, "local": {}, "store": {}}
        for row in rows[:-2]:
            if row == "store":
                continue
            match = _BOOLEAN.fullmatch(row)
            if match is None:
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {row[:80]!r}.")
            tables[match[1]][match[2]] = match[3] in ("1", "on")
        told = "store" in rows and bool(tables["store"])
        return Booleans(tables["running"], tables["local"], tables["store"] if told else None)


_BOOLEAN: Final = re.compile(r"(running|local|store) ([A-Za-z0-9_]+) (0|1|on|off)")
