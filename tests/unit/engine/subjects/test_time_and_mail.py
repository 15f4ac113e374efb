"""chrony.conf and main.cf as chronyd and Postfix read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Request
from openwatch.engine.snapshot import Snapshot, make_snapshot
from openwatch.engine.subjects.base import Selection, Subject
from openwatch.engine.subjects.mail import PostfixSubject
from openwatch.engine.subjects.time import ChronySubject

MAIN = "/etc/chrony/chrony.conf"


def snapshot(subject: Subject, files: dict[str, str]) -> Snapshot:
    facts = []
    for request in subject.requests():
        directory, _, name = request.subject.rpartition("/")
        block = f"@ok {request.subject}\n"
        for path, text in sorted(files.items()):
            if path == request.subject or (
                name.startswith("*")
                and path.startswith(directory + "/")
                and path.endswith(name[1:])
            ):
                block += f"={path}\n" + "".join(f" {line}\n" for line in text.split("\n")) + "\n"
        facts.append(Fact(request, "cat", f"{block}.\n".encode("utf-8", "surrogateescape")))
    return make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")


def chrony(directive: str | tuple[str, ...], files: dict[str, str]) -> Selection:
    subject = ChronySubject(directive=directive)
    return subject.select(snapshot(subject, files))


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("port 0", "0"),
        ("PORT 0", "0"),
        ("port\t 0  ", "0"),
        ("#port 0", None),
        ("! port 0", None),
        ("% port 0\nport 123", "123"),
        ("port 0\nport 123", "123"),
        ("portx 0", None),
        ("", None),
    ],
)
def test_of_a_directive_the_last_line_counts(text: str, expected: str | None) -> None:
    (record,) = chrony("port", {MAIN: text}).records
    assert record.values["value"] == expected


@pytest.mark.ac("engine-14")
def test_sources_of_all_files_that_are_taken_in() -> None:
    files = {
        MAIN: "server a iburst maxpoll 10\nsourcedir /etc/chrony/sources.d\npool b maxpoll 1x\n"
        "confdir /etc/chrony/conf.d\n",
        "/etc/chrony/sources.d/x.sources": "server c minpoll -2 maxpoll 9\n",
        "/etc/chrony/conf.d/y.conf": "peer d\n",
        "/etc/chrony.d/not-taken-in.conf": "server e\n",
    }
    found = chrony(("server", "pool", "peer"), files)
    assert [(r.name, r.values["minpoll"], r.values["maxpoll"]) for r in found.records] == [
        ("server a", None, 10), ("server c", -2, 9), ("pool b", None, None), ("peer d", None, None),
    ]  # fmt: skip


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    "line", ["include /opt/x.conf", "confdir /opt", "include /etc/chrony/*", "sourcedir /etc"]
)
def test_a_file_that_was_not_looked_at_leaves_all_unknown(line: str) -> None:
    assert isinstance(chrony("port", {MAIN: f"port 0\n{line}"}).could_not, CouldNot)


@pytest.mark.ac("engine-14")
def test_a_file_that_takes_itself_in_comes_to_an_end() -> None:
    files = {
        MAIN: "include /etc/chrony/conf.d/x.conf",
        "/etc/chrony/conf.d/x.conf": "include /etc/chrony/conf.d/x.conf",
    }
    assert isinstance(chrony("port", files).could_not, CouldNot)


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = b, c", {"b", "c"}),
        ("a = b,\n  c\n\td", {"b", "c", "d"}),
        ("a = b\n# a = x\n  c", {"b", "c"}),
        ("a = b\na = c", {"c"}),
        ("aa = b", None),
        ("#a = b", None),
        ("a =", set[str]()),
        ("a b", None),
    ],
)
def test_parameters_of_postfix(text: str, expected: set[str] | None) -> None:
    subject = PostfixSubject(key="a")
    (record,) = subject.select(snapshot(subject, {"/etc/postfix/main.cf": text})).records
    assert record.values["items"] == expected


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_a_reader(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    for subject, path in (
        (ChronySubject(directive=("server", "port")), MAIN),
        (PostfixSubject(key="a"), "/etc/postfix/main.cf"),
    ):
        assert isinstance(subject.select(snapshot(subject, {path: text})), Selection)


def test_a_refused_file_is_unknown() -> None:
    subject = PostfixSubject(key="a")
    fact = Fact(
        Request("content", "/etc/postfix/main.cf"), "cat", b"@denied /etc/postfix/main.cf\n.\n"
    )
    found = make_snapshot([fact], taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="scan")
    (record,) = subject.select(found).records
    assert isinstance(record.values["value"], CouldNot)
