"""The boot loader: its entries, what new entries are made of, and who may change them.

Hashes of passwords do not leave the host: they are cut out where the files are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe
from openwatch.engine.probes.redaction import redact

BOOT_FILES: Final = {
    "grub": (
        "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/efi/EFI/*/grub.cfg",
        "/boot/grub/custom.cfg", "/boot/grub2/custom.cfg", "/boot/efi/EFI/*/custom.cfg",
    ),
    "user": (
        "/boot/grub/user.cfg", "/boot/grub2/user.cfg", "/boot/efi/EFI/*/user.cfg",
    ),
    "env": ("/boot/grub/grubenv", "/boot/grub2/grubenv", "/boot/efi/EFI/*/grubenv"),
    "bls": (
        "/boot/loader/entries/*.conf", "/boot/efi/loader/entries/*.conf",
        "/efi/loader/entries/*.conf",
    ),
    "default": ("/etc/default/grub", "/etc/default/grub.d/*.cfg"),
    "cmdline": ("/etc/kernel/cmdline",),
    "script": ("/etc/grub.d/*",),
    "image": ("/boot/efi/EFI/Linux/*.efi", "/efi/EFI/Linux/*.efi"),
}  # fmt: skip
"""Which files say something about the next boot, by the language that they are written in."""

LINES: Final = {
    "grub": r"menuentry|linux|module|superusers|password|blscfg|configfile|kernelopts|tuned_params",
    "user": r"GRUB2_PASSWORD",
    "env": r"^(kernelopts|tuned_params)=",
    "bls": r"^[[:space:]]*(title|linux|options)[[:space:]]",
    "default": r"^[[:space:]]*(export[[:space:]]+)?GRUB_CMDLINE_LINUX",
    "cmdline": r".",
    "script": r"superusers|password",
    "image": r"^$.",
}
"""The lines of these files that matter, as an extended regular expression."""

_DIRECTORIES: Final = (
    "/boot /boot/grub /boot/grub2 /boot/loader /boot/loader/entries /boot/efi /boot/efi/EFI"
    " /boot/efi/EFI/* /boot/efi/loader /boot/efi/loader/entries /efi /efi/loader"
    " /efi/loader/entries /efi/EFI /efi/EFI/Linux /etc/default /etc/default/grub.d /etc/kernel"
    " /etc/grub.d"
)

_READ: Final = rf"""
nl='
'
[ ! -d /sys/firmware/efi ] || echo '#efi'
for d in {_DIRECTORIES}; do
  [ ! -d "$d" ] || {{ [ -r "$d" ] && [ -x "$d" ]; }} || echo "!$d"
done
# Each line stands behind its number; a password is cut out before it can leave the host.
b() {{
  k=$1; e=$2; shift 2
  for f do
    case $f in *"$nl"*) continue;; esac
    [ -f "$f" ] || continue
    [ "$k" != script ] || [ -x "$f" ] || continue
    if [ ! -r "$f" ]; then echo "!$f"; continue; fi
    echo "=$k $f"
    [ "$k" != image ] || continue
    o=$(grep -nE "$e" "$f"); [ $? -le 1 ] || {{ echo "!$f"; continue; }}
    [ -z "$o" ] || printf '%s\n' "$o" | sed -E \
      -e 's/(grub\.pbkdf2\.[a-zA-Z0-9]+\.)[0-9A-Fa-f.]+/\1<redacted>/g' \
      -e 's/(GRUB2_PASSWORD)=(grub\.pbkdf2\.).*/\1 \2<redacted>/' \
      -e 's/(GRUB2_PASSWORD=).*/\1<redacted>/' \
      -e 's/^([0-9]+:[[:space:]]*password[[:space:]]+[^[:space:]]+[[:space:]]+).*/\1<redacted>/' \
      -e 's/^/ /'
  done
}}
"""


@dataclass(frozen=True, slots=True)
class BootLine:
    """One line of a file that the boot loader, or the program that writes its menu, reads."""

    kind: str
    path: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Boot:
    """What the host will do at the next boot, as far as its files say."""

    efi: bool
    files: tuple[tuple[str, str], ...]
    """Kind and path of each file that there is."""
    lines: tuple[BootLine, ...]
    closed: tuple[str, ...]
    """Files and directories that could not be looked into."""


class BootProbe(TableProbe):
    """The configuration of GRUB, loader entries (the Boot Loader Specification) and defaults."""

    name = "boot"
    command = "grep … /boot/grub*/grub.cfg /boot/loader/entries/*.conf /etc/default/grub"
    body = (
        _READ
        + "\n".join(f"b {kind} '{LINES[kind]}' {' '.join(BOOT_FILES[kind])}" for kind in BOOT_FILES)
        + "\necho '#end'"
    )

    def clean(self, output: bytes) -> bytes:
        return redact(output)

    def parse(self, text: str) -> Boot | CouldNot:
        rows = text.split("\n")
        if rows[-2:] != ["#end", ""]:
            return CouldNot(Reason.UNPARSABLE, "The answer about the boot loader is cut short.")
        files: list[tuple[str, str]] = []
        lines: list[BootLine] = []
        closed: list[str] = []
        efi = False
        for row in rows[:-2]:
            mark, rest = row[:1], row[1:]
            number, colon, said = rest.partition(":")
            match mark:
                case "#" if rest == "efi":
                    efi = True
                case "!" if rest.startswith("/"):
                    closed.append(rest)
                case "=" if " /" in rest and rest.partition(" ")[0] in BOOT_FILES:
                    kind, _, path = rest.partition(" ")
                    files.append((kind, path))
                case " " if files and colon and number.isascii() and number.isdigit():
                    lines.append(BootLine(*files[-1], int(number), said))
                case _:
                    return CouldNot(Reason.UNPARSABLE, f"Unexpected line {row[:80]!r}.")
        return Boot(efi, tuple(files), tuple(lines), tuple(closed))
