"""Start-up files are read in the order of the shell, and masks are what they leave allowed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import make_snapshot
from openwatch.engine.subjects.base import Selection
from openwatch.engine.subjects.shell import (
    STARTUP_FILES,
    ShellVariableSubject,
    UmaskSubject,
)
from openwatch.engine.subjects.shell_script import commands

pytestmark = pytest.mark.ac("rules-13")

RHEL_PROFILE = """
pathmunge () {
    case ":${PATH}:" in
        *:"$1":*) ;;
        *) TMOUT=1 ;;
    esac
}
if [ -x /usr/bin/id ]; then
    if [ -z "${EUID:-}" ]; then EUID=`/usr/bin/id -u`; fi
fi
for i in /etc/profile.d/*.sh /etc/profile.d/sh.local ; do
    if [ -r "$i" ]; then
        if [ "${-#*i}" != "$-" ]; then
            . "$i"
        else
            . "$i" >/dev/null
        fi
    fi
done
unset i
if [ -n "${BASH_VERSION-}" ] ; then
        if [ -f /etc/bashrc ] ; then
                . /etc/bashrc
       fi
fi
"""
DEBIAN_PROFILE = """
if [ "${PS1-}" ]; then
  if [ "${BASH-}" ] && [ "$BASH" != "/bin/sh" ]; then
    if [ -f /etc/bash.bashrc ]; then
      . /etc/bash.bashrc
    fi
  fi
fi
if [ -d /etc/profile.d ]; then
  for i in $(run-parts --list --regex '^[a-zA-Z0-9_][a-zA-Z0-9._-]*\\.sh$' /etc/profile.d); do
    if [ -r $i ]; then
      . $i
    fi
  done
  unset i
fi
"""


def selected(files: Mapping[str, str]) -> Selection:
    facts: list[Fact] = []
    for pattern in STARTUP_FILES:
        mine = {p: t for p, t in files.items() if fnmatchcase(p, pattern)}
        blocks = "".join(
            f"={p}\n" + "".join(f" {line}\n" for line in t.split("\n")) for p, t in mine.items()
        )
        output = f"@ok {pattern}\n{blocks}.\n".encode()
        facts.append(Fact(Request("content", pattern), "cat", output))
    snapshot = make_snapshot(facts, taken_at=datetime(2025, 6, 1, tzinfo=UTC), privilege="root")
    return ShellVariableSubject(name="TMOUT").select(snapshot)


def tmout(files: Mapping[str, str]) -> list[tuple[object, object]]:
    selection = selected(files)
    assert selection.could_not is None
    return [(r.values["value"], r.values["readonly"]) for r in selection.records]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("readonly TMOUT=900 ; export TMOUT", [("900", True)]),
        ("TMOUT=600\nreadonly TMOUT\nexport TMOUT\n", [("600", True)]),
        ('declare -xr TMOUT="600"', [("600", True)]),
        ("typeset -x -r TMOUT=600", [("600", True)]),
        ("export TMOUT=600", [("600", False)]),
        ("TMOUT=1 make", [(None, False)]),
        ("# TMOUT=600", [(None, False)]),
        ("echo TMOUT=600", [(None, False)]),
        ("readonly TMOUT=600\nTMOUT=0\nunset TMOUT", [("600", True)]),
        ("TMOUT=600\nunset TMOUT", [(None, False)]),
        ("TMOUT=600\nexit 0\nTMOUT=0", [("600", False)]),
        ("[ -z \"$PS1\" ] && return\nreadonly TMOUT=5", [("5", True)]),
        ("if [ \"$USER\" = bob ]; then readonly TMOUT=0; fi\nreadonly TMOUT=600",
         [("600", True), ("0", True)]),
        ("if [ -z \"$TMOUT\" ]; then readonly TMOUT=600; fi", [("600", True)]),
        ("[ -n \"$TMOUT\" ] || readonly TMOUT=600", [("600", True)]),
        ("[ \"$USER\" = bob ] && readonly TMOUT=600", [(None, False), ("600", True)]),
        ("case $- in *i*) readonly TMOUT=600 ;; esac", [("600", True)]),
        ("(TMOUT=600)", [(None, False), ("600", False)]),
        ("f() { readonly TMOUT=600; }", [(None, False)]),
        ("cat <<EOF\nTMOUT=600\nEOF\nTMOUT=5", [("5", False)]),
        ("echo 'a\nTMOUT=600'", [(None, False)]),
        ("x 2>&1 || true; TMOUT=7", [("7", False)]),
    ],
)  # fmt: skip
def test_what_a_login_shell_is_left_with(text: str, expected: list[tuple[object, object]]) -> None:
    assert sorted(tmout({"/etc/profile": text}), key=str) == sorted(expected, key=str)


def test_a_computed_value_is_unknown() -> None:
    ((value, _),) = tmout({"/etc/profile": "TMOUT=$((10 * 60))"})
    assert isinstance(value, CouldNot)


@pytest.mark.parametrize("profile", [RHEL_PROFILE, DEBIAN_PROFILE])
def test_the_profiles_of_the_distributions(profile: str) -> None:
    files = {
        "/etc/profile": profile,
        "/etc/profile.d/a.sh": "readonly TMOUT=600\n",
        "/etc/profile.d/b.sh": "readonly TMOUT=1200\n",
        "/etc/profile.d/b.csh": "TMOUT=5\n",
    }
    assert tmout(files) == [("600", True)]
    # What stands behind the loop comes too late.
    files["/etc/profile"] = profile + "TMOUT=0\n"
    assert tmout(files) == [("600", True)]
    files["/etc/profile"] = "readonly TMOUT=0\n" + profile
    assert tmout(files) == [("0", True)]


def test_files_that_read_each_other_again_and_again_are_unknown() -> None:
    files = {"/etc/profile": ". /etc/bashrc\n" * 50, "/etc/bashrc": ". /etc/profile\n" * 50}
    assert selected(files).could_not is not None


def test_a_script_that_is_too_long_is_unknown() -> None:
    assert selected({"/etc/profile": "TMOUT=1; " * 20000}).could_not is not None


def test_a_file_that_no_profile_reads_does_nothing() -> None:
    assert tmout({"/etc/profile.d/a.sh": "readonly TMOUT=600\n"}) == [(None, False)]


def test_the_rc_files_are_read_by_other_shells_as_well() -> None:
    files = {"/etc/profile": "readonly TMOUT=600", "/etc/bashrc": "TMOUT=0"}
    assert tmout(files) == [("600", True), ("0", False)]


def umasks(path: str, text: str) -> list[object]:
    output = f"@ok {path}\n={path}\n" + "".join(f" {line}\n" for line in text.split("\n")) + ".\n"
    fact = Fact(Request("content", path), "cat", output.encode())
    snapshot = make_snapshot([fact], taken_at=datetime(2025, 6, 1, tzinfo=UTC), privilege="root")
    return [r.values["allows"] for r in UmaskSubject(file=path).select(snapshot).records]


def test_umask_commands_of_scripts() -> None:
    text = """
# umask 000
if [ $UID -gt 199 ] && [ "`id -gn`" = "`id -un`" ]; then
    umask 002
else umask 027; fi
[ `umask` -eq 0 ] && umask 022
echo umask 000
myumask 000; umask -S
"""
    assert umasks("/etc/bashrc", text) == [0o775, 0o750, 0o755]
    csh = "if ($uid > 199) then\n umask 002\nelse\n umask 077\nendif"
    assert umasks("/etc/csh.cshrc", csh) == [0o775, 0o700]


def test_login_defs_has_two_readers() -> None:
    path = "/etc/login.defs"
    assert umasks(path, "# UMASK 000\nUMASK\t077 \n") == [0o700]
    # pam_umask(8) takes the first line, shadow the last.
    assert umasks(path, "UMASK 022\nUMASK 000\nUMASK\t077 \n") == [0o755, 0o700]
    assert umasks(path, "umask=022\nUMASK 077\n") == [0o755, 0o700]
    assert umasks(path, "UMASK 077\numask 022\n") == [0o700]
    # One reads an octal number, the other a decimal one.
    assert umasks(path, "UMASK 27\n") == [0o750 | 0o744]
    # Shadow reads no number where something stands behind it, or before it.
    assert umasks(path, "UMASK 077 # closed\n") == [0o755]
    assert umasks(path, "UMASK = 077\n") == [0o755]
    assert umasks("/etc/login.defs", "UMASKS 077\n") == []


@given(st.text("TMOUT=6 \n;&|(){}<>'\"`$#\\ifthendocasr.", max_size=120))
def test_no_script_crashes_or_hangs(text: str) -> None:
    for command in commands(FileContent("/etc/profile", text)):
        assert command.words
        assert command.source.line >= 1
    tmout({"/etc/profile": text})
