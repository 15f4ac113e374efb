"""The one registry of error codes.

An error is part of the product: it has a stable code, one human sentence and what to do next.
API problem details (RFC 9457), CLI messages, docs and UI texts all derive from this registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One registered kind of error.

    ``message`` and ``fix`` are ``str.format`` templates over the parameters of the raised error.
    """

    code: str
    status: int
    message: str
    fix: str
    retryable: bool = False


_REGISTRY: Final[dict[str, ErrorKind]] = {}


def register(
    code: str, *, status: int, message: str, fix: str, retryable: bool = False
) -> ErrorKind:
    """Register an error kind and return it; a code can be registered once.

    ``status`` is the HTTP status that the API answers with; ``code`` is ``<noun>.<what>``.
    """
    if code in _REGISTRY:
        raise ValueError(f"error code {code!r} is registered twice")
    kind = ErrorKind(code=code, status=status, message=message, fix=fix, retryable=retryable)
    _REGISTRY[code] = kind
    return kind


def registered() -> tuple[ErrorKind, ...]:
    """Return every registered kind, sorted by code."""
    return tuple(_REGISTRY[code] for code in sorted(_REGISTRY))


class OpenWatchError(Exception):
    """An error with a registered kind. Parameters must never hold a secret: they are shown."""

    def __init__(self, kind: ErrorKind, /, **params: object) -> None:
        self.kind = kind
        self.params = params
        super().__init__(self.message)

    @property
    def code(self) -> str:
        return self.kind.code

    @property
    def message(self) -> str:
        """The human sentence, with its parameters filled in."""
        return self.kind.message.format(**self.params)

    @property
    def fix(self) -> str:
        """What to do next, with its parameters filled in."""
        return self.kind.fix.format(**self.params)
