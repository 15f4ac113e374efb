"""What can go wrong with hosts, credentials and connections, as a person should read it."""

from __future__ import annotations

from typing import Final

from openwatch.kit.errors import register

HOST_UNKNOWN: Final = register(
    "host.unknown",
    status=404,
    message="There is no host {host_id}, or it was deleted.",
    fix="Look for it in the list of hosts.",
)
HOST_EXISTS: Final = register(
    "host.exists",
    status=409,
    message="A host with the name {name} exists already.",
    fix="Choose another name, or change the host that has it.",
)
HOST_NOT_DELETED: Final = register(
    "host.not_deleted",
    status=409,
    message="{name} is not deleted.",
    fix="There is nothing to bring back; look for it in the list of hosts.",
)
HOST_TOO_MANY: Final = register(
    "host.too_many",
    status=422,
    message="More than {limit} hosts were chosen.",
    fix="Choose fewer, by a group or a filter, and repeat it for the others.",
)
HOST_IS_JUMP_HOST: Final = register(
    "host.is_jump_host",
    status=409,
    message="{name} is the way to other hosts: {hosts}.",
    fix="Give these hosts another jump host, or none, and try again.",
)
JUMP_HOST_UNKNOWN: Final = register(
    "host.jump_host_unknown",
    status=422,
    message="The jump host {host_id} does not exist.",
    fix="Choose a jump host from the list of hosts, or none.",
)
JUMP_HOST_LOOP: Final = register(
    "host.jump_host_loop",
    status=422,
    message="The way to this host would lead through itself: {way}.",
    fix="Choose a jump host that can be reached without this host.",
)
JUMP_CHAIN_TOO_LONG: Final = register(
    "host.jump_chain_too_long",
    status=422,
    message="The way to this host leads through more than {limit} jump hosts.",
    fix="Choose a jump host that is nearer.",
)
HOST_KEY_UNKNOWN: Final = register(
    "host.key_not_listed",
    status=404,
    message="The host has no key {fingerprint}.",
    fix="Look at the list of its keys; another person may have removed it.",
)

CREDENTIAL_UNKNOWN: Final = register(
    "credential.unknown",
    status=404,
    message="There is no credential {credential_id}.",
    fix="Look for it in the list of credentials.",
)
CREDENTIAL_NOT_FOUND: Final = register(
    "credential.not_found",
    status=422,
    message="The credential {credential_id} does not exist.",
    fix="Choose one from the list of credentials.",
)
CREDENTIAL_EXISTS: Final = register(
    "credential.exists",
    status=409,
    message="A credential with the name {name} exists already.",
    fix="Choose another name, or change the credential that has it.",
)
CREDENTIAL_IN_USE: Final = register(
    "credential.in_use",
    status=409,
    message="{count} hosts log in with this credential: {hosts}.",
    fix="Give these hosts another credential, or none, and try again.",
)
CREDENTIAL_INCOMPLETE: Final = register(
    "credential.incomplete",
    status=422,
    message="A credential needs a private key or a password: this one has neither.",
    fix="Give a private key, a password, or both.",
)
PASSPHRASE_WITHOUT_KEY: Final = register(
    "credential.passphrase_without_key",
    status=422,
    message="A passphrase was given, but no private key that it could open.",
    fix="Give the private key too, or leave the passphrase out.",
)

GROUP_UNKNOWN: Final = register(
    "group.unknown",
    status=404,
    message="There is no group {group_id}, or it was removed.",
    fix="Look for it in the list of groups.",
)
GROUP_NOT_FOUND: Final = register(
    "group.not_found",
    status=422,
    message="The group {group_id} does not exist.",
    fix="Choose one from the list of groups.",
)
GROUP_EXISTS: Final = register(
    "group.exists",
    status=409,
    message="A group with the name {name} exists already.",
    fix="Choose another name, or change the group that has it.",
)
GROUP_LOOP: Final = register(
    "group.loop",
    status=422,
    message="{name} would stand inside itself: {way}.",
    fix="Choose a group that is not inside this one, or none.",
)
GROUP_TOO_DEEP: Final = register(
    "group.too_deep",
    status=422,
    message="Groups would stand in each other more than {limit} deep.",
    fix="Choose a group that is nearer to the top.",
)
GROUP_HAS_GROUPS: Final = register(
    "group.has_groups",
    status=409,
    message="Other groups stand in {name}: {groups}.",
    fix="Move these groups elsewhere, or remove them first.",
)
GROUP_RULE_INVALID: Final = register(
    "group.rule_invalid",
    status=422,
    message="The rule is not understood at character {column}: {problem}.",
    fix="Compare a field with a value, such as os = debian, and join comparisons by and, or, not.",
)
GROUP_RULE_MISSING: Final = register(
    "group.rule_missing",
    status=422,
    message="A group by rule needs a rule.",
    fix="Say which hosts it holds, such as os = debian and tag = web.",
)
GROUP_HOLDS_BY_RULE: Final = register(
    "group.holds_by_rule",
    status=409,
    message="The hosts of {name} are found by its rule, so none can be put in or taken out.",
    fix="Change its rule, or give the host what the rule asks for.",
)
