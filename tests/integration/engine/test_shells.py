"""The collector program on real shells: dash, bash and busybox ash, on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from openwatch.engine.collector import collect, grouped, program
from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import FrameReader, ItemResult
from openwatch.engine.probes import PROBES, Item
from openwatch.engine.transport import Stream, connect_local

NONCE = "a" * 32
SHELLS = {"dash": ["dash"], "bash": ["bash"], "bash-posix": ["bash", "--posix"],
          "busybox": ["busybox", "ash"]}  # fmt: skip

REQUESTS = (
    Request("os_release"),
    Request("kernel"),
    Request("capabilities"),
    Request("stat", "/etc/passwd"),
    Request("stat", "/nowhere/at/all"),
    Request("content", "/etc/os-release"),
    Request("sysctl", "kernel.ostype"),
    Request("sysctl", "kernel.no_such_key"),
    Request("mounts"),
    Request("passwd"),
    Request("group"),
    Request("packages"),
    Request("dconf"),
    Request("updates"),
)


def shell(name: str) -> list[str]:
    words = SHELLS[name]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not on this machine")
    return words


def run(argv: Sequence[str], data: bytes, **options: object) -> FrameReader:
    done = subprocess.run(argv, input=data, capture_output=True, timeout=120, **options)  # type: ignore[call-overload]
    reader = FrameReader(NONCE)
    reader.receive(Stream.OUT, done.stdout)
    reader.receive(Stream.ERR, done.stderr)
    return reader


def collector(requests: Sequence[Request]) -> bytes:
    groups = grouped(requests)
    return program([i for n, asked in groups.items() for i in PROBES[n].items(asked)], NONCE)


def facts(requests: Sequence[Request], reader: FrameReader) -> dict[str, Fact]:
    groups = grouped(requests)
    found = (f for n, asked in groups.items() for f in PROBES[n].facts(asked, reader.results))
    return {fact.id: fact for fact in found}


MOVING = {"mounts", "sockets", "sweep", "interfaces"}
"""Facts that what else goes on here may change from one moment to the next."""


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("name", SHELLS)
def test_every_shell_gives_the_same_facts(name: str, tmp_path: Path) -> None:
    before = facts(REQUESTS, run(["sh"], collector(REQUESTS), cwd=tmp_path))
    reader = run(shell(name), collector(REQUESTS), cwd=tmp_path)
    assert reader.done
    again = facts(REQUESTS, reader)
    after = facts(REQUESTS, run(["sh"], collector(REQUESTS), cwd=tmp_path))
    # Other tests mount, listen and write on this machine meanwhile.
    moved = {i for i, fact in before.items() if fact != after[i]}
    assert {request.probe for request in map(Request.from_id, moved)} <= MOVING
    assert {i: f for i, f in again.items() if i not in moved} == {
        i: f for i, f in before.items() if i not in moved
    }
    assert list(tmp_path.iterdir()) == []
    for request in REQUESTS:
        if request.probe != "packages":
            assert not isinstance(PROBES[request.probe].read(again[request.id]), CouldNot)


@pytest.mark.ac("engine-03")
def test_a_host_with_nothing_but_busybox_is_measured(tmp_path: Path) -> None:
    """All tools are busybox applets: no coreutils, no timeout(1) of GNU, no find -printf."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not on this machine")
    if os.geteuid() != 0:
        pytest.skip("chroot needs root")
    root = tmp_path / "root"
    for folder in ("bin", "etc", "proc", "dev", "open"):
        (root / folder).mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    applets = subprocess.check_output([busybox, "--list"], text=True).split()
    for applet in applets:
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    if (
        "not a dynamic executable"
        not in subprocess.run(["ldd", busybox], capture_output=True, text=True, check=False).stderr
    ):
        libraries = subprocess.check_output(["ldd", busybox], text=True).split()
        for library in (word for word in libraries if word.startswith("/")):
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    (root / "etc/os-release").write_text("ID=alpine\nVERSION_ID=3.20\n")
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "open/w").write_text("x")
    (root / "open/w").chmod(0o666)
    (root / "etc/a.conf").write_text("no newline at the end")
    (root / "dev/null").write_text("")
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    requests = (
        Request("os_release"), Request("stat", "/open/w"), Request("content", "/etc/*.conf"),
        Request("passwd"), Request("sysctl", "kernel.ostype"),
    )  # fmt: skip
    try:
        reader = run(["chroot", str(root), "/bin/sh"], collector(requests))
    finally:
        subprocess.run(["umount", root / "proc"], check=True)
    assert reader.done
    found = facts(requests, reader)
    (stat,) = PROBES["stat"].read(found["stat:/open/w"])
    assert (stat.mode, stat.type) == (0o666, "regular file")
    (content,) = PROBES["content"].read(found["content:/etc/*.conf"])
    assert content.text == "no newline at the end"
    assert PROBES["sysctl"].read(found["sysctl:kernel.ostype"]) == "Linux"
    assert PROBES["os_release"].read(found["os_release"]).id == "alpine"


@pytest.mark.ac("engine-02")
@pytest.mark.parametrize("name", SHELLS)
def test_a_program_cut_short_runs_nothing(name: str, tmp_path: Path) -> None:
    item = Item("touch", f"touch {tmp_path}/ran", "touch", 5, 1000)
    whole = program([item], NONCE)
    words = shell(name)
    step = max(1, len(whole) // 15)
    ends = {*range(0, len(whole) - 12, step), whole.rindex(b"}") - 1, whole.rindex(b"mark done")}
    for end in sorted(ends):
        reader = run(words, whole[:end])
        assert not reader.begun
        assert not (tmp_path / "ran").exists(), f"ran after {end} of {len(whole)} bytes"
    assert run(words, whole).done
    assert (tmp_path / "ran").exists()


@pytest.mark.ac("engine-04")
@pytest.mark.parametrize("without_timeout", [False, True])
def test_limits_cost_one_item_and_no_other(tmp_path: Path, *, without_timeout: bool) -> None:
    items = [
        Item("slow", "echo begun; sleep 8", "sleep", 1, 1000),
        Item("endless", "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyy; done", "yes", 5, 5000),
        Item("reads", "cat", "cat", 5, 1000),
        Item("leaves", "exit 7", "exit", 5, 1000),
        Item("kills", "kill -9 $$", "kill", 5, 1000),
        Item("fine", "echo fine", "echo", 5, 1000),
    ]
    text = program(items, NONCE)
    if without_timeout:
        text = text.replace(b"timeout --version", b"false")
        text = text.replace(b"timeout -k 1 5 true", b"false").replace(b"timeout 5 true", b"false")
    reader = run(["sh"], text, cwd=tmp_path)
    assert reader.done
    status = {name: result.exit_status for name, result in reader.results.items()}
    assert status["slow"] in (124, 137)
    assert len(reader.results["endless"].output) == 5000
    assert status["leaves"] == 7
    assert (status["reads"], reader.results["reads"].output) == (0, b"")
    assert (status["fine"], reader.results["fine"].output) == (0, b"fine\n")


@pytest.mark.ac("engine-03")
def test_nothing_runs_on_after_the_collection(tmp_path: Path) -> None:
    run(["sh"], program([Item("s", "sleep 4711", "sleep", 1, 100)], NONCE), cwd=tmp_path)
    listed = subprocess.run(["pgrep", "-f", "sleep 4711"], capture_output=True, check=False)
    assert listed.stdout == b""


@pytest.mark.ac("engine-06")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to look with the eyes of another user")
def test_closed_directories_are_not_called_empty(tmp_path: Path) -> None:
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == 0 and folder != Path("/") and "pytest" in str(folder):
            folder.chmod(0o755)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "a.conf").write_text("x = 1\n")
    unreadable = tmp_path / "unreadable.conf"
    unreadable.write_text("x = 1\n")
    unreadable.chmod(0o600)
    requests = (
        Request("stat", f"{closed}/a.conf"),
        Request("stat", f"{closed}/missing"),
        Request("content", f"{closed}/*.conf"),
        Request("content", f"{unreadable}"),
        Request("stat", f"{unreadable}"),
        Request("content", f"{tmp_path}/gone/*.conf"),
        Request("content", f"{tmp_path}/*/a.conf"),
    )
    reader = run(["sh"], collector(requests), user=65534, group=65534, extra_groups=[], cwd="/")
    found = facts(requests, reader)
    values = [PROBES[r.probe].read(found[r.id]) for r in requests]
    reasons = [v.reason if isinstance(v, CouldNot) else None for v in values]
    assert reasons[:3] == [Reason.DENIED] * 3
    assert values[3][0].could_not.reason is Reason.DENIED
    assert values[4][0].mode == 0o600
    assert values[5] == ()
    assert reasons[6] is Reason.DENIED
    root = facts(requests, run(["sh"], collector(requests)))
    assert PROBES["content"].read(root[requests[2].id])[0].text == "x = 1"
    assert PROBES["stat"].read(root[requests[1].id]) == ()


@pytest.mark.ac("engine-05")
def test_the_walk_finds_what_is_planted(tmp_path: Path) -> None:
    names = ["plain", "with blank", "new\nline", "back\\slash", "ünïcode"]
    for name in names:
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o666)
    (tmp_path / "fine").write_text("x")
    probe = PROBES["sweep"]
    (item,) = probe.items([Request("sweep")])
    # The real program, with the folder in place of the machine's file systems.
    body = item.body.replace('w "$@" -xdev', f"w '{tmp_path}' -xdev").replace(
        "for d in $l;", "for d in;"
    )
    narrowed = Item(item.id, body, item.command, item.seconds, item.max_bytes)
    assert narrowed.body != item.body
    for argv in (["dash"], ["bash"]):
        reader = run(argv, program([narrowed], NONCE))
        (fact,) = probe.facts([Request("sweep")], reader.results)
        found = {f.path.removeprefix(f"{tmp_path}/") for f in probe.read(fact) if f.mode & 2}
        assert found == {"plain", "with blank", "new\\nline", "back\\\\slash", "ünïcode"}


MOUNTS = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:5 / /proc rw - proc proc rw
23 21 0:6 / /sys/fs/x rw - tmpfs tmpfs rw
24 21 8:2 / /mnt/with\040blank\134 rw - xfs /dev/sdb1 rw
25 21 0:7 / /mnt/nas rw shared:2 master:3 - nfs4 nas:/x rw
26 21 0:8 / /usr ro - overlay sysext rw
27 21 0:9 / /var/lib/docker/overlay2/1/merged rw - overlay overlay rw
28 21 8:3 / /data rw - ext4 /dev/sdc1 rw
29 28 0:10 / /data rw - nfs4 nas:/data rw
30 21 7:1 / /snap/core rw - squashfs /dev/loop1 ro
""".lstrip()


@pytest.mark.ac("engine-05")
@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize(
    ("mounts", "walked"),
    [
        (MOUNTS.replace("nfs4", "proc"), ["/", "/mnt/with blank\\", "/usr"]),
        # The root of a host without a disk is its own all the same.
        ("1 1 0:1 / / rw - nfs nas:/root rw\n", ["/"]),
    ],
)
def test_the_walk_goes_where_the_host_keeps_its_own_files(
    name: str, mounts: str, walked: list[str], tmp_path: Path
) -> None:
    assert starts(name, mounts, tmp_path) == walked


def starts(name: str, mounts: str, tmp_path: Path) -> list[str]:
    """Return where the walk begins on a host with these mounts."""
    table = tmp_path / "mountinfo"
    table.write_text(mounts)
    (item,) = PROBES["sweep"].items([Request("sweep")])
    head, found, _ = item.body.partition('e="( -type')
    assert found
    body = head.replace("/proc/self/mountinfo", str(table)) + "printf '%s\\n' $l \"$@\"\n"
    done = subprocess.run([*shell(name), "-c", body], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line[:1] == "/"]


@pytest.mark.ac("engine-05")
@pytest.mark.parametrize("name", SHELLS)
def test_the_walk_goes_around_what_a_dead_server_may_serve(name: str, tmp_path: Path) -> None:
    """To look at such a mount point, even from outside, hangs until the server is back."""
    disk = tmp_path / "disk"
    for path in ("a/nas/deep", "a/.hidden", "b"):
        (disk / path).mkdir(parents=True)
    (disk / "a/file").write_text("x")
    (disk / "link").symlink_to(disk / "a/nas")
    line = "21 1 8:1 / {} rw - {} x rw\n"
    mounts = line.format(disk, "ext4") + line.format(disk / "a/nas", "nfs4")
    walked = starts(name, mounts, tmp_path)
    assert walked == [
        f"{disk}{part}" for part in ("", "/a", "/a/file", "/a/.hidden", "/b", "/link")
    ]
    stacked = mounts + line.format(disk / "a/nas", "ext4")
    assert starts(name, stacked, tmp_path) == [str(disk), f"{disk}/a/nas"]


@pytest.mark.ac("engine-05")
def test_a_name_with_a_line_break_beside_a_server_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "disk/nas").mkdir(parents=True)
    (tmp_path / "disk/new\nline").mkdir()
    line = "21 1 8:1 / {} rw - {} x rw\n"
    mounts = line.format(tmp_path / "disk", "ext4") + line.format(tmp_path / "disk/nas", "nfs")
    (tmp_path / "mountinfo").write_text(mounts)
    (item,) = PROBES["sweep"].items([Request("sweep")])
    body = item.body.replace("/proc/self/mountinfo", str(tmp_path / "mountinfo"))
    reader = run(["sh"], program([Item("sweep", body, "find", 9, 9999)], NONCE))
    (fact,) = PROBES["sweep"].facts([Request("sweep")], reader.results)
    assert isinstance(PROBES["sweep"].read(fact), CouldNot)


@pytest.mark.ac("engine-05")
@pytest.mark.parametrize("name", ["dash", "bash", "busybox"])
def test_only_deviations_of_the_system_directories_travel(name: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    usr = tmp_path / "usr"
    for folder in ("lib/x", "bin", "share"):
        (usr / folder).mkdir(parents=True)
    for file, mode, uid, gid in (
        ("lib/fine.so", 0o644, 0, 0), ("lib/x/group.so", 0o664, 0, 0), ("lib/own.so", 0o644, 1, 0),
        ("bin/setgid", 0o755, 0, 2), ("share/owner", 0o644, 1, 1),
    ):  # fmt: skip
        (usr / file).write_text("x")
        os.chown(usr / file, uid, gid)
        (usr / file).chmod(mode)
    for folder in (usr, *usr.rglob("*/")):
        folder.chmod(0o755)
    (item,) = PROBES["sweep"].items([Request("sweep")])
    body = item.body.replace("for d in /lib /lib64 /usr", f"for d in {usr}/lib {usr}/bin /usr")
    body = body.replace("for d in $l;", "for d in;").replace('w "$@" -xdev', f"w '{usr}' -xdev")
    assert body.count(str(usr)) == 3
    reader = run(shell(name), program([Item("sweep", body, "find", 60, 99999)], NONCE))
    (fact,) = PROBES["sweep"].facts([Request("sweep")], reader.results)
    found = {f.path.removeprefix(f"{usr}/") for f in PROBES["sweep"].read(fact)}
    assert found == {"lib/x/group.so", "lib/own.so", "bin/setgid"}


BOOT = {
    "grub.cfg": (
        'set superusers="boss"\n'
        "password_pbkdf2 boss grub.pbkdf2.sha512.10000.ABCD.EF01\n"
        "password guest mellon\n"
        "menuentry 'x' {\n\tlinux /vmlinuz root=/dev/vda1 ro audit=1\n}\n"
    ),
    "user.cfg": "GRUB2_PASSWORD=grub.pbkdf2.sha512.10000.ABCD.EF01\n",
}


@pytest.mark.ac("engine-06")
@pytest.mark.parametrize("name", SHELLS)
def test_no_password_of_the_boot_loader_leaves_the_host(name: str, tmp_path: Path) -> None:
    for file, text in BOOT.items():
        (tmp_path / file).write_text(text)
    (item,) = PROBES["boot"].items([Request("boot")])
    body = item.body.replace("/boot/grub2/", f"{tmp_path}/")
    done = subprocess.run([*shell(name), "-c", body], capture_output=True, check=True)
    assert b"ABCD" not in done.stdout
    assert b"EF01" not in done.stdout
    assert b"mellon" not in done.stdout
    result = ItemResult(done.stdout, done.stderr, done.returncode)
    (fact,) = PROBES["boot"].facts([Request("boot")], {"boot": result})
    value = PROBES["boot"].read(fact)
    mine = [line for line in value.lines if line.path.startswith(str(tmp_path))]
    assert [(line.kind, line.number) for line in mine] == [
        ("grub", 1), ("grub", 2), ("grub", 3), ("grub", 4), ("grub", 5), ("user", 1),
    ]  # fmt: skip
    assert mine[-1].text == "GRUB2_PASSWORD grub.pbkdf2.<redacted>"


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("name", SHELLS)
def test_links_and_devices_are_the_same_in_every_shell(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.config").symlink_to("/usr/share/x.txt")
    (tmp_path / "b.config").write_text("x")
    requests = [
        Request("link", f"{tmp_path}/*.config"), Request("link", f"{tmp_path}/none"),
        Request("link", "/nowhere/at/all"), Request("blocks"), Request("processor"),
    ]  # fmt: skip
    found = facts(requests, run(shell(name), collector(requests)))
    reference = facts(requests, run(["sh"], collector(requests)))
    assert {i: f.hash for i, f in found.items()} == {i: f.hash for i, f in reference.items()}
    links = PROBES["link"].read(found[requests[0].id])
    assert [(link.path.rpartition("/")[2], link.target) for link in links] == [
        ("a.config", "/usr/share/x.txt"), ("b.config", None),
    ]  # fmt: skip
    assert PROBES["link"].read(found[requests[1].id]) == ()
    assert PROBES["link"].read(found[requests[2].id]) == ()
    assert not isinstance(PROBES["blocks"].read(found["blocks"]), CouldNot)
    assert not isinstance(PROBES["processor"].read(found["processor"]), CouldNot)


@pytest.mark.ac("engine-05")
def test_a_walk_without_a_file_system_is_no_walk(tmp_path: Path) -> None:
    (item,) = PROBES["sweep"].items([Request("sweep")])
    body = item.body.replace("/proc/self/mountinfo", "/dev/null")
    reader = run(["sh"], program([Item("sweep", body, "find", 9, 9999)], NONCE), cwd=tmp_path)
    (fact,) = PROBES["sweep"].facts([Request("sweep")], reader.results)
    assert isinstance(PROBES["sweep"].read(fact), CouldNot)


@pytest.mark.ac("engine-05")
def test_a_name_with_a_line_break_forges_nothing(tmp_path: Path) -> None:
    forged = "a\n.\n@ok /etc/passwd\n=600|0|0|root|root|regular file|/etc/passwd\n.conf"
    folder = tmp_path
    for part in forged.split("/")[:-1]:
        folder = folder / part
        folder.mkdir(exist_ok=True)
    (tmp_path / "x\ny.conf").write_text("x\n")
    requests = (
        Request("stat", "/etc/passwd"),
        Request("stat", f"{tmp_path}/*.conf"),
        Request("content", f"{tmp_path}/*.conf"),
        Request("stat", f"{tmp_path}/*/passwd*/*"),
    )
    found = facts(requests, run(["sh"], collector(requests)))
    (passwd,) = PROBES["stat"].read(found["stat:/etc/passwd"])
    assert passwd.mode == 0o644
    stat = PROBES["stat"].read(found[requests[1].id])
    assert stat.reason is Reason.UNPARSABLE
    (content,) = PROBES["content"].read(found[requests[2].id])
    assert content.could_not is not None
    assert content.could_not.reason is Reason.UNPARSABLE


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize("name", SHELLS)
def test_a_link_to_nothing_is_an_empty_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "50-a.conf").symlink_to("/dev/null")
    (tmp_path / "60-b.conf").symlink_to("/nowhere/at/all")
    request = Request("content", f"{tmp_path}/*.conf")
    found = facts([request], run(shell(name), collector([request])))
    (file,) = PROBES["content"].read(found[request.id])
    assert (file.path, file.text, file.could_not) == (f"{tmp_path}/50-a.conf", "", None)


@pytest.mark.ac("engine-06")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to look with the eyes of another user")
def test_a_link_into_a_closed_directory_is_not_a_link_to_nowhere(tmp_path: Path) -> None:
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == 0 and folder != Path("/") and "pytest" in str(folder):
            folder.chmod(0o755)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "real").write_text("x\n")
    (tmp_path / "a.conf").symlink_to(closed / "real")
    requests = (Request("stat", f"{tmp_path}/a.conf"), Request("content", f"{tmp_path}/a.conf"))
    reader = run(["sh"], collector(requests), user=65534, group=65534, extra_groups=[], cwd="/")
    found = facts(requests, reader)
    assert PROBES["stat"].read(found[requests[0].id]).reason is Reason.DENIED
    (file,) = PROBES["content"].read(found[requests[1].id])
    assert file.could_not is not None
    assert file.could_not.reason is Reason.DENIED


POLICY = "CRYPTO_POLICY='-oCiphers=aes256-ctr -oMACs=hmac-sha2-256'\n"


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize(
    ("files", "options"),
    [
        ({}, "-T"),
        ({"default": 'SSHD_OPTS="-o PermitRootLogin=yes -E /x -D"\n'}, "-T -o PermitRootLogin=yes"),
        ({"sysconfig": "# a\nOPTIONS=-u0 -p 2222\n"}, "-T -p 2222"),
        ({"policy": POLICY}, "-T -oCiphers=aes256-ctr -oMACs=hmac-sha2-256"),
        ({"policy": POLICY, "sysconfig": "CRYPTO_POLICY=\n"}, "-T"),
        ({"policy": "Ciphers aes256-ctr\n", "sysconfig": "CRYPTO_POLICY=-oCiphers=x\n"}, "-T"),
        ({"default": "SSHD_OPTS='-f /etc/ssh/other'\n"}, None),
    ],
)
def test_the_server_is_asked_with_the_options_that_it_is_started_with(
    name: str, files: dict[str, str], options: str | None, tmp_path: Path
) -> None:
    (item,) = PROBES["sshd"].items([Request("sshd")])
    body = item.body
    for key, path in (
        ("default", "/etc/default/ssh"),
        ("sysconfig", "/etc/sysconfig/sshd"),
        ("policy", "/etc/crypto-policies/back-ends/opensshserver.config"),
    ):
        assert path in body
        body = body.replace(path, str(tmp_path / key))
        if key in files:
            (tmp_path / key).write_text(files[key])
    (tmp_path / "sshd").write_text('#!/bin/sh\necho "permitrootlogin no"; echo "asked $*"\n')
    (tmp_path / "sshd").chmod(0o755)
    done = subprocess.run(
        [*shell(name), "-c", body],
        capture_output=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
    )
    result = ItemResult(done.stdout, done.stderr, done.returncode)
    (fact,) = PROBES["sshd"].facts([Request("sshd")], {"sshd": result})
    value = PROBES["sshd"].read(fact)
    if options is None:
        assert value.reason is Reason.TOOL_FAILED
    else:
        assert value["asked"] == (options,)


@pytest.mark.ac("engine-13")
async def test_an_unchanged_host_gives_unchanged_facts() -> None:
    transport = connect_local()
    try:
        requests = [r for r in REQUESTS if r.probe != "capabilities"]
        first = await collect(transport, requests, privileged=False)
        second = await collect(transport, requests, privileged=False)
    finally:
        await transport.aclose()
    assert [fact.hash for fact in first] == [fact.hash for fact in second]
