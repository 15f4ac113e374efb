"""Reaching a port: name resolution and the TCP connection, each with its own deadline and cause."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from dataclasses import dataclass
from typing import Final

from openwatch.engine.transport import errors
from openwatch.kit.errors import ErrorKind, OpenWatchError

# Which of several addresses' failures says most about the host: a refusal proves that it is up.
_TELLING: Final = (errors.REFUSED, errors.CONNECT_TIMEOUT, errors.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a host, as the socket calls take it."""

    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


async def resolve(address: str, port: int, *, seconds: float) -> tuple[Endpoint, ...]:
    """Return every address that a name stands for, in the resolver's order of preference.

    Raises ``host.unresolvable``, also when the resolver gives no answer within ``seconds``.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        # A TimeoutError is an OSError; UnicodeError is what an impossible name gives.
        raise OpenWatchError(errors.UNRESOLVABLE, address=address, through="") from None
    return tuple(dict.fromkeys(Endpoint(family, sockaddr) for family, _, _, _, sockaddr in found))


async def connect(endpoints: tuple[Endpoint, ...], *, where: str, seconds: float) -> socket.socket:
    """Return a connected, non-blocking socket to the first endpoint that answers.

    The time is shared out, so that an address that swallows packets does not use up that of the
    next. Raises ``host.refused``, ``host.connect_timeout`` or ``host.unreachable``.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    failures: list[OpenWatchError] = []
    for tried, endpoint in enumerate(endpoints):
        share = (end - loop.time()) / (len(endpoints) - tried)
        try:
            return await _connect_one(endpoint, share)
        except OSError as error:
            failures.append(_failure(error, where=where, seconds=seconds))
    raise min(failures, key=lambda failure: _TELLING.index(failure.kind))


async def _connect_one(endpoint: Endpoint, seconds: float) -> socket.socket:
    loop = asyncio.get_running_loop()
    sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        async with asyncio.timeout(seconds):
            await loop.sock_connect(sock, endpoint.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def _failure(error: OSError, *, where: str, seconds: float) -> OpenWatchError:
    kind = _kind(error)
    number = error.errno
    detail = os.strerror(number).lower() if number else "no route or no such network"
    return OpenWatchError(kind, where=where, seconds=seconds, detail=detail)


def _kind(error: OSError) -> ErrorKind:
    match error.errno:
        case errno.ECONNREFUSED:
            return errors.REFUSED
        case errno.ETIMEDOUT:
            return errors.CONNECT_TIMEOUT
        case None if isinstance(error, TimeoutError):
            return errors.CONNECT_TIMEOUT
        case _:
            return errors.UNREACHABLE
