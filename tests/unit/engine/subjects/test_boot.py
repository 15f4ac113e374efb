"""Kernel arguments of every boot entry, and the password of the boot loader."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.base import Value
from openwatch.engine.subjects.boot import BootLoaderSubject, KernelSubject

GRUB = "/boot/grub/grub.cfg"
GRUB2 = "/boot/grub2/grub.cfg"
BLS = "/boot/loader/entries/1.conf"
DEFAULT = "/etc/default/grub"
KINDS = {
    GRUB: "grub", GRUB2: "grub", BLS: "bls", DEFAULT: "default", "/boot/grub2/grubenv": "env",
    "/etc/default/grub.d/x.cfg": "default", "/etc/kernel/cmdline": "cmdline",
    "/boot/efi/EFI/Linux/a.efi": "image", "/boot/efi/EFI/redhat/grub.cfg": "grub",
    "/boot/grub2/user.cfg": "user", "/boot/efi/EFI/redhat/user.cfg": "user",
    "/etc/grub.d/40_custom": "script", "/boot/grub/custom.cfg": "grub",
}  # fmt: skip


def snapshot(files: Mapping[str, str], *, efi: bool = False, running: str = "ro") -> Snapshot:
    lines = ["#efi"] if efi else []
    for path, text in files.items():
        lines.append(f"={KINDS[path]} {path}")
        lines += [f" {n}:{line}" for n, line in enumerate(text.splitlines(), start=1)]
    boot = "".join(f"{line}\n" for line in (*lines, "#end"))
    kernel = f"host\n6.1\nx86_64\n\n0\n{running}\n"
    facts = [
        Fact(Request("kernel"), "uname", kernel.encode()),
        Fact(Request("boot"), "grep", boot.encode()),
    ]
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def values(files: Mapping[str, str], name: str = "audit", running: str = "ro") -> list[Value]:
    selection = KernelSubject(name=name).select(snapshot(files, running=running))
    return [record.values["value"] for record in selection.records]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({BLS: "options root=/x audit=1"}, [None, "1"]),
        ({BLS: "title a\noptions root=/x audit=1 audit=0"}, [None, "0"]),
        ({BLS: "options $kernelopts", "/boot/grub2/grubenv": "kernelopts=root=/x audit=1"},
         [None, "1"]),
        ({BLS: "options $kernelopts $tuned_params"}, [None, None]),
        ({GRUB2: 'set kernelopts="root=/x audit=1"', BLS: "options ${kernelopts}"}, [None, "1"]),
        ({GRUB2: 'set kernelopts="audit=0"', BLS: "options $kernelopts",
          "/boot/grub2/grubenv": "kernelopts=audit=1"}, [None, "1"]),
        ({GRUB: "linux /v root=/x audit=1\nlinux16 /memtest\n  linuxefi /v root=/x",
          DEFAULT: 'GRUB_CMDLINE_LINUX="audit=1"'}, [None, "1", None, "1"]),
        # What new entries get is nothing where nobody says so.
        ({GRUB: "linux /v root=/x audit=1"}, [None, "1", None]),
        ({BLS: "options audit=1", "/etc/kernel/cmdline": "audit=1"}, [None, "1", "1"]),
        ({BLS: "options auditd=1 xaudit=1 audit"}, [None, "present"]),
    ],
)  # fmt: skip
def test_the_value_of_each_entry(files: dict[str, str], expected: list[Value]) -> None:
    assert values(files) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('GRUB_CMDLINE_LINUX="audit=1"', "1"),
        ("GRUB_CMDLINE_LINUX='audit=1'", "1"),
        ("GRUB_CMDLINE_LINUX=audit=1", "1"),
        ('GRUB_CMDLINE_LINUX="quiet audit=1" # audit=0', "1"),
        ('GRUB_CMDLINE_LINUX_DEFAULT="audit=1"', "1"),
        ('GRUB_CMDLINE_LINUX="audit=1"\nGRUB_CMDLINE_LINUX=""', None),
        ('GRUB_CMDLINE_LINUX="audit=1"\nGRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX x"', "1"),
        ('GRUB_CMDLINE_LINUX="audit=1"\nGRUB_CMDLINE_LINUX="${GRUB_CMDLINE_LINUX} x"', "1"),
        ('GRUB_CMDLINE_LINUX="audit=1"\nexport GRUB_CMDLINE_LINUX+=" audit=0"', "0"),
        ('GRUB_CMDLINE_LINUX="audit=1"\nGRUB_CMDLINE_LINUX_DEFAULT="audit=0"', "0"),
        ('#GRUB_CMDLINE_LINUX="audit=1"', None),
        ("", None),
    ],
)
def test_what_new_entries_are_made_of(text: str, expected: str | None) -> None:
    assert values({BLS: "options audit=1", DEFAULT: text})[-1] == expected


@pytest.mark.parametrize("text", ['"$(x)"', '"`x`"', '"$OTHER"', '"audit=1'])
def test_what_only_a_shell_can_tell_is_no_answer(text: str) -> None:
    value = values({BLS: "options audit=1", DEFAULT: f"GRUB_CMDLINE_LINUX={text}"})[-1]
    assert isinstance(value, CouldNot)


def test_a_host_without_a_known_entry_is_no_answer() -> None:
    assert isinstance(values({})[1], CouldNot)
    assert isinstance(values({"/boot/efi/EFI/Linux/a.efi": ""})[1], CouldNot)


def test_a_closed_directory_is_no_answer() -> None:
    taken = snapshot({})
    fact = Fact(Request("boot"), "grep", b"!/boot/grub\n#end\n")
    closed = make_snapshot([taken.facts["kernel"], fact], taken_at=taken.taken_at, privilege="none")
    value = KernelSubject(name="audit").select(closed).records[1].values["value"]
    assert isinstance(value, CouldNot)
    assert value.reason is Reason.DENIED


SETS = 'set superusers="boss"\n'
FROM_USER_FILE = SETS + "password_pbkdf2 boss ${GRUB2_PASSWORD}\n"
HASHED = SETS + "password_pbkdf2 boss grub.pbkdf2.sha512.<redacted>\n"
USER_FILE = "GRUB2_PASSWORD grub.pbkdf2.<redacted>"


@pytest.mark.parametrize(
    ("files", "efi", "password", "kept"),
    [
        ({GRUB2: FROM_USER_FILE, "/boot/grub2/user.cfg": USER_FILE}, False, True, True),
        ({GRUB2: FROM_USER_FILE}, False, False, False),
        ({GRUB2: FROM_USER_FILE, "/boot/grub2/user.cfg": "GRUB2_PASSWORD=<redacted>"},
         False, False, False),
        ({GRUB: HASHED}, False, True, False),
        ({GRUB: HASHED, "/etc/grub.d/40_custom": HASHED}, False, True, True),
        ({GRUB: HASHED, "/etc/grub.d/40_custom": HASHED.replace("pw", "#pw").replace(
            "password", "# password")}, False, True, False),
        ({GRUB: "x", "/boot/grub/custom.cfg": HASHED}, False, True, True),
        ({GRUB: SETS + "password boss <redacted>"}, False, False, False),
        ({GRUB: HASHED.replace("boss grub", "other grub")}, False, False, False),
        ({GRUB: 'set superusers=""\npassword_pbkdf2 boss grub.pbkdf2.x'}, False, False, False),
        ({GRUB2: FROM_USER_FILE, "/boot/grub2/user.cfg": USER_FILE,
          "/boot/efi/EFI/redhat/grub.cfg": FROM_USER_FILE}, True, False, False),
        ({GRUB2: FROM_USER_FILE, "/boot/grub2/user.cfg": USER_FILE,
          "/boot/efi/EFI/redhat/grub.cfg": "configfile $prefix/grub.cfg"}, True, True, True),
        ({GRUB2: FROM_USER_FILE, "/boot/grub2/user.cfg": USER_FILE,
          "/boot/efi/EFI/redhat/grub.cfg": FROM_USER_FILE}, False, True, True),
    ],
)  # fmt: skip
def test_who_may_change_the_menu(
    files: dict[str, str], efi: bool, password: bool, kept: bool
) -> None:
    (record,) = BootLoaderSubject().select(snapshot(files, efi=efi)).records
    assert (record.values["password"], record.values["kept"]) == (password, kept)


@given(st.lists(st.sampled_from(sorted(KINDS)), unique=True), st.lists(st.text(max_size=60)))
def test_no_file_of_the_boot_loader_breaks_the_reader(paths: list[str], lines: list[str]) -> None:
    text = "\n".join(line.replace("\n", " ") for line in lines)
    taken = snapshot(dict.fromkeys(paths, text))
    for record in KernelSubject(name="audit").select(taken).records:
        assert record.values["at"] in ("running", "entry", "default")
    for record in BootLoaderSubject().select(taken).records:
        assert record.values["password"] is not True or "superusers" in text
