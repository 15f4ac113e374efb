"""Readers of lists of hosts: what each understands, and that no text breaks one."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openwatch.fleet.imports.columns import Field, parse_mapping, suggest
from openwatch.fleet.imports.export import refused_csv
from openwatch.fleet.imports.readers.decoding import decode
from openwatch.fleet.imports.readers.read import detect_format, read
from openwatch.fleet.imports.readers.sheet import Format, Row, Sheet
from openwatch.fleet.imports.rows import Refused, Wanted, understand
from openwatch.kit.errors import OpenWatchError

ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIE" + "A" * 41 + "E"


def cells(sheet: Sheet) -> list[tuple[str, ...]]:
    return [row.cells for row in sheet.rows]


def problems(sheet: Sheet) -> list[tuple[int, str]]:
    return [(row.line, row.problem) for row in sheet.rows if row.problem is not None]


def code(read_it: Callable[[], Any]) -> str:
    with pytest.raises(OpenWatchError) as raised:
        read_it()
    return raised.value.code


# ── Encodings ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.ac("fleet-40")
@pytest.mark.parametrize(
    ("text", "written", "found"),
    [
        ("name\nMünchen\n", "utf-8", "utf-8"),
        ("name\nMünchen\n", "utf-8-sig", "utf-8"),
        ("name,address\nMünchen,10.0.0.1\n", "utf-16", "utf-16-le"),
        ("name,address\nMünchen,10.0.0.1\n", "utf-16-le", "utf-16-le"),
        ("name,address\nMünchen,10.0.0.1\n", "utf-16-be", "utf-16-be"),
        ("name\nMünchen „Süd“ 5 €\n", "windows-1252", "windows-1252"),
        ("name\nMünchen\n", "iso-8859-1", "iso-8859-1"),
        ("name\nŽižkov, œuvre\n", "iso-8859-15", "iso-8859-15"),
        ("name\n½ rack, § 5, München\n", "iso-8859-1", "iso-8859-1"),
        ("name\nrent: 5 €\n", "iso-8859-15", "iso-8859-15"),
    ],
)
def test_the_encoding_of_a_file_is_found(text: str, written: str, found: str) -> None:
    assert decode(text.encode(written)) == (text, found)


def test_an_encoding_that_is_named_is_used() -> None:
    assert decode("Ÿ".encode("iso-8859-15"), "iso-8859-1")[0] == "¾"
    assert code(lambda: decode(b"\xff\xfe\xff", "utf-8")) == "import.not_text"


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"%PDF-1.7", b"\x1f\x8b\x08"])
def test_what_is_no_text_is_named(start: bytes) -> None:
    assert code(lambda: read(start + b"rest")) == "import.not_text"


# ── CSV ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.ac("fleet-40")
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_delimiter_is_found(delimiter: str) -> None:
    text = "name|address|tags\na|10.0.0.1|x y\nb|10.0.0.2|z\n".replace("|", delimiter)
    sheet = read(text.encode())
    assert (sheet.format, sheet.delimiter) == (Format.CSV, delimiter)
    assert cells(sheet) == [("a", "10.0.0.1", "x y"), ("b", "10.0.0.2", "z")]


def test_commas_inside_cells_do_not_mislead() -> None:
    sheet = read(b'name;address;tags\na;10.0.0.1;"x,y,z"\nb;10.0.0.2;"p,q"\n')
    assert (sheet.delimiter, cells(sheet)[0][2]) == (";", "x,y,z")


def test_excel_names_its_separator() -> None:
    sheet = read(b"sep=;\r\nname;address\r\na;10.0.0.1\r\n")
    assert cells(sheet) == [("a", "10.0.0.1")]
    assert sheet.rows[0].line == 3


@pytest.mark.ac("fleet-40")
def test_lines_are_those_of_the_file() -> None:
    text = b'name,notes\r\na,"first\r\nsecond, with ""quotes"""\r\n\r\n,\r\nb,plain\r\n'
    sheet = read(text)
    assert [(row.line, row.cells) for row in sheet.rows] == [
        (2, ("a", 'first\r\nsecond, with "quotes"')),
        (6, ("b", "plain")),
    ]


@pytest.mark.ac("fleet-46")
def test_ragged_rows() -> None:
    sheet = read(b"name,address,tags\na,10.0.0.1\nb,10.0.0.2,x,,\nc,10.0.0.3,x,y\n")
    assert cells(sheet)[:2] == [("a", "10.0.0.1", ""), ("b", "10.0.0.2", "x")]
    assert problems(sheet) == [(4, "The row has 4 cells, but there are 3 columns.")]


@pytest.mark.ac("fleet-46")
def test_nul_refuses_its_row_only() -> None:
    sheet = read(b"name,address\na\0b,10.0.0.1\nc,10.0.0.2\n")
    assert problems(sheet) == [(2, "The row holds a NUL character, which no text has.")]
    assert cells(sheet)[0][0] == "a\ufffdb"


def test_a_header_that_stands_twice_is_told() -> None:
    sheet = read(b"name,Name,,name\na,b,c,d\n")
    assert sheet.columns == ("name", "Name (2)", "column 3", "name (3)")
    assert len(sheet.remarks) == 2


def test_a_file_without_header() -> None:
    sheet = read(b"web-1,10.0.0.1,22\nweb-2,10.0.0.2,22\n")
    assert sheet.columns == ("column 1", "column 2", "column 3")
    assert parse_mapping(sheet, []) == {Field.NAME: 0, Field.ADDRESS: 1, Field.PORT: 2}


@pytest.mark.ac("fleet-46")
def test_an_open_quotation_mark_is_told_with_its_line() -> None:
    with pytest.raises(OpenWatchError) as raised:
        read(b'name,notes\na,fine\nb,"open\nc,10.0.0.2\n', format=Format.CSV)
    assert (raised.value.code, raised.value.params["line"]) == ("import.unreadable", 3)
    long = b'name,notes\na,"' + b"x,y\n" * 100_000
    assert code(lambda: read(long, format=Format.CSV)) == "import.unreadable"


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@pytest.mark.ac("fleet-44")
@given(st.lists(st.lists(CELL, min_size=2, max_size=2).filter(lambda r: any(c.strip() for c in r))))
def test_a_file_of_refused_rows_reads_back_as_what_was_refused(rows: list[list[str]]) -> None:
    written = "".join(refused_csv(["one", "two"], ((2, "wrong", row) for row in rows)))
    for cell in chain.from_iterable(csv.reader(io.StringIO(written, newline=""))):
        assert not cell.startswith(("=", "+", "-", "@"))
    if rows:
        sheet = read(written.encode(), format=Format.CSV, delimiter=",")
        assert sheet.columns == ("one", "two")
        # A cell that had an apostrophe before such a sign loses it: the sign is what counts.
        assert [list(row) for row in cells(sheet)] == [
            [c[1:] if c[:1] == "'" and c[1:2] in {*"=+-@\t\r"} else c for c in row] for row in rows
        ]


# ── Plain text, known_hosts ─────────────────────────────────────────────────────────────────────


@pytest.mark.ac("fleet-45")
def test_plain_text() -> None:
    sheet = read(
        b"# comment\nweb-1\n10.0.0.1 db-1\nroot@gate:2222 # why\n[2001:db8::1]:22\nfe80::2%eth0\n"
        b"ssh://scan@x.example.org/\nthree words here\n"
    )
    assert sheet.format is Format.TEXT
    assert cells(sheet)[:-1] == [
        ("", "web-1", "", ""),
        ("db-1", "10.0.0.1", "", ""),
        ("", "gate", "2222", "root"),
        ("", "2001:db8::1", "22", ""),
        ("", "fe80::2%eth0", "", ""),
        ("", "x.example.org", "", "scan"),
    ]
    assert [line for line, _ in problems(sheet)] == [8]


@pytest.mark.ac("fleet-45")
def test_known_hosts() -> None:
    sheet = read(
        f"web,10.0.0.1 ssh-ed25519 {ED25519} comment\n"
        f"web ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==\n"
        f"[gate]:2222 ssh-ed25519 {ED25519}\n"
        f"|1|c2FsdA==|aGFzaA== ssh-ed25519 {ED25519}\n"
        f"*.example.org ssh-ed25519 {ED25519}\n"
        f"@revoked bad ssh-ed25519 {ED25519}\n"
        "web ssh-ed25519 !!!\n".encode()
    )
    assert sheet.format is Format.KNOWN_HOSTS
    assert cells(sheet)[:2] == [("web", "web", ""), ("gate", "gate", "2222")]
    assert [len(row.keys) for row in sheet.rows[:2]] == [2, 1]
    assert [line for line, _ in problems(sheet)] == [4, 5, 6, 7]
    assert "hashed" in problems(sheet)[0][1]


# ── Ansible ─────────────────────────────────────────────────────────────────────────────────────

INI = b"""
mail.example.org:2200

[web]
web[08:10].example.org http_port=80
"quoted"

[db]
db-[a:c] ansible_host=10.0.0.5 ansible_user="dba"

[db:vars]
ansible_user=nobody
ansible_become_pass=secret-in-the-clear
role='the store'

[berlin:children]
web
db
[berlin:vars]
ansible_port=2022
"""
YAML = b"""
all:
  vars: {ansible_port: 22}
  hosts:
    mail.example.org: {ansible_port: 2200}
  children:
    berlin:
      vars: {ansible_port: 2022}
      children:
        web:
          hosts:
            web[08:10].example.org: &web {http_port: 80}
            quoted:
        db:
          vars: {ansible_user: nobody, role: the store}
          hosts:
            db-[a:c]: {ansible_host: 10.0.0.5, ansible_user: dba}
"""


@pytest.mark.ac("fleet-45")
@pytest.mark.parametrize(
    ("text", "format_"), [(INI, Format.ANSIBLE_INI), (YAML, Format.ANSIBLE_YAML)]
)
def test_both_spellings_of_an_inventory(text: bytes, format_: Format) -> None:
    sheet = read(text)
    assert sheet.format is format_
    assert set(sheet.columns[5:]) == {"http_port", "role"}
    found = {row.cells[0]: dict(zip(sheet.columns, row.cells, strict=True)) for row in sheet.rows}
    assert list(found) == [
        "mail.example.org", "web08.example.org", "web09.example.org", "web10.example.org",
        "quoted", "db-a", "db-b", "db-c",
    ]  # fmt: skip
    assert (found["mail.example.org"]["port"], found["mail.example.org"]["group"]) == ("2200", "")
    assert (found["web09.example.org"]["port"], found["web09.example.org"]["group"]) == (
        "2022", "web",
    )  # fmt: skip
    assert found["db-b"] == {
        "name": "db-b", "address": "10.0.0.5", "port": "2022", "username": "dba", "group": "db",
        "http_port": "", "role": "the store",
    }  # fmt: skip
    assert sheet.inside == {"web": "berlin", "db": "berlin"}


@pytest.mark.ac("fleet-45")
def test_a_vaulted_value_is_named_and_not_read() -> None:
    sheet = read(
        b"all:\n  hosts:\n    a:\n      ansible_host: !vault |\n"
        b"        $ANSIBLE_VAULT;1.1;AES256\n        6638\n"
        b"    b: {db_password: !vault x, ansible_host: 10.0.0.1}\n"
    )
    assert problems(sheet) == [
        (3, "ansible_host of a is encrypted by Ansible Vault and was not read. Keep secrets in a "
            "credential, and other values in plain text."),
    ]  # fmt: skip
    assert [remark.text.split(" is ")[0] for remark in sheet.remarks] == ["db_password of b"]
    assert "6638" not in str(sheet)


@pytest.mark.ac("fleet-46")
def test_secrets_of_an_inventory_are_not_kept() -> None:
    sheet = read(b"[web]\na ansible_password=hunter2 api_token=hunter2 pass=hunter2\n")
    assert "hunter2" not in str(sheet)
    assert len(sheet.remarks) == 3


@pytest.mark.ac("fleet-46")
@pytest.mark.parametrize(
    "text",
    [
        "[a:children]\nb\n[b:children]\na\n",
        "[a]\nx[1:2\n[b:nonsense]\n",
        "[a]\nx[5:1]\n",
        "[a]\nx[1:a]\n",
        '[a]\nx y="open\n',
        "".join(f"[g{i}:children]\ng{i + 1}\n" for i in range(9)),
        "all:\n  hosts: [a, b]\n  children: {}\n",
        "all:\n  children:\n    a: &a\n      children:\n        b: *a\n  vars: {}\n",
        "all:\n  hosts: {" + "{a: " * 5000,
        "all:\n  hosts:\n\t- x\n  vars: {}\n",
    ],
)
def test_an_inventory_that_makes_no_sense_is_told_with_its_line(text: str) -> None:
    assert code(lambda: read(text.encode())) == "import.unreadable"


@pytest.mark.ac("fleet-46")
@pytest.mark.parametrize(
    "text",
    [
        "[a]\nx[0:999999999]\n",
        "[a]\nx[0:999][0:999][0:999]\n",
        "all:\n  hosts:\n    x[0:60000]:\n",
        "a,b\n" * 50_002,
        "a\n" * 50_001,
    ],
)
def test_too_many_hosts_are_refused_before_they_are_made(text: str) -> None:
    began = time.monotonic()
    assert code(lambda: read(text.encode())) == "import.too_many_rows"
    assert time.monotonic() - began < 10


def test_aliases_cost_no_more_than_a_limit() -> None:
    bomb = "all:\n  vars: &a0 {x: 1}\n  children:\n    g0: &g0 {hosts: {h: }}\n"
    for i in range(1, 30):
        inner = ", ".join(f"g{i}_{j}: *g{i - 1}" for j in range(9))
        bomb += f"    g{i}: &g{i} {{children: {{{inner}}}}}\n"
    began = time.monotonic()
    assert code(lambda: read(bomb.encode())) == "import.unreadable"
    assert time.monotonic() - began < 60


# ── Every text ──────────────────────────────────────────────────────────────────────────────────

LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(
            ["[a]", "[a:children]", "[a:vars]", "b", "x=1", "all:", "  hosts:", "    h: {p: 1}",
             "  children:", '"', "h[1:3]", "[::1]:22", "u@h:2", "|1|a|b ssh-rsa AAAA", "a,b,c",
             "- x", "&a b", "*a", "!vault |", "k: !vault x", "sep=;", "\0", "\ufeff", "a;b;c"]
        ),
    ),
    max_size=20,
)  # fmt: skip


def read_or_refuse(data: bytes, format_: Format | None) -> Sheet | None:
    """Read a file; ``None`` when it is refused, which has to be by an error that we know."""
    try:
        return read(data, format=format_)
    except OpenWatchError:
        return None


@pytest.mark.ac("fleet-46")
@settings(max_examples=300)
@given(LINES, st.sampled_from([*Format, None]))
@example(["[a:children]", "a"], Format.ANSIBLE_INI)
def test_no_text_breaks_a_reader(lines: list[str], format_: Format | None) -> None:
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    sheet = read_or_refuse(data, format_)
    if sheet is None:
        return
    assert sheet.rows
    assert all(len(row.cells) == len(sheet.columns) for row in sheet.rows)
    assert all("\0" not in cell for row in sheet.rows for cell in row.cells)
    numbers = [row.line for row in sheet.rows]
    assert all(1 <= number <= data.count(b"\n") + data.count(b"\r") + 60 for number in numbers)
    columns = suggest(sheet)
    fields = [column.field for column in columns if column.field is not None]
    assert len(fields) == len(set(fields))
    if {Field.NAME, Field.ADDRESS} & set(fields):
        found = understand(sheet.rows, parse_mapping(sheet, []), key="address")
        assert len(found) == len(sheet.rows)


@pytest.mark.ac("fleet-46")
@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    with suppress(OpenWatchError):
        detect_format(decode(data)[0])


WORST = {
    "quotes": '"' * 400_000,
    "brackets": "[" * 400_000,
    "closing": "a[1:2]" * 60_000,
    "blanks": " " * 400_000 + "x",
    "colons": ":" * 400_000,
    "one line": "x" * 400_000,
    "words": "a=b " * 100_000,
    "flow": "{" * 400_000,
    "indents": "\n".join(" " * (i % 60) + "a:" for i in range(20_000)),
    "commas": "," * 400_000,
}


@pytest.mark.ac("fleet-46")
@pytest.mark.parametrize("text", WORST.values(), ids=WORST)
@pytest.mark.parametrize("format_", [*Format, None], ids=lambda f: str(f))
def test_no_text_takes_long(text: str, format_: Format | None) -> None:
    began = time.monotonic()
    read_or_refuse(text.encode(), format_)
    assert time.monotonic() - began < 10


# ── Columns and rows ────────────────────────────────────────────────────────────────────────────


@pytest.mark.ac("fleet-40")
@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("VM,DNS Name,IP Address,Annotation", ["name", None, "address", "description"]),
        ("InstanceId,PrivateIpAddress,Tags", ["name", "address", "tags"]),
        ("Rechnername;IP-Adresse;Umgebung", ["name", "address", "environment"]),
        ("hostname,fqdn,ssh_port,login", ["name", "address", "port", "username"]),
        ("Name,IP,password,private_key", ["name", "address", None, None]),
    ],
)
def test_fields_are_suggested_by_headers(header: str, fields: list[str | None]) -> None:
    width = len(fields)
    values = {"address": "10.0.0.1", "port": "22"}
    row = ["x" if field is None else values.get(field, "x") for field in fields]
    separator = ";" if ";" in header else ","
    sheet = read(f"{header}\n{separator.join(row)}\n".encode(), format=Format.CSV)
    assert len(sheet.columns) == width
    assert [column.field for column in suggest(sheet)] == fields


def test_fields_are_suggested_by_values() -> None:
    listed = "".join(f"srv-{i},10.0.0.{i},{'2222' if i % 2 else '22'},x\n" for i in range(1, 20))
    sheet = read(f"alpha,beta,gamma,delta\n{listed}".encode())
    assert [column.field for column in suggest(sheet)] == ["name", "address", "port", None]
    assert {column.reason for column in suggest(sheet)[:3]} == {"values"}


def _understood(cells_: dict[Field, str], **wanted: Any) -> Wanted | Refused:
    mapped = {field: i for i, field in enumerate(cells_)}
    (one,) = understand([Row(7, tuple(cells_.values()))], mapped, key=wanted.get("key", "name"))
    return one


def test_a_name_serves_as_address_and_the_other_way_round() -> None:
    one = _understood({Field.NAME: "Web.Example.org"})
    assert isinstance(one, Wanted)
    assert (one.name, one.address) == ("Web.Example.org", "web.example.org")
    one = _understood({Field.ADDRESS: "10.0.0.1", Field.NAME: " "})
    assert isinstance(one, Wanted)
    assert one.name == "10.0.0.1"


@pytest.mark.ac("fleet-46")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({Field.PORT: "70000"}, "port '70000': it is greater than 65535."),
        ({Field.PORT: "ssh"}, "port 'ssh': it is no number."),
        ({Field.TAGS: "x" * 65}, "longer than 64 characters"),
        ({Field.USERNAME: "-oProxyCommand=x"}, "does not begin with a dash"),
        ({Field.ADDRESS: "http://x/"}, "not a URL"),
    ],
)
def test_a_refusal_names_the_field_and_what_stands_there(
    wrong: dict[Field, str], said: str
) -> None:
    one = _understood({Field.NAME: "web"} | wrong)
    assert isinstance(one, Refused)
    assert one.line == 7
    assert said in one.problem


def test_two_rows_with_one_address_are_two_hosts_unless_addresses_tell_them_apart() -> None:
    mapped = {Field.NAME: 0, Field.ADDRESS: 1}
    listed = [Row(2, ("a", "10.0.0.1")), Row(3, ("b", "10.0.0.1"))]
    assert all(isinstance(one, Wanted) for one in understand(listed, mapped, key="name"))
    second = understand(listed, mapped, key="address")[1]
    assert isinstance(second, Refused)
    assert second.problem == "Line 2 has the same address, 10.0.0.1."


@pytest.mark.ac("fleet-46")
@pytest.mark.parametrize(
    "text",
    ["[web:children]\nWeb\n[Web]\nh1\n", "[a:children]\nb\n[b:children]\nA\n[A]\nh1\n"],
)
def test_groups_that_differ_only_in_case_are_not_taken_for_one(text: str) -> None:
    """Here a name belongs to one group whatever its case, so each would stand in itself."""
    with pytest.raises(OpenWatchError, match="differ only in case") as caught:
        read(text.encode(), format=Format.ANSIBLE_INI)
    assert caught.value.code == "import.unreadable"
