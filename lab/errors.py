"""What the lab says when it cannot go on."""

from __future__ import annotations


class LabError(Exception):
    """One sentence that says what is wrong, and one that says what to do."""

    def __init__(self, message: str, fix: str = "") -> None:
        self.message = message
        self.fix = fix
        super().__init__(f"{message} {fix}".strip())


class HostFailedError(LabError):
    """A host that did not come up."""


class UnavailableError(LabError):
    """This machine cannot run real hosts: not root, not Linux, or a tool is missing."""
