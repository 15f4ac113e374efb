"""A chunked Merkle tree over the outcomes and the facts of one scan.

Leaves and nodes are hashed with different prefixes and a list is split at the largest power of two
below its length, as RFC 6962 section 2.1 defines. The entries are first spread over a fixed number
of chunks by a hash of their id, so that one changed, added or removed entry changes one chunk,
whatever its place in the list. The roots of the chunks are the leaves of the upper tree:

    tree = node(outcomes, facts)
    outcomes = Merkle tree hash over the roots of the 32 outcome chunks; facts likewise
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from openwatch.kit.canonical import canonical_json

CHUNKS: Final = 32
"""Chunks of each list: near the square root of a large rule set, so that a chunk and the list of
chunks cost about the same to rewrite. A power of two, so that the upper tree is complete."""

HASH_BYTES: Final = 32
"""Length of a SHA-256 digest."""

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"

Entry = tuple[str, ...]
"""One leaf: its first word is the id that places it in a chunk."""


def leaf_hash(entry: Entry) -> bytes:
    """Return the hash of one entry: SHA-256 of 0x00 and its canonical JSON."""
    return hashlib.sha256(_LEAF + canonical_json(list(entry))).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 of 0x01 and both of its children."""
    return hashlib.sha256(_NODE + left + right).digest()


def tree_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of a list of leaf hashes (RFC 6962 section 2.1)."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(tree_hash(hashes[:split]), tree_hash(hashes[split:]))


@lru_cache(maxsize=8192)
def chunk_of(entry_id: str) -> int:
    """Return the number of the chunk that an entry with this id belongs to."""
    return hashlib.sha256(entry_id.encode()).digest()[0] % CHUNKS


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some entries in the order of their ids, and the root of the Merkle tree over them."""

    hash: bytes
    entries: tuple[Entry, ...]

    @classmethod
    def of(
        cls, entries: Iterable[Entry], *, hash_of: Callable[[Entry], bytes] = leaf_hash
    ) -> Chunk:
        """Return the chunk that holds these entries."""
        ordered = tuple(sorted(entries))
        return cls(hash=tree_hash([hash_of(entry) for entry in ordered]), entries=ordered)

    def encode(self) -> bytes:
        """Return the bytes that ``decode`` reads."""
        return canonical_json([list(entry) for entry in self.entries])

    @classmethod
    def decode(cls, data: bytes) -> Chunk:
        """Return the chunk that these bytes hold, with its hash computed anew."""
        return cls.of(tuple(entry) for entry in json.loads(data))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one scan found: outcome entries and fact entries, in chunks."""

    outcomes: tuple[Chunk, ...]
    facts: tuple[Chunk, ...]

    @classmethod
    def of(cls, *, outcomes: Iterable[Entry], facts: Iterable[Entry]) -> Manifest:
        """Return the manifest of these entries; raises ``ValueError`` when an id comes twice."""
        return cls(outcomes=_chunked(outcomes), facts=_chunked(facts))

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """All chunks: those of the outcomes, then those of the facts."""
        return self.outcomes + self.facts

    @property
    def hash(self) -> bytes:
        """The hash of the whole tree."""
        return index_hash([chunk.hash for chunk in self.chunks])

    @property
    def index(self) -> bytes:
        """The hashes of all chunks, joined: with the chunks, it gives back the manifest."""
        return b"".join(chunk.hash for chunk in self.chunks)


def index_hash(chunk_hashes: Sequence[bytes]) -> bytes:
    """Return the hash of the tree whose chunks have these hashes (outcomes, then facts)."""
    if len(chunk_hashes) != 2 * CHUNKS:
        raise ValueError(f"a manifest has {2 * CHUNKS} chunks, not {len(chunk_hashes)}")
    return node_hash(tree_hash(chunk_hashes[:CHUNKS]), tree_hash(chunk_hashes[CHUNKS:]))


def split_index(index: bytes) -> tuple[bytes, ...]:
    """Return the hashes that ``Manifest.index`` joined."""
    return tuple(index[start : start + HASH_BYTES] for start in range(0, len(index), HASH_BYTES))


def _chunked(entries: Iterable[Entry]) -> tuple[Chunk, ...]:
    buckets: list[dict[str, Entry]] = [{} for _ in range(CHUNKS)]
    for entry in entries:
        bucket = buckets[chunk_of(entry[0])]
        if entry[0] in bucket:
            raise ValueError(f"{entry[0]} is listed twice")
        bucket[entry[0]] = entry
    return tuple(Chunk.of(bucket.values(), hash_of=_own_leaf_hash) for bucket in buckets)


@lru_cache(maxsize=8192)
def _own_leaf_hash(entry: Entry) -> bytes:
    """Most entries of a scan were in one before. Only for words: to a cache, 1 and True are one, so
    what a stranger wrote is hashed each time.
    """
    return leaf_hash(entry)
