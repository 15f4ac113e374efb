"""What probes read from the answers that real tools give."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes import PROBES
from openwatch.engine.probes.kernel import sysctl_path
from openwatch.engine.snapshot import make_snapshot
from openwatch.engine.subjects.system import CapabilitySubject


def read(name: str, subject: str, output: bytes, *, errors: bytes = b"", status: int = 0) -> Any:
    probe = PROBES[name]
    request = Request(name, subject)
    (item,) = probe.items([request])
    (fact,) = probe.facts([request], {item.id: ItemResult(output, errors, status)})
    return probe.read(fact)


def test_os_release() -> None:
    value = read("os_release", "", b'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos"\n'
                 b'VERSION_ID="9.4"\nPRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"\n')  # fmt: skip
    assert (value.id, value.id_like, value.version_id) == ("rocky", ("rhel", "centos"), "9.4")
    assert value.name == "Rocky Linux 9.4 (Blue Onyx)"


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
    ],
)
def test_sysctl_names_are_paths(key: str, path: str) -> None:
    assert sysctl_path(key) == path


def test_sysctl_tells_absent_denied_and_values_apart() -> None:
    key = "net.ipv4.ip_local_port_range"
    assert read("sysctl", key, f"{key} =32768\t60999\n".encode()) == "32768 60999"
    assert read("sysctl", key, f"{key} absent\n".encode()) is None
    assert read("sysctl", key, f"{key} denied\n".encode()).reason is Reason.DENIED
    assert read("sysctl", key, b"other.key =1\n").reason is Reason.UNPARSABLE


def test_packages_of_both_families() -> None:
    dpkg = b"#dpkg\nopenssh-server|1:9.2p1-2|amd64|installed\ntelnetd|0.17|amd64|config-files\n"
    packages = read("packages", "", dpkg)
    assert packages["openssh-server"].installed
    assert not packages["telnetd"].installed
    rpm = b"#rpm\nzlib|0:1.2-3|x86_64|installed\nbash|0:5.1.8-9.el9|x86_64|installed\n"
    assert read("packages", "", rpm)["bash"].version == "0:5.1.8-9.el9"
    assert isinstance(read("packages", "", b"#rpm\n"), CouldNot)


def test_units_are_matched_by_name_and_never_by_luck() -> None:
    probe = PROBES["unit"]
    requests = [Request("unit", "a.service"), Request("unit", "b.service")]
    (item,) = probe.items(requests)
    block = b"Id=%s\nNames=%s\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
    both = block % (b"a.service", b"a.service") + b"\n" + block % (b"b.service", b"b.service")
    facts = list(probe.facts(requests, {item.id: ItemResult(both, b"", 0)}))
    assert [probe.read(fact).name for fact in facts] == ["a.service", "b.service"]
    swapped = block % (b"b.service", b"b.service") + b"\n" + block % (b"a.service", b"a.service")
    for fact in probe.facts(requests, {item.id: ItemResult(swapped, b"", 0)}):
        assert probe.read(fact).reason is Reason.UNPARSABLE
    one = block % (b"a.service", b"a.service")
    for fact in probe.facts(requests, {item.id: ItemResult(one, b"", 0)}):
        assert probe.read(fact).reason is Reason.UNPARSABLE


@pytest.mark.ac("engine-13")
def test_the_aliases_of_a_unit_have_no_order() -> None:
    request = Request("unit", "ctrl-alt-del.target")
    block = b"Id=reboot.target\nNames=%s\nLoadState=loaded\nActiveState=inactive\n"
    names = (b"reboot.target runlevel6.target ctrl-alt-del.target",
             b"ctrl-alt-del.target reboot.target runlevel6.target")  # fmt: skip
    facts = [
        fact
        for order in names
        for fact in PROBES["unit"].facts([request], {"unit": ItemResult(block % order, b"", 0)})
    ]
    assert facts[0].hash == facts[1].hash
    assert PROBES["unit"].read(facts[0]).name == "ctrl-alt-del.target"


def test_mounts_take_the_last_of_a_stack_and_unescape() -> None:
    output = (
        b"21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        b"30 21 0:30 / /tmp rw,nosuid - tmpfs tmpfs rw\n"
        b"31 30 0:31 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=1g\n"
        b"32 21 8:2 / /mnt/a\\040b rw - ext4 /dev/sdb1 rw\n"
    )
    mounts = read("mounts", "", output)
    assert {"nodev", "noexec", "nosuid"} <= mounts["/tmp"].options
    assert "/mnt/a b" in mounts


@pytest.mark.ac("engine-13")
def test_mounts_are_the_same_after_the_next_boot() -> None:
    boots = (
        b"21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        b"30 21 0:30 / /tmp rw,nosuid shared:3 - tmpfs tmpfs rw\n"
        b"31 30 0:31 / /tmp rw,noexec shared:4 - tmpfs tmpfs rw\n"
        b"32 21 0:32 / /proc/bin rw shared:9 - autofs systemd-1 rw,fd=29,pgrp=1,pipe_ino=1586\n",
        b"99 1 9:9 / / rw,relatime shared:7 - ext4 /dev/sda1 rw\n"
        b"11 99 0:41 / /proc/bin rw shared:2 - autofs systemd-1 rw,fd=31,pgrp=1,pipe_ino=2021\n"
        b"77 99 0:44 / /tmp rw,nosuid shared:5 - tmpfs tmpfs rw\n"
        b"78 77 0:45 / /tmp rw,noexec shared:6 - tmpfs tmpfs rw\n"
        b"90 99 0:50 / /run/user/1000 rw shared:88 - tmpfs tmpfs rw,size=1k\n",
    )
    request = Request("mounts")
    facts = [
        fact
        for output in boots
        for fact in PROBES["mounts"].facts([request], {"mounts": ItemResult(output, b"", 0)})
    ]
    assert facts[0].hash == facts[1].hash
    assert "noexec" in PROBES["mounts"].read(facts[1])["/tmp"].options


@pytest.mark.parametrize(
    ("field", "state", "algorithm"),
    [
        ("", "empty", ""),
        ("!", "none", ""),
        ("*", "none", ""),
        ("!!", "none", ""),
        ("!$6$abc$def", "locked", "6"),
        ("$y$j9T$abc$def", "set", "y"),
        ("abJnggxhB/yWI", "set", "des"),
    ],
)
def test_password_states(field: str, state: str, algorithm: str) -> None:
    (entry,) = read("shadow", "", f"anna:{field}:19000:0:99999:7:::\n".encode())
    assert (entry.password, entry.algorithm) == (state, algorithm)


def test_sockets_are_read_from_the_kernel_tables() -> None:
    output = (
        b"#tcp\n0100007F:0019 0A 0\n00000000:0016 0A 0\n#tcp6\n"
        b"00000000000000000000000001000000:0277 0A 7\n#udp\n00000000:0044 07 101\n#udp6\n#end\n"
    )
    sockets = read("sockets", "", output)
    assert [(s.protocol, s.address, s.port, s.loopback) for s in sockets] == [
        ("tcp", "0.0.0.0", 22, False),
        ("tcp", "127.0.0.1", 25, True),
        ("tcp", "::1", 631, True),
        ("udp", "0.0.0.0", 68, False),
    ]


def test_sockets_of_a_big_endian_kernel_and_mapped_addresses() -> None:
    sockets = read("sockets", "", b"#big\n#tcp\n7F000001:0019 0A 0\n#end\n")
    assert [(s.address, s.loopback) for s in sockets] == [("127.0.0.1", True)]
    mapped = b"#tcp\n#tcp6\n0000000000000000FFFF00000100007F:0019 0A 0\n#end\n"
    assert [s.loopback for s in read("sockets", "", mapped)] == [True]


SWEEP = b"#uids 0 33\n#gids 0 33\n#files\n"


def test_the_walk_tells_owners_and_hostile_names() -> None:
    output = SWEEP + b"f|777|0|0|/a\nf|777|0|0|/b\0d|1777|0|0|/tmp\0f|644|1234|0|/lost\0"
    found = read("sweep", "", output)
    assert [f.path for f in found] == ["/tmp", "/lost", "/a\\nf|777|0|0|/b"]
    assert [f.known_owner for f in found] == [True, False, True]


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (b"find: '/proc/1/x': No such file or directory\n", None),
        (b"find: '/run/user/1000/doc': Permission denied\n", None),
        (b"find: '/root/x': Permission denied\n", Reason.DENIED),
        (b"find: '/x: No such file or directory/y': Input/output error\n", Reason.TOOL_FAILED),
    ],
)
def test_a_walk_that_could_not_go_everywhere_is_not_complete(
    errors: bytes, reason: Reason | None
) -> None:
    value = read("sweep", "", SWEEP, errors=errors, status=1 if b"find" in errors else 0)
    assert (value.reason if isinstance(value, CouldNot) else None) is reason


def test_owners_in_a_directory_service_are_not_called_unknown() -> None:
    output = b"#directory\n" + SWEEP + b"f|644|1234|0|/home/x\0"
    (stranger,) = read("sweep", "", output)
    assert (stranger.known_owner, stranger.known_group) == (None, True)


@pytest.mark.ac("engine-13")
def test_the_walk_is_the_same_after_a_service_was_started_again() -> None:
    request = Request("sweep")
    facts = [
        fact
        for boot, unit in ((b"0" * 32, b"abcDEF"), (b"f" * 32, b"123xyz"))
        for fact in PROBES["sweep"].facts(
            [request],
            {"sweep": ItemResult(
                SWEEP + b"d|1777|0|0|/tmp/systemd-private-" + boot + b"-a-b.service-" + unit
                + b"/tmp\0", b"", 0)},
        )
    ]  # fmt: skip
    assert facts[0].hash == facts[1].hash
    (found,) = PROBES["sweep"].read(facts[0])
    assert found.path == "/tmp/systemd-private-a-b.service/tmp"


@pytest.mark.ac("engine-05")
@pytest.mark.parametrize("name", ["passwd", "shadow", "group", "mounts"])
def test_only_a_newline_ends_a_line(name: str) -> None:
    lines = {
        "passwd": "anna:x:1000:1000:A\u2028B\x0cC\x85D:/home/anna:/bin/sh\n",
        "shadow": "anna\u2028:!:1:0:9:7:::\n",
        "group": "anna\x0b:x:1000:\n",
        "mounts": "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n22 21 0:9 / /a\x0c\r rw - tmpfs t rw\n",
    }
    assert not isinstance(read(name, "", lines[name].encode()), CouldNot)


@pytest.mark.ac("engine-05")
def test_bytes_that_are_not_utf_8_are_shown_as_such() -> None:
    (found,) = read("sweep", "", SWEEP + b"f|666|0|0|/tmp/a\xff\0")
    assert found.path == "/tmp/a\\xff"


@pytest.mark.ac("engine-05")
def test_a_page_break_in_a_comment_does_not_begin_a_setting() -> None:
    block = "@ok /etc/x\n=/etc/x\n # a\x0cPermitRootLogin no\n b\n\n.\n"
    (file,) = read("content", "/etc/x", block.encode())
    assert list(file.lines()) == [(1, "# a\x0cPermitRootLogin no"), (2, "b")]


@pytest.mark.ac("engine-05")
def test_a_damaged_rpm_database_is_not_a_list_of_packages() -> None:
    output = b"#rpm\nbash|0:5.1|x86_64|installed\n"
    errors = b"error: rpmdbNextIterator: skipping h#      12 blob size(812): BAD\n"
    value = read("packages", "", output, errors=errors)
    assert value.reason is Reason.TOOL_FAILED
    assert "rpmdbNextIterator" in value.detail
    assert "bash" in read("packages", "", output, errors=b"warning: old key\n")


@pytest.mark.parametrize("subject", ["getty@.service", "sshd", "a b.service", "x.service;id"])
def test_what_is_no_unit_is_never_asked_for(subject: str) -> None:
    with pytest.raises(ValueError, match="not a unit name"):
        PROBES["unit"].items([Request("unit", subject)])


def test_the_first_install_command_is_the_one_that_kmod_runs() -> None:
    output = b"cramfs install /sbin/modprobe -i cramfs\ncramfs install /bin/true\ncramfs end\n"
    assert read("module", "cramfs", output).install == "/sbin/modprobe -i cramfs"


def test_a_host_without_a_machine_id_or_command_line_is_known_by_the_rest() -> None:
    known = read("kernel", "", b"web1\n6.1.0\nx86_64\n\n1000\nquiet\n")
    assert (known.hostname, known.machine_id, known.uid) == ("web1", "", 1000)
    assert known.boot_command_line == "quiet"
    assert read("kernel", "", b"web1\n6.1.0\nx86_64\nid\n0\n\n").boot_command_line == ""
    assert read("kernel", "", b"web1\n6.1.0\nx86_64\nid\n0\n").boot_command_line is None


@pytest.mark.ac("engine-06")
@pytest.mark.parametrize(
    ("subject", "block", "result"),
    [
        ("/etc/x", b"@ok /etc/x\n.\n", ()),
        ("/etc/x", b"@denied /etc/x\n.\n", Reason.DENIED),
        ("/etc/x.d/*.conf", b"@ok /etc/x.d/*.conf\n.\n", ()),
        ("/etc/x.d/*.conf", b"@denied /etc/x.d/*.conf\n.\n", Reason.DENIED),
        ("/home/*/.netrc", b"@partial /home/*/.netrc\n.\n", Reason.DENIED),
        ("/etc/x", b"@ok /etc/x\n", Reason.INCOMPLETE),
        ("/etc/x", b"@ok /etc/y\n.\n", Reason.INCOMPLETE),
    ],
)
@pytest.mark.parametrize("name", ["stat", "content"])
def test_absent_and_closed_are_told_apart(
    name: str, subject: str, block: bytes, result: tuple[()] | Reason
) -> None:
    value = read(name, subject, block)
    assert (value.reason if isinstance(value, CouldNot) else value) == result


def test_content_cannot_end_its_own_frame() -> None:
    block = b"@ok /etc/x\n=/etc/x\n .\n =/etc/shadow\n @ok /etc/y\n\n.\n"
    (file,) = read("content", "/etc/x", block)
    assert file.path == "/etc/x"
    assert file.text == ".\n=/etc/shadow\n@ok /etc/y"


def test_facts_know_their_request_again() -> None:
    fact = Fact(Request("content", "/etc/a:b"), "cat", b"\xff\x00")
    assert Fact.from_document(fact.document()) == fact


@pytest.mark.ac("engine-18")
@pytest.mark.parametrize(
    ("answer", "name", "expected"),
    [
        ("physical end", "virtual", False),
        ("virtual end", "virtual", True),
        ("end", "virtual", Reason.INCOMPLETE),
        ("virtual physical end", "virtual", Reason.INCOMPLETE),
        ("?container physical end", "container", Reason.INCOMPLETE),
        ("container physical end", "container", True),
        ("physical end", "container", False),
        ("?desktop physical end", "desktop", Reason.INCOMPLETE),
        ("?desktop desktop physical end", "desktop", True),
        ("?usb physical end", "usb", Reason.INCOMPLETE),
        ("physical", "container", Reason.UNPARSABLE),
    ],
)
def test_the_role_of_a_host_has_three_values(
    answer: str, name: str, expected: bool | Reason
) -> None:
    fact = Fact(Request("capabilities"), "command -v …", answer.replace(" ", "\n").encode())
    snapshot = make_snapshot([fact], taken_at=datetime.now(UTC), privilege="root")
    subject = CapabilitySubject.model_validate({"name": name})
    value = subject.select(snapshot).records[0].values["present"]
    assert (value.reason if isinstance(value, CouldNot) else value) == expected
