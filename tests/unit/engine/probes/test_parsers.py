"""Parsers of host output: hostile input never raises, hangs or becomes a value to pass on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import ItemResult
from openwatch.engine.probes import PROBES
from openwatch.engine.probes.base import Item, failure

SUBJECTS = {
    "stat": "/etc/passwd",
    "content": "/etc/*.conf",
    "sysctl": "kernel.randomize_va_space",
    "module": "cramfs",
    "unit": "ssh.service",
    "link": "/etc/localtime",
    "context": "/var/log/faillock",
    "verify": "crypto-policies",
}
NAMES = sorted(PROBES)

line = st.one_of(
    st.text(alphabet=st.characters(codec="latin-1"), max_size=60),
    st.sampled_from(
        [
            "@ok /etc/passwd", "@denied /etc/*.conf", "@partial /x", ".", "=/etc/a.conf", " x = 1",
            "=644|0|0|root|root|regular file|/etc/passwd", "!/etc/a.conf", "+/etc/a.conf",
            "#dpkg", "#rpm", "a|1|all|installed", "#tcp", "#end", "0100007F:0016 0A 0",
            "root:x:0:0:root:/root:/bin/sh", "root:$6$abc$def:1:2:3:4:5:6:", "Id=ssh.service",
            "LoadState=loaded", "ActiveState=active", "permitrootlogin no", "end", "#files",
            "#uids 0 1", "f|644|0|0|/x", "kernel.randomize_va_space =2", "cramfs end", "ID=debian",
            "=grub /boot/grub/grub.cfg", " 1:linux /vmlinuz root=/dev/vda1", "#efi",
            "block|sda|0|||sda|", "link|uuid/1|sda", "swap|/dev/sda", "@/etc/localtime",
            ">/etc/localtime|/x", "profile man (enforce)", "attach man|/usr/{,s}bin/[m]an**",
            "free /usr/bin/man", "x_u:object_r:device_t:s0|/dev/x", "#skipped /usr",
        ]
    ),
)  # fmt: skip
garbage = st.one_of(
    st.binary(max_size=300),
    st.lists(line, max_size=12).map(lambda lines: "\n".join(lines).encode("latin-1")),
    st.lists(line, max_size=12).map(lambda lines: ("\n".join(lines) + "\n").encode("latin-1")),
)


def facts_of(name: str, result: ItemResult) -> list[Fact]:
    probe = PROBES[name]
    requests = [Request(name, SUBJECTS.get(name, ""))]
    (item,) = probe.items(requests)
    return list(probe.facts(requests, {item.id: result}))


@pytest.mark.ac("engine-05")
@pytest.mark.parametrize("name", NAMES)
@given(output=garbage, errors=st.binary(max_size=50), status=st.integers(0, 255))
def test_no_parser_raises_on_any_output(
    name: str, output: bytes, errors: bytes, status: int
) -> None:
    for fact in facts_of(name, ItemResult(output, errors, status)):
        value = PROBES[name].read(fact)
        assert Fact.from_document(fact.document()) == fact
        if fact.could_not is not None:
            assert value is fact.could_not


@pytest.mark.ac("engine-04")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (ItemResult(b"", b"", 124), Reason.TIMED_OUT),
        (ItemResult(b"", b"sh: 1: tool: not found\n", 127), Reason.TOOL_MISSING),
        (ItemResult(b"", b"cat: x: Permission denied\n", 1), Reason.DENIED),
        (ItemResult(b"", b"something broke\n", 3), Reason.TOOL_FAILED),
        (ItemResult(b"", b"", None), Reason.INCOMPLETE),
    ],
)
def test_an_item_that_fails_gives_its_reason(name: str, result: ItemResult, reason: Reason) -> None:
    for fact in facts_of(name, result):
        value = PROBES[name].read(fact)
        assert isinstance(value, CouldNot)
        assert value.reason is reason


@pytest.mark.ac("engine-04")
@pytest.mark.parametrize("name", NAMES)
def test_an_answer_of_the_limit_is_truncated(name: str) -> None:
    (item,) = PROBES[name].items([Request(name, SUBJECTS.get(name, ""))])
    for fact in facts_of(name, ItemResult(b"x" * item.max_bytes, b"", 0)):
        value = PROBES[name].read(fact)
        assert isinstance(value, CouldNot)
        assert value.reason is Reason.TRUNCATED


@pytest.mark.ac("engine-04")
@pytest.mark.parametrize("name", NAMES)
def test_an_empty_answer_is_not_a_value(name: str) -> None:
    for fact in facts_of(name, ItemResult(b"", b"", 0)):
        assert isinstance(PROBES[name].read(fact), CouldNot)


def test_a_good_item_has_no_failure() -> None:
    item = Item("x", "true", "true", 5, 100)
    assert failure(item, ItemResult(b"ok", b"warning: Permission denied", 0)) is None


SECRET = b"Tr0ub4dor-and-3-rounds"


@pytest.mark.ac("engine-07")
@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("shadow", b"root:$6$salt$" + SECRET + b":1:0:9:7:::\n"),
        ("shadow", b"root:!$y$j9T$salt$" + SECRET + b":1:0:9:7:::\n"),
        ("shadow", b"root:" + SECRET + b":1:0:9:7:::\n"),
        ("passwd", b"root:" + SECRET + b":0:0::/root:/bin/sh\n"),
        ("group", b"root:" + SECRET + b":0:\n"),
        ("content", b"@ok /etc/*.conf\n=/etc/a.conf\n x $6$salt$" + SECRET + b"\n\n.\n"),
        ("content", b"@ok /etc/*.conf\n=/etc/a.conf\n bind_password = " + SECRET + b"\n\n.\n"),
        (
            "content",
            b"@ok /etc/*.conf\n=/etc/a.conf\n -----BEGIN OPENSSH PRIVATE KEY-----\n "
            + SECRET
            + b"\n -----END OPENSSH PRIVATE KEY-----\n\n.\n",
        ),
        ("passwd", b"root:!$6$salt$" + SECRET + b":0:0::/root:/bin/sh\n"),
        ("passwd", b"root:x" + SECRET + b":0:0::/root:/bin/sh\n"),
        ("kernel", b"a\n6\nx\ni\n0\nquiet root_password=" + SECRET + b"\n"),
        ("mounts", b"1 1 0:1 / / rw - fuse ftp://anna:" + SECRET + b"@host rw\n"),
        (
            "content",
            b"@ok /etc/*.conf\n=/etc/a.conf\n password_pbkdf2 root grub.pbkdf2.sha512.10000."
            + SECRET.hex().encode()
            + b"\n\n.\n",
        ),
    ],
)
def test_secrets_are_in_no_fact(name: str, output: bytes) -> None:
    for fact in facts_of(name, ItemResult(output, b"", 0)):
        stored = fact.canonical()
        assert SECRET not in stored
        assert SECRET.hex().encode() not in stored
        assert b"redacted" in stored or b"<hash>" in stored


@pytest.mark.ac("engine-07")
@pytest.mark.parametrize(
    "line",
    [
        b"//nas/x /mnt/x cifs username=anna,password=%s,uid=0 0 0",
        b"//nas/x /mnt/x cifs username=anna,pass=%s 0 0",
        b"ldap_default_authtok = %s",
        b"bindpw %s",
        b"rootpw %s",
        b"userPassword: {SSHA}%s",
        b"psk=%s",
        b"wep-key0=%s",
        b"auth required pam_mysql.so user=root passwd=%s db=x",
        b"export DB_PASSWORD='%s'",
        b"export AWS_SECRET_ACCESS_KEY=%s",
        b"deb https://anna:%s@repo.example/debian trixie main",
        b'action(type="ommysql" server="db" pwd="%s")',
        b"*.* :ommysql:db,Syslog,anna,%s",
        b"password root %s",
        b"hash=$argon2id$v=19$m=65536,t=3,p=4$%s",
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n %s\n -----END PGP PRIVATE KEY BLOCK-----",
        b"-----BEGIN PRIVATE KEY-----\n %s",
        b'  "password": "%s",',
        b'access-points: {"HOME": {password: "%s"}}',
        b"- password: %s",
        b"PrivateKey = %s",
        b"PresharedKey = %s",
        b"api_key: %s",
        b'key "x" { algorithm hmac-sha256; secret "%s"; };',
        b"5 2 * * * root mysqldump -u root --password %s db",
        b"5 2 * * * root mysqldump -u root -p%s db",
        b"5 2 * * * root sshpass -p %s ssh far",
        b'5 2 * * * root curl -H "Authorization: Bearer %s" https://x.example',
        b"5 2 * * * root curl --user=anna:%s https://x.example",
        b"ExecStart=/usr/bin/x --token '%s'",
        b"deb https://anna:p@%s@repo.example/debian trixie main",
        b"deb https://ghp0123456789012345%s@repo.example/debian trixie main",
        b"GRUB_CMDLINE_LINUX=netroot=iscsi:anna:%s@192.0.2.1::3260::iqn.x",
    ],
)
def test_secrets_of_any_reader_are_cut_out(line: bytes) -> None:
    block = b"@ok /etc/*.conf\n=/etc/a.conf\n %s\n\n=/etc/b.conf\n kept = 1\n\n.\n"
    (fact,) = facts_of("content", ItemResult(block % (line % SECRET), b"", 0))
    assert SECRET not in fact.canonical()
    assert b"<redacted>" in fact.output
    # What is cut out of one file takes nothing of the next.
    assert [file.path for file in PROBES["content"].read(fact)] == ["/etc/a.conf", "/etc/b.conf"]


@pytest.mark.parametrize(
    "line",
    [
        b"PasswordAuthentication=no",
        b'DISPLAYMANAGER_PASSWORD_LESS_LOGIN="no"',
        b"DISPLAYMANAGER_PASSWORD_LESS_LOGIN='yes'",
        b"password requisite pam_pwquality.so retry=3",
        b"password [success=1 default=ignore] pam_unix.so obscure use_authtok yescrypt",
        b"password include system-auth",
        b"Defaults passwd_tries=3, timestamp_timeout=5",
        b"Password protected systems are watched.",
        b"deb [signed-by=/usr/share/keyrings/a.gpg] https://repo.example/debian trixie main",
        b"PASS_MAX_DAYS\t365",
        b"-a always,exit -F path=/usr/bin/passwd -F perm=x -k privileged-passwd",
        b"private_key = /etc/ssl/private/x.key",
        b"0 1 * * * root tool --password-file /etc/x -u 0",
        b"deb https://mirror@repo.example/debian trixie main",
        b"alice ALL = (root) /usr/bin/passwd bob, /usr/bin/mysql -P 3306",
    ],
)
def test_policy_is_no_secret(line: bytes) -> None:
    block = b"@ok /etc/*.conf\n=/etc/a.conf\n " + line + b"\n\n.\n"
    (fact,) = facts_of("content", ItemResult(block, b"", 0))
    assert line in fact.output


@pytest.mark.ac("engine-07")
@given(
    st.text(alphabet="abcdefXYZ0123./", min_size=13, max_size=80),
    st.sampled_from(["", "!", "!!", "*", "!*"]),
    st.sampled_from(["", "$6$salt$", "$y$j9T$salt$", "$2b$10$", "_"]),
)
def test_no_password_hash_survives_in_shadow(secret: str, lock: str, scheme: str) -> None:
    output = f"anna:{lock}{scheme}{secret}:1:0:9:7:::\n".encode()
    (fact,) = facts_of("shadow", ItemResult(output, b"", 0))
    assert secret.encode() not in fact.output
    entries = PROBES["shadow"].read(fact)
    assert entries[0].password in ("set", "locked")


@pytest.mark.parametrize(
    "text",
    [b"mysql a " * 8000, b"password" * 8000, b"iscsi:" * 9000, b"-u " * 20000, b"key-" * 9000],
)
@pytest.mark.timeout(10)
def test_hostile_text_is_searched_for_secrets_in_a_moment(text: bytes) -> None:
    block = b"@ok /etc/*.conf\n=/etc/a.conf\n %s\n\n.\n"
    (fact,) = facts_of("content", ItemResult(block % text, b"", 0))
    assert fact.output
