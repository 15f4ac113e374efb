"""Why a connection came to nothing, told from what asyncssh raised and how far it had come."""

from __future__ import annotations

import re
from typing import Final

import asyncssh
from asyncssh.constants import OPEN_ADMINISTRATIVELY_PROHIBITED

from openwatch.engine.transport import errors
from openwatch.engine.transport.model import Target
from openwatch.engine.transport.ssh_login import LoginClient
from openwatch.kit.errors import OpenWatchError

MAX_ALGORITHMS_SHOWN: Final = 6

_NO_COMMON: Final = re.compile(
    r"No matching (?P<what>.+?) algorithm found, .* received (?P<names>.*)"
)
_UNRESOLVED: Final = re.compile(r"resol|not known|unknown host|no address", re.IGNORECASE)

_TURNED_AWAY: Final = (b"Exceeded MaxStartups", b"Not allowed at this time")
"""What sshd says in place of a greeting to those that it has no room or no patience for."""

_ADVICE_CLOSED: Final = (
    "Try again in a minute. If it stays so, look at sshd's log on the host: it may limit "
    "connections (MaxStartups, PerSourcePenalties) or block this address (fail2ban, hosts.deny)."
)
_ADVICE_SLOW: Final = (
    "Look for high load on the host and for slow name or account look-ups there (UseDNS, LDAP), "
    "or raise the deadline."
)
_ADVICE_LOG: Final = "sshd's log on the host tells more (`journalctl -u ssh -u sshd`)."
_ADVICE_ALGORITHMS: Final = (
    "Update the SSH server, or allow in its sshd_config one of the algorithms of current OpenSSH "
    "(`ssh -Q kex`, `ssh -Q cipher`, `ssh -Q HostKeyAlgorithms`)."
)


def explain(
    error: Exception, *, client: LoginClient, where: str, greeting: bytes, seconds: float
) -> OpenWatchError:
    """Return the registered error for what ended a connection while it was made.

    ``greeting`` is what the server sent first, ``seconds`` the deadline of the handshake.
    """
    match error:
        case OpenWatchError():
            return _at(error, where)
        case asyncssh.PermissionDenied():
            return client.rejection(where)
        case asyncssh.HostKeyNotVerifiable():
            return _failed(where, "it showed no sound host key", _ADVICE_LOG)
        case asyncssh.KeyExchangeFailed():
            return _failed(where, _no_common_algorithm(error.reason), _ADVICE_ALGORITHMS)
        case _ if client.server_version is None:
            return _no_greeting(error, where=where, greeting=greeting, seconds=seconds)
        case TimeoutError():
            what = "the log-in" if client.began_login else "the key exchange"
            detail = f"{what} had not ended after {seconds:g} seconds"
            return _failed(where, detail, _ADVICE_SLOW)
        case asyncssh.ConnectionLost() | OSError():
            what = "log-in" if client.began_login else "the key exchange"
            return _failed(where, f"it closed the connection during {what}", _ADVICE_LOG)
        case asyncssh.DisconnectError() if client.began_login:
            return client.rejection(where, reason=error.reason)
        case asyncssh.DisconnectError():
            return _failed(where, f"it ended with {errors.quoted(error.reason)}", _ADVICE_LOG)
        case _:
            return _failed(where, "it sent what is not SSH", _ADVICE_LOG)


def explain_jump(error: asyncssh.ChannelOpenError, *, where: str, target: Target) -> OpenWatchError:
    """Return the registered error for a connection that a jump host could not make for us."""
    reason = error.reason
    if error.code == OPEN_ADMINISTRATIVELY_PROHIBITED:
        jump = target.jump[-1]
        return OpenWatchError(
            errors.JUMP_FORBIDDEN,
            jump=jump.place,
            username=jump.login.username,
            address=target.address,
            port=target.port,
            detail=f"it says {errors.quoted(reason)}",
        )
    if _UNRESOLVED.search(reason):
        return OpenWatchError(
            errors.UNRESOLVABLE, address=target.address, through=" on the jump host"
        )
    if "refused" in reason.lower():
        return OpenWatchError(errors.REFUSED, where=where)
    detail = f"the jump host says {errors.quoted(reason)}"
    return OpenWatchError(errors.UNREACHABLE, where=where, detail=detail)


def _at(error: OpenWatchError, where: str) -> OpenWatchError:
    """Return the error with the place as this connection calls it, jump hosts included."""
    if error.params.get("where", where) == where:
        return error
    return OpenWatchError(error.kind, **{**error.params, "where": where})


def _failed(where: str, detail: str, advice: str) -> OpenWatchError:
    return OpenWatchError(errors.HANDSHAKE_FAILED, where=where, detail=detail, advice=advice)


def _no_greeting(
    error: Exception, *, where: str, greeting: bytes, seconds: float
) -> OpenWatchError:
    said = errors.quoted(greeting.decode("utf-8", "replace"))
    if greeting.startswith(_TURNED_AWAY):
        return _failed(where, f"it turned the connection away with {said}", _ADVICE_CLOSED)
    if greeting:
        return OpenWatchError(errors.NOT_SSH, where=where, detail=f"it sent {said}")
    if isinstance(error, TimeoutError):
        detail = f"it took the connection and sent nothing for {seconds:g} seconds"
        return OpenWatchError(errors.NOT_SSH, where=where, detail=detail)
    return _failed(where, "it closed the connection without a greeting", _ADVICE_CLOSED)


def _no_common_algorithm(reason: str) -> str:
    found = _NO_COMMON.search(reason)
    if found is None:
        return errors.quoted(reason)
    names = found["names"].split(",")
    shown = ", ".join(names[:MAX_ALGORITHMS_SHOWN])
    more = len(names) - MAX_ALGORITHMS_SHOWN
    and_more = f" and {more} more" if more > 0 else ""
    return (
        f"no {found['what']} algorithm is accepted by both sides; the server has {shown}{and_more}"
    )
