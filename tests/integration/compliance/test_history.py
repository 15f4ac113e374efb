"""Verdicts over time: intervals that change only when something changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from openwatch.compliance.history import service as history
from openwatch.compliance.history import store
from openwatch.compliance.results import evidence
from openwatch.compliance.results import service as results
from openwatch.compliance.rules import service as rules
from openwatch.compliance.scans import completion, service
from openwatch.compliance.scans.completion import Measured
from openwatch.engine.assess import Observation, Outcome, Verdict
from openwatch.engine.facts import Fact, Reason, Request
from openwatch.engine.rules import Corpus, load_corpus
from openwatch.engine.scan import ScanReport
from openwatch.engine.snapshot import make_snapshot
from openwatch.engine.transport import Traffic
from openwatch.kit.clock import now
from openwatch.kit.ids import uuid7
from tests.fixtures.worker import Platform

RULES = ("aslr-enabled", "ssh-root-login-disabled", "single-root-account")


async def new_host(platform: Platform) -> UUID:
    credential = await platform.add_credential(f"k-{uuid4()}", password="pw")
    name = f"h-{uuid4()}"
    return UUID(await platform.add_host(name, address="10.0.0.1", credential_id=credential))


async def observe(platform: Platform, host: UUID, **verdicts: str) -> dict[str, Any]:
    """Complete a scan of a host that found these verdicts, by the code that workers run."""
    return await observe_with(load_corpus(), platform, host, verdicts)


async def observe_with(
    corpus: Corpus, platform: Platform, host: UUID, verdicts: dict[str, str]
) -> dict[str, Any]:
    """The same with rules of one's own."""
    fact = Fact(Request("sysctl", "kernel.randomize_va_space"), "sysctl -n", output=b"2\n")
    outcomes = tuple(
        _outcome(corpus, rule_id.replace("_", "-"), verdict, fact)
        for rule_id, verdict in verdicts.items()
    )
    database, keyring = platform.api.database, platform.api.app.state.keyring
    scan = UUID(await platform.scan(str(host)))
    async with database.transaction() as tx:
        lease = await service.begin(tx, host, scan, worker_id=uuid7())
        versions = await rules.versions(tx, corpus)
    assert lease is not None
    snapshot = make_snapshot([fact], taken_at=now(), privilege="sudo")
    findings = evidence.find(snapshot, outcomes, host={"id": str(host), "name": "h"})
    await results.keep(database, findings)
    measured = Measured(
        report=ScanReport(snapshot, outcomes, Traffic(), {}),
        findings=findings,
        corpus_hash=corpus.hash,
        rule_versions=versions,
        seconds={},
    )
    async with database.transaction() as tx:
        assert await completion.complete(database, tx, keyring, lease, measured)
    return await platform.get(f"/scans/{scan}")


def _outcome(corpus: Corpus, rule_id: str, verdict: str, fact: Fact) -> Outcome:
    word, _, detail = verdict.partition(":")
    observation = Observation(
        fact=fact.id, subject="s", field="value", expected="2", actual=detail or word,
        satisfied=word == "pass",
    )  # fmt: skip
    return Outcome(
        rule_id=rule_id,
        verdict=Verdict(word),
        severity=corpus.rule(rule_id).severity,
        message=f"It is {detail or word}.",
        reason=Reason.DENIED if word == "error" else None,
        observations=(observation,),
        facts=(fact.id,),
    )


async def outcomes(platform: Platform, host: UUID, **params: Any) -> dict[str, dict[str, Any]]:
    page = await platform.get(f"/hosts/{host}/outcomes", limit=200, **params)
    return {item["rule_id"]: item for item in page["items"]}


async def verdicts(platform: Platform, host: UUID, **params: Any) -> dict[str, str]:
    found = await outcomes(platform, host, **params)
    return {rule_id: item["verdict"] for rule_id, item in found.items()}


async def intervals(platform: Platform, host: UUID) -> int:
    async with platform.api.database.read() as conn:
        query = text("SELECT count(*) FROM rule_state_closed WHERE host_id = :host")
        return (await conn.execute(query, {"host": host})).scalar_one()


@pytest.mark.ac("evidence-04", "evidence-06")
async def test_only_what_changes_is_written(platform: Platform) -> None:
    host = await new_host(platform)
    first = await observe(platform, host, aslr_enabled="pass", ssh_root_login_disabled="fail")
    start = await outcomes(platform, host)
    assert await intervals(platform, host) == 0
    second = await observe(platform, host, aslr_enabled="pass", ssh_root_login_disabled="pass")
    after = await outcomes(platform, host)
    assert await intervals(platform, host) == 1
    unchanged, changed = after["aslr-enabled"], after["ssh-root-login-disabled"]
    assert unchanged["valid_from"] == start["aslr-enabled"]["valid_from"] == first["finished_at"]
    assert changed["valid_from"] == second["finished_at"]
    assert unchanged["last_observed"] == changed["last_observed"] == second["finished_at"]
    assert start["aslr-enabled"]["last_observed"] == first["finished_at"]

    before = await stamps(platform, host)
    await observe(platform, host, aslr_enabled="pass", ssh_root_login_disabled="pass")
    assert await stamps(platform, host) == before
    assert await intervals(platform, host) == 1


async def stamps(platform: Platform, host: UUID) -> set[Any]:
    """Which version of each row PostgreSQL has: every write makes a new one."""
    async with platform.api.database.read() as conn:
        query = text("SELECT rule_id, xmin::text, ctid::text FROM rule_state WHERE host_id = :h")
        return {tuple(row) for row in await conn.execute(query, {"h": host})}


@pytest.mark.ac("evidence-04")
async def test_other_evidence_for_the_same_verdict_is_a_change(platform: Platform) -> None:
    host = await new_host(platform)
    await observe(platform, host, aslr_enabled="fail:0")
    await observe(platform, host, aslr_enabled="fail:1")
    assert await intervals(platform, host) == 1
    assert (await outcomes(platform, host))["aslr-enabled"]["message"] == "It is 1."
    changed = [
        e for e in await platform.events(host_id=str(host)) if e["kind"] == "outcome.changed"
    ]
    assert changed == []


@pytest.mark.ac("evidence-06")
async def test_a_host_is_shown_as_it_was(platform: Platform) -> None:
    host = await new_host(platform)
    before = now()
    scans = [
        await observe(platform, host, aslr_enabled="pass", single_root_account="error"),
        await observe(platform, host, aslr_enabled="fail", single_root_account="error"),
        await observe(platform, host, aslr_enabled="pass", single_root_account="pass"),
    ]
    expected = [
        {"aslr-enabled": "pass", "single-root-account": "error"},
        {"aslr-enabled": "fail", "single-root-account": "error"},
        {"aslr-enabled": "pass", "single-root-account": "pass"},
    ]
    assert await verdicts(platform, host, at=before.isoformat()) == {}
    for scan, then in zip(scans, expected, strict=True):
        at = datetime.fromisoformat(scan["finished_at"])
        assert await verdicts(platform, host, at=at.isoformat()) == then
        later = at + timedelta(microseconds=1)
        assert await verdicts(platform, host, at=later.isoformat()) == then
        page = await platform.get(f"/scans/{scan['id']}/outcomes")
        assert {item["rule_id"]: item["verdict"] for item in page["items"]} == then
        shown = (await outcomes(platform, host, at=at.isoformat())).values()
        assert {item["last_observed"] for item in shown} == {scan["finished_at"]}
    assert await verdicts(platform, host) == expected[-1]
    error = (await platform.get(f"/scans/{scans[0]['id']}/outcomes", verdict="error"))["items"]
    assert [(item["rule_id"], item["reason"]) for item in error] == [
        ("single-root-account", "denied")
    ]
    points = (await platform.get(f"/hosts/{host}/history"))["items"]
    assert [point["score"] for point in points] == [1.0, 0.0, 0.5]


@pytest.mark.ac("evidence-06", "frameworks-10")
async def test_outcomes_are_filtered_sorted_and_paged(platform: Platform) -> None:
    host = await new_host(platform)
    corpus = load_corpus()
    chosen = sorted(corpus.rules)[:12]
    cycle = ["pass", "fail", "error", "not_applicable", "manual", "not_configured"]
    given = {rule.replace("-", "_"): cycle[n % 6] for n, rule in enumerate(chosen)}
    scan = await observe(platform, host, **given)
    path = f"/scans/{scan['id']}/outcomes"
    whole = (await platform.get(path, limit=200))["items"]
    assert [item["verdict"] for item in whole] == [
        "fail", "fail", "error", "error", "not_configured", "not_configured", "manual", "manual",
        "pass", "pass", "not_applicable", "not_applicable",
    ]  # fmt: skip
    for sort in ("rule_id", "-title", "severity", "category", "-verdict", "priority"):
        expected = [i["rule_id"] for i in (await platform.get(path, sort=sort))["items"]]
        paged: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await platform.get(path, sort=sort, limit=5, **cursor)
            assert page["total"] == 12
            paged += [item["rule_id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert paged == expected
        assert len(set(paged)) == 12
    page = await platform.get(path, verdict=["fail", "error"])
    assert page["total"] == 4
    assert page["facets"]["verdict"] == dict.fromkeys(cycle, 2)
    assert sum(page["facets"]["severity"].values()) == 4
    one = whole[0]
    assert (await platform.get(path, search=one["rule_id"]))["total"] == 1
    assert (await platform.get(path, search="%"))["total"] == 0
    cited = await platform.get(path, framework="nist_800_53")
    assert cited["total"] == sum("nist_800_53" in corpus.rule(r).references for r in chosen)
    derived = await platform.get(path, framework="nist_800_171")
    assert derived["total"] == len(corpus.cited_by("nist_800_171").rules.keys() & set(chosen))
    family = await platform.get(path, framework="cis")
    assert family["total"] == len(corpus.cited_by("cis").rules.keys() & set(chosen))
    unknown = await platform.api.client.get(f"/api/v1{path}", params={"framework": "nonsense"})
    assert unknown.json()["code"] == "framework.unknown"


@pytest.mark.ac("evidence-12")
async def test_a_rule_that_is_dropped_has_no_verdict_any_more(platform: Platform) -> None:
    host = await new_host(platform)
    first = await observe(platform, host, aslr_enabled="fail", single_root_account="pass")
    second = await observe(platform, host, single_root_account="pass")
    assert await verdicts(platform, host) == {"single-root-account": "pass"}
    assert second["score"]["value"] == 1.0
    assert await verdicts(platform, host, at=first["finished_at"]) == {
        "aslr-enabled": "fail", "single-root-account": "pass",
    }  # fmt: skip
    told = [e for e in await platform.events(host_id=str(host)) if e["kind"] == "outcome.changed"]
    assert told[0]["data"]["changes"] == [{"before": "fail", "after": None, "rules": 1}]


@pytest.mark.ac("scans-17")
async def test_changes_of_verdicts_are_told_once_and_not_for_the_first_scan(
    platform: Platform,
) -> None:
    host = await new_host(platform)
    await observe(platform, host, aslr_enabled="pass", single_root_account="pass")
    await observe(platform, host, aslr_enabled="fail", single_root_account="error")
    await observe(platform, host, aslr_enabled="fail", single_root_account="error")
    told = [e for e in await platform.events(host_id=str(host)) if e["kind"] == "outcome.changed"]
    assert [event["data"]["changes"] for event in told] == [
        [
            {"before": "pass", "after": "error", "rules": 1},
            {"before": "pass", "after": "fail", "rules": 1},
        ]
    ]


@pytest.mark.ac("evidence-14")
async def test_the_past_has_the_rules_of_its_day(platform: Platform) -> None:
    host = await new_host(platform)
    corpus = load_corpus()
    rule = corpus.rule("aslr-enabled")
    renamed = rule.model_copy(
        update={"title": "Programs lie at random places", "references": {"pci_dss_4": ("9.9",)}}
    )
    changed = replace(corpus, rules={**corpus.rules, rule.id: renamed})
    first = await observe(platform, host, aslr_enabled="pass")
    second = await observe_with(changed, platform, host, {"aslr-enabled": "pass"})
    for scan, then in ((first, rule), (second, renamed)):
        found = await platform.get(f"/scans/{scan['id']}/outcomes/aslr-enabled")
        assert found["rule"]["title"] == then.title
        assert found["rule"]["references"] == {n: list(ids) for n, ids in then.references.items()}
        listed = await outcomes(platform, host, at=scan["finished_at"])
        assert listed["aslr-enabled"]["title"] == then.title
        cited = await platform.get(f"/scans/{scan['id']}/outcomes", framework="nist_800_53")
        assert cited["total"] == ("nist_800_53" in then.references)


@pytest.mark.ac("evidence-13")
async def test_partitions_are_made_ahead_and_take_over_what_came_before(
    platform: Platform,
) -> None:
    database = platform.api.database
    await history.ensure_partitions(database)
    assert await history.ensure_partitions(database) == 0
    month = now().date().replace(day=1)
    row = (
        "INSERT INTO rule_state_closed VALUES (:host, 'r', 1, 'pass', '\\x00', "
        "'2031-05-01', '2031-05-17') RETURNING tableoid::regclass::text"
    )
    host = uuid4()
    async with database.transaction() as tx:
        found = await tx.execute(
            text("SELECT tableoid::regclass::text FROM rule_state_closed LIMIT 1")
        )
        assert found.scalar() in (None, f"rule_state_closed_{month:%Y_%m}")
        assert (await tx.execute(text(row), {"host": host})).scalar_one() == store.REST
    async with database.transaction() as tx:
        assert await store.ensure_month(tx, date(2031, 5, 1), date(2031, 6, 1))
    async with database.read() as conn:
        query = text("SELECT tableoid::regclass::text FROM rule_state_closed WHERE host_id = :h")
        rows = (await conn.execute(query, {"h": host})).scalars().all()
    assert rows == ["rule_state_closed_2031_05"]
    async with database.transaction() as tx:
        assert not await store.ensure_month(tx, date(2031, 5, 1), date(2031, 6, 1))


@pytest.mark.ac("evidence-13")
async def test_a_partition_is_made_while_results_are_written(platform: Platform) -> None:
    database = platform.api.database
    host = await new_host(platform)
    await observe(platform, host, aslr_enabled="pass")

    async def write() -> None:
        for verdict in ("fail", "pass", "fail"):
            await observe(platform, host, aslr_enabled=verdict)

    async def make(year: int) -> bool:
        async with database.transaction() as tx:
            return await store.ensure_month(tx, date(year, 1, 1), date(year, 2, 1))

    *made, _ = await asyncio.gather(make(2040), make(2041), write())
    assert made == [True, True]
    assert await intervals(platform, host) == 3
