"""Certificates, read from the bytes of a stranger, and what is made of them at a moment."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.certificates import Certificate, Key, read_certificate
from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.probes.certificates import Certificates, CertificatesProbe, Use
from openwatch.engine.rules import yaml
from openwatch.engine.snapshot import make_snapshot
from openwatch.engine.ssh_keys import public_key
from openwatch.engine.subjects.base import Record
from openwatch.engine.subjects.certificates import CertificateSubject, in_force

PAPER = Path(__file__).parents[2] / "corpus" / "certificates.yml"
NOON = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)
REQUEST = Request("certificates")


@cache
def paper() -> dict[str, bytes]:
    named: dict[str, str] = yaml.parse(PAPER.read_text("utf-8"))
    return {name: base64.b64decode(text.replace(" ", "")) for name, text in named.items()}


def said(name: str) -> Certificate:
    certificate = read_certificate(paper()[name])
    assert isinstance(certificate, Certificate)
    return certificate


def records(answer: str, now: datetime = NOON) -> tuple[Record, ...]:
    fact = Fact(REQUEST, "cat", answer.encode("utf-8", "surrogateescape"))
    snapshot = make_snapshot([fact], taken_at=now, privilege="root")
    selection = CertificateSubject().select(snapshot)
    assert selection.could_not is None, selection.could_not
    return selection.records


def in_file(*lines: str, role: str = "own") -> str:
    head = f"use|nginx|{role}|/etc/nginx/nginx.conf|3|ssl_certificate|/x\n#files\n"
    return f"{head}=640|0|33|root|www-data|/x\n" + "".join(f"{x}\n" for x in (*lines, "#end"))


def pem(name: str) -> tuple[str, str, str]:
    return "*pem", f" {base64.b64encode(paper()[name]).decode()}", "."


def test_what_a_certificate_says() -> None:
    good = said("good")
    assert good.subject == "CN=www.example.org,O=Example"
    assert good.issuer == "CN=Example Root,O=Example"
    assert (good.key, good.signature_hash) == (Key("rsa", 2048), "sha256")
    assert (good.is_ca, good.self_signed) == (False, False)
    assert good.names == {"www.example.org", "alias.example.org"}
    assert good.not_after == datetime(2026, 1, 1, tzinfo=UTC)
    assert (said("root").is_ca, said("root").self_signed) == (True, True)
    assert (said("ed25519").key, said("ed25519").signature_hash) == (Key("ed25519", 256), "sha512")
    assert (said("sha1").signature_hash, said("md5").signature_hash) == ("sha1", "md5")


@pytest.mark.parametrize(
    ("kind", "bits", "strength"),
    [
        ("rsa", 512, 0), ("rsa", 1024, 80), ("dsa", 1024, 80), ("rsa", 2047, 80),
        ("rsa", 2048, 112), ("rsa", 3072, 128), ("rsa", 4096, 128), ("rsa", 15360, 256),
        ("ec", 112, 0), ("ec", 192, 80), ("ec", 224, 112), ("ec", 256, 128), ("ec", 384, 192),
        ("ec", 521, 256), ("ed25519", 256, 128), ("ed448", 456, 224),
    ],
)  # fmt: skip
def test_the_strength_of_a_key(kind: str, bits: int, strength: int) -> None:
    assert Key(kind, bits).strength == strength


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert isinstance(read_certificate(data), CouldNot)


@given(st.data())
def test_a_damaged_certificate_breaks_nothing(data: st.DataObject) -> None:
    whole = bytearray(paper()[data.draw(st.sampled_from(sorted(paper())))])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    text = base64.b64encode(bytes(whole)).decode()
    for record in records(in_file("*pem", f" {text}", ".")):
        days = record.values["days_left"]
        assert isinstance(days, int | CouldNot)
        assert record.raw.isprintable()


@pytest.mark.ac("engine-19")
@given(
    st.lists(
        st.sampled_from(
            ("*pem", "*der", "*trusted", " AAAA", " 30 82", ".", "?", "k", "t", "+", "!", "-/a",
             "b/b", "!/c", "=644|0|0|root|root|/d", "=x|0|0|root|root|/e", "=644|0|/f", "x", "",
             "#files", "use|nginx|own|/a|1|x|/d", "broken|nginx", "use|a|b|c"),
        ),
        max_size=12,
    ),
    st.text(max_size=20),
)  # fmt: skip
def test_no_answer_breaks_the_reader(lines: list[str], rest: str) -> None:
    text = "\n".join((*lines, "#files", rest, *lines, "#end", ""))
    found = CertificatesProbe().parse(text)
    assert isinstance(found, Certificates | CouldNot)
    fact = Fact(REQUEST, "cat", text.encode("utf-8", "surrogateescape"))
    CertificateSubject().select(make_snapshot([fact], taken_at=NOON, privilege="root"))


@pytest.mark.ac("engine-19")
@pytest.mark.parametrize("cut", ["", "#files\n", "#files\n#en", "#end\n", "\xff\n#end\n"])
def test_a_cut_answer_is_none(cut: str) -> None:
    assert isinstance(CertificatesProbe().parse(cut), CouldNot)


def test_days_are_counted_from_the_snapshot() -> None:
    (at_its_end,) = records(in_file(*pem("expired")), datetime(2025, 6, 1, 11, 59, 59, tzinfo=UTC))
    (a_second_later,) = records(in_file(*pem("expired")))
    (before,) = records(in_file(*pem("expired")), datetime(2025, 5, 31, 11, 0, tzinfo=UTC))
    found = [r.values["days_left"] for r in (at_its_end, a_second_later, before)]
    assert found == [0, -1, 1]
    (early,) = records(in_file(*pem("not-begun")))
    assert early.values["begun"] is False


def test_each_certificate_of_a_chain_is_a_record() -> None:
    first, second = records(in_file(*pem("good"), *pem("root"), "k"))
    assert (first.values["position"], second.name) == (1, "/x (2)")
    assert first.values["holds_key"] is second.values["holds_key"] is True
    assert (first.values["mode"], first.values["group"]) == (0o640, "www-data")
    assert "named in /etc/nginx/nginx.conf:3" in first.raw


@pytest.mark.ac("engine-19")
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), Reason.UNPARSABLE),
        (("?",), Reason.UNPARSABLE),
        (("*pem", " AAAA", "."), Reason.UNPARSABLE),
        (("*der", " 30 8", "."), Reason.UNPARSABLE),
        (("+",), Reason.TRUNCATED),
        (("!",), Reason.DENIED),
    ],
)
def test_what_is_not_known_is_said(lines: tuple[str, ...], reason: Reason) -> None:
    (record,) = records(in_file(*lines))
    unknown = record.values["days_left"]
    assert isinstance(unknown, CouldNot)
    assert unknown.reason is reason
    assert record.values["role"] == "own"


@pytest.mark.ac("engine-19")
def test_whether_a_file_without_a_certificate_holds_a_key_is_unknown() -> None:
    (record,) = records(in_file())
    assert isinstance(record.values["holds_key"], CouldNot)
    (with_key,) = records(in_file("k"))
    assert with_key.values["holds_key"] is True
    (text,) = records(in_file("?"))
    assert text.values["holds_key"] is False


def test_more_than_was_read_may_be_there() -> None:
    first, rest = records(in_file(*pem("good"), "t"))
    assert first.values["days_left"] == 213
    assert rest.unseen is not None


def test_trust_behind_a_certificate_is_no_part_of_it() -> None:
    text = base64.b64encode(paper()["root"] + b"\x30\x03\x0c\x01x").decode()
    (record,) = records(in_file("*trusted", f" {text}", "."))
    assert record.values["fingerprint"] == said("root").fingerprint
    (plain,) = records(in_file("*pem", f" {text}", "."))
    assert isinstance(plain.values["fingerprint"], CouldNot)


def use(directive: str, line: int, path: str) -> Use:
    role = "key" if "key" in directive else "own"
    return Use("postfix", role, "/etc/postfix/main.cf", line, directive, path)


@pytest.mark.ac("engine-14")
def test_of_a_parameter_of_postfix_the_last_line_counts() -> None:
    kept = in_force(
        (
            use("smtpd_tls_cert_file", 1, "/old"),
            use("smtpd_tls_key_file", 2, "$smtpd_tls_cert_file"),
            use("smtpd_tls_eccert_file", 3, "none"),
            use("smtpd_tls_cert_file", 4, "/new"),
            use("smtp_tls_cert_file", 5, "$other"),
            use("smtpd_tls_chain_files", 6, "/a"),
            use("smtpd_tls_chain_files", 6, "/b"),
            use("smtp_tls_key_file", 7, "/key"),
            use("smtp_tls_key_file", 8, ""),
        )
    )
    assert [u.path for u in kept] == ["/new", "$other", "/a", "/b"]


@pytest.mark.ac("engine-19")
@pytest.mark.parametrize(
    ("service", "path", "read"),
    [
        ("nginx", "/etc/nginx/conf.d/*.conf", True),
        ("nginx", "/etc/nginx/conf.d/a.conf", True),
        ("nginx", "/etc/nginx/sites-enabled/*", True),
        ("nginx", "/etc/nginx/snippets/snakeoil.conf", True),
        ("nginx", "/etc/nginx/mime.types", True),
        ("nginx", "/etc/nginx/conf.d/*", False),
        ("nginx", "/etc/nginx/conf.d/*/*.conf", False),
        ("nginx", "/srv/nginx/*.conf", False),
        ("apache", "/etc/apache2/mods-enabled/*.load", True),
        ("apache", "/etc/apache2/sites-enabled/*.conf", True),
        ("apache", "/etc/httpd/conf.modules.d/*.conf", True),
        ("apache", "/etc/nginx/conf.d/a.conf", False),
        ("dovecot", "/usr/share/dovecot/protocols.d/*.protocol", True),
        ("dovecot", "/etc/dovecot/auth-system.conf.ext", True),
        ("dovecot", "/etc/dovecot/local.conf", True),
        ("rsyslog", "/etc/rsyslog.d/*.conf", True),
        ("rsyslog", "/srv/*", False),
    ],
)
def test_what_is_included_from_elsewhere_is_not_known(
    service: str, path: str, *, read: bool
) -> None:
    found = records(f"use|{service}|include|/etc/x|1|include|{path}\n#files\n#end\n")
    assert bool(found) is not read
    for record in found:
        assert record.unseen is not None
        assert record.values["role"] == "own"


def blob(*fields: bytes) -> str:
    data = b"".join(len(field).to_bytes(4) + field for field in fields)
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"ssh-ed25519 {blob(b'ssh-ed25519', b'x' * 32)} root@h", Key("ed25519", 256)),
        (f"ssh-rsa {blob(b'ssh-rsa', b'x', bytes(1) + bytes([128]) * 256)}", Key("rsa", 2048)),
        (f"ssh-rsa {blob(b'ssh-rsa', b'x', bytes([127]) * 128)}", Key("rsa", 1023)),
        (f"ssh-dss {blob(b'ssh-dss', bytes(1) + bytes([255]) * 128, b'q')}", Key("dsa", 1024)),
        (f"ssh-ed25519 {blob(b'ssh-rsa', b'x', b'x')}", None),
        (f"ssh-rsa {blob(b'ssh-rsa', b'x')}", None),
        (f"ssh-new {blob(b'ssh-new', b'x')}", None),
        ("ssh-rsa AAAA", None),
        ("ssh-rsa", None),
        ("", None),
    ],
)
def test_a_public_key_of_ssh(line: str, expected: Key | None) -> None:
    key = public_key(line)
    assert key == expected if expected else isinstance(key, CouldNot)


@given(st.text(max_size=40), st.binary(max_size=60))
def test_no_line_breaks_the_reader_of_keys(line: str, data: bytes) -> None:
    assert isinstance(public_key(line), Key | CouldNot)
    public_key(f"ssh-rsa {base64.b64encode(data).decode()}")
    public_key(f"ssh-rsa {blob(b'ssh-rsa', data, line.encode('utf-8', 'replace'))}")
