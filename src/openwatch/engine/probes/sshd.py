"""The effective configuration of the SSH server."""

from __future__ import annotations

from collections.abc import Mapping

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe

Directives = Mapping[str, tuple[str, ...]]


class SshdProbe(TableProbe):
    """``sshd -T``: every directive as the server itself understands it, keys in lower case.

    sshd(8): without ``-C`` no Match block applies, so this is what a connection gets that none
    matches. Options of the command line win over all files: they are taken from where Debian and
    Red Hat keep them (Red Hat 8 hands its crypto policy over so). ``-E`` would write a file.
    """

    name = "sshd"
    command = "sshd -T"
    # On a host where the server has never run, its privilege separation directory is missing and
    # sshd refuses to answer; the collector makes nothing on the host, so that is said as it is.
    body = r"""
command -v sshd >/dev/null 2>&1 || exit 127
v() { [ ! -r "$2" ] || sed -n "s/^[[:space:]]*$1=//p" "$2" 2>/dev/null | tail -n 1 | tr -d "\"'"; }
c=/etc/crypto-policies/back-ends/opensshserver.config
o="$(v SSHD_OPTS /etc/default/ssh) $(v OPTIONS /etc/sysconfig/sshd)"
if grep -qs '^CRYPTO_POLICY=' $c; then
  ! grep -qs '^[[:space:]]*CRYPTO_POLICY=' /etc/sysconfig/sshd || c=/etc/sysconfig/sshd
  o="$o $(v CRYPTO_POLICY $c)"
fi
set -f; set -- $o; o=
while [ $# -gt 0 ]; do
  case $1 in
  -o|-p) o="$o $1 $2"; shift;;
  -o?*|-p?*) o="$o $1";;
  -f*) echo "the server is started with another file: $*" >&2; exit 1;;
  esac
  shift
done
[ -z "$o" ] || echo "#options$o"
sshd -T $o
"""

    def parse(self, text: str) -> Directives | CouldNot:
        directives: dict[str, list[str]] = {}
        for line in text.split("\n"):
            key, separator, value = line.strip().partition(" ")
            if key and not key.startswith("#"):
                directives.setdefault(key.lower(), []).append(value.strip() if separator else "")
        if "permitrootlogin" not in directives:
            return CouldNot(Reason.UNPARSABLE, "sshd -T printed no configuration.")
        return {key: tuple(values) for key, values in directives.items()}
