"""Programs on a host: one shell for each program, as root when asked.

This is what the ways to a host have in common; they differ only in how a command is started.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Final, Protocol

from openwatch.engine.transport import errors
from openwatch.engine.transport.model import (
    Deadlines,
    PrivilegeMode,
    PrivilegeProblem,
    Receiver,
    Traffic,
)
from openwatch.engine.transport.privilege import Begun, Handshake, Launch
from openwatch.engine.transport.privilege import command as shell_command
from openwatch.engine.transport.shell_run import MAX_NOISE_BYTES, Run, Sink
from openwatch.kit.errors import OpenWatchError

NONCE_BYTES: Final = 16

SIGNALLED: Final = 128
"""sh(1): a command ended by signal N has exit status 128 + N."""

_EXPIRED: Final = re.compile(
    r"password change required|password has expired|required to change your password",
    re.IGNORECASE,
)

_PROBLEMS: Final = {
    PrivilegeProblem.NOT_ALLOWED: errors.NOT_ALLOWED,
    PrivilegeProblem.PASSWORD_REQUIRED: errors.PASSWORD_REQUIRED,
    PrivilegeProblem.PASSWORD_REJECTED: errors.PASSWORD_REJECTED,
    PrivilegeProblem.REQUIRES_TTY: errors.REQUIRES_TTY,
    PrivilegeProblem.SUDO_MISSING: errors.SUDO_MISSING,
    PrivilegeProblem.FAILED: errors.SUDO_FAILED,
}


class Starter(Protocol):
    """Starts commands on one host."""

    async def start(self, command: str, sink: Sink, *, patient: bool = True) -> None:
        """Have the account's shell start ``command``; raises ``host.lost``, ``host.no_shell``.

        A host that has no place for a further command is asked again for a while if ``patient``.
        """
        ...

    async def aclose(self) -> None: ...


class _RefusedError(Exception):
    """sudo gave no shell."""

    def __init__(self, problem: PrivilegeProblem, says: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.says = says


class ShellTransport:
    """A transport over anything that can start a command; see :class:`.model.Transport`."""

    def __init__(
        self,
        starter: Starter,
        *,
        name: str,
        where: str,
        username: str,
        sudo_password: str | None,
        deadlines: Deadlines,
        connect_seconds: float = 0.0,
    ) -> None:
        self.name = name
        self._starter = starter
        self._where = where
        self._username = username
        self._sudo_password = sudo_password
        self._deadlines = deadlines
        self._privilege: PrivilegeMode | None = None
        self._refused: _RefusedError | None = None
        self._proven: set[Launch] = set()
        self._learning = asyncio.Lock()
        self._ahead: asyncio.Task[Run | None] | None = None
        self._round_trips = 0
        self._bytes_sent = 0
        self._bytes_received = 0
        self._connect_seconds = connect_seconds

    @property
    def privilege(self) -> PrivilegeMode | None:
        return self._privilege

    @property
    def traffic(self) -> Traffic:
        return Traffic(
            round_trips=self._round_trips,
            bytes_sent=self._bytes_sent,
            bytes_received=self._bytes_received,
            connect_seconds=self._connect_seconds,
        )

    async def aclose(self) -> None:
        await self._give_up_ahead()
        await self._starter.aclose()

    def expect_privileged(self) -> None:
        """See :meth:`.model.Transport.expect_privileged`."""
        if self._ahead is None and self._privilege is None:
            self._ahead = asyncio.create_task(self._root_shell_ahead())

    async def run(
        self,
        program: bytes,
        *,
        privileged: bool,
        receive: Receiver,
        deadline: float | None = None,
    ) -> int:
        """See :meth:`.model.Transport.run`."""
        seconds = self._deadlines.command if deadline is None else deadline
        whole = asyncio.timeout(seconds)
        try:
            async with whole:
                if privileged:
                    return await self._run_as_root(program, receive)
                return await self._attempt(Launch.PLAIN, program, receive)
        except TimeoutError:
            if not whole.expired():
                raise
            raise OpenWatchError(
                errors.COMMAND_TIMEOUT, where=self._where, seconds=seconds
            ) from None

    async def _run_as_root(self, program: bytes, receive: Receiver) -> int:
        """Run as root the way that the first such run found out.

        What it taught holds for this transport's life, a refusal too: a password that was
        rejected is never tried a second time.
        """
        if (shell := await self._take_ahead()) is not None:
            return await self._carry_out(shell, program, receive)
        if self._privilege is None:
            async with self._learning:
                if self._privilege is None:
                    return await self._as_root(Launch.PROBE, program, receive)
        match self._privilege:
            case PrivilegeMode.ROOT:
                return await self._attempt(Launch.PLAIN, program, receive)
            case PrivilegeMode.SUDO:
                return await self._as_root(Launch.PROBE, program, receive)
            case PrivilegeMode.SUDO_PASSWORD:
                return await self._as_root(Launch.PASSWORD, program, receive)
            case _:
                raise self._refusal()

    async def _as_root(self, launch: Launch, program: bytes, receive: Receiver) -> int:
        try:
            return await self._attempt(launch, program, receive)
        except _RefusedError as refused:
            self._ask_with_password(launch, refused)
        return await self._as_root(Launch.PASSWORD, program, receive)

    def _ask_with_password(self, launch: Launch, refused: _RefusedError) -> None:
        """Return when sudo only wants the password that we have; else raise what it means."""
        wants_password = refused.problem is PrivilegeProblem.PASSWORD_REQUIRED
        if launch is not Launch.PROBE or not wants_password or not self._sudo_password:
            self._privilege = PrivilegeMode.NONE
            self._refused = refused
            raise self._refusal() from None

    # -- a root shell before its program is there --------------------------------------------------

    async def _root_shell_ahead(self) -> Run | None:
        """Return a root shell that waits for its program; None where none can be had now.

        A refusal by sudo is remembered as ever. Whatever else goes wrong is left for the run that
        needs the shell: it tries anew, and tells.
        """
        try:
            async with self._learning:
                return await self._waiting_root_shell(Launch.PROBE)
        except OpenWatchError:
            return None

    async def _waiting_root_shell(self, launch: Launch) -> Run:
        run = self._new_run(launch)
        try:
            await self._begin(launch, run, patient=False)
            if run.handshake.ready:
                return run
            self._outcome(run)
        except _RefusedError as refused:
            self._end(run)
            self._ask_with_password(launch, refused)
        except BaseException:
            self._end(run)
            raise
        return await self._waiting_root_shell(Launch.PASSWORD)

    async def _take_ahead(self) -> Run | None:
        """Return the root shell that was made ready, if it still waits; nobody gets it twice."""
        task, self._ahead = self._ahead, None
        if task is None:
            return None
        shell = await task
        if shell is not None and shell.finished.is_set():
            self._end(shell)
            return None
        return shell

    async def _give_up_ahead(self) -> None:
        task, self._ahead = self._ahead, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None and (shell := task.result()):
            self._end(shell)

    # -- one program -------------------------------------------------------------------------------

    async def _attempt(self, launch: Launch, program: bytes, receive: Receiver) -> int:
        run = self._new_run(launch)
        run.give(program, receive)
        try:
            await self._begin(launch, run)
            await run.finished.wait()
        finally:
            self._end(run)
        return self._outcome(run)

    async def _carry_out(self, shell: Run, program: bytes, receive: Receiver) -> int:
        """Give a shell that waits its program."""
        shell.give(program, receive)
        try:
            await shell.finished.wait()
        finally:
            self._end(shell)
        return self._outcome(shell)

    def _new_run(self, launch: Launch) -> Run:
        # A way that has worked before gets its program with the request, which saves one wait for
        # the network; a password is always waited for.
        at_once = launch in self._proven and launch is not Launch.PASSWORD
        nonce = secrets.token_hex(NONCE_BYTES)
        return Run(
            nonce, Handshake(launch, nonce), password=self._sudo_password, send_at_once=at_once
        )

    def _end(self, run: Run) -> None:
        run.hang_up()
        self._round_trips += run.program_sent
        self._bytes_sent += run.bytes_sent
        self._bytes_received += run.bytes_received

    async def _begin(self, launch: Launch, run: Run, *, patient: bool = True) -> None:
        """Start the shell and wait until it takes the program, or has ended."""
        seconds = self._deadlines.handshake
        start = asyncio.timeout(seconds)
        try:
            async with start:
                await self._starter.start(shell_command(launch, run.nonce), run, patient=patient)
                await run.settled.wait()
        except TimeoutError:
            if not start.expired():
                raise
            raise self._no_answer(run, seconds) from None
        if run.handshake.ready:
            self._learned(launch, run.handshake)

    def _no_answer(self, run: Run, seconds: float) -> Exception:
        if run.channel is None:
            return OpenWatchError(errors.LOST, where=self._where)
        if run.handshake.begun is Begun.SUDO:
            says = f"it gave no answer within {seconds:g} seconds"
            return _RefusedError(PrivilegeProblem.FAILED, says)
        return self._no_shell(f"none had started after {seconds:g} seconds")

    def _learned(self, launch: Launch, handshake: Handshake) -> None:
        self._proven.add(launch)
        if launch is Launch.PASSWORD:
            self._privilege = PrivilegeMode.SUDO_PASSWORD
        elif handshake.begun is Begun.SUDO:
            self._privilege = PrivilegeMode.SUDO
        elif handshake.begun is Begun.ROOT:
            self._privilege = PrivilegeMode.ROOT
            self._proven.add(Launch.PLAIN)

    def _outcome(self, run: Run) -> int:
        if run.failure is not None:
            raise run.failure
        if run.handshake.ready:
            if run.exit_status is None:
                raise OpenWatchError(errors.LOST, where=self._where)
            return run.exit_status
        if run.exit_status is None and not run.hung_up:
            raise OpenWatchError(errors.LOST, where=self._where)
        if run.too_noisy:
            raise self._no_shell(f"it printed more than {MAX_NOISE_BYTES >> 20} MiB first")
        if problem := run.handshake.problem:
            says = self._without_secrets(run.handshake.told_by_sudo)
            raise _RefusedError(problem, f"it says {errors.quoted(says)}" if says else "")
        told = self._without_secrets(run.handshake.told)
        if _EXPIRED.search(told):
            raise OpenWatchError(
                errors.PASSWORD_EXPIRED, where=self._where, username=self._username
            )
        status = f"it ended with status {run.exit_status}"
        raise self._no_shell(f"{status} and said {errors.quoted(told)}" if told else status)

    def _no_shell(self, detail: str) -> OpenWatchError:
        return OpenWatchError(
            errors.NO_SHELL, where=self._where, username=self._username, detail=detail
        )

    def _refusal(self) -> OpenWatchError:
        assert self._refused is not None
        return OpenWatchError(
            _PROBLEMS[self._refused.problem],
            where=self._where,
            username=self._username,
            says=f": {self._refused.says}" if self._refused.says else "",
        )

    def _without_secrets(self, text: str) -> str:
        return text.replace(self._sudo_password, "[redacted]") if self._sudo_password else text
