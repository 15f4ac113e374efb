"""Updates that wait: what the host's own package manager would install, asked without network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.base import TableProbe
from openwatch.engine.versions import compare_dpkg, compare_rpm


@dataclass(frozen=True, slots=True)
class Update:
    """A newer package (apt) or an advisory (dnf, zypper) that waits.

    ``published`` is the day on which it came out; apt's lists do not say it.
    """

    name: str
    installed: str
    candidate: str
    security: bool
    severity: str
    published: date | None


@dataclass(frozen=True, slots=True)
class Updates:
    """What waits, and the day (since 1970-01-01) on which the host last asked its repositories."""

    manager: Literal["apt", "dnf", "zypp"]
    asked: int
    entries: tuple[Update, ...]


_FIRST_ADVISORY: Final = 2000
_MOST_SECOND_DIGITS: Final = 10
"""Seconds since 1970 have ten digits until the year 2286."""
_ADVISORY_FIELD: Final = re.compile(r"\s*(Update ID|Type|Updated|Severity)\s*:\s*(\S.*)")


class UpdatesProbe(TableProbe):
    """What the security archives of APT hold newer, or the advisories of dnf and zypper."""

    name = "updates"
    command = "dpkg-query -W, /var/lib/apt/lists || dnf -C updateinfo || rpm -qa, /var/cache/zypp"
    seconds = 60
    max_bytes = 4 * 1024 * 1024
    # apt: the lists of the security archives beside what is installed; which of them are newer is
    # told by comparing versions. dnf: its cache alone (-C); it may write no log, and no plugin may
    # write the files of repositories. SUSE: zypper writes caches and a log whatever it is asked, so
    # that what it fetched is read: of each enabled repository, the packages of security patches of
    # which another version is installed. zypper(8) touches repomd.xml each time it has asked.
    body = r"""case "$(. /etc/os-release 2>/dev/null; echo " $ID $ID_LIKE ")" in
*" debian "*|*" ubuntu "*)
  echo '#apt'
  command -v dpkg-query >/dev/null 2>&1 || { echo '#missing'; echo '#end'; exit 0; }
  y=$(stat -c %Y /var/lib/apt/lists /var/lib/apt/lists/partial \
    /var/lib/apt/periodic/update-success-stamp 2>/dev/null | sort -n | tail -n 1)
  set -- /var/lib/apt/lists/*_Packages*
  [ -e "$1" ] || { echo '#none'; echo '#end'; exit 0; }
  set -- /var/lib/apt/lists/*-security_*_Packages*
  [ -e "$1" ] || { echo '#unsaid'; echo '#end'; exit 0; }
  echo "#asked $(( ${y:-0} / 86400 ))"
  {
    dpkg-query -W -f '${Package} ${Architecture} ${Version} ${db:Status-Status}\n' &&
    for f do
      echo "@"
      case $f in *_Packages) cat "$f";; *) /usr/lib/apt/apt-helper cat-file "$f";; esac || exit 1
    done && echo "@end"
  } | awk '
    function stanza() {
      k = p " " (a == "all" ? any[p] : a)
      if (p in any && k in have && have[k] != v) print p, have[k], v
      p = ""
    }
    /^@/ { stanza(); lists = 1; whole = ($0 == "@end"); next }
    !lists { if ($4 == "installed") { have[$1 " " $2] = $3; any[$1] = $2 } next }
    /^Package: / { p = $2 } /^Architecture: / { a = $2 } /^Version: / { v = $2 }
    /^$/ { stanza() }
    END { if (whole) print "." }' | sort -u || exit 1 ;;
*" suse "*|*" sles "*|*" opensuse "*)
  echo '#zypp'
  command -v rpm >/dev/null 2>&1 || { echo '#missing'; echo '#end'; exit 0; }
  set -- /etc/zypp/repos.d/*.repo
  [ -e "$1" ] || { echo '#none'; echo '#end'; exit 0; }
  n=$(awk '
    function out() { if (n != "" && on) print n; n = "" }
    FNR == 1 { out() }
    /^[ \t]*\[.*\]/ { out(); n = $0; sub(/^[ \t]*\[/, "", n); sub(/\][^]]*$/, "", n); on = 1; next }
    tolower($0) ~ /^[ \t]*enabled[ \t]*=/ {
      v = tolower($0); sub(/^[^=]*=[ \t]*/, "", v); sub(/[ \t\r]*$/, "", v)
      on = v ~ /^(1|yes|true|on|always)$/ }
    END { out() }' "$@") || exit 1
  [ -n "$n" ] || { echo '#none'; echo '#end'; exit 0; }
  nl='
'
  IFS=$nl; l=; y=; set -f
  for a in $n; do
    d=/var/cache/zypp/raw/$(printf '%s' "$a" | tr / _)/repodata
    [ -e "$d/repomd.xml" ] || { echo '#partial'; echo '#end'; exit 0; }
    set +f
    for f in "$d"/*updateinfo.xml*; do
      [ -e "$f" ] || continue
      l=$l$nl$f; m=$(stat -c %Y "$d/repomd.xml") || exit 1
      [ -n "$y" ] && [ "$y" -le "$m" ] || y=$m
    done
    set -f
  done
  [ -n "$l" ] || { echo '#unsaid'; echo '#end'; exit 0; }
  echo "#asked $(( y / 86400 ))"
  {
    rpm -q --whatprovides 'multiversion(kernel)' --qf '* %{NAME}\n'
    rpm -qa --qf '%{NAME} %{ARCH} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' &&
    for f in $l; do
      echo "@"
      case $f in
      *.gz) gzip -dc <"$f";; *.xz) xz -dc <"$f";; *.zst) zstd -dc <"$f";; *.bz2) bzip2 -dc <"$f";;
      *) cat <"$f";;
      esac | tr '\n<' ' \n'
      echo
    done && echo "@end"
  } | awk -F ' ' '
    function at(name) {
      if (!match($0, "[ ]" name "=\"[^\"]*\"")) return ""
      return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
    }
    function word(s) { gsub(/[| \t\r]/, "", s); return s }
    /^@/ { if (lists && !closed) bad = 1; lists = 1; closed = 0; whole = ($0 == "@end"); next }
    !lists && $1 == "*" { several[$2] = 1; next }
    !lists { k = $1 " " $2; have[k] = have[k] "," $3; next }
    /^update[ >]/ { t = at("type"); s = at("status"); i = w = v = ""; if (t == "") bad = 1 }
    /^id>/ { i = word(substr($0, 4)) }
    /^issued[ >]/ { w = substr(at("date"), 1, 10) }
    /^severity>/ { v = word(substr($0, 10)) }
    /^package[ >]/ {
      p = at("name"); if (p == "" || at("version") == "") bad = 1
      k = p " " at("arch"); e = at("epoch")
      c = (e == "" ? "0" : e) ":" at("version") "-" at("release")
      if (t == "security" && s != "retracted" && k in have && have[k] != "," c)
        print i "|" v "|" w "|" (p in several ? "*" : "") p "|" word(c) "|" substr(have[k], 2)
    }
    /^\/updates>/ { closed = 1 }
    END { if (bad) print "!"; else if (whole) print "." }' | sort -u || exit 1 ;;
*)
  echo '#dnf'
  command -v dnf >/dev/null 2>&1 || { echo '#missing'; echo '#end'; exit 0; }
  y=$(stat -c %Y /var/cache/dnf/*/repodata/repomd.xml /var/cache/libdnf5/*/repodata/repomd.xml \
    2>/dev/null | sort -n | tail -n 1)
  [ -n "$y" ] || { echo '#none'; echo '#end'; exit 0; }
  set -- /var/cache/dnf/*/repodata/*updateinfo* /var/cache/libdnf5/*/repodata/*updateinfo*
  if [ ! -e "$1" ] && [ ! -e "$2" ]; then echo '#unsaid'; echo '#end'; exit 0; fi
  echo "#asked $(( y / 86400 ))"
  o=$(dnf -C -q --noplugins --setopt=logfilelevel=0 updateinfo info --security) || exit 1
  printf '%s\n' "$o" | grep -E '^ *(Update ID|Type|Updated|Severity) *:' ;;
esac
echo '#end'"""

    def parse(self, text: str) -> Updates | CouldNot:
        """Return what waits, or why nobody can say it."""
        lines = text.splitlines()
        if len(lines) < 3 or lines[0] not in ("#apt", "#dnf", "#zypp") or lines[-1] != "#end":
            return CouldNot(Reason.UNPARSABLE, "The list of updates is cut short.")
        if lines[1] == "#missing":
            tool = {"#apt": "dpkg-query", "#dnf": "dnf", "#zypp": "rpm"}[lines[0]]
            return CouldNot(Reason.TOOL_MISSING, f"`{tool}` is not on the host.")
        if lines[1] == "#none":
            return CouldNot(
                Reason.INCOMPLETE, "The host holds no lists of its repositories to compare with."
            )
        if lines[1] == "#partial":
            return CouldNot(
                Reason.INCOMPLETE, "The host never asked one of its repositories what there is."
            )
        if lines[1] == "#unsaid":
            return CouldNot(
                Reason.INCOMPLETE, "No repository of the host publishes security updates."
            )
        asked = lines[1].removeprefix("#asked ")
        if lines[1] == asked or not asked.isdecimal() or len(asked) > 7:
            return CouldNot(Reason.UNPARSABLE, f"Unexpected line {lines[1][:80]!r}.")
        if lines[0] == "#apt":
            return _apt(int(asked), lines[2:-1])
        if lines[0] == "#zypp":
            return _zypp(int(asked), lines[2:-1])
        return _dnf(int(asked), lines[2:-1])


def _apt(asked: int, lines: list[str]) -> Updates | CouldNot:
    if not lines or lines[0] != ".":
        return CouldNot(Reason.UNPARSABLE, "The comparison with the lists is cut short.")
    newest: dict[str, Update] = {}
    for line in lines[1:]:
        words = line.split(" ")
        if len(words) != 3 or not all(words):
            return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
        name, installed, candidate = words
        known = newest.get(name)
        least = known.candidate if known is not None else installed
        if compare_dpkg(candidate, least) > 0:
            newest[name] = Update(name, installed, candidate, True, "", None)
    return Updates("apt", asked, tuple(newest.values()))


def _dnf(asked: int, lines: list[str]) -> Updates | CouldNot:
    advisories: list[dict[str, str]] = []
    for line in lines:
        match = _ADVISORY_FIELD.match(line)
        if match is None:
            return CouldNot(Reason.UNPARSABLE, f"dnf printed {line[:80]!r}.")
        key, value = match.groups()
        if key == "Update ID":
            advisories.append({})
        if not advisories:
            return CouldNot(Reason.UNPARSABLE, "dnf described an advisory before it named one.")
        advisories[-1][key] = value.strip()
    entries: list[Update] = []
    for advisory in advisories:
        published = _day(advisory.get("Updated", ""))
        if published is None:
            return CouldNot(
                Reason.UNPARSABLE, f"dnf gave no date for {advisory['Update ID'][:60]!r}."
            )
        entries.append(
            Update(
                advisory["Update ID"], "", "", advisory.get("Type") == "security",
                advisory.get("Severity", "").lower(), published,
            )
        )  # fmt: skip
    return Updates("dnf", asked, tuple(sorted(entries, key=lambda entry: entry.name)))


def _zypp(asked: int, lines: list[str]) -> Updates | CouldNot:
    """A patch waits while one of its packages is installed in an older version. Of what may be
    there several times on purpose, the kernel (``*``), the newest counts.
    """
    if "." not in lines:
        return CouldNot(Reason.UNPARSABLE, "The patches of a repository are cut short or garbled.")
    waiting: dict[str, Update] = {}
    for line in lines:
        if line == ".":
            continue
        fields = line.split("|")
        if len(fields) != 6 or not fields[0] or not all(fields[3:]):
            return CouldNot(Reason.UNPARSABLE, f"Unexpected line {line[:80]!r}.")
        patch, severity, issued, package, candidate, installed = fields
        enough = [compare_rpm(version, candidate) >= 0 for version in installed.split(",")]
        if any(enough) if package.startswith("*") else all(enough):
            continue
        published = _day_of_patch(issued)
        if published is None:
            return CouldNot(Reason.UNPARSABLE, f"There is no date of {patch[:60]!r}.")
        waiting[patch] = Update(patch, "", "", True, severity.lower(), published)
    return Updates("zypp", asked, tuple(waiting[name] for name in sorted(waiting)))


def _day_of_patch(text: str) -> date | None:
    """Return the day of ``issued``: seconds of the epoch, as SUSE writes it, or a date."""
    if text.isascii() and text.isdecimal() and len(text) <= _MOST_SECOND_DIGITS:
        return _day(datetime.fromtimestamp(int(text), UTC).date().isoformat())
    return _day(text)


def _day(text: str) -> date | None:
    """Return the day of a time stamp; the beginning of the epoch stands for none at all."""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    return day if day.year >= _FIRST_ADVISORY else None
