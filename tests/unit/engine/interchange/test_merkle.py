from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.interchange import merkle
from openwatch.engine.interchange.merkle import Chunk, Manifest

RFC_6962_LEAVES = (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)  # fmt: skip
"""The inputs and roots that implementations of RFC 6962 share as test data."""

RFC_6962_ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("count", RFC_6962_ROOTS)
def test_tree_hash_agrees_with_rfc_6962(count: int) -> None:
    leaves = [
        hashlib.sha256(b"\x00" + bytes.fromhex(leaf)).digest() for leaf in RFC_6962_LEAVES[:count]
    ]
    assert merkle.tree_hash(leaves).hex() == RFC_6962_ROOTS[count]


def entries(count: int, *, changed: int | None = None) -> list[tuple[str, ...]]:
    return [
        (f"rule-{number}", "fail" if number == changed else "pass", f"{number:064x}")
        for number in range(count)
    ]


def manifest(rules: list[tuple[str, ...]]) -> Manifest:
    return Manifest.of(outcomes=rules, facts=[(f"sysctl:{n}", f"{n:064x}") for n in range(300)])


@pytest.mark.ac("evidence-05")
def test_one_changed_outcome_changes_one_chunk() -> None:
    before, after = manifest(entries(800)), manifest(entries(800, changed=417))
    differing = [a for a, b in zip(before.chunks, after.chunks, strict=True) if a.hash != b.hash]
    assert len(differing) == 1
    assert before.hash != after.hash


@pytest.mark.ac("evidence-05")
def test_one_added_rule_changes_one_chunk_wherever_it_sorts() -> None:
    before, after = manifest(entries(800)), manifest([*entries(800), ("a-first", "pass", "0" * 64)])
    differing = [a for a, b in zip(before.chunks, after.chunks, strict=True) if a.hash != b.hash]
    assert len(differing) == 1


def test_the_order_of_entries_does_not_matter() -> None:
    assert manifest(entries(50)).hash == manifest(entries(50)[::-1]).hash


def test_an_outcome_is_not_a_fact() -> None:
    pair = [("name", "0" * 64)]
    assert Manifest.of(outcomes=pair, facts=[]).hash != Manifest.of(outcomes=[], facts=pair).hash


def test_an_id_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="rule-1 is listed twice"):
        manifest([*entries(3), ("rule-1", "fail", "0" * 64)])


@given(st.dictionaries(st.text(min_size=1), st.sampled_from(["pass", "fail"]), max_size=60))
def test_chunks_survive_storage(verdicts: dict[str, str]) -> None:
    made = Manifest.of(outcomes=list(verdicts.items()), facts=[])
    stored = {chunk.hash: chunk.encode() for chunk in made.chunks}
    read = [Chunk.decode(stored[name]) for name in merkle.split_index(made.index)]
    assert merkle.index_hash([chunk.hash for chunk in read]) == made.hash
    assert {entry for chunk in read for entry in chunk.entries} == set(verdicts.items())
