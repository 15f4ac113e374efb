"""Starting, stopping and touching real hosts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import host as hosts
from lab.control import Lab, Want, sweep_orphans
from lab.errors import HostFailedError, LabError
from lab.host import MINI, SYSTEMD
from lab.machine import mounts_below, processes_naming
from lab.place import CHECKOUT, Place
from lab.session import LabSession
from tests.lab.ssh import ssh

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own_lab(lab: LabSession) -> Iterator[Lab]:
    """A lab beside that of the session, for tests that take it down."""
    own = Lab(Place.of(f"tests-own-{os.getpid()}"))
    try:
        yield own
    finally:
        own.down()


def leftovers(place: Place) -> list[str]:
    links = [path.name for path in Path("/sys/class/net").glob(f"{place.prefix}*")]
    namespaces = [path.name for path in Path("/run/netns").glob(f"{place.prefix}*")]
    mounts = [str(path) for path in mounts_below(place.directory)]
    processes = processes_naming(place.directory, ("systemd-nspawn", "unshare", "ip", "sh"))
    groups = list(Path("/sys/fs/cgroup").glob(f"*/{place.control_group}"))
    return [*links, *namespaces, *mounts, *map(str, (*processes, *groups)), *_directory(place)]


def _directory(place: Place) -> list[str]:
    return [str(place.directory)] if place.directory.exists() else []


@pytest.mark.ac("lab-01")
@pytest.mark.parametrize("init", [SYSTEMD, MINI])
def test_a_host_comes_up_with_the_init_that_was_asked_for(own_lab: Lab, init: str) -> None:
    [record] = own_lab.up([Want("one", "bookworm")], init=init)
    first = hosts.enter(record, "cat /proc/1/comm").stdout.strip()
    assert first == {"systemd": "systemd", "mini": "lab-mini-init"}[init]
    if init == SYSTEMD:
        assert hosts.enter(record, "systemctl is-system-running").stdout == "running\n"


@pytest.mark.ac("lab-01")
def test_starting_what_runs_changes_nothing(own_lab: Lab) -> None:
    wanted = [Want("one", "bookworm")]
    [before] = own_lab.up(wanted, init=MINI)
    [after] = own_lab.up(wanted, init=MINI)
    assert after == before


@pytest.mark.ac("lab-01")
def test_where_systemd_does_not_boot_hosts_run_the_minimal_init(
    own_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "NSPAWN", "false")
    wanted = [Want("one", "bookworm"), Want("two", "bookworm")]
    records = own_lab.up(wanted)
    assert [record.init for record in records] == [MINI, MINI]
    assert all(hosts.is_up(record) for record in records)
    own_lab.down()
    with pytest.raises(HostFailedError, match="Host one ended while starting"):
        own_lab.up(wanted, init=SYSTEMD)


@pytest.mark.ac("lab-05")
def test_a_host_that_is_off_is_started_again(own_lab: Lab) -> None:
    wanted = [Want("one", "bookworm")]
    [record] = own_lab.up(wanted, init=MINI)
    hosts.enter(record, "touch /root/kept")
    assert record.process is not None
    record.process.signal(signal.SIGKILL)
    while not hosts.stopped(record):
        time.sleep(0.02)
    [again] = own_lab.up(wanted, init=MINI)
    assert again.address == record.address
    assert hosts.enter(again, "ls /root").stdout == "kept\n"


@pytest.mark.ac("lab-05")
@pytest.mark.parametrize("init", [SYSTEMD, MINI])
def test_down_leaves_nothing(own_lab: Lab, init: str) -> None:
    own_lab.up([Want("one", "bookworm"), Want("two", "trixie", private=True)], init=init)
    assert leftovers(own_lab.place)
    own_lab.down()
    assert leftovers(own_lab.place) == []
    own_lab.down()


@pytest.mark.ac("lab-05")
def test_down_stops_only_the_hosts_that_it_names(own_lab: Lab) -> None:
    own_lab.up([Want("one", "bookworm"), Want("two", "bookworm")], init=MINI)
    own_lab.down(["one"])
    assert list(own_lab.hosts) == ["two"]
    assert hosts.is_up(own_lab.host("two"))
    [again] = own_lab.up([Want("one", "bookworm")], init=MINI)
    assert hosts.is_up(again)


@pytest.mark.ac("lab-05")
def test_down_finds_what_a_damaged_state_no_longer_names(own_lab: Lab) -> None:
    own_lab.up([Want("one", "bookworm")], init=SYSTEMD)
    own_lab.place.state.write_text("{")
    own_lab.down()
    assert leftovers(own_lab.place) == []


@pytest.mark.ac("lab-05")
def test_the_next_run_removes_what_a_killed_run_left(lab: LabSession, tmp_path: Path) -> None:
    # A home of its own: any lab of this checkout that starts meanwhile would sweep here, too.
    home = tmp_path / "home"
    home.mkdir()
    (home / "images").symlink_to(Place.of().images)
    code = (
        "import os, time; from lab.session import lab_session\n"
        "with lab_session('tests-killed') as lab:\n"
        "    print(lab.hosts['bookworm'].name, os.getpid(), flush=True); time.sleep(600)\n"
    )
    environment = {**os.environ, "OPENWATCH_LAB_DIR": str(home)}
    command = [sys.executable, "-c", code]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=environment)
    assert run.stdout is not None
    _, pid = run.stdout.readline().split()
    place = Place.of(f"tests-killed-{int(pid)}", home=home)
    assert leftovers(place)
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    assert processes_naming(place.directory, ("systemd-nspawn",)), "the host outlives the run"
    assert sweep_orphans(home=home) == (place.name,)
    assert leftovers(place) == []


@pytest.mark.ac("lab-06")
def test_two_labs_share_nothing(lab: LabSession, own_lab: Lab) -> None:
    theirs = lab.hosts["bookworm"]
    [ours] = own_lab.up([Want("bookworm", "bookworm")], init=MINI)
    assert ours.address != theirs.address
    assert ours.host_key != theirs.host_key
    own_lab.down()
    assert ssh(lab, theirs, "scan", "hostname").stdout == "bookworm\n"


@pytest.mark.ac("lab-06")
def test_places_of_other_checkouts_and_homes_have_other_names(tmp_path: Path) -> None:
    here, there = Place.of("x"), Place.of("x", home=tmp_path)
    assert here.prefix != there.prefix
    assert Place.of("y").prefix != here.prefix
    assert len(here.link(9999, private=True)) <= 15
    assert str(CHECKOUT) not in here.prefix
    with pytest.raises(LabError, match="cannot be the name of a lab"):
        Place.of("../x")


@pytest.mark.ac("lab-04")
@pytest.mark.parametrize("init", [SYSTEMD, MINI])
def test_kernel_settings_are_the_hosts_own_and_survive_a_reboot(own_lab: Lab, init: str) -> None:
    machine = Path("/proc/sys/kernel/randomize_va_space").read_text()
    own_lab.up([Want("one", "bookworm"), Want("two", "bookworm")], init=init)
    one, two = (own_lab.host(name) for name in ("one", "two"))
    hosts.enter(one, "sysctl -qw kernel.randomize_va_space=0 net.ipv4.ip_forward=1")
    read = "sysctl -n kernel.randomize_va_space net.ipv4.ip_forward"
    assert hosts.enter(one, read).stdout.split() == ["0", "1"]
    assert hosts.enter(two, read).stdout.split() == [machine.strip(), "0"]
    hosts.enter(one, "echo kernel.sysrq=176 >/etc/sysctl.d/90-mine.conf; touch /root/kept")
    own_lab.reboot("one")
    one = own_lab.host("one")
    said = hosts.enter(one, f"ls /root; sysctl -n kernel.sysrq; {read}").stdout.split()
    assert said == ["kept", "176", machine.strip(), "0"]
    assert Path("/proc/sys/kernel/randomize_va_space").read_text() == machine


@pytest.mark.ac("lab-04")
def test_services_are_the_hosts_own(lab: LabSession) -> None:
    with lab.fresh("trixie") as host:
        host.exec("systemctl disable --now cron")
        assert host.exec("systemctl is-active cron", check=False).stdout == "inactive\n"
        assert lab.hosts["trixie"].exec("systemctl is-active cron").stdout == "active\n"


@pytest.mark.ac("lab-10")
def test_a_cut_cable_is_silence_and_mends(lab: LabSession) -> None:
    with lab.fresh("bookworm") as host:
        host.cut()
        started = time.monotonic()
        assert ssh(lab, host, "scan", "true", extra=["-o", "ConnectTimeout=1"]).returncode == 255
        assert time.monotonic() - started >= 1, "packets are lost, not refused"
        host.mend()
        assert ssh(lab, host, "scan", "true").returncode == 0


@pytest.mark.ac("lab-10")
def test_a_new_host_key_is_not_the_known_one(lab: LabSession, tmp_path: Path) -> None:
    with lab.fresh("bookworm") as host:
        old = tmp_path / "known_hosts"
        old.write_text(lab.known_hosts.read_text())
        before = host.host_key
        assert host.rekey() == host.host_key != before
        assert ssh(lab, host, "scan", "true").returncode == 0
        known = ["-o", f"UserKnownHostsFile={old}"]
        refused = subprocess.run(
            ["ssh", *known, "-o", "BatchMode=yes", f"scan@{host.address}", "true"],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert refused.returncode == 255
        assert "HOST IDENTIFICATION HAS CHANGED" in refused.stderr


def test_an_unknown_host_is_named_with_those_that_there_are(own_lab: Lab) -> None:
    own_lab.up([Want("one", "bookworm")], init=MINI)
    with pytest.raises(LabError, match="no lab host 'x'") as error:
        own_lab.cut("x")
    assert error.value.fix == "There are: one."


def test_cpu_time_is_counted(lab: LabSession) -> None:
    host = lab.hosts["bookworm"]
    before = host.cpu_seconds()
    if before is None:
        pytest.skip("this machine's kernel counts no CPU time by control group")
    command = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
    assert ssh(lab, host, "scan", command).returncode == 0
    after = host.cpu_seconds()
    assert after is not None
    assert after > before + 0.05
