"""Installed packages (dpkg, rpm) and systemd units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes.base import Item, Probe, TableProbe, failure, first_line
from openwatch.engine.versions import PackageVersion, Scheme

UNIT_NAME: Final = re.compile(
    r"[A-Za-z0-9@_.:\\-]*[A-Za-z0-9_.:\\-]\.(?:service|socket|timer|target|mount|path)\Z"
)
"""A template, such as getty@.service, is no unit: systemctl would answer nothing at all."""

_UNIT_PROPERTIES: Final = (
    "Id", "Names", "LoadState", "ActiveState", "UnitFileState", "FragmentPath",
)  # fmt: skip

ENABLED_STATES: Final = frozenset({"enabled", "enabled-runtime", "alias", "generated"})
"""systemctl(1) is-enabled: the states in which something starts the unit by itself. A ``static``
unit is only pulled in by others, an ``indirect`` one by its ``Also=``."""


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package. ``status`` is the dpkg status word, ``installed`` for rpm."""

    name: str
    version: PackageVersion
    arch: str
    status: str

    @property
    def installed(self) -> bool:
        """Unpacked and half-configured packages are on the disk: only ``installed`` is whole."""
        return self.status == "installed"


@dataclass(frozen=True, slots=True)
class Unit:
    """systemctl show of one unit."""

    name: str
    load_state: str
    active_state: str
    unit_file_state: str
    fragment_path: str


_ERROR: Final = re.compile(rb"(?im)^(?:rpm: )?error: .*$")


class PackagesProbe(TableProbe):
    """All packages of the host's own package database."""

    name = "packages"
    command = "dpkg-query -W || rpm -qa"
    max_bytes = 8 * 1024 * 1024
    seconds = 30
    # Tools of the other family may be installed (rpm on Debian, dpkg on Fedora): os-release says
    # which database is the host's own.
    body = (
        'case "$(. /etc/os-release 2>/dev/null; echo " $ID $ID_LIKE ")" in\n'
        '*" debian "*|*" ubuntu "*) f=dpkg;;\n'
        '*" rhel "*|*" fedora "*|*" suse "*|*" centos "*) f=rpm;;\n'
        "*) if command -v dpkg-query >/dev/null 2>&1; then f=dpkg; else f=rpm; fi;;\n"
        "esac\n"
        'echo "#$f"\n'
        "if [ $f = dpkg ]; then\n"
        " dpkg-query -W -f '${Package}|${Version}|${Architecture}|${db:Status-Status}\\n'\n"
        "else rpm -qa --qf '%{NAME}|%{EPOCHNUM}:%{VERSION}-%{RELEASE}|%{ARCH}|installed\\n'; fi"
    )

    def facts(
        self, requests: Sequence[Request], results: Mapping[str, ItemResult]
    ) -> Iterable[Fact]:
        result = results.get(self.name)
        complaint = None if result is None else _ERROR.search(result.errors)
        for fact in TableProbe.facts(self, requests, results):
            if complaint is None or fact.could_not is not None:
                yield fact
                continue
            # rpm passes over what it cannot read in its database and exits with 0.
            problem = CouldNot(Reason.TOOL_FAILED, first_line(complaint.group()))
            yield replace(fact, could_not=problem)

    def clean(self, output: bytes) -> bytes:
        # rpm -qa has no order of its own: sorted, an unchanged host gives unchanged bytes.
        head, *lines = output.splitlines(keepends=True) or [b""]
        return head + b"".join(sorted(lines))

    def parse(self, text: str) -> Mapping[str, Package] | CouldNot:
        """Return the packages by name; of several architectures the installed one counts."""
        lines = text.splitlines()
        if len(lines) < 2 or lines[0] not in ("#dpkg", "#rpm"):
            return CouldNot(Reason.UNPARSABLE, "The package database gave no list.")
        packages: dict[str, Package] = {}
        scheme: Scheme = "dpkg" if lines[0] == "#dpkg" else "rpm"
        for line in lines[1:]:
            parts = line.split("|")
            if len(parts) != 4 or not parts[0]:
                return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
            package = Package(parts[0], PackageVersion(parts[1], scheme), parts[2], parts[3])
            name = _distinct_name(package)
            known = packages.get(name)
            if known is None or not known.installed:
                packages[name] = package
        return packages


def _distinct_name(package: Package) -> str:
    """Return the name; rpm keeps each key in a package of the same name, its id is the version."""
    if package.name != "gpg-pubkey":
        return package.name
    return f"gpg-pubkey-{package.version.rpartition(':')[2].partition('-')[0]}"


_NAMES: Final = re.compile(rb"(?m)(?<=^Names=).*$")


def _sorted_words(match: re.Match[bytes]) -> bytes:
    """systemctl lists the aliases of a unit in another order after each boot."""
    return b" ".join(sorted(match.group().split()))


_BUS: Final = (
    "busctl --timeout=5 call org.freedesktop.systemd1 /org/freedesktop/systemd1"
    " org.freedesktop.systemd1.Manager ListUnitsByNames as"
)
_MISSING: Final = b"\n#missing "


class UnitsProbe(Probe):
    """The state of named systemd units, from one ``systemctl show``.

    systemd sends all properties of a unit whichever are asked for, a millisecond of CPU each. So it
    is first asked which of the units it does not find, in one call: these are told alike, and the
    first of them stands for all. Where that cannot be asked, each is shown.
    """

    name = "unit"

    def items(self, requests: Sequence[Request]) -> tuple[Item, ...]:
        for request in requests:
            if not UNIT_NAME.match(request.subject):
                raise ValueError(f"not a unit name: {request.subject!r}")
        names = " ".join(r.subject.replace("\\", "\\\\") for r in requests)
        # busctl(1) escapes quotes inside of strings: no description can pass for an answer.
        body = (
            "command -v systemctl >/dev/null 2>&1 || exit 127\n"
            f"o=$({_BUS} {len(requests)} {names} 2>/dev/null)\n"
            f"set --; m=; for n in {names}; do\n"
            'case $o in *"\\"$n\\" \\"$n\\" \\"not-found\\" \\"inactive\\" \\"dead\\" "*)\n'
            ' m="$m $n"; [ "$m" = " $n" ] || continue;;\n'
            'esac; set -- "$@" "$n"; done\n'
            f'systemctl --no-pager show -p {",".join(_UNIT_PROPERTIES)} -- "$@" || exit\n'
            '[ -z "$m" ] || printf "\\n#missing%s\\n" "$m"'
        )
        return (Item(self.name, body, "systemctl show", 15, 1024 * 1024),)

    def facts(
        self, requests: Sequence[Request], results: Mapping[str, ItemResult]
    ) -> Iterable[Fact]:
        (item,) = self.items(requests)
        result = results.get(item.id)
        problem = failure(item, result)
        subjects = [request.subject for request in requests]
        blocks = _unit_blocks(subjects, b"" if result is None else result.output)
        if problem is None and isinstance(blocks, CouldNot):
            problem = blocks
        for request in requests:
            told = b"" if isinstance(blocks, CouldNot) else blocks[request.subject]
            yield Fact(
                request=request,
                command=f"systemctl show {request.subject}",
                output=b"" if problem else _NAMES.sub(_sorted_words, told) + b"\n",
                exit_status=None if result is None else result.exit_status,
                could_not=problem,
                seconds=0.0 if result is None else result.seconds / max(1, len(requests)),
            )

    def read(self, fact: Fact) -> Unit | CouldNot:
        if fact.could_not is not None:
            return fact.could_not
        values: dict[str, str] = {}
        for line in fact.output.decode("utf-8", "replace").splitlines():
            key, _, value = line.partition("=")
            values[key] = value
        names = values.get("Names", "").split()
        if fact.request.subject not in (values.get("Id"), *names):
            return CouldNot(Reason.UNPARSABLE, "systemctl answered about another unit.")
        if not values.get("LoadState") or not values.get("ActiveState"):
            return CouldNot(Reason.UNPARSABLE, "systemctl gave no state.")
        return Unit(
            name=fact.request.subject,
            load_state=values["LoadState"],
            active_state=values["ActiveState"],
            unit_file_state=values.get("UnitFileState", ""),
            fragment_path=values.get("FragmentPath", ""),
        )


def _unit_blocks(subjects: Sequence[str], output: bytes) -> Mapping[str, bytes] | CouldNot:
    """Return what systemctl printed of each unit: one block a unit, in the order asked for, with an
    empty line between; of the units that systemd does not find only the first is printed.
    """
    shown, _, words = output.partition(_MISSING)
    missing = words.decode("ascii", "replace").split()
    alike = missing[1:]
    asked = [subject for subject in subjects if subject not in alike]
    told = shown.strip(b"\n").split(b"\n\n") if shown.strip(b"\n") else []
    if len(told) != len(asked) or not set(missing) <= set(subjects):
        count = len(told) + len(alike)
        return CouldNot(
            Reason.UNPARSABLE, f"systemctl answered about {count} of {len(subjects)} units."
        )
    blocks = dict(zip(asked, told, strict=True))
    for subject in alike:
        first = blocks[missing[0]]
        if b"\nLoadState=not-found\n" not in first:
            return CouldNot(Reason.UNPARSABLE, f"{missing[0]} was missing and came meanwhile.")
        blocks[subject] = re.sub(
            rb"(?m)^(Id|Names)=" + re.escape(missing[0].encode()) + b"$",
            rb"\g<1>=" + subject.encode(),
            first,
        )
    return blocks
