"""The shell that finds certificates on a host and cuts them out of their files.

Only what is public leaves the host: of a file with a certificate and its private key in one, the
lines between the marks of the certificate are printed and nothing else.
"""

from __future__ import annotations

from typing import Final

from openwatch.engine.probes.base import quote

MAX_FILE_BYTES: Final = 1024 * 1024
"""A file of certificates that is larger is not one that an administrator put together."""

MAX_FILES: Final = 200
MAX_CERTIFICATES: Final = 64
"""In one file: more of them are a bundle like that of the distribution."""

_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/*",
    "/var/lib/ca-certificates/*",
)
"""What the distribution makes of all the authorities that it ships: 140 and more, and not ours."""

# Which directives name which files. ``own``: what a service shows; ``key``: its private half, of
# which only owner and mode are asked for; ``authority``: whom it believes; ``include``: files that
# the service reads as well.
_DIRECTIVES: Final = {
    "own": (
        "smtpd_tls_cert_file smtpd_tls_eccert_file smtpd_tls_chain_files smtp_tls_cert_file "
        "smtp_tls_eccert_file smtp_tls_chain_files defaultnetstreamdrivercertfile "
        "streamdriver.certfile tls.mycert ldap_tls_cert ssl_certificate sslcertificatefile "
        "sslcertificatechainfile ssl_cert ssl_server_cert_file rsa_cert_file"
    ),
    "key": (
        "smtpd_tls_key_file smtpd_tls_eckey_file smtp_tls_key_file smtp_tls_eckey_file "
        "defaultnetstreamdriverkeyfile streamdriver.keyfile tls.myprivkey ldap_tls_key "
        "ssl_certificate_key sslcertificatekeyfile ssl_key ssl_server_key_file rsa_private_key_file"
    ),
    "authority": (
        "smtpd_tls_cafile smtp_tls_cafile defaultnetstreamdrivercafile streamdriver.cafile "
        "tls.cacert ldap_tls_cacert pam_cert_db_path tls_cacert ssl_client_certificate "
        "ssl_trusted_certificate sslcacertificatefile sslproxycacertificatefile ssl_ca "
        "ssl_server_ca_file ca_certs_file"
    ),
    "include": "include includeoptional includeconfig include_try",
}

SERVICES: Final = (
    ("postfix", "/etc/postfix", "/etc/postfix/main.cf"),
    ("rsyslog", "/", "/etc/rsyslog.conf /etc/rsyslog.d/*.conf"),
    ("sssd", "/", "/etc/sssd/sssd.conf /etc/sssd/conf.d/*.conf"),
    ("ldap", "/", "/etc/ldap/ldap.conf /etc/openldap/ldap.conf"),
    (
        "nginx",
        "/etc/nginx",
        "/etc/nginx/*.conf /etc/nginx/conf.d/*.conf /etc/nginx/default.d/*.conf "
        "/etc/nginx/sites-enabled/* /etc/nginx/snippets/*.conf /etc/nginx/vhosts.d/*.conf "
        "/etc/letsencrypt/*.conf",
    ),
    (
        "apache",
        "/etc/httpd",
        "/etc/httpd/conf/*.conf /etc/httpd/conf.d/*.conf /etc/letsencrypt/*.conf",
    ),
    (
        "apache",
        "/etc/apache2",
        "/etc/apache2/*.conf /etc/apache2/*-enabled/*.conf /etc/apache2/conf.d/*.conf "
        "/etc/apache2/vhosts.d/*.conf /etc/letsencrypt/*.conf",
    ),
    ("dovecot", "/etc/dovecot", "/etc/dovecot/*.conf /etc/dovecot/conf.d/*.conf"),
    ("vsftpd", "/", "/etc/vsftpd.conf /etc/vsftpd/*.conf"),
)
"""Services, the directory that a relative path is in, and where they are configured."""

# Prints ``use|service|role|file|line|directive|path``. postconf(5): a line that begins with a blank
# goes on with the one before; nginx and rsyslog have several directives on a line.
_FIND: Final = r"""
function tell(k, v,   n, i, w) {
  sub(/^[$!]/, "", k); k = tolower(k)
  if (!(k in role)) return
  sub(/^[ \t]+/, "", v); sub(/[ \t]+$/, "", v)
  if (s == "postfix") n = split(v, w, /[, \t]+/)
  else {
    n = 1; w[1] = v
    if (v ~ /^["']/) { q = substr(v, 1, 1); v = substr(v, 2)
      i = index(v, q); w[1] = i ? substr(v, 1, i - 1) : v }
    else if (s == "nginx" || s == "apache" || s == "rsyslog") sub(/[ \t].*$/, "", w[1])
    if (s == "dovecot") sub(/^<[ \t]*/, "", w[1])
  }
  for (i = 1; i <= n; i++) {
    v = w[i]
    if (v == "") { if (n > 1) continue }
    else if (v !~ /^[\/$]/ && v !~ /:/ && tolower(v) != "none") v = b "/" v
    print "use|" s "|" role[k] "|" at "|" no "|" k "|" v
  }
}
function pair(t) {
  if (match(t, /^[ \t]*[$!]?[A-Za-z_.]+[ \t]*[= \t]/))
    { k = substr(t, RSTART, RLENGTH); gsub(/[ \t=]/, "", k); v = substr(t, RSTART + RLENGTH)
      sub(/^[ \t]*=?/, "", v); tell(k, v) }
}
function line(t,   n, i, parts) {
  if (t ~ /^[ \t]*([#;]|$)/) return
  if (s == "nginx") {
    sub(/[ \t]#.*$/, "", t)
    n = split(t, parts, /[;{}]/); for (i = 1; i <= n; i++) pair(parts[i])
  } else if (s == "rsyslog" && t !~ /^[ \t]*[$]/) {
    if (t ~ /^[ \t]*include[ \t]*[(]/) sub(/file[ \t]*=/, "include=", t)
    while (match(t, /[A-Za-z_.]+[ \t]*=[ \t]*"[^"]*"/)) {
      one = substr(t, RSTART, RLENGTH); t = substr(t, RSTART + RLENGTH); pair(one)
    }
  } else pair(t)
}
function flush() { if (held != "") line(held); held = "" }
BEGIN {
  n = split(own, w, " "); for (i = 1; i <= n; i++) role[w[i]] = "own"
  n = split(key, w, " "); for (i = 1; i <= n; i++) role[w[i]] = "key"
  n = split(auth, w, " "); for (i = 1; i <= n; i++) role[w[i]] = "authority"
  n = split(inc, w, " "); for (i = 1; i <= n; i++) role[w[i]] = "include"
}
FNR == 1 { flush() }
s != "postfix" { at = FILENAME; no = FNR; line($0); next }
/^[ \t]*(#|$)/ { next }
/^[ \t]/ && held != "" { held = held " " $0; next }
{ flush(); at = FILENAME; no = FNR; held = $0 }
END { flush() }
"""

# Prints each certificate of a PEM file between ``*pem`` and ``.``; ``?`` for what stands between
# the marks and is none; ``k`` where the file holds a private key as well. A certificate is a
# SEQUENCE that begins with a SEQUENCE (RFC 5280, 4.1), which no unencrypted key does.
_CUT: Final = (
    r"""
{ sub(/[ \t\r]+$/, "") }
/^-----BEGIN .*PRIVATE KEY/ { k = 1 }
/^-----END (X509 |TRUSTED )?CERTIFICATE-----$/ && inside {
  inside = 0
  if (bad || !n || body[1] !~ /^MI(I..[DTjz]|[GH].M)/) { print "?"; next }
  if (++c > """
    + str(MAX_CERTIFICATES)
    + r""") { print "t"; exit }
  print "*" kind; for (i = 1; i <= n; i++) print " " body[i]
  print "."; next
}
/^-----/ {
  if (inside) print "?"
  inside = 0
  if ($0 !~ /^-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----$/) next
  inside = 1; bad = 0; n = 0; kind = ($0 ~ /TRUSTED/) ? "trusted" : "pem"
  next
}
inside && /^[A-Za-z0-9+\/=]+$/ { body[++n] = $0; next }
inside { bad = 1 }
END { if (inside) print "?"; if (k) print "k" }
"""
)

_HEAD: Final = r"""
[ "$(id -u)" = 0 ] || { echo 'must be root' >&2; exit 1; }
nl='
'
find_in() {
  s=$1; b=$2; shift 2
  for f do shift; [ ! -f "$f" ] || set -- "$@" "$f"; done
  [ $# = 0 ] || awk -v s="$s" -v b="$b" -v own="$OWN" -v key="$KEY" -v auth="$AUTH" -v inc="$INC" \
    "$FIND" "$@" ||
    echo "broken|$s"
}
anchors() {
  for f do
    case $f in *"$nl"*) echo 'broken|anchors'; continue;; */README*) continue;; esac
    [ ! -f "$f" ] || printf 'use|system|anchor||0||%s\n' "$f"
  done
}
stored() {
  for d in /etc/ssl/certs /etc/pki/tls/certs; do
    # On SLES and RHEL a link to what the distribution made.
    [ ! -L "$d" ] || continue
    for f in "$d"/*.pem "$d"/*.crt "$d"/*.[0-9]; do [ -L "$f" ] || anchors "$f"; done
  done
}
last() { for f do [ ! -f "$f" ] || printf '%s\n' "$f"; done | sort | tail -n 1; }
local_authorities() {
  [ -d /usr/local/share/ca-certificates ] || return 0
  find -L /usr/local/share/ca-certificates -type f -name '*.crt' 2>/dev/null | sort |
    while IFS= read -r f; do anchors "$f"; done
}
uses() {
"""

_TAIL: Final = r"""
  f=$(last /etc/cockpit/ws-certs.d/*.cert /etc/cockpit/ws-certs.d/*.crt)
  if [ -n "$f" ]; then
    printf 'use|cockpit|own|/etc/cockpit/ws-certs.d|0||%s\n' "$f"
    [ ! -f "${f%.*}.key" ] ||
      printf 'use|cockpit|key|/etc/cockpit/ws-certs.d|0||%s\n' "${f%.*}.key"
  fi
  local_authorities
  anchors /etc/pki/ca-trust/source/anchors/* /etc/pki/ca-trust/source/*.p11-kit \
    /etc/pki/ca-trust/source/*.pem /etc/pki/ca-trust/source/*.crt /etc/pki/trust/anchors/*
  stored
}
bundle() {
  case $1 in
  @BUNDLES@) return 0;;
  esac
  return 1
}
der() {
  t=${2#3082}; t=${t%"${t#????}"}
  echo '*der'
  head -c $((0x$t + 4)) <"$1" | od -An -v -tx1
  echo .
}
one() {
  if [ ! -f "$1" ]; then printf '%s\n' "-$1"; return; fi
  r=$(readlink -f -- "$1")
  if bundle "$1" || bundle "$r"; then printf '%s\n' "b$1"; return; fi
  m=$(stat -L -c '%s|%a|%u|%g|%U|%G' -- "$1" 2>/dev/null) || { printf '%s\n' "!$1"; return; }
  printf '=%s|%s\n' "${m#*|}" "$1"
  [ "$2" = cert ] || return
  [ -r "$1" ] || { echo '!'; return; }
  [ "${m%%|*}" -le @SIZE@ ] || { echo '+'; return; }
  h=$(head -c 16 <"$1" | od -An -v -tx1 | tr -d ' \n') 2>/dev/null
  case $h in
  3082????3082????a0030201*|3082????3081??a0030201*) der "$1" "$h";;
  *) awk "$CUT" <"$1" || echo '!';;
  esac
}
u=$(uses)
[ -z "$u" ] || printf '%s\n' "$u"
echo '#files'
paths() { printf '%s\n' "$u" | sed -n "$1" | sort -u; }
others='/^use|[^|]*|key|/d;/^use|[^|]*|include|/d'
c=$(paths "$others;"'s/^use|[^|]*|[^|]*|[^|]*|[^|]*|[^|]*|\(\/.*\)$/\1/p')
printf '%s\n' "$c" | head -n @FILES@ | while IFS= read -r f; do [ -z "$f" ] || one "$f" cert; done
printf '%s\n' "$u" | sed -n 's/^use|[^|]*|key|[^|]*|[^|]*|[^|]*|\(\/.*\)$/\1/p' | sort -u |
  head -n @FILES@ | while IFS= read -r f; do
    case "$nl$c$nl" in *"$nl$f$nl"*) ;; *) one "$f" key;; esac
  done
echo '#end'
"""


def program() -> str:
    """Return the body of the probe."""
    variables = (
        f"OWN={quote(_DIRECTIVES['own'])} KEY={quote(_DIRECTIVES['key'])}\n"
        f"AUTH={quote(_DIRECTIVES['authority'])} INC={quote(_DIRECTIVES['include'])}\n"
        f"FIND={quote(_FIND)}\nCUT={quote(_CUT)}\n"
    )
    services = "".join(
        f"  find_in {s} {quote(base.rstrip('/'))} {files}\n" for s, base, files in SERVICES
    )
    tail = (
        _TAIL.replace("@BUNDLES@", "|".join(_BUNDLES))
        .replace("@SIZE@", str(MAX_FILE_BYTES))
        .replace("@FILES@", str(MAX_FILES))
    )
    return variables + _HEAD + services + tail
