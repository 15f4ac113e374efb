"""Versions of packages, compared as dpkg and rpm themselves compare them.

deb-version(7) and rpmvercmp() of rpm: an epoch, a version and a revision (release). ``~`` sorts
before everything, even before the end; ``^`` of rpm sorts after the end and before everything else.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Scheme = Literal["dpkg", "rpm"]

_ASCII_DIGITS: Final = frozenset("0123456789")
_RPM_SEGMENT: Final = re.compile(r"[0-9]+|[A-Za-z]+|[~^]")


class PackageVersion(str):
    """The version of an installed package; it knows how its package manager compares it."""

    __slots__ = ("scheme",)
    scheme: Scheme

    def __new__(cls, text: str, scheme: Scheme) -> PackageVersion:
        version = super().__new__(cls, text)
        version.scheme = scheme
        return version

    def at_least(self, other: str) -> bool:
        """Return whether this version is ``other`` or newer.

        An ``other`` of rpm without a release stands for every release of it.
        """
        if self.scheme == "dpkg":
            return compare_dpkg(self, other) >= 0
        mine = self if "-" in other else self.partition("-")[0]
        return compare_rpm(mine, other) >= 0


def compare_dpkg(one: str, other: str) -> int:
    """Return -1, 0 or 1 as ``one`` is older than, equal to or newer than ``other``."""
    left, right = _dpkg_parts(one), _dpkg_parts(other)
    return (
        _sign(left[0] - right[0]) or _dpkg_text(left[1], right[1]) or _dpkg_text(left[2], right[2])
    )


def _dpkg_parts(version: str) -> tuple[int, str, str]:
    epoch, rest = _epoch(version.strip())
    upstream, separator, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if separator else (epoch, rest, "")


def _epoch(version: str) -> tuple[int, str]:
    head, separator, rest = version.partition(":")
    if separator and head and set(head) <= _ASCII_DIGITS:
        return _number(head), rest
    return 0, version


def _number(digits: str) -> int:
    """Return the value of any run of digits: int() of Python refuses very long ones."""
    digits = digits.lstrip("0")[:4000]
    return int(digits) if digits else 0


def _dpkg_order(character: str) -> int:
    """deb-version(7): tilde, the end of a part, letters, everything else."""
    if character == "~":
        return -1
    if not character or character in _ASCII_DIGITS:
        return 0
    return ord(character) if character.isascii() and character.isalpha() else ord(character) + 256


def _dpkg_text(one: str, other: str) -> int:
    i = j = 0
    while i < len(one) or j < len(other):
        while _is_text(one, i) or _is_text(other, j):
            left, right = _dpkg_order(one[i : i + 1]), _dpkg_order(other[j : j + 1])
            if left != right:
                return _sign(left - right)
            i, j = i + 1, j + 1
        end_one, end_other = _digits_end(one, i), _digits_end(other, j)
        difference = _compare_digits(one[i:end_one], other[j:end_other])
        if difference:
            return difference
        i, j = end_one, end_other
    return 0


def _is_text(text: str, index: int) -> bool:
    return index < len(text) and text[index] not in _ASCII_DIGITS


def _digits_end(text: str, start: int) -> int:
    while start < len(text) and text[start] in _ASCII_DIGITS:
        start += 1
    return start


def _compare_digits(one: str, other: str) -> int:
    one, other = one.lstrip("0"), other.lstrip("0")
    return _sign(len(one) - len(other)) or (one > other) - (one < other)


def compare_rpm(one: str, other: str) -> int:
    """Return -1, 0 or 1 as ``one`` is older than, equal to or newer than ``other``.

    Both are ``[EPOCH:]VERSION[-RELEASE]``. A release is compared where both have one.
    """
    left, right = _rpm_parts(one), _rpm_parts(other)
    difference = _sign(left[0] - right[0]) or _rpm_text(left[1], right[1])
    if difference or left[2] is None or right[2] is None:
        return difference
    return _rpm_text(left[2], right[2])


def _rpm_parts(version: str) -> tuple[int, str, str | None]:
    epoch, rest = _epoch(version.strip())
    text, separator, release = rest.rpartition("-")
    return (epoch, text, release) if separator else (epoch, rest, None)


def _rpm_text(one: str, other: str) -> int:
    """rpmvercmp(): segments of digits or letters; what else stands between only separates."""
    left, right = _RPM_SEGMENT.findall(one), _RPM_SEGMENT.findall(other)
    for index in range(max(len(left), len(right))):
        mine = left[index] if index < len(left) else ""
        theirs = right[index] if index < len(right) else ""
        if mine == theirs:
            continue
        if difference := _rpm_segment(mine, theirs):
            return difference
    return 0


def _rpm_segment(mine: str, theirs: str) -> int:
    if "~" in (mine, theirs):
        return -1 if mine == "~" else 1
    if mine == "^":
        return 1 if not theirs else -1
    if theirs == "^":
        return -1 if not mine else 1
    if not mine or not theirs:
        return 1 if mine else -1
    if (mine[0] in _ASCII_DIGITS) != (theirs[0] in _ASCII_DIGITS):
        return 1 if mine[0] in _ASCII_DIGITS else -1
    if mine[0] in _ASCII_DIGITS:
        return _compare_digits(mine, theirs)
    return (mine > theirs) - (mine < theirs)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
