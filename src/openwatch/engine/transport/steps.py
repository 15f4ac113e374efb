"""Testing a connection step by step, so that a person sees which one fails and what to do."""

from __future__ import annotations

from time import monotonic
from typing import Final

from openwatch.engine.transport.errors import UNRESOLVABLE
from openwatch.engine.transport.model import (
    ConnectionReport,
    Deadlines,
    HostKeys,
    PrivilegeMode,
    Step,
    StepResult,
    Stream,
    Target,
)
from openwatch.engine.transport.ssh import DEFAULT_DEADLINES, open_ssh
from openwatch.engine.transport.ssh_login import Trace
from openwatch.kit.errors import OpenWatchError

_NOTHING: Final = b"exit 0\n"

_PRIVILEGE_SAYS: Final = {
    PrivilegeMode.ROOT: "The account is root.",
    PrivilegeMode.SUDO: "sudo works without a password.",
    PrivilegeMode.SUDO_PASSWORD: "sudo accepts the password.",
}


async def test_connection(
    target: Target,
    *,
    host_keys: HostKeys,
    deadlines: Deadlines = DEFAULT_DEADLINES,  # noqa: PT028 - this tests a host, not our code
) -> ConnectionReport:
    """Return how each step on the way to ``target`` went; never raises for a host's fault.

    The steps after one that failed are ``skipped``. What happens at a jump host belongs to the
    step ``connect``, because it is part of the way to the host.
    """
    trace = Trace()
    began = monotonic()
    privilege: PrivilegeMode | None = None
    failure: OpenWatchError | None = None
    try:
        transport = await open_ssh(target, host_keys=host_keys, deadlines=deadlines, trace=trace)
        try:
            trace.begin(Step.PRIVILEGE)
            await transport.run(_NOTHING, privileged=True, receive=_ignore)
        finally:
            privilege = transport.privilege
            await transport.aclose()
    except OpenWatchError as error:
        failure = error
    seconds = _durations(trace, began=began, ended=monotonic())
    failed = _failed_step(trace, failure) if failure else None
    return ConnectionReport(
        ok=failure is None,
        steps=tuple(
            _failed(step, failure, seconds)
            if failure and step is failed
            else _passed(step, target, trace, privilege, seconds)
            if step in trace.began and (failed is None or _ORDER.index(step) < _ORDER.index(failed))
            else _skipped(step, trace)
            for step in _ORDER
        ),
        host_key=trace.host_key,
        privilege=privilege,
    )


test_connection.__test__ = False  # pyright: ignore[reportFunctionMemberAccess] - not for pytest

_ORDER: Final = tuple(Step)


def _ignore(stream: Stream, data: bytes) -> None:
    pass


def _failed_step(trace: Trace, failure: OpenWatchError) -> Step:
    """Return the step that a failure belongs to: the last one begun, as a rule."""
    if failure.code.startswith("credential."):
        return Step.AUTHENTICATE
    if failure.kind is UNRESOLVABLE:
        return Step.RESOLVE
    return max(trace.began, key=_ORDER.index, default=Step.CONNECT)


def _durations(trace: Trace, *, began: float, ended: float) -> dict[Step, float]:
    """Return the seconds of each step: till the next one began, or till the end."""
    begun = sorted((at, step) for step, at in trace.began.items())
    if not begun:
        return {Step.CONNECT: ended - began}
    ends = [at for at, _ in begun[1:]] + [ended]
    return {step: end - at for (at, step), end in zip(begun, ends, strict=True)}


def _failed(step: Step, failure: OpenWatchError, seconds: dict[Step, float]) -> StepResult:
    took = _milliseconds(seconds, step)
    return StepResult(step, "failed", failure.message, failure.fix, failure.code, took)


def _skipped(step: Step, trace: Trace) -> StepResult:
    if step is Step.RESOLVE and trace.began:
        return StepResult(step, "skipped", "The jump host looks the name up.")
    return StepResult(step, "skipped", "Not tried, because another step failed.")


def _passed(
    step: Step,
    target: Target,
    trace: Trace,
    privilege: PrivilegeMode | None,
    seconds: dict[Step, float],
) -> StepResult:
    match step:
        case Step.RESOLVE:
            says = f"{target.address} is {', '.join(trace.addresses)}."
        case Step.CONNECT:
            says = f"{target.place} answers as an SSH server."
        case Step.HOST_KEY:
            key = trace.host_key
            shown = f": {key.algorithm} {key.fingerprint}" if key else ""
            says = f"The host key is trusted{shown}."
        case Step.AUTHENTICATE:
            says = f"{target.login.username} is logged in."
        case Step.PRIVILEGE:
            says = _PRIVILEGE_SAYS.get(privilege, "") if privilege else ""
    return StepResult(step, "ok", says, duration_ms=_milliseconds(seconds, step))


def _milliseconds(seconds: dict[Step, float], step: Step) -> int:
    return round(seconds.get(step, 0.0) * 1000)
