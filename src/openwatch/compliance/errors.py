"""What can go wrong with scans and evidence, as a person should read it."""

from __future__ import annotations

from typing import Final

from openwatch.kit.errors import register

SCAN_UNKNOWN: Final = register(
    "scan.unknown",
    status=404,
    message="There is no scan {scan_id}.",
    fix="Look for it in the list of scans.",
)
SCAN_ACTIVE: Final = register(
    "scan.active",
    status=409,
    message="A scan of {host_name} is not over yet.",
    fix="Wait until it ends, or cancel it, and try again.",
    retryable=True,
)
SCAN_OVER: Final = register(
    "scan.over",
    status=409,
    message="The scan is over: it is {state}.",
    fix="There is nothing left to cancel.",
)
SCAN_NOT_OVER: Final = register(
    "scan.not_over",
    status=409,
    message="The scan is not over yet: it is {state}.",
    fix="Wait until it ends, or cancel it, before you repeat it.",
    retryable=True,
)
SCAN_WITHOUT_RESULT: Final = register(
    "scan.without_result",
    status=409,
    message="The scan has no result: it is {state}.",
    fix="Only a completed scan has outcomes and evidence; repeat the scan.",
)
OUTCOME_UNKNOWN: Final = register(
    "outcome.unknown",
    status=404,
    message="The scan has no outcome of the rule {rule_id}.",
    fix="Look for the rule in the list of the scan's outcomes.",
)
EVIDENCE_UNKNOWN: Final = register(
    "evidence.unknown",
    status=404,
    message="There is no evidence with the hash {sha256}.",
    fix="Copy the whole hash, 64 hexadecimal digits, from an outcome.",
)
EVIDENCE_DAMAGED: Final = register(
    "evidence.damaged",
    status=500,
    message="The stored evidence {sha256} no longer has the bytes that its hash names.",
    fix="The database was changed or its disk is failing: restore a backup, and check the disk.",
)

# How a scan fails, beside the errors of the way to the host.
DEADLINE: Final = register(
    "scan.deadline",
    status=504,
    message="The scan did not finish within {seconds:g} seconds and was stopped.",
    fix="Look for high load or a network file system that hangs on the host, or raise "
    "OPENWATCH_SCAN_DEADLINE_SECONDS.",
)
WORKER_LOST: Final = register(
    "scan.worker_lost",
    status=500,
    message="The workers that ran this scan died {attempts} times, so it is not tried again.",
    fix="Look in the log of the workers for what ended them, such as a lack of memory.",
)
INTERRUPTED: Final = register(
    "scan.interrupted",
    status=503,
    message="The scan was interrupted: {what}.",
    fix="It is tried again by itself; if it fails for good, repeat it.",
    retryable=True,
)
DEFECT: Final = register(
    "scan.defect",
    status=500,
    message="The scan ended because of a defect in OpenWatch ({kind}).",
    fix="Report it with the lines of the worker's log that name this scan.",
)
HOST_DELETED: Final = register(
    "scan.host_deleted",
    status=409,
    message="The host was deleted while its scan was not over.",
    fix="Add the host again to scan it.",
)
RULES_UNUSABLE: Final = register(
    "rules.unusable",
    status=503,
    message="The rules of this installation cannot be used: {count} problem(s). The first: "
    "{first}.",
    fix="Run `openwatch rules lint` on this server to see all of them, and mend them or install "
    "OpenWatch again.",
)
