import threading
import time
import uuid

import pytest

from openwatch.kit import ids


def test_layout_is_rfc_9562_version_7() -> None:
    before = time.time_ns() // 1_000_000
    made = ids.uuid7()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after + 1


def test_ids_grow_within_one_millisecond() -> None:
    made = [ids.uuid7() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_ids_grow_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ids.uuid7()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_000_000_000)
    later = [ids.uuid7() for _ in range(5_000)]
    assert [first, *later] == sorted({first, *later})


def test_threads_never_share_an_id() -> None:
    made: list[uuid.UUID] = []

    def work() -> None:
        made.extend([ids.uuid7() for _ in range(2_000)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8_000
