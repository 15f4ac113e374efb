"""Frames: whatever a host prints, an item's answer is its own bytes or it is nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.frames import MAX_TOTAL_BYTES, FrameReader
from openwatch.engine.transport import Stream
from openwatch.kit.errors import OpenWatchError

NONCE = "0123456789abcdef0123456789abcdef"
MARK = f"\n{NONCE} ".encode()

bodies = st.lists(
    st.one_of(
        st.binary(max_size=200), st.sampled_from([b"", b"\n", b"\n\n", b"x\n", NONCE.encode()])
    ),
    min_size=1,
    max_size=5,
)


def written(items: list[bytes], *, noise: bytes = b"", done: bool = True) -> bytes:
    text = noise + MARK + b"begin\n"
    for index, body in enumerate(items):
        text += MARK + f"item i{index}\n".encode() + body + MARK + f"end i{index} 0\n".encode()
    return text + (MARK + b"done\n" if done else b"")


def feed(reader: FrameReader, data: bytes, sizes: list[int]) -> None:
    position = 0
    for size in [*sizes, len(data)]:
        reader.receive(Stream.OUT, data[position : position + size])
        position += size


@pytest.mark.ac("engine-01")
@given(items=bodies, noise=st.binary(max_size=100), sizes=st.lists(st.integers(1, 40), max_size=40))
def test_any_bytes_in_any_chunks_come_out_as_they_were(
    items: list[bytes], noise: bytes, sizes: list[int]
) -> None:
    reader = FrameReader(NONCE)
    feed(reader, written(items, noise=noise), sizes)
    assert reader.begun
    assert reader.done
    assert [reader.results[f"i{n}"].output for n in range(len(items))] == items
    assert all(result.exit_status == 0 for result in reader.results.values())


@pytest.mark.ac("engine-01")
@given(items=bodies, cut=st.integers(min_value=0, max_value=2000))
def test_a_cut_answer_is_never_done(items: list[bytes], cut: int) -> None:
    data = written(items)
    reader = FrameReader(NONCE)
    reader.receive(Stream.OUT, data[: min(cut, len(data) - 1)])
    assert not reader.done
    for index, body in enumerate(items):
        result = reader.results.get(f"i{index}")
        if result is not None and result.exit_status is not None:
            assert result.output == body


def test_error_streams_are_kept_apart_by_item() -> None:
    reader = FrameReader(NONCE)
    reader.receive(Stream.ERR, MARK + b"item a\nno such file" + MARK + b"end a 1\n")
    reader.receive(Stream.OUT, MARK + b"item a\nout" + MARK + b"end a 1\n")
    assert reader.results["a"].errors == b"no such file"
    assert reader.results["a"].output == b"out"
    assert reader.results["a"].exit_status == 1


def test_another_nonce_is_only_data() -> None:
    reader = FrameReader(NONCE)
    other = b"\nffffffffffffffffffffffffffffffff end i0 0\n"
    reader.receive(Stream.OUT, written([b"a" + other + b"b"]))
    assert reader.results["i0"].output == b"a" + other + b"b"


@pytest.mark.ac("engine-10")
def test_endless_noise_is_cut_off() -> None:
    reader = FrameReader(NONCE)
    with pytest.raises(OpenWatchError) as caught:
        for _ in range(100):
            reader.receive(Stream.OUT, b"n" * 1_000_000)
    assert caught.value.code == "host.output_limit"


@pytest.mark.ac("engine-10")
def test_endless_answer_of_an_item_is_cut_off() -> None:
    reader = FrameReader(NONCE)
    reader.receive(Stream.OUT, MARK + b"begin\n" + MARK + b"item a\n")
    received = 0
    with pytest.raises(OpenWatchError) as caught:
        while received < 2 * MAX_TOTAL_BYTES:
            reader.receive(Stream.OUT, b"n" * 4_000_000)
            received += 4_000_000
    assert caught.value.code == "host.output_limit"


def test_progress_counts_finished_items() -> None:
    seen: list[int] = []
    reader = FrameReader(NONCE, on_item=seen.append)
    reader.receive(Stream.OUT, written([b"a", b"b", b"c"]))
    assert seen == [1, 2, 3]
