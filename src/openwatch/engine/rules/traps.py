"""Traps: forms of a check that pass where they must not, or fail where they need not.

Each is a closed pattern over the parsed rule; what is found is a mistake, not a matter of taste.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from openwatch.engine.rules.check import Check
from openwatch.engine.rules.corpus import Corpus
from openwatch.engine.rules.expectations import Expectation
from openwatch.engine.rules.schema import Rule
from openwatch.engine.subjects.base import as_list
from openwatch.engine.subjects.files import LineSubject
from openwatch.engine.subjects.settings import Format, SettingSubject
from openwatch.engine.subjects.sysctl import SysctlSubject
from openwatch.engine.subjects.system import UnitSubject


@dataclass(frozen=True, slots=True, order=True)
class Trap:
    """A rule that walks into a trap: what is wrong, and what to write instead."""

    rule_id: str
    what: str
    instead: str

    def __str__(self) -> str:
        return f"{self.rule_id}: {self.what}. {self.instead}"


def traps(corpus: Corpus) -> tuple[Trap, ...]:
    """Return every trap that a rule of the corpus walks into, by rule."""
    return tuple(sorted({trap for rule in corpus.rules.values() for trap in _of_rule(rule)}))


def _of_rule(rule: Rule) -> Iterator[Trap]:
    for variant in rule.variants():
        for leaf in variant.check.leaves() if variant.check else ():
            for name, instead in _KINDS.items():
                for what in name(leaf):
                    yield Trap(rule.id, what, instead)


def _without_floor(leaf: Check) -> Iterator[str]:
    for field, expectation in leaf.expect.items():
        tests = expectation.tests()
        if field in _NEVER_BELOW_ZERO:
            continue
        if "at_most" in tests and "at_least" not in tests and not _below_one(tests["at_most"]):
            yield f"{field} has a ceiling and no floor"


_NEVER_BELOW_ZERO: Final = ("uid", "gid")
"""Root is as good as any account of the system."""


def _below_one(ceiling: object) -> bool:
    """A ceiling of 0 or less is itself what zero and below are wanted for."""
    return isinstance(ceiling, int) and ceiling < 1


def _number_as_pattern(leaf: Check) -> Iterator[str]:
    for field, expectation in leaf.expect.items():
        if _counts_digits(expectation):
            yield f"{field} compares a number with a pattern"


_DIGITS: Final = re.compile(r"\[[0-9]-[0-9]\]|\\d")


def _counts_digits(expectation: Expectation) -> bool:
    """``[1-3]``, ``\\d+``: a number is compared as a number, or 10 is taken for 1."""
    pattern = str(expectation.tests().get("matches", ""))
    return bool(_DIGITS.search(pattern)) and not re.search(r"[A-Za-z]{2}", pattern)


def _one_half_of_a_parameter(leaf: Check) -> Iterator[str]:
    subject = leaf.subject
    if isinstance(subject, SysctlSubject) and subject.key not in _TOLD and len(leaf.expect) == 1:
        (only,) = leaf.expect
        yield f"{subject.key} is judged by its {only} value alone"


_TOLD: Final = ("crypto.fips_enabled",)
"""Parameters that tell what the boot decided: nobody can set them."""


def _lost_section(leaf: Check) -> Iterator[str]:
    if isinstance(leaf.subject, SettingSubject) and leaf.subject.format is not Format.SECTIONED:
        for path in as_list(leaf.subject.file):
            if re.match(r"/(?:etc|usr/lib)/systemd/", path):
                yield f"{path} has sections, and {leaf.subject.key} is looked for in none"


def _another_reader(leaf: Check) -> Iterator[str]:
    paths: tuple[str, ...] = ()
    if isinstance(leaf.subject, LineSubject | SettingSubject):
        paths = as_list(leaf.subject.file)
    control = isinstance(leaf.subject, LineSubject) and _CONTROL.match(leaf.subject.pattern)
    for path in paths:
        for place, subject in _READERS.items():
            if re.match(place, path) and not (control and "audit" in place):
                yield f"{path} is read line by line; `{subject}` reads it as its program does"


_CONTROL: Final = re.compile(r"\\?-\\?-?[befil]")
"""auditctl(8): ``-e``, ``-f``, ``-b``, ``-i``, ``--loginuid-immutable`` are no rules."""

_READERS: Final = {
    r"/etc/sysctl\.(?:conf|d/)": "sysctl",
    r"/etc/ssh/sshd_config": "sshd",
    r"/etc/pam\.d/": "pam",
    r"/etc/sudoers": "sudo_default or sudo_rule",
    r"/etc/fstab": "mount",
    r"/etc/(?:passwd|group)\Z": "account or group",
    r"/etc/modprobe\.d/": "module",
    r"/etc/audit/(?:rules\.d/|audit\.rules)": "audit_watch, audit_syscall or audit_program",
}


def _half_off(leaf: Check) -> Iterator[str]:
    if not isinstance(leaf.subject, UnitSubject) or leaf.expect.keys() & {"masked", "state"}:
        return
    off = {name for name in ("enabled", "active") if _is_false(leaf.expect.get(name))}
    if len(off) == 1:
        yield f"a unit that must be off is only seen to be not {off.pop()}"


def _is_false(expectation: Expectation | None) -> bool:
    return expectation is not None and expectation.tests().get("equals") is False


_KINDS: Final[Mapping[Callable[[Check], Iterator[str]], str]] = {
    _without_floor: "Say `at_least` as well: 0 or -1 often switches a limit off.",
    _number_as_pattern: "Use `at_least`, `at_most` or a list: a pattern takes 10 for 1.",
    _one_half_of_a_parameter: "Expect `running` and `configured`: the next boot counts too.",
    _lost_section: "Use `format: sectioned` and `section`: a key outside of it is ignored.",
    _another_reader: "Use that subject: it knows order, conditions and includes.",
    _half_off: "Expect `enabled: false` and `active: false`: it runs now, or at the next boot.",
}
