"""Ranges of platforms: for which distributions, and which versions of them, something holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class PlatformRange(BaseModel):
    """A family of distributions and the versions for which something holds (both included)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Literal["debian", "ubuntu", "rhel", "sles"]
    min: Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")] | None = None
    max: Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")] | None = None
    ids: tuple[Annotated[str, Field(pattern=r"^[a-z0-9._-]+$")], ...] = Field(
        default=(), description="Only these distributions of the family, by ID of os-release(5)."
    )

    def holds(self, family: str, version: tuple[int, ...], distribution: str) -> bool | None:
        """Return whether a host of this family and version is meant. ``max: 9`` means all 9.x.

        ``None``: a host that names no version, as development releases do, may be meant.
        """
        if family != self.family or (self.ids and distribution not in self.ids):
            return False
        low, high = _numbers(self.min), _numbers(self.max)
        if not version and (low or high):
            return None
        return (not low or version >= low) and (not high or version[: len(high)] <= high)

    def overlaps(self, other: PlatformRange) -> bool:
        """Return whether some host may be in both ranges."""
        if self.family != other.family:
            return False
        if self.ids and other.ids and not set(self.ids) & set(other.ids):
            return False
        return _reaches(self.max, other.min) and _reaches(other.max, self.min)


def _reaches(highest: str | None, lowest: str | None) -> bool:
    """Return whether a range that ends at ``highest`` holds what begins at ``lowest``."""
    high, low = _numbers(highest), _numbers(lowest)
    return not high or not low or low[: len(high)] <= high


def _numbers(text: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")) if text else ()


def platform_names(ranges: Sequence[PlatformRange]) -> str:
    """Return platform ranges in words, for example ``debian 12 and later; rhel 8 to 9``."""
    return "; ".join(_platform(entry) for entry in ranges)


def _platform(entry: PlatformRange) -> str:
    name = ", ".join(entry.ids) or entry.family
    match entry.min, entry.max:
        case None, None:
            return name
        case low, None:
            return f"{name} {low} and later"
        case None, high:
            return f"{name} up to {high}"
        case low, high:
            return f"{name} {low}" + (f" to {high}" if high != low else "")
