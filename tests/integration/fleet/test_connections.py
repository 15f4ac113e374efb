"""Connection tests: which step failed, why, and what to do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import asyncssh
import pytest

from lab.session import LabSession
from lab.sim import Fault, SudoSays
from tests.fixtures.worker import Platform, Workers

STEPS = ["resolve", "connect", "host_key", "authenticate", "privilege"]


async def tried(platform: Platform, **request: Any) -> dict[str, Any]:
    return await platform.post("/connection-tests", request, expect=200)


def inline(fleet: Any, **more: Any) -> dict[str, Any]:
    return {"username": "scan", "private_key": fleet.user_key} | more


def statuses(test: dict[str, Any]) -> list[str]:
    assert [step["step"] for step in test["steps"]] == STEPS
    return [step["status"] for step in test["steps"]]


def failure(test: dict[str, Any]) -> dict[str, Any]:
    (failed,) = [step for step in test["steps"] if step["status"] == "failed"]
    assert failed["message"].endswith(".")
    assert failed["fix"]
    return failed


@pytest.mark.ac("fleet-15", "fleet-16", "fleet-18")
async def test_a_host_that_works(platform: Platform, sim_hosts: Any) -> None:
    async with sim_hosts(1) as fleet:
        host = fleet.hosts[0]
        before = await platform.events()
        test = await tried(platform, address=host.address, port=host.port, credential=inline(fleet))
        assert test["ok"] is True
        assert statuses(test) == ["ok"] * 5
        assert test["privilege"] == "sudo"
        assert test["os"]["name"]
        assert test["host_key"]["known"] is False
        assert len(await platform.events()) == len(before)
        assert (await platform.get("/credentials"))["total"] == 0
        assert (await platform.get("/hosts"))["total"] == 0


@pytest.mark.ac("fleet-15")
@pytest.mark.parametrize(
    ("fault", "step", "code"),
    [
        (Fault.NOT_SSH(), "connect", "host.not_ssh"),
        (Fault.OLD_CRYPTO(), "connect", "host.handshake_failed"),
        (Fault.AUTH_REFUSED(), "authenticate", "auth.rejected"),
        (Fault.NO_SHELL(), "privilege", "host.no_shell"),
        (Fault.SUDO(SudoSays.NOT_ALLOWED), "privilege", "privilege.not_allowed"),
        (Fault.SUDO(SudoSays.SUDO_MISSING), "privilege", "privilege.sudo_missing"),
    ],
)
async def test_each_fault_is_told_at_its_step(
    platform: Platform, sim_hosts: Any, fault: Any, step: str, code: str
) -> None:
    async with sim_hosts(1, faults={0: fault}) as fleet:
        host = fleet.hosts[0]
        test = await tried(platform, address=host.address, port=host.port, credential=inline(fleet))
    failed = failure(test)
    assert (failed["step"], failed["code"]) == (step, code)
    assert test["ok"] is False
    place = STEPS.index(step)
    assert statuses(test) == ["ok"] * place + ["failed"] + ["skipped"] * (4 - place)
    assert (test["os"] is not None) == (code.startswith("privilege"))


@pytest.mark.ac("fleet-15")
@pytest.mark.parametrize(
    ("address", "port", "step", "code"),
    [
        ("no-such-host.invalid", 22, "resolve", "host.unresolvable"),
        ("127.0.0.1", 1, "connect", "host.refused"),
    ],
)
async def test_a_host_that_is_not_there(
    platform: Platform, address: str, port: int, step: str, code: str
) -> None:
    secrets = {"username": "scan", "password": "pw"}
    test = await tried(platform, address=address, port=port, credential=secrets)
    assert (failure(test)["step"], failure(test)["code"]) == (step, code)


@pytest.mark.ac("fleet-15")
async def test_a_wrong_key_and_a_wrong_password(platform: Platform, sim_hosts: Any) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    async with sim_hosts(1) as fleet:
        host = fleet.hosts[0]
        for secrets in ({"private_key": stranger}, {"password": "wrong"}):
            test = await tried(
                platform,
                address=host.address,
                port=host.port,
                credential={"username": "scan"} | secrets,
            )
            assert failure(test)["code"] == "auth.rejected"


@pytest.mark.ac("fleet-15", "fleet-16")
async def test_what_is_wrong_with_the_request_itself(platform: Platform) -> None:
    where = {"address": "10.0.0.1"}
    key = asyncssh.generate_private_key("ssh-ed25519").export_private_key(passphrase="x").decode()
    secrets = {"username": "scan", "password": "pw"}
    for request, code in (
        (where, "credential.missing"),
        (where | {"credential": {"username": "scan"}}, "credential.incomplete"),
        (where | {"credential": {"username": "s", "private_key": key}}, "credential.key_encrypted"),
        (where | {"credential_id": str(uuid4())}, "credential.not_found"),
        (where | {"credential": secrets, "jump_host_id": str(uuid4())}, "host.jump_host_unknown"),
        (where | {"credential": secrets, "credential_id": str(uuid4())}, "request.invalid"),
        ({"address": "a b", "credential": secrets}, "request.invalid"),
    ):
        answer = await platform.api.client.post("/api/v1/connection-tests", json=request)
        assert answer.json()["code"] == code
        assert answer.status_code == 422


@pytest.mark.ac("fleet-16")
async def test_only_the_named_key_is_gone_on_with(platform: Platform, sim_hosts: Any) -> None:
    async with sim_hosts(1) as fleet:
        host = fleet.hosts[0]
        request = {"address": host.address, "port": host.port, "credential": inline(fleet)}
        shown = (await tried(platform, **request))["host_key"]["fingerprint"]
        assert (await tried(platform, **request, trust_host_key=shown))["ok"] is True
        other = "SHA256:" + "A" * 43
        test = await tried(platform, **request, trust_host_key=other)
        assert failure(test)["code"] == "host.key_changed"
        assert other in failure(test)["message"]


@pytest.mark.ac("fleet-17")
async def test_a_host_behind_a_jump_host(
    platform: Platform, workers: Workers, lab: LabSession
) -> None:
    private, jump = lab.hosts["private"], lab.jump_host
    key = lab.key_path.read_text()
    credential = await platform.add_credential(private_key=key)
    over = await platform.add_host("jump", address=jump.address, credential_id=credential)
    test = await tried(
        platform,
        address=private.address,
        credential={"username": "scan", "private_key": key},
        jump_host_id=over,
    )
    assert test["ok"], test
    host = await platform.add_host(
        "private", address=private.address, credential_id=credential, jump_host_id=over
    )
    assert (await platform.post(f"/hosts/{host}/connection-test", expect=200))["ok"]
    for saved in (over, host):
        assert (await platform.get(f"/hosts/{saved}/host-keys"))["total"] == 1
    workers.start()
    scan = await platform.wait_until_over(await platform.scan(host))
    assert scan["state"] == "completed", scan


@pytest.mark.ac("fleet-15", "fleet-18")
@pytest.mark.parametrize(
    ("account", "privilege", "code"),
    [
        ("root", "root", None),
        ("scan", "sudo", None),
        ("scanpw", "sudo_password", None),
        ("nosudo", "none", "privilege.not_allowed"),
        ("dead", None, "host.no_shell"),
    ],
)
async def test_real_accounts(
    platform: Platform, lab: LabSession, account: str, privilege: str | None, code: str | None
) -> None:
    secrets = {"private_key": lab.key_path.read_text()}
    if account != "root":
        secrets["password"] = lab.password
    test = await tried(
        platform,
        address=lab.hosts["bookworm"].address,
        credential={"username": account} | secrets,
    )
    assert (test["ok"], test["privilege"]) == (code is None, privilege), test
    if code is None:
        assert test["os"]["id"] == "debian"
    else:
        assert failure(test)["code"] == code
