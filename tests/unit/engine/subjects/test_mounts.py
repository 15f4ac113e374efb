"""Mount points: which options count, of which table, and on what a file system lies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Request
from openwatch.engine.probes.devices import Block, Blocks
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.base import Value
from openwatch.engine.subjects.mounts import MountsSubject, MountSubject, effective_options, kind_of

TABLE = "/ / rw - ext4 /dev/vda1 rw\n"
UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
         "/usr/lib/systemd/system")  # fmt: skip


def content(subject: str, files: Mapping[str, str]) -> Fact:
    block = "".join(
        f"={path}\n" + "".join(f" {line}\n" for line in text.splitlines()) + "\n"
        for path, text in sorted(files.items())
    )
    return Fact(
        Request("content", subject), f"cat {subject}", f"@ok {subject}\n{block}.\n".encode()
    )


def snapshot(target: str, files: Mapping[str, str], blocks: str = "") -> Snapshot:
    subject = MountSubject(target=target)
    facts = [
        Fact(Request("mounts"), "cat /proc/self/mountinfo", TABLE.encode()),
        Fact(Request("blocks"), "lsblk", f"{blocks}#end\n".encode()),
    ]
    for request in subject.requests():
        if request.probe == "content":
            folder = request.subject.removesuffix("/*.conf")
            own = {p: t for p, t in files.items() if p == folder or p.startswith(f"{folder}/")}
            facts.append(content(request.subject, own))
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def configured(target: str, files: Mapping[str, str]) -> Value:
    (record,) = MountSubject(target=target).select(snapshot(target, files)).records
    return record.values["configured_options"]


def unit(options: str) -> str:
    return f"[Unit]\nOptions=wrong\n[Mount]\nWhat=tmpfs\nOptions={options}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("defaults", {"defaults"}),
        ("nodev,dev", {"dev"}),
        ("dev,nodev", {"nodev"}),
        ("user", {"user", "noexec", "nosuid", "nodev"}),
        ("user,exec", {"user", "exec", "nosuid", "nodev"}),
        ("exec,user", {"user", "noexec", "nosuid", "nodev"}),
        ("group,suid", {"group", "suid", "nodev"}),
        ("rw,,nodev", {"rw", "nodev"}),
    ],
)
def test_of_two_options_that_exclude_each_other_the_later_counts(
    text: str, expected: set[str]
) -> None:
    assert effective_options(text) == expected


@given(st.lists(st.sampled_from(["dev", "nodev", "user", "users", "owner", "defaults", "rw"])))
def test_an_option_and_its_opposite_never_stand_together(words: list[str]) -> None:
    assert not {"dev", "nodev"} <= effective_options(",".join(words))


@given(st.text(max_size=80))
def test_no_list_of_options_breaks_the_reader(text: str) -> None:
    assert "" not in effective_options(text)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"/etc/fstab": "tmpfs /tmp tmpfs nodev 0 0\n"}, {"nodev"}),
        ({"/etc/fstab": "tmpfs /tmp/ tmpfs nodev 0 0\n"}, {"nodev"}),
        ({"/etc/fstab": "a /tmp tmpfs nodev 0 0\nb /tmp tmpfs rw 0 0\n"}, {"nodev"}),
        ({"/etc/fstab": "tmpfs /tmp tmpfs\n"}, {"defaults"}),
        ({"/usr/lib/systemd/system/tmp.mount": unit("nosuid")}, {"nosuid"}),
        ({"/etc/fstab": "t /tmp tmpfs nodev 0 0\n",
          "/usr/lib/systemd/system/tmp.mount": unit("nosuid")}, {"nodev"}),
        ({"/etc/fstab": "t /tmp tmpfs nodev 0 0\n",
          "/etc/systemd/system/tmp.mount": unit("nosuid")}, {"nosuid"}),
        ({"/etc/fstab": "t /tmp tmpfs nodev 0 0\n",
          "/etc/systemd/system/tmp.mount.d/x.conf": "[Mount]\nOptions=rw\n"}, {"rw"}),
        ({"/etc/fstab": "t /tmp tmpfs nodev 0 0\n",
          "/etc/systemd/system/tmp.mount.d/x.conf": "[Unit]\nOptions=rw\n"}, {"nodev"}),
        # A link to /dev/null masks the unit: nothing is mounted, with whatever options.
        ({"/etc/fstab": "t /tmp tmpfs nodev 0 0\n", "/etc/systemd/system/tmp.mount": ""}, set()),
        # A drop-in of nothing mounts nothing.
        ({"/etc/systemd/system/tmp.mount.d/x.conf": "[Mount]\nOptions=nodev\n"}, None),
    ],
)  # fmt: skip
def test_the_next_boot_mounts_as_systemd_ranks_its_sources(
    files: dict[str, str], expected: set[str] | None
) -> None:
    assert configured("/tmp", files) == expected


def test_a_unit_whose_name_needs_escapes_is_not_looked_for() -> None:
    for target in ("/srv/a-b", "/srv/a b", "/.hidden"):
        subject = MountSubject(target=target)
        assert {r.subject for r in subject.requests()} == {"", "/etc/fstab"}
        assert isinstance(configured(target, {}), CouldNot)
    assert configured("/srv/a-b", {"/etc/fstab": "x /srv/a-b ext4 nodev 0 0\n"}) == {"nodev"}
    assert MountSubject(target="/var/tmp").requests()[2].subject.endswith("/var-tmp.mount")


def test_the_root_has_its_line() -> None:
    assert configured("/", {"/etc/fstab": "x / ext4 ro 0 0\n"}) == {"ro"}


BLOCKS = (
    "block|sda|0||||\nblock|sda1|0|||sda|\nblock|dm-0|0|CRYPT-LUKS2-x-c|c||sda1\n"
    "block|dm-1|0|LVM-y|vg--a-root||dm-0\nblock|dm-2|0|LVM-z|vg--a-data||dm-0 sda\n"
    "block|sdb|1||||\nblock|sdb1|0|||sdb|\nlink|uuid/1|dm-1\nlink|label/my\\x20disk|sdb1\n"
)


@pytest.mark.parametrize(
    ("source", "encrypted", "removable"),
    [
        ("/dev/mapper/vg--a-root", True, False),
        ("/dev/vg-a/root", True, False),
        ("/dev/dm-1", True, False),
        ("UUID=1", True, False),
        ('UUID="1"', True, False),
        ("/dev/disk/by-uuid/1", True, False),
        ("/dev/vg-a/data", False, False),
        ("/dev/sda1", False, False),
        ("LABEL=my disk", False, True),
        ("/dev/sdb1", False, True),
    ],
)
def test_a_device_is_followed_down_to_its_disks(
    source: str, encrypted: bool, removable: bool
) -> None:
    taken = snapshot("/x", {"/etc/fstab": ""}, BLOCKS)
    blocks = taken.read(Request("blocks"))
    device = blocks.find(source)
    assert (blocks.encrypted(device), blocks.removable(device)) == (encrypted, removable)


def test_devices_that_lie_on_each_other_end_somewhere() -> None:
    one = Block("a", removable=False, dm_uuid="", dm_name="", parent="", slaves=("b",))
    other = Block("b", removable=False, dm_uuid="", dm_name="", parent="", slaves=("a",))
    blocks = Blocks({"a": one, "b": other}, {}, ())
    assert not blocks.encrypted(one)
    assert not blocks.removable(one)


def test_a_device_that_is_not_there_is_no_answer() -> None:
    taken = snapshot("/x", {"/etc/fstab": "UUID=2 /x ext4 rw 0 0\n"}, BLOCKS)
    records = MountsSubject().select(taken).records
    (record,) = (r for r in records if r.values["target"] == "/x")
    assert isinstance(record.values["encrypted"], CouldNot)
    assert isinstance(record.values["removable"], CouldNot)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("ext4", "local"), ("btrfs", "local"), ("fuseblk", "local"), ("nfs4", "remote"),
        ("fuse.sshfs", "remote"), ("tmpfs", "memory"), ("squashfs", "image"), ("proc", "pseudo"),
        ("overlay", "stacked"),
    ],
)  # fmt: skip
def test_whose_a_file_system_is(type_: str, kind: str) -> None:
    assert kind_of(type_) == kind


def test_what_has_no_device_is_on_no_disk() -> None:
    table = "nfsd /proc/fs/nfsd nfsd rw 0 0\nUUID=1 /x ext4 rw 0 0\ntank /t zfs rw 0 0\n"
    records = MountsSubject().select(snapshot("/x", {"/etc/fstab": table}, BLOCKS)).records
    kinds = {r.values["target"]: r.values["kind"] for r in records}
    assert kinds == {"/": "local", "/proc/fs/nfsd": "pseudo", "/x": "local", "/t": "local"}
