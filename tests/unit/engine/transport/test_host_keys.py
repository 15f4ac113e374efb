"""Known-hosts files as OpenSSH writes and reads them; ssh-keygen is the oracle where it can be."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.transport import AcceptNew, HostKey, KnownHostsFile, host_key
from openwatch.engine.transport.host_keys import parse_known_hosts
from openwatch.kit.errors import OpenWatchError

KEYGEN = shutil.which("ssh-keygen")
needs_keygen = pytest.mark.skipif(KEYGEN is None, reason="needs ssh-keygen (openssh-client)")

ONE = host_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJrtMqTDHSVhxTY8MgN1vwFhAfjtoKOWeTGyUzhVuEp c")
TWO = host_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHn1lPEsqbdNXJfk8q9oz8nSfmV8jcEWwSSlaZPIlbVD")
ECDSA = host_key(
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7"
    "opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg="
)


async def refusal(keys: KnownHostsFile | AcceptNew, address: str, port: int, key: HostKey) -> str:
    """The code that a check ends with; empty when the key is trusted."""
    try:
        await keys.check(address, port, key)
    except OpenWatchError as error:
        return error.code if error.message and error.fix else f"{error.code} says nothing"
    return ""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ssh" / "known_hosts"


def write(path: Path, *lines: str) -> KnownHostsFile:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return KnownHostsFile(path)


@needs_keygen
def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    for key in (ONE, TWO, ECDSA):
        file = tmp_path / "key.pub"
        file.write_text(key.public_key)
        shown = subprocess.run(
            ["ssh-keygen", "-lf", str(file)], capture_output=True, text=True, check=True
        ).stdout
        assert key.fingerprint in shown.split()


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 not*base64"])
def test_what_is_no_key_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="public key"):
        host_key(line)


@pytest.mark.ac("transports-06")
async def test_known_unknown_and_changed_are_told_apart(path: Path) -> None:
    keys = write(path, "# a comment", "", f"db1,10.0.0.5 {ONE.public_key} comment here")
    assert await refusal(keys, "db1", 22, ONE) == ""
    assert await refusal(keys, "DB1", 22, ONE) == ""
    assert await refusal(keys, "10.0.0.5", 22, ONE) == ""
    assert await refusal(keys, "db1", 22, TWO) == "host.key_changed"
    assert await refusal(keys, "db2", 22, ONE) == "host.key_unknown"


@pytest.mark.ac("transports-06")
async def test_a_changed_key_names_both_fingerprints_and_the_line(path: Path) -> None:
    keys = write(path, "# first", f"db1 {ONE.public_key}")
    with pytest.raises(OpenWatchError) as caught:
        await keys.check("db1", 22, TWO)
    assert ONE.fingerprint in caught.value.message
    assert TWO.fingerprint in caught.value.message
    assert f"{path} line 2" in caught.value.fix


async def test_a_key_of_another_type_than_the_known_one_counts_as_changed(path: Path) -> None:
    keys = write(path, f"db1 {ONE.public_key}")
    assert await refusal(keys, "db1", 22, ECDSA) == "host.key_changed"


async def test_other_ports_have_their_own_entries(path: Path) -> None:
    keys = write(path, f"[db1]:2222 {ONE.public_key}", f"db1 {TWO.public_key}")
    assert await refusal(keys, "db1", 2222, ONE) == ""
    assert await refusal(keys, "db1", 2222, TWO) == "host.key_changed"
    assert await refusal(keys, "db1", 22, ONE) == "host.key_changed"


async def test_the_key_of_the_default_port_is_good_for_a_port_without_an_entry(path: Path) -> None:
    keys = write(path, f"db1 {ONE.public_key}")
    assert await refusal(keys, "db1", 2222, ONE) == ""
    assert await refusal(keys, "db1", 2222, TWO) == "host.key_unknown"


def hash_names(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-H", "-f", str(path)], capture_output=True, check=True)


@needs_keygen
@pytest.mark.ac("transports-07")
async def test_hashed_names_are_found(path: Path) -> None:
    write(path, f"db1 {ONE.public_key}", f"[db1]:2222 {TWO.public_key}")
    hash_names(path)
    assert "db1" not in path.read_text()
    keys = KnownHostsFile(path)
    assert await refusal(keys, "db1", 22, ONE) == ""
    assert await refusal(keys, "db1", 2222, TWO) == ""
    assert await refusal(keys, "db1", 22, TWO) == "host.key_changed"
    assert await refusal(keys, "db2", 22, ONE) == "host.key_unknown"


NAMES = ("db1", "db12", "web.example.org", "[db1]:2222", "[db1]:22", "10.0.0.5", "fe80::1")
PATTERNS = (*NAMES, "db*", "db?", "*", "!db1", "!db*", "[db1]:*", "*.example.org", "10.0.0.?")


@needs_keygen
@given(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3), st.sampled_from(NAMES))
def test_patterns_match_as_in_openssh(patterns: list[str], name: str) -> None:
    line = f"{','.join(patterns)} {ONE.public_key}\n"
    ours = any(known.matches(name) for known in parse_known_hosts(line))
    assert KEYGEN
    found = subprocess.run(
        [KEYGEN, "-F", name, "-f", "/dev/stdin"],
        input=line.encode(),
        capture_output=True,
        check=False,
    )
    assert ours == (found.returncode == 0)


@pytest.mark.ac("transports-07")
async def test_a_revoked_key_is_refused_even_where_it_is_also_trusted(path: Path) -> None:
    keys = write(path, f"db1 {ONE.public_key}", f"@revoked * {ONE.public_key}")
    assert await refusal(keys, "db1", 22, ONE) == "host.key_revoked"
    assert await refusal(keys, "db1", 2222, ONE) == "host.key_revoked"


@pytest.mark.ac("transports-07")
async def test_a_certificate_authority_is_not_taken_for_a_host(path: Path) -> None:
    keys = write(path, f"@cert-authority * {ONE.public_key}")
    assert await refusal(keys, "db1", 22, ONE) == "host.key_unknown"
    assert await keys.key_types("db1", 22) == ()


@given(st.text())
def test_no_file_content_breaks_the_reader(text: str) -> None:
    for known in parse_known_hosts(text):
        known.matches("db1")


async def test_damaged_lines_do_not_hide_good_ones(path: Path) -> None:
    keys = write(path, "db1 ssh-ed25519", "@odd db1 x y", "|1|x db1", f"db1 {ONE.public_key}")
    assert await refusal(keys, "db1", 22, ONE) == ""


@pytest.mark.ac("transports-08")
async def test_accept_new_writes_the_first_key_and_refuses_the_next(path: Path) -> None:
    keys = KnownHostsFile(path, accept_new=True)
    assert await refusal(keys, "db1", 2222, ONE) == ""
    assert path.read_text() == f"[db1]:2222 {ONE.public_key}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await refusal(keys, "db1", 2222, ONE) == ""
    assert await refusal(keys, "db1", 2222, TWO) == "host.key_changed"
    assert path.read_text().count("\n") == 1
    assert await refusal(KnownHostsFile(path), "db1", 2222, ONE) == ""


async def test_accept_new_does_not_join_lines(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(f"db1 {ONE.public_key}")
    keys = KnownHostsFile(path, accept_new=True)
    assert await refusal(keys, "db2", 22, TWO) == ""
    assert await refusal(keys, "db1", 22, ONE) == ""


async def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    keys = KnownHostsFile(tmp_path)
    assert await refusal(keys, "db1", 22, ONE) == "host.known_hosts_unreadable"


async def test_a_missing_file_knows_nobody(tmp_path: Path) -> None:
    keys = KnownHostsFile(tmp_path / "none")
    assert await refusal(keys, "db1", 22, ONE) == "host.key_unknown"
    assert not (tmp_path / "none").exists()


async def test_known_types_are_asked_for_first(path: Path) -> None:
    keys = write(path, f"db1 {ECDSA.public_key}", f"db1 {ONE.public_key}")
    assert await keys.key_types("db1", 22) == ("ecdsa-sha2-nistp256", "ssh-ed25519")
    assert await keys.key_types("db2", 22) == ()


@pytest.mark.ac("transports-08")
async def test_accept_new_in_memory_holds_on_to_the_first_key() -> None:
    keys = AcceptNew()
    assert await refusal(keys, "db1", 22, ONE) == ""
    assert await refusal(keys, "db1", 22, ONE) == ""
    assert await refusal(keys, "db1", 22, TWO) == "host.key_changed"
    assert await refusal(keys, "db1", 2222, TWO) == ""
    assert await keys.key_types("db1", 22) == ("ssh-ed25519",)
