"""Everything that can go wrong on the way to a host, as people and programs read it.

The status is that of an API answer: 502 and 504 for what a host did or did not do, 422 for what
we were given to log in with.
"""

from __future__ import annotations

from typing import Final

from openwatch.kit.errors import register

# -- reaching the host -----------------------------------------------------------------------------

UNRESOLVABLE: Final = register(
    "host.unresolvable",
    status=502,
    message="The name {address} does not resolve to an address{through}.",
    fix="Check the spelling, or give the IP address. Names are looked up by the machine that "
    "connects: this one, or the jump host when there is one.",
)
UNREACHABLE: Final = register(
    "host.unreachable",
    status=502,
    message="{where} cannot be reached: {detail}.",
    fix="Check that the host is on, that the address is right and that no firewall or missing "
    "route is in the way.",
    retryable=True,
)
REFUSED: Final = register(
    "host.refused",
    status=502,
    message="{where} refused the connection: nothing listens on this port.",
    fix="Start the SSH service on the host, or correct the port.",
    retryable=True,
)
CONNECT_TIMEOUT: Final = register(
    "host.connect_timeout",
    status=504,
    message="{where} did not answer within {seconds:g} seconds.",
    fix="Check that the host is on, that the address is right and that firewalls let this machine "
    "reach the port.",
    retryable=True,
)
JUMP_FORBIDDEN: Final = register(
    "host.jump_forbidden",
    status=502,
    message="The jump host {jump} does not let {username} pass connections on to {address} port "
    "{port}: {detail}.",
    fix="Allow it in the jump host's sshd_config (AllowTcpForwarding, PermitOpen) and in the "
    "options of the key there.",
)
NOT_SSH: Final = register(
    "host.not_ssh",
    status=502,
    message="{where} does not answer as an SSH server: {detail}.",
    fix="Correct the port; `ssh -p PORT ADDRESS` from this machine shows the same.",
)
HANDSHAKE_FAILED: Final = register(
    "host.handshake_failed",
    status=502,
    message="The SSH handshake with {where} failed: {detail}.",
    fix="{advice}",
    retryable=True,
)

# -- host keys -------------------------------------------------------------------------------------

KEY_UNKNOWN: Final = register(
    "host.key_unknown",
    status=502,
    message="The host key of {where} is not known yet: {algorithm} {fingerprint}.",
    fix="Compare the fingerprint with that of the host (`ssh-keygen -lf "
    "/etc/ssh/ssh_host_ed25519_key.pub` on its console) and accept the key.",
)
KEY_CHANGED: Final = register(
    "host.key_changed",
    status=502,
    message="The host key of {where} has changed: it now shows {algorithm} {fingerprint}, "
    "expected was {expected}. Nothing was sent to it.",
    fix="Find out why before you go on: the host was set up anew, or somebody stands in between. "
    "If the new key is right, remove the old one ({known_in}) and accept the new one.",
)
KEY_REVOKED: Final = register(
    "host.key_revoked",
    status=502,
    message="The host key that {where} shows is marked as revoked in {known_in}: {algorithm} "
    "{fingerprint}. Nothing was sent to it.",
    fix="Give the host a new key; a revoked key may be in somebody else's hands.",
)
KNOWN_HOSTS_UNREADABLE: Final = register(
    "host.known_hosts_unreadable",
    status=500,
    message="The known-hosts file {path} cannot be used: {detail}.",
    fix="Make it readable (and writable, when new keys are to be kept) for the user that runs "
    "OpenWatch.",
)

# -- running programs ------------------------------------------------------------------------------

LOST: Final = register(
    "host.lost",
    status=502,
    message="The connection to {where} was lost before the program had ended.",
    fix="Scan again; if it happens each time, look for a reboot, a full or unstable network, or "
    "an idle limit in a firewall or in sshd.",
    retryable=True,
)
COMMAND_TIMEOUT: Final = register(
    "host.command_timeout",
    status=504,
    message="The program on {where} had not ended after {seconds:g} seconds and was cut off.",
    fix="Look for high load, a slow disk or a network file system that hangs on the host, or "
    "raise the deadline.",
    retryable=True,
)
NO_SHELL: Final = register(
    "host.no_shell",
    status=502,
    message="{username} gets no usable shell on {where}: {detail}.",
    fix="Give the account a login shell (sh, dash, bash, busybox sh), and a key without a forced "
    "command; `ssh {username}@HOST sh -c true` must work and end at once.",
)

# -- what we log in with ---------------------------------------------------------------------------

KEY_INVALID: Final = register(
    "credential.key_invalid",
    status=422,
    message="The private key cannot be used: {detail}.",
    fix="Give the whole text of the private key file, from its BEGIN line to its END line, in "
    "OpenSSH or PEM format (`ssh-keygen -p -f FILE` converts older ones).",
)
KEY_ENCRYPTED: Final = register(
    "credential.key_encrypted",
    status=422,
    message="The private key is encrypted, and no passphrase was given.",
    fix="Give its passphrase, or load the key into an SSH agent and use that.",
)
PASSPHRASE_WRONG: Final = register(
    "credential.passphrase_wrong",
    status=422,
    message="The passphrase does not open the private key.",
    fix="Check the passphrase; `ssh-keygen -y -f FILE` asks for it and tells at once.",
)
CREDENTIAL_MISSING: Final = register(
    "credential.missing",
    status=422,
    message="There is nothing to log in to {where} with: {detail}.",
    fix="Give a user name and a private key, a password or an SSH agent that holds a key.",
)
CREDENTIAL_INVALID: Final = register(
    "credential.invalid",
    status=422,
    message="The {field} cannot be used: {detail}.",
    fix="Correct the {field} and try again.",
)
AGENT_UNAVAILABLE: Final = register(
    "credential.agent_unavailable",
    status=422,
    message="The SSH agent cannot be used: {detail}.",
    fix="Start one with `eval $(ssh-agent)` and `ssh-add`, or give a key or a password instead.",
)
AUTH_REJECTED: Final = register(
    "auth.rejected",
    status=502,
    message="{where} did not let {username} in: {detail}.",
    fix="{advice}",
)
PASSWORD_EXPIRED: Final = register(
    "auth.password_expired",
    status=502,
    message="The password of {username} on {where} has expired and must be changed first.",
    fix="Log in there by hand once and change it, or end its ageing with `chage -M -1 {username}`.",
)

# -- becoming root ---------------------------------------------------------------------------------

NOT_ALLOWED: Final = register(
    "privilege.not_allowed",
    status=502,
    message="sudo on {where} does not let {username} run a shell as root{says}.",
    fix="Allow it with a line such as `{username} ALL=(root) NOPASSWD: ALL` in a file of "
    "/etc/sudoers.d (edit with `visudo -f`).",
)
PASSWORD_REQUIRED: Final = register(
    "privilege.password_required",
    status=502,
    message="sudo on {where} asks for the password of {username}, and none was given.",
    fix="Give the sudo password, or allow sudo without one (NOPASSWD). sudo asks before it looks "
    "at its rules: an account that may not use sudo at all is asked too.",
)
PASSWORD_REJECTED: Final = register(
    "privilege.password_rejected",
    status=502,
    message="sudo on {where} did not accept the password of {username}; it was tried once.",
    fix="Correct the sudo password. It is the password of the account itself unless sudoers says "
    "otherwise (targetpw, rootpw).",
)
REQUIRES_TTY: Final = register(
    "privilege.requires_tty",
    status=502,
    message="sudo on {where} works for {username} only from a terminal (requiretty).",
    fix="Add `Defaults:{username} !requiretty` to a file of /etc/sudoers.d.",
)
SUDO_MISSING: Final = register(
    "privilege.sudo_missing",
    status=502,
    message="There is no sudo on {where}, and {username} is not root.",
    fix="Install sudo there and allow {username} to use it, or log in as root.",
)
SUDO_FAILED: Final = register(
    "privilege.failed",
    status=502,
    message="sudo on {where} did not work for {username}{says}.",
    fix="Run `sudo -n sh -c true` there by hand as {username} and mend what it reports.",
)

# -- words of a host -------------------------------------------------------------------------------

MAX_QUOTED: Final = 200
"""How many characters of a host's own words go into a sentence."""


def quoted(text: str) -> str:
    """Return what a host said, fit for a sentence: one line, printable, short, in quotes."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) > MAX_QUOTED:
        line = line[:MAX_QUOTED].rstrip() + "…"
    return f"“{line}”"
