"""Whole scans: real Debian hosts over SSH, and simulated ones with everything that can go wrong."""

from __future__ import annotations

import pytest

from lab.session import LabSession
from lab.sim import Fault
from openwatch.engine.assess import Outcome, Reason, Verdict
from openwatch.engine.rules import load_corpus
from openwatch.engine.scan import Progress, ScanReport, scan
from openwatch.engine.transport import (
    AcceptNew,
    Deadlines,
    KnownHostsFile,
    Login,
    PrivilegeMode,
    Target,
    connect_ssh,
    read_identity,
)
from openwatch.kit.errors import OpenWatchError

QUICK = Deadlines(connect=3, handshake=5, command=60, keepalive_interval=1, keepalive_count=2)
# The rules that look at no more than a few files: what is tested here is the way to the host.
SMALL = ("single-root-account", "shadow-file-permissions", "aslr-enabled")


def by_rule(report: ScanReport) -> dict[str, Outcome]:
    return {outcome.rule_id: outcome for outcome in report.outcomes}


async def scan_lab(
    lab: LabSession, host: str, user: str, password: str | None = None
) -> ScanReport:
    target = Target(
        lab.hosts[host].address,
        login=Login(
            user,
            private_key=read_identity(lab.key_path).private_key,
            password=password,
        ),
    )
    transport = await connect_ssh(target, host_keys=AcceptNew())
    try:
        return await scan(transport, corpus=load_corpus())
    finally:
        await transport.aclose()


@pytest.mark.ac("engine-11", "engine-13")
async def test_a_real_host_in_three_round_trips_and_the_same_twice(lab: LabSession) -> None:
    for user, password, mode in (
        ("root", None, PrivilegeMode.ROOT),
        ("scan", None, PrivilegeMode.SUDO),
        ("scanpw", lab.password, PrivilegeMode.SUDO_PASSWORD),
    ):
        report = await scan_lab(lab, "bookworm", user, password)
        assert report.traffic.round_trips <= 3
        assert report.snapshot.privilege == mode.value
        assert report.snapshot.identity.hostname == lab.hosts["bookworm"].name
        errors = [o for o in report.outcomes if o.reason in (Reason.DENIED, Reason.UNPARSABLE)]
        assert errors == []
    again = await scan_lab(lab, "bookworm", "scan")
    other = await scan_lab(lab, "bookworm", "scan")
    changed = {
        fact_id
        for fact_id, fact in again.snapshot.facts.items()
        if fact.hash != other.snapshot.facts[fact_id].hash
    }
    assert changed == set()
    assert again.outcomes == other.outcomes


@pytest.mark.ac("engine-12")
@pytest.mark.parametrize("user", ["nosudo", "reqtty"])
async def test_a_host_without_privilege_is_scanned_as_far_as_it_goes(
    lab: LabSession, user: str
) -> None:
    report = await scan_lab(lab, "bookworm", user)
    assert report.snapshot.privilege == "none"
    assert report.snapshot.privilege_problem
    outcomes = by_rule(report)
    assert outcomes["single-root-account"].verdict is Verdict.PASS
    for rule in ("ssh-root-login-disabled", "no-world-writable-files"):
        assert outcomes[rule].verdict is Verdict.ERROR
        assert outcomes[rule].reason is Reason.DENIED
        assert "sudo" in outcomes[rule].message
    root = by_rule(await scan_lab(lab, "bookworm", "root"))
    for rule, outcome in outcomes.items():
        # What can be seen without root may not be seen differently.
        if outcome.verdict in (Verdict.PASS, Verdict.FAIL):
            assert outcome.verdict is root[rule].verdict, rule


@pytest.mark.ac("engine-12")
async def test_a_closed_file_of_modprobe_leaves_its_modules_unknown(lab: LabSession) -> None:
    host = lab.hosts["bookworm"]
    closed = "/etc/modprobe.d/closed.conf"
    host.exec(
        f"printf 'install cramfs /bin/false\\nblacklist cramfs\\n' >{closed}; chmod 600 {closed}"
    )
    try:
        seen = by_rule(await scan_lab(lab, "bookworm", "scan"))["cramfs-module-disabled"]
        unseen = by_rule(await scan_lab(lab, "bookworm", "nosudo"))["cramfs-module-disabled"]
    finally:
        host.exec(f"rm -f {closed}")
    assert seen.verdict is Verdict.PASS
    assert (unseen.verdict, unseen.reason) == (Verdict.ERROR, Reason.DENIED)


@pytest.mark.ac("engine-04", "engine-12")
async def test_planted_misconfigurations_are_found_with_their_place(lab: LabSession) -> None:
    host = lab.hosts["trixie"]
    host.exec(
        "chmod 0644 /etc/shadow; useradd -o -u 0 -g 0 -M toor;"
        "printf 'PermitRootLogin yes\\n' >/etc/ssh/sshd_config.d/00-planted.conf;"
        "touch /usr/local/bin/everybody; chmod 0777 /usr/local/bin/everybody"
    )
    try:
        outcomes = by_rule(await scan_lab(lab, "trixie", "scan"))
    finally:
        host.exec(
            "chmod 0640 /etc/shadow; userdel -f toor; rm -f /usr/local/bin/everybody"
            " /etc/ssh/sshd_config.d/00-planted.conf"
        )
    for rule, shown in (
        ("shadow-file-permissions", "0644"),
        ("single-root-account", "toor"),
        ("ssh-root-login-disabled", "/etc/ssh/sshd_config.d/00-planted.conf:1"),
        ("no-world-writable-files", "/usr/local/bin/everybody"),
    ):
        assert outcomes[rule].verdict is Verdict.FAIL
        assert shown in outcomes[rule].message
    mended = by_rule(await scan_lab(lab, "trixie", "scan"))
    for rule in ("shadow-file-permissions", "single-root-account", "no-world-writable-files"):
        assert mended[rule].verdict is Verdict.PASS


@pytest.mark.ac("engine-15")
async def test_a_full_host_without_interpreters_is_measured_and_not_written_to(
    lab: LabSession,
) -> None:
    host = lab.hosts["bookworm"]
    usual = by_rule(await scan_lab(lab, "bookworm", "scan"))
    host.exec(
        "for d in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o size=16k tmpfs $d;"
        " head -c 1M /dev/zero >$d/full 2>/dev/null; done;"
        "for p in /usr/bin/perl /usr/bin/python3; do"
        " [ -e $p ] && mount --bind /dev/null $p; done; true"
    )
    host.exec("touch /run/before; sleep 0.1")
    try:
        full = by_rule(await scan_lab(lab, "bookworm", "scan"))
        written = host.exec(
            "find / -xdev -newer /run/before -type f ! -path '/var/log/*' ! -path '/run/*'"
            " ! -path '/proc/*' ! -path '/var/lib/systemd/*'"
        ).stdout.split()
    finally:
        host.exec(
            "umount /usr/bin/perl /usr/bin/python3 2>/dev/null;"
            "umount /tmp /var/tmp /dev/shm; rm /run/before"
        )
    assert written == []
    touched = {"/tmp", "/var/tmp", "/dev/shm"}
    for rule, outcome in usual.items():
        looked_at = {o.subject for o in outcome.observations}
        if not looked_at & touched and "sweep" not in outcome.facts:
            assert full[rule].verdict is outcome.verdict, rule


@pytest.mark.ac("engine-10")
@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        (Fault.DROP(2000), {"host.lost"}),
        (Fault.GARBAGE(), {"host.no_shell", "host.not_understood"}),
        (Fault.FLOOD(200 * 1024 * 1024), {"host.output_limit", "host.no_shell"}),
        (Fault.NO_SHELL(), {"host.no_shell", "host.not_understood"}),
        (Fault.WRONG_KEY(), {"host.key_changed"}),
        (Fault.AUTH_REFUSED(), {"auth.rejected"}),
        (Fault.NOT_SSH(), {"host.not_ssh"}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, set) else "",
)
async def test_a_broken_host_is_one_clear_error(sim_hosts, fault, codes: set[str]) -> None:  # type: ignore[no-untyped-def]
    async with sim_hosts(1, recording="local", faults={0: fault}) as fleet:
        target = Target(
            fleet.addresses[0], port=fleet.port, login=Login("root", private_key=fleet.user_key)
        )
        with pytest.raises(OpenWatchError) as caught:
            transport = await connect_ssh(
                target,
                host_keys=KnownHostsFile(fleet.known_hosts, accept_new=False),
                deadlines=QUICK,
            )
            try:
                await scan(transport, corpus=load_corpus().only(SMALL))
            finally:
                await transport.aclose()
    assert caught.value.code in codes
    assert caught.value.fix


@pytest.mark.ac("engine-01")
async def test_a_talkative_host_is_scanned_and_progress_is_told(sim_hosts) -> None:  # type: ignore[no-untyped-def]
    steps: list[Progress] = []
    async with sim_hosts(1, recording="local", faults={0: Fault.MOTD()}) as fleet:
        target = Target(
            fleet.addresses[0], port=fleet.port, login=Login("root", private_key=fleet.user_key)
        )
        transport = await connect_ssh(target, host_keys=AcceptNew(), deadlines=QUICK)
        try:
            report = await scan(
                transport, corpus=load_corpus().only(SMALL), on_progress=steps.append
            )
        finally:
            await transport.aclose()
    assert len(report.outcomes) == len(SMALL)
    assert [step.stage for step in steps][:2] == ["detect", "detect"]
    collected = [step.done for step in steps if step.stage == "collect"]
    assert collected == sorted(collected)
    assert collected[-1] == next(s.total for s in steps if s.stage == "collect")
