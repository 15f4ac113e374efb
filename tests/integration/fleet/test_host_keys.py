"""Host keys: the first one, a pinned one, a changed one."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncssh
import pytest

from openwatch.engine.transport.host_keys import host_key
from openwatch.fleet.connections import service as connections
from openwatch.kit.errors import OpenWatchError
from tests.fixtures.worker import Platform


def shown() -> Any:
    return host_key(
        asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    )


async def add_host(platform: Platform, fleet: Any, number: int = 0, **fields: Any) -> str:
    credential = await platform.add_credential(f"k-{uuid4()}", private_key=fleet.user_key)
    host = fleet.hosts[number]
    return await platform.add_host(
        f"h-{uuid4()}", address=host.address, port=host.port, credential_id=credential, **fields
    )


async def keys_of(platform: Platform, host: str) -> list[tuple[str, bool]]:
    page = await platform.get(f"/hosts/{host}/host-keys")
    return [(key["fingerprint"], key["trusted"]) for key in page["items"]]


async def kinds(platform: Platform, host: str) -> list[str]:
    found = [event["kind"] for event in await platform.events(host_id=host)]
    return [kind for kind in found if kind.startswith("host.key")]


async def try_connection(platform: Platform, host: str, **body: Any) -> dict[str, Any]:
    return await platform.post(f"/hosts/{host}/connection-test", body or None, expect=200)


def failed(test: dict[str, Any]) -> tuple[str, str]:
    step = next(step for step in test["steps"] if step["status"] == "failed")
    return step["step"], step["code"]


@pytest.mark.ac("fleet-13")
async def test_a_first_key_is_kept(platform: Platform, sim_hosts: Any) -> None:
    async with sim_hosts(1) as fleet:
        host = await add_host(platform, fleet)
        expected = fingerprint_of(fleet.hosts[0])
        assert (await try_connection(platform, host))["host_key"]["fingerprint"] == expected
        assert await keys_of(platform, host) == [(expected, True)]
        assert await kinds(platform, host) == ["host.key_trusted"]
        assert (await try_connection(platform, host))["host_key"]["known"] is True
        assert await kinds(platform, host) == ["host.key_trusted"]


@pytest.mark.ac("fleet-13")
async def test_a_strict_host_waits_for_a_person(platform: Platform, sim_hosts: Any) -> None:
    async with sim_hosts(1) as fleet:
        host = await add_host(platform, fleet, host_key_policy="strict")
        expected = fingerprint_of(fleet.hosts[0])
        test = await try_connection(platform, host)
        assert failed(test) == ("host_key", "host.key_unknown")
        assert test["host_key"] == {
            "algorithm": "ssh-ed25519", "fingerprint": expected, "known": False,
        }  # fmt: skip
        assert await keys_of(platform, host) == [(expected, False)]
        trusted = await try_connection(platform, host, trust_host_key=expected)
        assert trusted["steps"][2]["status"] == "ok"
        assert await keys_of(platform, host) == [(expected, True)]


@pytest.mark.ac("fleet-13")
async def test_a_key_can_be_pinned_before_the_host_was_seen(
    platform: Platform, sim_hosts: Any
) -> None:
    async with sim_hosts(2) as fleet:
        right, wrong = (fingerprint_of(host) for host in fleet.hosts)
        host = await add_host(platform, fleet, host_key_policy="strict", trust_host_key=right)
        assert (await try_connection(platform, host))["steps"][2]["status"] == "ok"
        listed = (await platform.get(f"/hosts/{host}/host-keys"))["items"][0]
        assert listed["public_key"] == fleet.hosts[0].host_key
        other = await add_host(platform, fleet, trust_host_key=wrong)
        test = await try_connection(platform, other)
        assert failed(test) == ("host_key", "host.key_changed")
        assert wrong in test["steps"][2]["message"]


@pytest.mark.ac("fleet-14")
async def test_a_changed_key_stops_everything_to_the_host(
    platform: Platform, sim_hosts: Any
) -> None:
    async with sim_hosts(1) as fleet:
        host = await add_host(platform, fleet)
        await try_connection(platform, host)
        old = fingerprint_of(fleet.hosts[0])
        fleet.hosts[0].rekey()
        new = fingerprint_of(fleet.hosts[0])
        for _ in range(2):
            test = await try_connection(platform, host)
            assert failed(test) == ("host_key", "host.key_changed")
            assert old in test["steps"][2]["message"]
            assert new in test["steps"][2]["message"]
            assert test["steps"][3]["status"] == "skipped"
            assert test["os"] is None
        assert await keys_of(platform, host) == [(old, True), (new, False)]
        assert await kinds(platform, host) == ["host.key_trusted", "host.key_changed"]
        told = (await platform.events(host_id=host))[-1]["data"]
        assert (told["fingerprint"], told["expected"]) == (new, [old])

        await platform.delete(f"/hosts/{host}/host-keys/{old}")
        assert (await try_connection(platform, host))["steps"][2]["status"] == "ok"
        assert await keys_of(platform, host) == [(new, True)]
        await platform.delete(f"/hosts/{host}/host-keys/{old}", expect=404)


@pytest.mark.ac("fleet-14")
async def test_a_key_of_another_kind_counts_as_changed(platform: Platform) -> None:
    host = await platform.add_host(f"h-{uuid4()}", address="10.0.0.7", credential_id=None)
    keys = await host_keys_of(platform, host)
    await keys.check("10.0.0.7", 22, shown())
    rsa = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    with pytest.raises(OpenWatchError) as caught:
        await keys.check("10.0.0.7", 22, host_key(rsa.strip()))
    assert caught.value.code == "host.key_changed"
    assert await keys.key_types("10.0.0.7", 22) == ("ssh-ed25519",)


@pytest.mark.ac("fleet-14")
async def test_of_two_first_keys_at_once_one_is_kept(platform: Platform) -> None:
    host = await platform.add_host(f"h-{uuid4()}", address="10.0.0.8")
    keys = await host_keys_of(platform, host)
    results = await asyncio.gather(
        *[keys.check("10.0.0.8", 22, shown()) for _ in range(4)], return_exceptions=True
    )
    assert sorted(type(r).__name__ for r in results) == ["NoneType"] + ["OpenWatchError"] * 3
    assert [trusted for _, trusted in await keys_of(platform, host)] == [True] + [False] * 3


async def test_a_host_that_moves_shows_its_key_anew(platform: Platform, sim_hosts: Any) -> None:
    async with sim_hosts(2) as fleet:
        host = await add_host(platform, fleet)
        await try_connection(platform, host)
        moved = await platform.api.client.patch(
            f"/api/v1/hosts/{host}",
            json={"address": fleet.hosts[1].address},
            headers={"If-Match": "*"},
        )
        assert moved.is_success
        assert (await try_connection(platform, host))["steps"][2]["status"] == "ok"
        assert len(await keys_of(platform, host)) == 2


async def host_keys_of(platform: Platform, host: str) -> Any:
    credential = await platform.add_credential(f"k-{uuid4()}", password="pw")
    changed = await platform.api.client.patch(
        f"/api/v1/hosts/{host}", json={"credential_id": credential}, headers={"If-Match": "*"}
    )
    assert changed.is_success
    api = platform.api
    route = await connections.route_to(api.database, api.app.state.keyring, UUID(host))
    return route.host_keys


def fingerprint_of(host: Any) -> str:
    return host_key(host.host_key).fingerprint
