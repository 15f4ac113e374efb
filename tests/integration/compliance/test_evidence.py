"""What is kept of scans, what it costs, and what it proves."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from lab.session import LabSession
from lab.sim import Recording
from openwatch.engine.interchange.bundle import verify_bundle
from openwatch.kit.canonical import canonical_json
from openwatch.kit.errors import OpenWatchError
from tests.fixtures.worker import Platform, Workers

ONE_KILOBYTE = 1024
TABLES = (
    "scans", "evidence", "manifest_nodes", "rule_state", "rule_state_closed", "rule_versions",
    "events",
)  # fmt: skip


async def add_host(platform: Platform, fleet: Any, number: int = 0) -> str:
    credential = await platform.add_credential(f"k-{uuid4()}", private_key=fleet.user_key)
    host = fleet.hosts[number]
    return await platform.add_host(
        f"h-{uuid4()}", address=host.address, port=host.port, credential_id=credential
    )


async def stored(platform: Platform) -> dict[str, int]:
    """The bytes of all rows by table, as PostgreSQL keeps them."""
    found: dict[str, int] = {}
    async with platform.api.database.read() as conn:
        for table in TABLES:
            query = f"SELECT coalesce(sum(pg_column_size(t.*)), 0) FROM {table} AS t"
            found[table] = (await conn.execute(text(query))).scalar_one()
    return found


async def completed(platform: Platform, host: str) -> dict[str, Any]:
    scan = await platform.wait_until_over(await platform.scan(host))
    assert scan["state"] == "completed", scan
    return scan


async def bundle_of(platform: Platform, scan: dict[str, Any]) -> bytes:
    answer = await platform.api.client.get(f"/api/v1/scans/{scan['id']}/bundle")
    assert answer.status_code == 200
    assert f"{scan['id']}.json" in answer.headers["content-disposition"]
    return answer.content


@pytest.mark.ac("evidence-02", "evidence-11")
async def test_a_scan_of_an_unchanged_host_costs_a_row(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    workers.start()
    async with sim_hosts(1, recording=recording) as fleet:
        host = await add_host(platform, fleet)
        first = await completed(platform, host)
        before = await stored(platform)
        second = await completed(platform, host)
        after = await stored(platform)
    grown = {table: after[table] - before[table] for table in TABLES}
    print("an unchanged scan costs", grown)
    assert sum(grown.values()) <= ONE_KILOBYTE
    assert {table for table, number in grown.items() if number} == {"scans", "events"}
    assert second["tree_hash"] == first["tree_hash"]
    assert second["root_hash"] != first["root_hash"]
    assert second["previous_root_hash"] == first["root_hash"]
    assert first["previous_root_hash"] is None


@pytest.mark.ac("evidence-03")
async def test_what_two_hosts_have_in_common_is_stored_once(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    workers.start()
    async with sim_hosts(2, recording=recording) as fleet:
        at_first = await stored(platform)
        await completed(platform, await add_host(platform, fleet))
        before = await stored(platform)
        await completed(platform, await add_host(platform, fleet, 1))
        after = await stored(platform)
    # Its own: who it is, the fact that says so, and the chunk of the manifest with that fact.
    assert after["evidence"] - before["evidence"] < 2 * ONE_KILOBYTE
    assert after["manifest_nodes"] - before["manifest_nodes"] < 4 * ONE_KILOBYTE
    own = before["rule_state"] - at_first["rule_state"]
    assert after["rule_state"] - before["rule_state"] == own


@pytest.mark.ac("evidence-08", "evidence-09", "evidence-10", "evidence-11")
async def test_a_bundle_proves_a_scan(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    workers.start()
    async with sim_hosts(1, recording=recording) as fleet:
        host = await add_host(platform, fleet)
        scans = [await completed(platform, host) for _ in range(3)]
    for number, scan in enumerate(scans):
        data = await bundle_of(platform, scan)
        proven = verify_bundle(data, expected_key_id=scan["signing_key_id"])
        assert proven.root == scan["root_hash"]
        assert proven.statement.previous == scan["previous_root_hash"]
        assert (proven.previous is None) == (number == 0)
        counts = {verdict: n for verdict, n in scan["counts"].items() if n}
        assert dict(proven.verdicts) == counts
        assert proven.subject["host"]["id"] == host
        signature = json.loads(data)["signature"]
        assert signature == scan["signature"]
        assert len(base64.b64decode(signature)) == 64
    data = bytearray(await bundle_of(platform, scans[1]))
    for position in range(0, len(data), max(1, len(data) // 199)):
        data[position] ^= 1
        with pytest.raises(OpenWatchError):
            verify_bundle(bytes(data))
        data[position] ^= 1
    verify_bundle(bytes(data))


@pytest.mark.ac("evidence-01", "evidence-07")
async def test_an_outcome_leads_to_the_bytes_that_prove_it(
    platform: Platform, workers: Workers, lab: LabSession
) -> None:
    workers.start()
    credential = await platform.add_credential(f"k-{uuid4()}", private_key=lab.key_path.read_text())
    with lab.fresh("bookworm") as target:
        target.plant("root-login")
        host = await platform.add_host(
            f"h-{uuid4()}", address=target.address, credential_id=credential
        )
        scan = await completed(platform, host)
    outcome = await platform.get(f"/scans/{scan['id']}/outcomes/ssh-root-login-disabled")
    assert outcome["verdict"] == "fail"
    assert outcome["rule"]["title"]
    assert outcome["rule"]["fix_text"]
    assert outcome["rule"]["references"]["nist_800_53"]
    (observation,) = [o for o in outcome["observations"] if o["satisfied"] is False]
    assert (observation["expected"], observation["actual"]) == ("no", "yes")
    assert "permitrootlogin yes" in observation["raw"].lower()

    client = platform.api.client
    answer = await client.get(f"/api/v1/evidence/{outcome['evidence_hash']}")
    assert hashlib.sha256(answer.content).hexdigest() == outcome["evidence_hash"]
    assert answer.headers["etag"] == f'"{outcome["evidence_hash"]}"'
    assert canonical_json(answer.json()) == answer.content
    assert answer.json()["verdict"] == "fail"
    assert "sshd" in [fact["id"] for fact in outcome["facts"]]
    for fact in outcome["facts"]:
        raw = await client.get(f"/api/v1/evidence/{fact['hash']}", params={"download": True})
        assert hashlib.sha256(raw.content).hexdigest() == fact["hash"]
        assert "attachment" in raw.headers["content-disposition"]
        document = raw.json()
        assert (document["fact"], document["command"]) == (fact["id"], fact["command"])
    known = outcome["evidence_hash"]
    same = await client.get(f"/api/v1/evidence/{known}", headers={"If-None-Match": f'"{known}"'})
    assert (same.status_code, same.content) == (304, b"")
    unknown = await client.get(f"/api/v1/scans/{scan['id']}/outcomes/no-such-rule")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "outcome.unknown")


@pytest.mark.ac("evidence-01")
@pytest.mark.parametrize(
    ("address", "status"), [("0" * 64, 404), ("0" * 63, 422), ("A" * 64, 422), ("../etc", 404)]
)
async def test_evidence_that_is_not_there(platform: Platform, address: str, status: int) -> None:
    answer = await platform.api.client.get(f"/api/v1/evidence/{address}")
    assert answer.status_code == status


@pytest.mark.ac("evidence-01")
async def test_damaged_evidence_is_refused(
    platform: Platform, workers: Workers, sim_hosts: Any, recording: Recording
) -> None:
    workers.start()
    async with sim_hosts(1, recording=recording) as fleet:
        scan = await completed(platform, await add_host(platform, fleet))
    outcomes = (await platform.get(f"/scans/{scan['id']}/outcomes", limit=2))["items"]
    first, second = (bytes.fromhex(outcome["evidence_hash"]) for outcome in outcomes)
    swap = "UPDATE evidence SET data = (SELECT data FROM evidence WHERE sha256 = :b)"
    keep = "SELECT data FROM evidence WHERE sha256 = :a"
    database = platform.api.database
    async with database.transaction() as tx:
        kept = (await tx.execute(text(keep), {"a": first})).scalar_one()
        await tx.execute(text(f"{swap} WHERE sha256 = :a"), {"a": first, "b": second})
    client = platform.api.client
    for path in (f"/evidence/{first.hex()}", f"/scans/{scan['id']}/bundle"):
        answer = await client.get(f"/api/v1{path}")
        assert (answer.status_code, answer.json()["code"]) == (500, "evidence.damaged")
    async with database.transaction() as tx:
        mend = "UPDATE evidence SET data = :data WHERE sha256 = :a"
        await tx.execute(text(mend), {"a": first, "data": kept})
    assert (await client.get(f"/api/v1/evidence/{first.hex()}")).status_code == 200


async def test_all_who_may_not_read_scans_are_kept_out(platform: Platform) -> None:
    async with platform.api.other_client() as stranger:
        for path in (
            f"/scans/{UUID(int=1)}",
            f"/scans/{UUID(int=1)}/bundle",
            f"/evidence/{'0' * 64}",
            "/hosts",
            "/credentials",
            "/rules",
        ):
            assert (await stranger.get(f"/api/v1{path}")).status_code == 401
