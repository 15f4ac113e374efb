"""Versions compare as dpkg and rpm themselves compare them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openwatch.engine.rules.expectations import Expectation, holds
from openwatch.engine.subjects.base import Kind
from openwatch.engine.versions import PackageVersion, compare_dpkg, compare_rpm

ORDERED_DPKG = (
    "0~rc1-1", "0-1", "0.9", "1.0~~", "1.0~~a", "1.0~", "1.0", "1.0-0.1", "1.0-1~deb12u1", "1.0-1",
    "1.0-1+b1", "1.0-1+deb12u1", "1.0-2", "1.0-10", "1.0a", "1.0+dfsg-1", "1.0.1", "1.2", "1.10",
    "2.36-9", "2.36-9+deb12u9", "1:0.1", "2:0.1",
)  # fmt: skip


def test_an_ordered_list_is_in_order() -> None:
    for i, one in enumerate(ORDERED_DPKG):
        for j, other in enumerate(ORDERED_DPKG):
            assert compare_dpkg(one, other) == (i > j) - (i < j), (one, other)


@pytest.mark.parametrize(
    ("one", "other", "result"),
    [
        ("1.0", "1.0", 0), ("1.0", "2.0", -1), ("2.0.1", "2.0.1", 0), ("2.0", "2.0.1", -1),
        ("2.0.1a", "2.0.1", 1), ("5.5p1", "5.5p2", -1), ("5.5p10", "5.5p1", 1),
        ("10xyz", "10.1xyz", -1), ("xyz10", "xyz10.1", -1), ("xyz.4", "8", -1), ("xyz.4", "2", -1),
        ("5.5p2", "5.6p1", -1), ("6.0.rc1", "6.0", 1), ("10b2", "10a1", 1), ("1.0aa", "1.0a", 1),
        ("10.0001", "10.1", 0), ("10.0001", "10.0039", -1), ("4.999.9", "5.0", -1),
        ("20101121", "20101122", -1), ("2_0", "2.0", 0), ("a+", "a_", 0), ("+_", "_+", 0),
        ("1.0~rc1", "1.0~rc1", 0), ("1.0~rc1", "1.0", -1), ("1.0", "1.0~rc1", 1),
        ("1.0~rc1", "1.0~rc2", -1), ("1.0~rc1~git123", "1.0~rc1", -1),
        ("1.0^", "1.0", 1), ("1.0^git1", "1.0", 1), ("1.0^git1", "1.0^git2", -1),
        ("1.0^git1", "1.01", -1), ("1.0^20160101", "1.0.1", -1),
        ("1.0^20160101^git1", "1.0^20160102", -1), ("1.0~rc1^git1", "1.0~rc1", 1),
        ("1.0^git1~pre", "1.0^git1", -1), ("0:1.0-1", "1.0-1", 0), ("1:1.0-1", "2.0-1", 1),
        ("1.0-1.el9", "1.0-2.el9", -1), ("1.0-1.el9_4.2", "1.0-1.el9_4.10", -1),
    ],
)  # fmt: skip
def test_rpm_compares_as_the_tests_of_rpm_say(one: str, other: str, result: int) -> None:
    assert compare_rpm(one, other) == result
    assert compare_rpm(other, one) == -result


def test_at_least_leaves_the_release_open_where_none_is_named() -> None:
    assert PackageVersion("0:1.9.5-1.el9", "rpm").at_least("1.9.5")
    assert not PackageVersion("0:1.9.5-1.el9", "rpm").at_least("1.9.5-2")
    assert not PackageVersion("1.9.5~rc1-1", "dpkg").at_least("1.9.5")
    assert PackageVersion("1:1.0-1", "dpkg").at_least("2.0")


def test_a_rule_asks_for_a_version_of_a_package_alone() -> None:
    wanted = Expectation.model_validate({"at_least_version": "1.9.5p2"})
    assert holds(wanted, PackageVersion("0:1.9.5p2-1.el8", "rpm"))
    assert not holds(wanted, PackageVersion("1.9.5p2~rc1-1", "dpkg"))
    assert not holds(wanted, None)
    assert wanted.problems(Kind.VERSION) == []
    assert wanted.problems(Kind.TEXT)
    assert not Expectation.model_validate("1.0").problems(Kind.VERSION)


piece = st.sampled_from([*"0123456789", "00", "10", "a", "b", "Z", ".", "+", "~", "-", "^", "rc"])
version = st.lists(piece, max_size=8).map("".join)


@settings(max_examples=300)
@given(version, version, version)
def test_both_orders_are_total_and_transitive(one: str, other: str, third: str) -> None:
    for compare in (compare_dpkg, compare_rpm):
        assert compare(one, one) == 0
        assert compare(one, other) == -compare(other, one)
    if compare_dpkg(one, other) <= 0 and compare_dpkg(other, third) <= 0:
        assert compare_dpkg(one, third) <= 0


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_is_too_strange(one: str, other: str) -> None:
    assert compare_dpkg(one, other) in (-1, 0, 1)
    assert compare_rpm(one, other) in (-1, 0, 1)


DPKG_VERSION = st.from_regex(r"\A([0-9]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{1,4})?\Z")


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not on this machine")
@settings(max_examples=60, deadline=None)
@given(DPKG_VERSION, DPKG_VERSION)
def test_dpkg_itself_agrees(one: str, other: str) -> None:
    newer = subprocess.run(
        ["dpkg", "--compare-versions", one, "gt", other], check=False, capture_output=True
    )
    assert (compare_dpkg(one, other) == 1) is (newer.returncode == 0), (one, other)
