"""logrotate(8): the order of files and options, what ends a section, and what nobody can say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import make_snapshot
from openwatch.engine.subjects.base import Record
from openwatch.engine.subjects.logrotate import (
    DROP_INS,
    MAIN_FILE,
    LogrotateSubject,
    Rotation,
    parse,
)


def rotation(main: str, **drop_ins: str) -> Rotation:
    files = {MAIN_FILE: main} | {f"/etc/logrotate.d/{n}": text for n, text in drop_ins.items()}
    return parse({path: FileContent(path, text) for path, text in files.items()})


Told = tuple[str, int | None, int | None, int]


def told(main: str, **drop_ins: str) -> list[Told]:
    found = rotation(main, **drop_ins)
    assert not found.problems, found.problems
    return [
        (" ".join(s.logs), s.options.days, s.options.size, s.options.kept) for s in found.sections
    ]


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("main", "expected"),
    [
        ("/a {}", ("/a", None, 1 << 20, 0)),
        ("weekly\nrotate 4\n/a {\n}", ("/a", 7, None, 4)),
        ("weekly 3\nrotate=4\n/a {\n daily\n rotate -1\n}", ("/a", 1, None, -1)),
        ("/a { daily\n weekly\n}", ("/a", 7, None, 0)),
        ("/a { size 5k\n weekly\n}", ("/a", 7, None, 0)),
        ("/a { weekly\n size +4096K\n}", ("/a", None, 4 << 20, 0)),
        ("/a {}\nweekly\nrotate 9", ("/a", None, 1 << 20, 0)),
        ("# weekly\n  # daily\n/a { missingok daily\n}", ("/a", 1, None, 0)),
        ("/a /b\n  '/c d'\n{ hourly rotate 3\n}", ("/a /b /c d", 1, None, 3)),
        ("/a {\n postrotate\n  yearly }\n endscript\n}", ("/a", None, 1 << 20, 0)),
        ("/a { compress yes }\n create 0640 root adm\n monthly\n}", ("/a", 31, None, 0)),
        ("bogus weekly\n/a { minsize 1M\n yearly }", ("/a", 366, None, 0)),
    ],
)
def test_a_section(main: str, expected: Told) -> None:
    assert told(main) == [expected]


@pytest.mark.ac("engine-14")
def test_options_hold_for_what_follows_them_in_whatever_file() -> None:
    main = "weekly\nrotate 4\ninclude /etc/logrotate.d\nrotate 9\n/z {}"
    assert told(main, b="/b {\n rotate 1\n}\n", a="/a {}\nmonthly\n") == [
        ("/a", 7, None, 4),
        ("/b", 31, None, 1),
        ("/z", 31, None, 9),
    ]
    assert told("include /etc/logrotate.d/\nweekly", a="/a {}") == [("/a", None, 1 << 20, 0)]
    assert told("weekly\n/z {}", a="/a {}") == [("/z", 7, None, 0)]


@pytest.mark.ac("engine-14")
def test_files_that_are_taboo_are_not_read() -> None:
    files = {"a.rpmsave": "/a {}", "b~": "/b {}", "c.old": "/c {}", "d": "/d {}"}
    logs = [log for log, *_ in told("include /etc/logrotate.d", **files)]
    assert logs == ["/c", "/d"]
    more = "tabooext + .old, .x\ninclude /etc/logrotate.d"
    assert [log for log, *_ in told(more, **files)] == ["/d"]
    other = "tabooext .old\ntaboopat + d*\ninclude /etc/logrotate.d"
    assert [log for log, *_ in told(other, **files)] == ["/a", "/b"]


@pytest.mark.ac("engine-14")
@pytest.mark.parametrize(
    ("main", "detail"),
    [
        ("/a {\n rotate x\n}", ":2: x is no number"),
        ("/a {\n rotate 3 # old\n}", ":2: 3 # old is no number"),
        ("/a {\n rotate 010\n}", ":2: 010"),
        ("/a { size 1 M\n}", ":1: size 1 M"),
        ("weekly }\n", ":1: weekly }"),
        ("/a {\n daily", ":2: a section without its end"),
        ("/a", ":1: names of log files without a section"),
        ("'/a {}", ":1: names of log files: No closing quotation"),
        ("daily\n}", ":2: a } without a section"),
        ("/a {\n{\n}", ":2: neither a directive"),
        ("*.log {}", ":1: neither a directive"),
        ("/a { /b {} }", ":1: a section in a section"),
        ("/a {\n include /etc/logrotate.d\n}", ":2: include in a section"),
        ("/a {}\n/a {\n}", ":3: /a has a section already"),
        ("/a {\n prerotate\n}", ":2: a script without endscript"),
        ("include /srv/logrotate", "/srv/logrotate is included and was not looked at"),
        ("include /etc/logrotate.conf", "is included too often"),
    ],
)
def test_what_nobody_can_say(main: str, detail: str) -> None:
    found = rotation(main)
    assert any(detail in problem.detail for problem in found.problems), found


def test_a_second_section_may_be_passed_over_on_purpose() -> None:
    assert len(told("/a {}\n/a { ignoreduplicates\n}")) == 2


def selected(mode: str = "644", uid: int = 0) -> tuple[Record, ...]:
    def fact(probe: str, subject: str, *lines: str) -> Fact:
        block = "".join(f"{line}\n" for line in (f"@ok {subject}", *lines, "."))
        return Fact(Request(probe, subject), probe, block.encode())

    path = "/etc/logrotate.d/a"
    facts = [
        fact("content", MAIN_FILE, f"={MAIN_FILE}", " weekly", " include /etc/logrotate.d", ""),
        fact("content", DROP_INS[0], f"={path}", " /a { rotate 4", " }", ""),
        fact("content", DROP_INS[1]),
        fact("stat", MAIN_FILE, f"=644|0|0|root|root|regular file|{MAIN_FILE}"),
        fact("stat", DROP_INS[0], f"={mode}|{uid}|0|x|root|regular file|{path}"),
        fact("stat", DROP_INS[1]),
    ]
    taken = make_snapshot(facts, taken_at=datetime(2026, 1, 15, tzinfo=UTC), privilege="root")
    return LogrotateSubject().select(taken).records


@pytest.mark.ac("engine-14")
def test_a_file_that_others_may_write_is_not_read() -> None:
    (record,) = selected()
    assert (record.values["logs"], record.values["days"]) == (frozenset({"/a"}), 7)
    assert record.sources["days"].path == "/etc/logrotate.d/a"
    assert not selected(mode="664")
    assert not selected(mode="666")
    assert not selected(uid=1000)


_LINES = st.sampled_from(
    ["weekly", "rotate 4", "rotate 0", "/a {", "/b {", "}", "postrotate", "endscript", "size 1M",
     "include /etc/logrotate.d", "tabooext + .x", "'", '"', "#", "/a", "~/x {", "daily }"]
)  # fmt: skip
_TEXTS = st.one_of(st.text(max_size=80), st.lists(_LINES, max_size=12).map("\n".join))


@given(main=_TEXTS, one=_TEXTS, two=_TEXTS)
def test_no_text_breaks_the_reader(main: str, one: str, two: str) -> None:
    found = rotation(main, a=one, b=two)
    for section in found.sections:
        assert section.options.days is None or section.options.days > 0
        assert (section.options.days is None) is (section.options.size is not None)
        assert section.options.kept >= -1
        assert section.source.line >= 1


@given(st.text(alphabet="{}'/\n\\ a#", max_size=60))
def test_what_is_behind_a_mistake_is_never_passed_over_in_silence(text: str) -> None:
    found = rotation(f"{text}\n/z {{ rotate 0\n}}\n}}")
    assert found.problems


def test_many_sections_and_includes_end_soon() -> None:
    many = "".join(f"/a{n} {{\n}}\n" for n in range(20_000))
    assert len(rotation(many).sections) == 20_000
    files = {f"f{n}": "include /etc/logrotate.d\n" * 3 for n in range(30)}
    found = rotation("include /etc/logrotate.d", **files)
    assert isinstance(found.problems[0], CouldNot)
    assert found.problems[0].reason is Reason.INCOMPLETE
