"""Facts: what was asked of a host, the bytes that it answered, or why it could not be measured."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from openwatch.kit.canonical import canonical_json
from openwatch.kit.hashing import sha256_hex


class Reason(StrEnum):
    """Why something could not be measured. A closed list: every ``error`` verdict names one."""

    DENIED = "denied"
    TOOL_MISSING = "tool_missing"
    TIMED_OUT = "timed_out"
    TRUNCATED = "truncated"
    UNPARSABLE = "unparsable"
    TOOL_FAILED = "tool_failed"
    INCOMPLETE = "incomplete"
    NOT_COLLECTED = "not_collected"
    PLATFORM_UNKNOWN = "platform_unknown"


REASON_TEXT: Final[Mapping[Reason, str]] = {
    Reason.DENIED: "The scan account was not allowed to read it.",
    Reason.TOOL_MISSING: "The program that answers the question is not on the host.",
    Reason.TIMED_OUT: "The host did not answer within the time limit.",
    Reason.TRUNCATED: "The answer was longer than the limit and was cut.",
    Reason.UNPARSABLE: "The answer does not have the form that its documentation promises.",
    Reason.TOOL_FAILED: "The program that answers the question failed.",
    Reason.INCOMPLETE: "Only a part of the host could be looked at.",
    Reason.NOT_COLLECTED: "The snapshot does not hold this fact.",
    Reason.PLATFORM_UNKNOWN: "The operating system of the host could not be recognised.",
}


@dataclass(frozen=True, slots=True)
class CouldNot:
    """A typed "could not measure": never a value, never a pass."""

    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return self.detail or REASON_TEXT[self.reason]


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """One question to a host: a probe and its subject (a path, a key, a unit; "" for a table)."""

    probe: str
    subject: str = ""

    @property
    def id(self) -> str:
        """The name of the fact that answers this request, for example ``sysctl:vm.swappiness``."""
        return f"{self.probe}:{self.subject}" if self.subject else self.probe

    @classmethod
    def from_id(cls, fact_id: str) -> Request:
        """Return the request that a fact id names."""
        probe, _, subject = fact_id.partition(":")
        return cls(probe, subject)


@dataclass(frozen=True, slots=True)
class Fact:
    """The answer to one request: the bytes that the host gave and how they were obtained.

    ``output`` is already redacted. ``seconds`` is not part of the identity of a fact: two equal
    answers have one hash however long they took.
    """

    request: Request
    command: str
    output: bytes = b""
    exit_status: int | None = 0
    could_not: CouldNot | None = None
    seconds: float = field(default=0.0, compare=False)

    @property
    def id(self) -> str:
        return self.request.id

    def canonical(self) -> bytes:
        """Return the canonical bytes of this fact (RFC 8785); they are what is hashed and kept."""
        return canonical_json(self.document())

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical bytes, in hexadecimal."""
        return sha256_hex(self.canonical())

    def document(self) -> dict[str, Any]:
        """Return the JSON document of this fact; bytes that are not UTF-8 are kept as base64."""
        document: dict[str, Any] = {"fact": self.id, "command": self.command}
        if self.exit_status is not None:
            document["exit_status"] = self.exit_status
        if self.could_not is not None:
            document["could_not"] = {
                "reason": self.could_not.reason.value,
                "detail": self.could_not.detail,
            }
        try:
            document["output"] = self.output.decode("utf-8")
        except UnicodeDecodeError:
            document["output_base64"] = base64.b64encode(self.output).decode("ascii")
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Fact:
        """Return the fact that ``document()`` describes; raises ``KeyError``/``ValueError``."""
        could_not = document.get("could_not")
        if "output_base64" in document:
            output = base64.b64decode(document["output_base64"], validate=True)
        else:
            output = str(document["output"]).encode("utf-8")
        return cls(
            request=Request.from_id(document["fact"]),
            command=document["command"],
            output=output,
            exit_status=document.get("exit_status"),
            could_not=None
            if could_not is None
            else CouldNot(Reason(could_not["reason"]), could_not["detail"]),
        )
