"""The metadata and the content of files with hostile names and contents, on every shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from openwatch.engine.collector import program
from openwatch.engine.facts import CouldNot, Fact, Request
from openwatch.engine.frames import FrameReader, ItemResult
from openwatch.engine.probes import PROBES
from openwatch.engine.probes.files import FileContent, FileStat
from openwatch.engine.transport import Stream

NONCE = "b" * 32
SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "ash"]}
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
# dash's echo would make a line break and a slash of these.
FORGED_STAT = r"a\n=600|0|0|root|root|regular file|\0057etc\0057x"
FORGED_CONTENT = r"a\n=\0057etc\0057x\n PermitRootLogin no"


def asked(shell: str, probe: str, *subjects: str, as_nobody: bool = False) -> dict[str, Fact]:
    words = SHELLS[shell]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not on this machine")
    requests = [Request(probe, subject) for subject in sorted(subjects)]
    done = subprocess.run(
        [*(NOBODY if as_nobody else []), *words],
        input=program(PROBES[probe].items(requests), NONCE),
        capture_output=True,
        timeout=60,
    )
    reader = FrameReader(NONCE)
    reader.receive(Stream.OUT, done.stdout)
    reader.receive(Stream.ERR, done.stderr)
    assert reader.done
    return judged(probe, requests, reader.results)


def judged(
    probe: str, requests: Sequence[Request], results: dict[str, ItemResult]
) -> dict[str, Fact]:
    return {fact.request.subject: fact for fact in PROBES[probe].facts(requests, results)}


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    """Names and contents that a reader could trip over."""
    tmp_path.chmod(0o755)
    (tmp_path / "plain").write_text("one\ntwo\n")
    (tmp_path / "no newline").write_text("one\nlast")
    (tmp_path / "empty").write_text("")
    (tmp_path / "blank").write_text("\n\n")
    (tmp_path / "returns").write_bytes(b"a\r/etc/passwd\r\n=x\n!y\n.\n@ok z\n#end\n")
    (tmp_path / "zeros").write_bytes(b"a\0b\n\xff\xfe\n")
    (tmp_path / "-n").write_text("not an option\n")
    (tmp_path / "pi|pe").write_text("x\n")
    (tmp_path / 'it\'s "quoted"').write_text("x\n")
    (tmp_path / FORGED_CONTENT).write_text("x\n")
    (tmp_path / FORGED_STAT).symlink_to("/nowhere/at/all")
    (tmp_path / "masked").symlink_to("/dev/null")
    (tmp_path / "z last").write_text("no newline either")
    return tmp_path


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("probe", ["stat", "content"])
def test_every_shell_gives_the_same_bytes(probe: str, nasty: Path) -> None:
    subjects = (f"{nasty}/*", f"{nasty}/plain", f"{nasty}/nowhere", "/proc/sys/kernel/ostype")
    seen = {shell: asked(shell, probe, *subjects) for shell in SHELLS}
    for facts in seen.values():
        assert {s: fact.output for s, fact in facts.items()} == {
            s: fact.output for s, fact in seen["dash"].items()
        }


@pytest.mark.parametrize("shell", SHELLS)
def test_each_file_is_told_as_it_is(shell: str, nasty: Path) -> None:
    (fact,) = asked(shell, "content", f"{nasty}/*").values()
    found: tuple[FileContent, ...] = PROBES["content"].read(fact)
    texts = {Path(file.path).name: file.text.removesuffix("\n") for file in found}
    assert texts["plain"] == "one\ntwo"
    assert texts["no newline"] == "one\nlast"
    assert texts["empty"] == texts["masked"] == ""
    assert texts["returns"] == "a\r/etc/passwd\r\n=x\n!y\n.\n@ok z\n#end"
    assert texts["z last"] == "no newline either"
    assert texts[FORGED_CONTENT] == "x"
    assert set(texts) == {path.name for path in nasty.iterdir()} - {FORGED_STAT}


@pytest.mark.parametrize("shell", SHELLS)
def test_no_name_passes_for_the_answer_about_another_file(shell: str, nasty: Path) -> None:
    (fact,) = asked(shell, "stat", f"{nasty}/*").values()
    found: tuple[FileStat, ...] = PROBES["stat"].read(fact)
    names = {Path(file.path).name for file in found}
    assert all(file.path.startswith(f"{nasty}/") for file in found)
    assert names == {path.name for path in nasty.iterdir()} - {FORGED_STAT}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_that_may_not_be_read_costs_no_other_one(shell: str, nasty: Path) -> None:
    for parent in nasty.parents[:3]:
        parent.chmod(0o755)
    (nasty / "plain").chmod(0o600)
    (fact,) = asked(shell, "content", f"{nasty}/*", as_nobody=True).values()
    found: tuple[FileContent, ...] = PROBES["content"].read(fact)
    refused = {Path(file.path).name for file in found if file.could_not is not None}
    assert refused == {"plain", FORGED_STAT}


def test_wherever_an_answer_is_cut_nothing_is_told_in_part(nasty: Path) -> None:
    requests = [Request("content", f"{nasty}/{name}") for name in ("no newline", "plain")]
    (item,) = PROBES["content"].items(requests)
    done = subprocess.run(["sh", "-c", item.body], capture_output=True, timeout=60)
    whole = judged("content", requests, {item.id: ItemResult(done.stdout, b"", 0)})
    assert not any(fact.could_not for fact in whole.values())
    for end in range(len(done.stdout)):
        cut = ItemResult(done.stdout[:end], b"", None)
        for subject, fact in judged("content", requests, {item.id: cut}).items():
            told = replace(fact, seconds=0.0, exit_status=0)
            assert fact.could_not is not None or told == replace(whole[subject], seconds=0.0)
            value = PROBES["content"].read(fact)
            assert isinstance(value, CouldNot) is (fact.could_not is not None)
