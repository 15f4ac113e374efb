"""The registry of event kinds, and frames."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest

from openwatch.signals.frames import event_frame, opening_frame, reset_frame
from openwatch.signals.kinds import event_kind, event_kinds
from openwatch.signals.schema import Event, EventSubject

HOST = UUID("0190c0de-0000-7000-8000-000000000001")


def test_every_kind_has_a_name_of_its_own_and_a_sentence() -> None:
    names = [kind.name for kind in event_kinds()]
    assert len(names) == len(set(names))
    for kind in event_kinds():
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind.name)
        assert kind.description.endswith(".")
    with pytest.raises(ValueError, match="no event kind"):
        event_kind("host.exploded")


def _event(event_id: int | None, **data: object) -> Event:
    return Event(
        id=event_id,
        kind="host.created",
        at=datetime(2026, 5, 4, tzinfo=UTC),
        subject=EventSubject(type="host", id=HOST),
        host_id=HOST,
        data=data,
    )


def test_text_from_a_host_cannot_break_out_of_its_frame() -> None:
    wire = event_frame(_event(7, name="web\n\nid: 9\nevent: session.ended\r\u2028\x00"))
    lines = wire.decode().split("\n")
    assert [line.partition(":")[0] for line in lines] == ["id", "event", "data", "", ""]
    assert "\r" not in wire.decode()


@pytest.mark.ac("signals-09")
def test_an_announcement_has_no_id_so_that_it_is_never_resumed_from() -> None:
    assert not event_frame(_event(None)).startswith(b"id:")


def test_the_opening_sets_the_position_without_showing_anything() -> None:
    assert opening_frame(41, retry_ms=1500) == b"retry: 1500\nid: 41\n\n"
    assert reset_frame(41).startswith(b"id: 41\nevent: stream.reset\ndata: {")
