"""dconf, timers and updates as the collector brings them home from a host on paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final

from openwatch.engine.facts import Request
from tests.corpus.host import Host, Trouble, Update

Asked = Sequence[Request]


def _dconf(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    lines = [f"{name} {state}\n" for name, state in host.dconf.items()]
    return "".join((*lines, "end\n")).encode()


def _timers(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    timers, units = [], []
    for name, timer in host.timers.items():
        file_state, active = timer.state.split()
        unit = f"{name.removesuffix('.timer')}.service"
        program = timer.command.split()[0]
        timers.append(
            f"Id={name}\nActiveState={active}\nUnitFileState={file_state}\nUnit={unit}\n"
            f"TimersCalendar={{ OnCalendar={timer.calendar} ; next_elapse=Mon }}\n"
        )
        units.append(
            f"Id={unit}\nExecStart={{ path={program} ; argv[]={timer.command} ;"
            " ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) }\n"
        )
    body = "\n".join(timers)
    return f"#timers\n{body}\n#units\n{chr(10).join(units)}\n#end\n".encode()


def _updates(host: Host, _: Asked, own: Mapping[str, Trouble]) -> bytes:
    rpm = "zypp" if "suse" in host.os_release.get("ID_LIKE", "") else "dnf"
    manager = "apt" if host.package_format == "dpkg" else rpm
    updates = host.updates
    if not updates.asked:
        return f"#{manager}\n#none\n#end\n".encode()
    if not updates.advisories:
        return f"#{manager}\n#unsaid\n#end\n".encode()
    day = (date.fromisoformat(updates.asked) - date(1970, 1, 1)).days
    say = {"apt": _apt_line, "dnf": _dnf_lines, "zypp": _zypp_line}[manager]
    lines = "".join(say(update) for update in updates.waiting)
    first = "" if manager == "dnf" else ".\n"
    return f"#{manager}\n#asked {day}\n{first}{lines}#end\n".encode()


def _apt_line(update: Update) -> str:
    return f"{update.name} 1.0-1 1.0-{2 if update.security else 1}\n"


def _zypp_line(update: Update) -> str:
    """The probe asks for security patches alone."""
    line = f"{update.name}|important|{update.published}|bash|0:1.0-2|0:1.0-1\n"
    return line if update.security else ""


def _dnf_lines(update: Update) -> str:
    kind = "security" if update.security else "bugfix"
    return (
        f"  Update ID: {update.name}\n       Type: {kind}\n"
        f"    Updated: {update.published} 10:00:00\n   Severity: Important\n"
    )


RENDERERS: Final[Mapping[str, Callable[[Host, Asked, Mapping[str, Trouble]], bytes]]] = {
    "dconf": _dconf,
    "timers": _timers,
    "updates": _updates,
}
