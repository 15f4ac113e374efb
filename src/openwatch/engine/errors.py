"""Error kinds of the engine itself (the transports register their own)."""

from __future__ import annotations

from typing import Final

from openwatch.kit.errors import register

HOST_INCOMPLETE: Final = register(
    "host.incomplete_answer",
    status=502,
    message="The host ended the collection before it was complete.",
    fix="Scan again. If it stays so, log in by hand and run `sh -c true`: the login shell, a "
    "forced command or a resource limit may end programs that it did not expect.",
    retryable=True,
)

HOST_GARBAGE: Final = register(
    "host.not_understood",
    status=502,
    message="The host answered, but not as a POSIX shell does.",
    fix="The scan account needs a login shell that can run `sh` (sh, dash, bash or busybox). "
    "Check the shell of the account and any forced command of its key.",
)

SNAPSHOT_INVALID: Final = register(
    "snapshot.invalid",
    status=400,
    message="{name} is not a snapshot of OpenWatch: {why}",
    fix="Save a snapshot with `openwatch check HOST --save FILE` and use that file unchanged.",
)

RULES_INVALID: Final = register(
    "rules.invalid",
    status=400,
    message="{count} problem(s) in the rules:\n{problems}",
    fix="Mend the lines named above; `openwatch rules schema` prints the JSON Schema of a rule.",
)

RULE_UNKNOWN: Final = register(
    "rule.unknown",
    status=404,
    message="There is no rule {rule}.",
    fix="`openwatch rules list` names every rule.",
)

FRAMEWORK_UNKNOWN: Final = register(
    "framework.unknown",
    status=404,
    message="There is no framework {framework}.",
    fix="Known frameworks: {known}.",
)

CONTROL_UNKNOWN: Final = register(
    "control.unknown",
    status=404,
    message="{framework} has no control {control}.",
    fix="`openwatch frameworks show {framework}` lists its controls.",
)

CONTROLS_MISSING: Final = register(
    "framework.no_controls",
    status=404,
    message="The list of the controls of {framework} is not part of these rules.",
    fix="Add it as frameworks/{framework}.yml beside the rules.",
)

SITE_INVALID: Final = register(
    "site.invalid",
    status=400,
    message="The site file has problems:\n{problems}",
    fix="docs/rules.md shows a site file with all of its keys.",
)
PRESET_UNKNOWN: Final = register(
    "variable.preset_unknown",
    status=400,
    message="There is no preset {preset!r}; there are: {known}.",
    fix="`openwatch rules variables` lists the variables with the value of each preset.",
)
VARIABLE_INVALID: Final = register(
    "variable.invalid",
    status=400,
    message="The variable {variable} cannot be {value!r}: {why}",
    fix="`openwatch rules variables` lists the variables, their types and their limits.",
)

OUTPUT_LIMIT: Final = register(
    "host.output_limit",
    status=502,
    message="The host sent more than {limit_mib} MiB and was cut off.",
    fix="Something on the host prints without end into the session: check the start-up files of "
    "the scan account and any forced command of its key.",
)
