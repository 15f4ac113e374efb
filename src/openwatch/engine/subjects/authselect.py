"""The profile of authselect(8): which one is selected, and what it puts into the PAM stacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from openwatch.engine.facts import CouldNot, Reason, Request
from openwatch.engine.probes.files import FileContent
from openwatch.engine.snapshot import Snapshot
from openwatch.engine.subjects.base import Kind, Record, Selection, Source, Subject, Value
from openwatch.engine.subjects.files import read_files
from openwatch.engine.subjects.pam_stack import entries, tokens

CURRENT: Final = "/etc/authselect/authselect.conf"
"""authselect-profiles(5): the profile on the first line, a feature on each of the others."""

PROFILES: Final[Mapping[str, str]] = {
    "custom/": "/etc/authselect/custom",
    "": "/usr/share/authselect/default",
}
VENDOR: Final = "/usr/share/authselect/vendor"
STACKS: Final = ("system-auth", "password-auth")

_CONDITION: Final = re.compile(r"\{(include|exclude|continue|stop) if ([^}]*)\}")


class AuthselectSubject(Subject):
    """The selected profile. ``modules`` are those that it puts into both of its PAM stacks."""

    LABEL: ClassVar[str] = "authselect"
    FIELDS: ClassVar[Mapping[str, Kind]] = {
        "selected": Kind.FLAG,
        "profile": Kind.TEXT,
        "custom": Kind.FLAG,
        "features": Kind.WORDS,
        "modules": Kind.WORDS,
    }

    def requests(self) -> tuple[Request, ...]:
        directories = (*PROFILES.values(), VENDOR)
        templates = tuple(f"{d}/*/{stack}" for d in directories for stack in STACKS)
        return tuple(Request("content", path) for path in (CURRENT, *templates))

    def select(self, snapshot: Snapshot) -> Selection:
        files, problem = read_files(snapshot, (CURRENT,))
        if problem is not None:
            return Selection((Record("authselect", dict.fromkeys(self.FIELDS, problem)),))
        lines = [(n, line.strip()) for file in files for n, line in file.lines() if line.strip()]
        if not lines:
            values: dict[str, Value] = dict.fromkeys(self.FIELDS)
            values |= {"selected": False, "custom": False}
            return Selection((Record("authselect", values, raw="no profile is selected"),))
        profile = lines[0][1]
        features = frozenset(line for _, line in lines[1:])
        values = {
            "selected": True,
            "profile": profile,
            "custom": profile.startswith("custom/"),
            "features": features,
            "modules": self._modules(snapshot, profile, features),
        }
        text = " ".join((profile, *sorted(features)))
        source = Source(CURRENT, lines[0][0], text)
        return Selection((Record("authselect", values, dict.fromkeys(values, source), text),))

    def _modules(self, snapshot: Snapshot, profile: str, features: frozenset[str]) -> Value:
        name = profile.removeprefix("custom/")
        custom = profile.startswith("custom/")
        directories = (PROFILES["custom/"],) if custom else (VENDOR, PROFILES[""])
        common: frozenset[str] | None = None
        for stack in STACKS:
            template: FileContent | None = None
            for directory in directories:
                files, problem = read_files(snapshot, (f"{directory}/*/{stack}",))
                found = next((f for f in files if f.path == f"{directory}/{name}/{stack}"), None)
                if found is None and problem is not None and not files:
                    return problem
                template = template or found
            if template is None:
                return CouldNot(Reason.INCOMPLETE, f"The profile {profile} has no {stack}.")
            if template.could_not is not None:
                return template.could_not
            modules = _modules_of(template, features)
            common = modules if common is None else common & modules
        return common


def _modules_of(template: FileContent, features: Iterable[str]) -> frozenset[str]:
    modules: set[str] = set()
    for _, text in entries(template):
        conditions = _CONDITION.findall(text)
        if all(_holds(kind, condition, frozenset(features)) for kind, condition in conditions):
            words = tokens(_CONDITION.sub("", text))
            if len(words) > 2:
                modules.add(words[2][0].rpartition("/")[2].removesuffix(".so"))
        elif any(kind in ("stop", "continue") for kind, _ in conditions):
            break
    return frozenset(modules)


def _holds(kind: str, condition: str, features: frozenset[str]) -> bool:
    """Return whether a line stays: authselect-profiles(5), operators of a template."""
    alternatives = [
        all(
            (_feature(part) in features) is not part.strip().startswith("not ")
            for part in alternative.split(" and ")
        )
        for alternative in condition.split(" or ")
    ]
    return any(alternatives) is (kind in ("include", "continue"))


def _feature(part: str) -> str:
    return part.strip().removeprefix("not ").strip().strip('"')
