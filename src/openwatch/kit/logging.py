"""Structured logs: one line per event, JSON for machines or columns for people.

Values under a key that names a secret are replaced before anything is rendered.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED: Final = "[redacted]"
SECRET_WORDS: Final = (
    "password",
    "passphrase",
    "secret",
    "token",
    "private_key",
    "cookie",
    "authorization",
)
_MAX_DEPTH: Final = 8
_CHATTY: Final = ("alembic", "asyncssh")  # a line per plug-in, a line per SSH channel
# Local variables hold credentials: a traceback shows lines of code only.
_JSON_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def is_secret_name(name: str) -> bool:
    """True when a value under this name must not be shown; case and ``-`` do not matter."""
    folded = name.lower().replace("-", "_")
    return any(word in folded for word in SECRET_WORDS)


def redact(value: object, *, depth: int = 0) -> object:
    """Return ``value`` with everything under a secret name replaced, at any depth."""
    if depth > _MAX_DEPTH:
        return REDACTED
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {
            key: REDACTED
            if isinstance(key, str) and is_secret_name(key)
            else redact(item, depth=depth + 1)
            for key, item in pairs
        }
    if isinstance(value, list | tuple):
        return [redact(item, depth=depth + 1) for item in cast("list[object]", value)]
    return value


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """structlog processor: hide secrets in the event's own keys and in nested values."""
    hidden = cast("dict[str, Any]", redact(dict(event)))
    hidden["event"] = event.get("event")  # the sentence itself is a literal in our code
    return hidden


def configure(
    *,
    level: str = "info",
    log_format: Literal["console", "json"] = "console",
    stream: TextIO | None = None,
) -> None:
    """Set up logging for this process, for structlog and for the standard library alike."""
    output = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact_event,
    ]
    renderers: list[Processor] = (
        [_JSON_TRACEBACKS, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=output.isatty(),
                pad_event_to=30,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    )
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    return structlog.stdlib.get_logger(name)


def bind(**values: str) -> None:
    """Add values such as ``request_id`` or ``scan_id`` to every line of this task."""
    structlog.contextvars.bind_contextvars(**values)


def unbind(*names: str) -> None:
    """Take values that ``bind`` added off again."""
    structlog.contextvars.unbind_contextvars(*names)
