"""Snapshots: the same answers are the same snapshot, and nothing edited is believed."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openwatch.engine.assess import Verdict, assess
from openwatch.engine.assess.assess import concerns
from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.rules import load_corpus
from openwatch.engine.snapshot import (
    Snapshot,
    make_snapshot,
    platform,
    read_snapshot,
    write_snapshot,
)
from openwatch.kit.errors import OpenWatchError

OS = Fact(
    Request("os_release"),
    "cat /etc/os-release",
    b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
)
KERNEL = Fact(Request("kernel"), "uname -nrm", b"web1\n6.1.0\nx86_64\nabc\n0\nquiet\n")


def example(*, seconds: float = 0.1, privilege: str = "root") -> Snapshot:
    facts = [
        OS,
        KERNEL,
        Fact(Request("passwd"), "cat", b"root:x:0:0::/root:/bin/sh\n", seconds=seconds),
        Fact(Request("shadow"), "cat", b"", 1, CouldNot(Reason.DENIED, "no")),
        Fact(Request("content", "/etc/x"), "cat", b"@ok /etc/x\n=/etc/x\n \xff\xfe\n\n.\n"),
    ]
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, 12, tzinfo=UTC), privilege=privilege)


@pytest.mark.ac("engine-09")
def test_a_snapshot_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.snapshot.gz"
    write_snapshot(example(), path)
    again = read_snapshot(path)
    assert again.hash == example().hash
    assert again.taken_at == example().taken_at
    assert assess(load_corpus(), again) == assess(load_corpus(), example())
    assert path.stat().st_mode & 0o777 == 0o600


def test_time_spent_is_no_part_of_a_snapshot_but_privilege_is() -> None:
    assert example(seconds=0.1).hash == example(seconds=9.0).hash
    assert example(privilege="root").hash != example(privilege="none").hash


@pytest.mark.ac("engine-09")
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not gzip",
        lambda data: data[: len(data) // 2],
        lambda data: gzip.compress(b"[]"),
        lambda data: gzip.compress(b"[" * 100_000),
        lambda data: gzip.compress(b'{"format": "openwatch-snapshot/9"}'),
        lambda data: gzip.compress(
            gzip.decompress(data).replace(b"root:x:0:0", b"root:x:0:1")
        ),
        lambda data: gzip.compress(json.dumps({"format": "openwatch-snapshot/1", "facts": [
            {"fact": "evil:x", "command": "", "output": ""}]}).encode()),
    ],
)  # fmt: skip
def test_damaged_and_edited_snapshots_are_refused(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "a.snapshot.gz"
    write_snapshot(example(), path)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(OpenWatchError) as caught:
        read_snapshot(path)
    assert caught.value.code == "snapshot.invalid"
    assert "a.snapshot.gz" in caught.value.message


def test_a_snapshot_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openwatch.engine.snapshot.MAX_SNAPSHOT_BYTES", 1000)
    path = tmp_path / "a.snapshot.gz"
    path.write_bytes(gzip.compress(b" " * 100_000))
    with pytest.raises(OpenWatchError) as caught:
        read_snapshot(path)
    assert caught.value.code == "snapshot.invalid"


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OpenWatchError) as caught:
        read_snapshot(tmp_path / "gone.gz")
    assert "No such file" in caught.value.message


@pytest.mark.parametrize(
    ("text", "family", "version"),
    [
        ('ID=debian\nVERSION_ID="12"', "debian", (12,)),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"', "ubuntu", (22, 4)),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"', "rhel", (9, 4)),
        ('ID="ol"\nID_LIKE="fedora"\nVERSION_ID="8.10"', "rhel", (8, 10)),
        ('ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"', "sles", (15, 6)),
        ('ID="sles"\nID_LIKE="suse"\nVERSION_ID="15"', "sles", (15,)),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"', "sles", (15, 6)),
        ('ID="sle_hpc"\nID_LIKE="suse"\nVERSION_ID="15.5"', "sles", (15, 5)),
        (
            'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\nVERSION_ID="20250601"',
            "sles-like",
            (),
        ),
        ('ID="sle-micro"\nID_LIKE="suse"\nVERSION_ID="5.5"', "sles-like", ()),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"', "ubuntu-like", ()),
        ("ID=arch\nBUILD_ID=rolling", "arch-like", ()),
    ],
)
def test_families(text: str, family: str, version: tuple[int, ...]) -> None:
    release = Fact(Request("os_release"), "cat", text.encode())
    snapshot = make_snapshot([release], taken_at=datetime.now(UTC), privilege="root")
    known = platform(snapshot.read(Request("os_release")))
    assert (known.family, known.version) == (family, version)


@pytest.mark.ac("engine-08")
def test_a_host_whose_platform_is_unknown_passes_nothing() -> None:
    snapshot = make_snapshot([], taken_at=datetime.now(UTC), privilege="root")
    outcomes = assess(load_corpus(), snapshot)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ERROR}
    assert {outcome.reason for outcome in outcomes} == {Reason.PLATFORM_UNKNOWN}


@pytest.mark.ac("engine-08")
def test_a_host_without_a_version_is_not_called_out_of_scope() -> None:
    """Debian names no VERSION_ID before a release."""
    release = Fact(Request("os_release"), "cat", b'ID=debian\nPRETTY_NAME="Debian forky/sid"\n')
    snapshot = make_snapshot([release], taken_at=datetime.now(UTC), privilege="root")
    corpus = load_corpus()
    for outcome in assess(corpus, snapshot):
        ranges = [p for p in corpus.rules[outcome.rule_id].platforms if p.family == "debian"]
        if not ranges:
            assert outcome.verdict is Verdict.NOT_APPLICABLE
        elif all(entry.min or entry.max for entry in ranges):
            assert outcome.reason is Reason.PLATFORM_UNKNOWN
            assert "names no VERSION_ID" in outcome.message
    assert Request("passwd") in concerns(corpus, snapshot)
