"""The catalogue over the API."""

from __future__ import annotations

from typing import Any

import pytest

from openwatch.engine.rules import load_corpus
from tests.fixtures.worker import Platform


@pytest.mark.ac("scans-22")
async def test_rules_are_listed_searched_filtered_and_paged(platform: Platform) -> None:
    corpus = load_corpus()
    whole = await platform.get("/rules", limit=200)
    assert whole["total"] == len(corpus.rules)
    assert whole["items"] == sorted(whole["items"], key=lambda rule: rule["id"])
    high = await platform.get("/rules", severity=["high", "critical"], category="kernel")
    assert {(r["severity"] in ("high", "critical"), r["category"]) for r in high["items"]} == {
        (True, "kernel")
    }
    assert sum(high["facets"]["severity"].values()) == sum(
        rule.category.value == "kernel" for rule in corpus.rules.values()
    )
    control = corpus.rule("aslr-enabled").references["nist_800_53"][0]
    found = await platform.get("/rules", search=control, limit=200)
    assert "aslr-enabled" in [rule["id"] for rule in found["items"]]
    stig = await platform.get("/rules", framework="stig")
    assert 0 < stig["total"] < whole["total"]
    for sort in ("id", "-id", "severity", "-title", "category"):
        expected = [r["id"] for r in (await platform.get("/rules", sort=sort, limit=200))["items"]]
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        while len(seen) < len(expected):
            page = await platform.get("/rules", sort=sort, limit=17, **cursor)
            seen += [rule["id"] for rule in page["items"]]
            cursor = {"cursor": page["next_cursor"]}
        assert seen[: len(expected)] == expected


@pytest.mark.ac("scans-22")
@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"sort": "x"}, "request.sort_invalid"),
        ({"cursor": "x"}, "request.cursor_invalid"),
        ({"cursor": "WyJpZCIsIm5vbmUiXQ"}, "request.cursor_invalid"),
        ({"framework": "x"}, "framework.unknown"),
        ({"severity": "x"}, "request.invalid"),
    ],
)
async def test_a_bad_question_is_told(platform: Platform, params: Any, code: str) -> None:
    answer = await platform.api.client.get("/api/v1/rules", params=params)
    assert answer.json()["code"] == code
    assert 400 <= answer.status_code < 500


@pytest.mark.ac("scans-22")
async def test_a_rule_and_the_frameworks_are_shown(platform: Platform) -> None:
    rule = await platform.get("/rules/aslr-enabled")
    assert rule["title"]
    assert rule["platforms"]
    assert rule["fix_text"]
    assert (await platform.api.client.get("/api/v1/rules/nothing")).status_code == 404
    corpus = load_corpus()
    frameworks = await platform.get("/frameworks")
    assert {f["id"] for f in frameworks["items"]} == set(corpus.frameworks)
    nist = next(f for f in frameworks["items"] if f["id"] == "nist_800_53")
    assert nist["rules_count"] == len(corpus.cited_by("nist_800_53").rules)


@pytest.mark.ac("frameworks-10")
async def test_a_rule_shows_its_controls_in_words(platform: Platform) -> None:
    rule = await platform.get("/rules/aslr-enabled")
    shown = {(c["framework"], c["id"]) for c in rule["controls"]}
    assert shown == {(name, i) for name, ids in rule["references"].items() for i in ids}
    corpus = load_corpus()
    for control in rule["controls"]:
        listed = corpus.controls[control["framework"]]
        assert control["title"] == listed.by_id[control["id"]].title
        assert control["sections"] == list(listed.path(control["id"]))
    relations = {c["framework"]: c["relation"] for c in rule["controls"]}
    assert relations["cis_debian12"] == "satisfies"
    assert relations["nist_800_53"] == "contributes"


@pytest.mark.ac("frameworks-10")
@pytest.mark.parametrize("framework", ["fedramp_low", "fedramp", "cmmc_2"])
async def test_rules_are_found_by_a_derived_framework(platform: Platform, framework: str) -> None:
    corpus = load_corpus()
    found = await platform.get("/rules", framework=framework)
    assert 0 < found["total"] == len(corpus.cited_by(framework).rules)
    frameworks = (await platform.get("/frameworks"))["items"]
    counts = {f["id"]: f["rules_count"] for f in frameworks}
    assert (
        counts["fedramp_low"]
        <= counts["fedramp_high"]
        == len(corpus.cited_by("fedramp_high").rules)
    )
