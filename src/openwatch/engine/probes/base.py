"""What a probe is: its requests, its shell, and its reader, side by side in one class."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from openwatch.engine.facts import CouldNot, Fact, Reason, Request
from openwatch.engine.frames import ItemResult

TIMEOUT_STATUSES: Final = frozenset({124, 137, 143})
"""timeout(1) exits 124, or 128+9 after ``-k``; 128+15 where an old busybox sends TERM itself."""

NOT_FOUND_STATUS: Final = 127
"""POSIX sh: the command was not found."""

_DENIED: Final = re.compile(
    rb"permission denied|operation not permitted|access denied|must be root|"
    rb"requires? (?:root|superuser)|insufficient privileges",
    re.IGNORECASE,
)


_ODD_BLANK: Final = re.compile(
    "[\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
)
"""What str.split() and str.strip() take for a blank, and isspace(3) of the C locale does not."""


def decoded(output: bytes) -> str:
    """Return an answer as text.

    What is no UTF-8 stands there as ``\\xNN``; so does what only Python takes for a blank: to the
    programs of the host a no-break space belongs to the word that it stands in.
    """
    text = output.decode("utf-8", "backslashreplace")
    return _ODD_BLANK.sub(lambda found: "".join(f"\\x{b:02x}" for b in found[0].encode()), text)


@dataclass(frozen=True, slots=True)
class Item:
    """One step of the collector program: a shell body with its own time and size limit."""

    id: str
    body: str
    command: str
    seconds: int = 10
    max_bytes: int = 2 * 1024 * 1024


class Probe(ABC):
    """A family of questions. ``read`` is pure: it may be asked again of a stored snapshot."""

    name: ClassVar[str]

    @abstractmethod
    def items(self, requests: Sequence[Request]) -> tuple[Item, ...]:
        """Return the program steps that answer all ``requests`` of this family at once."""

    @abstractmethod
    def facts(
        self, requests: Sequence[Request], results: Mapping[str, ItemResult]
    ) -> Iterable[Fact]:
        """Return one fact for every request, from the results of ``items``."""

    @abstractmethod
    def read(self, fact: Fact) -> Any:
        """Return the typed value of a fact of this family, or :class:`CouldNot`."""


def quote(text: str) -> str:
    """Return ``text`` as one POSIX sh word in single quotes."""
    return "'" + text.replace("'", "'\\''") + "'"


def failure(item: Item, result: ItemResult | None) -> CouldNot | None:
    """Return why an item gave no usable answer, or ``None`` when it ended well.

    An answer of ``max_bytes`` or more was cut by the collector, whatever the exit status says.
    """
    if result is None or result.exit_status is None:
        return CouldNot(Reason.INCOMPLETE, f"The collection ended before `{item.command}`.")
    if len(result.output) >= item.max_bytes:
        return CouldNot(
            Reason.TRUNCATED, f"`{item.command}` printed more than {item.max_bytes} bytes."
        )
    if result.exit_status == 0:
        return None
    return status_failure(item, result)


def status_failure(item: Item, result: ItemResult) -> CouldNot:
    """Return the reason that an exit status other than 0 and the error text stand for."""
    status = result.exit_status
    detail = first_line(result.errors)
    if status in TIMEOUT_STATUSES:
        return CouldNot(Reason.TIMED_OUT, f"`{item.command}` took longer than {item.seconds} s.")
    if status == NOT_FOUND_STATUS:
        return CouldNot(Reason.TOOL_MISSING, f"`{item.command.split()[0]}` is not on the host.")
    if _DENIED.search(result.errors):
        return CouldNot(Reason.DENIED, f"`{item.command}`: {detail}")
    return CouldNot(
        Reason.TOOL_FAILED, f"`{item.command}` exited with status {status}. {detail}".strip()
    )


def first_line(errors: bytes) -> str:
    """Return the first non-empty line of an error stream as printable text of at most 200."""
    for line in errors.decode("utf-8", "replace").splitlines():
        if text := "".join(c for c in line.strip() if c.isprintable()):
            return text[:200]
    return ""


class TableProbe(Probe):
    """A probe with one request ("the whole table") and one command."""

    command: ClassVar[str]
    body: ClassVar[str]
    seconds: ClassVar[int] = 10
    max_bytes: ClassVar[int] = 2 * 1024 * 1024

    def item(self) -> Item:
        """Return the only item of this probe."""
        return Item(self.name, self.body, self.command, self.seconds, self.max_bytes)

    def items(self, requests: Sequence[Request]) -> tuple[Item, ...]:
        return (self.item(),)

    def facts(
        self, requests: Sequence[Request], results: Mapping[str, ItemResult]
    ) -> Iterable[Fact]:
        item = self.item()
        result = results.get(item.id)
        output = b"" if result is None else self.clean(result.output)
        for request in requests:
            yield Fact(
                request=request,
                command=self.command,
                output=output,
                exit_status=None if result is None else result.exit_status,
                could_not=failure(item, result),
                seconds=0.0 if result is None else result.seconds,
            )

    def clean(self, output: bytes) -> bytes:
        """Return the output without secrets, and without what changes by itself."""
        return output

    def read(self, fact: Fact) -> Any:
        if fact.could_not is not None:
            return fact.could_not
        return self.parse(decoded(fact.output))

    @abstractmethod
    def parse(self, text: str) -> Any:
        """Return the typed value of the whole answer, or :class:`CouldNot`."""


class BlockProbe(Probe):
    """A probe with one item for all subjects; each answers with a block: a line ``@<subject>``,
    with a word more behind a blank where the probe has one to say, then its lines, then ``.``.
    """

    @abstractmethod
    def command(self, request: Request) -> str:
        """Return what a person would type to ask the same."""

    def facts(
        self, requests: Sequence[Request], results: Mapping[str, ItemResult]
    ) -> Iterable[Fact]:
        (item,) = self.items(requests)
        result = results.get(item.id)
        problem = failure(item, result)
        blocks = _finished_blocks(b"" if result is None else result.output)
        for request in requests:
            block = blocks.get(request.subject)
            # A block counts only when the answer was not cut inside of it.
            missing = None if block is not None else problem or CouldNot(Reason.INCOMPLETE)
            yield Fact(
                request=request,
                command=self.command(request),
                output=block or b"",
                exit_status=None if result is None else result.exit_status,
                could_not=missing,
                seconds=0.0 if result is None else result.seconds / max(1, len(requests)),
            )


def _finished_blocks(output: bytes) -> dict[str, bytes]:
    """Return the lines of each block behind the word of its head, by subject."""
    blocks: dict[str, bytes] = {}
    for part in re.split(rb"(?m)^@", output):
        head, _, body = part.partition(b"\n")
        if body == b".\n" or body.endswith(b"\n.\n"):
            subject, blank, word = head.partition(b" ")
            said = word + b"\n" if blank else b""
            blocks[subject.decode("utf-8", "backslashreplace")] = said + body
    return blocks
