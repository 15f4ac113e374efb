"""Units that systemd does not find, on each shell: told as if each had been shown."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from openwatch.engine.facts import Fact, Reason, Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes import PROBES

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "ash"]}

LOADED = ("cron.service", "ssh.service")
NAMES = ("absent.service", "cron.service", "no-such.socket", "odd\\x2dname.service",
         "ssh.service", "zzz.timer")  # fmt: skip
REQUESTS = [Request("unit", name) for name in NAMES]

# Shows a block a name, as systemctl(1) does, and notes how many it was asked for.
SYSTEMCTL = """#!/bin/sh
while [ "$1" != -- ]; do shift; done; shift
echo $# >"$COUNT"
first=y
for n do
  [ $first ] || echo; first=
  case $n in cron.service|ssh.service) l=loaded a=active p=/lib/systemd/system/$n u=enabled;;
  *) l=not-found a=inactive p= u=;; esac
  printf '%s\\n' "Id=$n" "Names=$n" "LoadState=$l" "ActiveState=$a" "FragmentPath=$p" \
    "UnitFileState=$u"
done
"""

# The last unit has a description that pretends: busctl(1) escapes the quotes in it.
BUSCTL = r"""#!/bin/sh
while [ "$1" != as ]; do shift; done; shift 2
printf 'a(ssssssouso) %s' $#
for n do
  case $n in
  cron.service) printf ' "%s" "A daemon" "loaded" "active" "running" "" "/u" 0 "" "/"' "$n";;
  ssh.service) printf ' "%s" "\\"%s\\" \\"%s\\" \\"not-found\\" \\"inactive\\" \\"dead\\" "' \
    "$n" "$n" "$n"; printf ' "loaded" "active" "running" "" "/u" 0 "" "/"';;
  *) e=$(printf %s "$n" | sed 's/\\/\\\\/g')
    printf ' "%s" "%s" "not-found" "inactive" "dead" "" "/u" 0 "" "/"' "$e" "$e";;
  esac
done
echo
"""


def asked(shell: list[str], tmp_path: Path, **programs: str) -> tuple[list[Fact], int]:
    """Return the facts, and of how many units systemctl was asked."""
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not on this machine")
    folder = tmp_path / "bin"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    # Nothing of this machine but what the fakes use: its own busctl would answer.
    for tool in ("sh", "sed"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    argv = [shutil.which(shell[0]) or shell[0], *shell[1:]]
    (item,) = PROBES["unit"].items(REQUESTS)
    count = tmp_path / "count"
    done = subprocess.run(
        [*argv, "-c", item.body],
        env={"PATH": str(folder), "COUNT": str(count)},
        capture_output=True,
        check=False,
    )
    result = ItemResult(done.stdout, done.stderr, done.returncode)
    facts = list(PROBES["unit"].facts(REQUESTS, {"unit": result}))
    return facts, int(count.read_text()) if count.exists() else 0


@pytest.mark.ac("engine-03")
@pytest.mark.parametrize("name", SHELLS)
def test_a_unit_that_is_missing_is_told_as_if_it_had_been_shown(name: str, tmp_path: Path) -> None:
    each, all_of_them = asked(SHELLS[name], tmp_path, systemctl=SYSTEMCTL)
    assert all_of_them == len(NAMES)
    facts, count = asked(SHELLS[name], tmp_path, systemctl=SYSTEMCTL, busctl=BUSCTL)
    assert facts == each
    assert all(fact.could_not is None for fact in facts)
    states = {unit.name: unit.load_state for unit in map(PROBES["unit"].read, facts)}
    assert states == {n: "loaded" if n in LOADED else "not-found" for n in NAMES}
    # What is loaded, a name that busctl writes in another way, and one for all that are missing.
    assert count == len(LOADED) + 1 + 1


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize("busctl", ["exit 1", "echo 'Call failed' >&2; exit 1", "echo garbage"])
def test_without_an_answer_of_the_bus_each_unit_is_shown(
    name: str, busctl: str, tmp_path: Path
) -> None:
    fake = f"#!/bin/sh\n{busctl}\n"
    facts, count = asked(SHELLS[name], tmp_path, systemctl=SYSTEMCTL, busctl=fake)
    assert count == len(NAMES)
    assert facts == asked(SHELLS[name], tmp_path, systemctl=SYSTEMCTL)[0]


@pytest.mark.parametrize("name", SHELLS)
def test_a_systemctl_that_fails_or_is_not_there_is_no_answer(name: str, tmp_path: Path) -> None:
    refused = "#!/bin/sh\necho 'Access denied' >&2; exit 1\n"
    facts, _ = asked(SHELLS[name], tmp_path, systemctl=refused, busctl=BUSCTL)
    assert {f.could_not.reason for f in facts if f.could_not} == {Reason.DENIED}
    assert all(fact.could_not for fact in facts)
    facts, _ = asked(SHELLS[name], tmp_path, busctl=BUSCTL)
    assert all(f.could_not and f.could_not.reason is Reason.TOOL_MISSING for f in facts)


def test_a_unit_that_came_while_it_was_asked_for_is_no_answer() -> None:
    requests = [Request("unit", name) for name in ("a.service", "b.service")]
    came = (
        b"Id=a.service\nNames=a.service\nLoadState=loaded\nActiveState=active\n"
        b"\n#missing a.service b.service\n"
    )
    for fact in PROBES["unit"].facts(requests, {"unit": ItemResult(came, b"", 0)}):
        assert fact.could_not is not None
        assert fact.could_not.reason is Reason.UNPARSABLE
    strange = came.replace(b"b.service\n", b"c.service\n").replace(b"loaded", b"not-found")
    for fact in PROBES["unit"].facts(requests, {"unit": ItemResult(strange, b"", 0)}):
        assert fact.could_not is not None
