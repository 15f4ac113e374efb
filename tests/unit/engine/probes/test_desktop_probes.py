"""What systemctl, apt-get, dnf and the look at dconf say, and what of it changes by itself."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openwatch.engine.facts import CouldNot, Reason
from openwatch.engine.probes.desktop import DconfProbe
from openwatch.engine.probes.schedule import TimersProbe
from openwatch.engine.probes.updates import Updates, UpdatesProbe

TIMERS = """#timers
Unit=logrotate.service
TimersCalendar={ OnCalendar=*-*-* 00:00:00 ; next_elapse=Tue 2026-11-24 00:00:00 UTC }
Id=logrotate.timer
ActiveState=active
UnitFileState=enabled

Unit=systemd-tmpfiles-clean.service
TimersMonotonic={ OnUnitActiveUSec=1d ; next_elapse=0 }
TimersMonotonic={ OnBootUSec=15min ; next_elapse=4h 43min 49.850842s }
Id=systemd-tmpfiles-clean.timer
ActiveState=active
UnitFileState=static

#units
ExecStart={ path=/usr/sbin/logrotate ; argv[]=/usr/sbin/logrotate /etc/logrotate.conf ; \
ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
Id=logrotate.service

ExecStart={ path=systemd-tmpfiles ; argv[]=systemd-tmpfiles --clean ; ignore_errors=no ; \
start_time=[Mon 2026-11-23 13:09:01 UTC] ; stop_time=[n/a] ; pid=71 ; code=(null) ; status=0/0 }
Id=systemd-tmpfiles-clean.service

#end
"""


def test_timers_and_what_they_start() -> None:
    probe = TimersProbe()
    found = probe.parse(probe.clean(TIMERS.encode()).decode())
    assert not isinstance(found, CouldNot)
    rotate, clean = found
    assert (rotate.name, rotate.enabled, rotate.active) == ("logrotate.timer", True, True)
    assert rotate.calendar == ("*-*-* 00:00:00",)
    assert rotate.commands == ("/usr/sbin/logrotate /etc/logrotate.conf",)
    assert clean.monotonic == (("OnUnitActiveUSec", "1d"), ("OnBootUSec", "15min"))
    assert not clean.enabled


def test_what_a_timer_did_last_is_no_part_of_the_fact() -> None:
    later = TIMERS.replace("2026-11-24", "2026-11-25").replace("pid=71", "pid=99")
    later = later.replace("4h 43min 49.850842s", "5h").replace("13:09:01", "14:09:01")
    assert later != TIMERS
    assert TimersProbe().clean(later.encode()) == TimersProbe().clean(TIMERS.encode())


APT = """#apt
#asked 20780
.
apt 2.6.1 2.6.0+deb12u1
apt 2.6.1 2.6.2
libc6 2.36-9+deb12u9 2.36-9+deb12u10
libc6 2.36-9+deb12u9 2.36-9+deb12u13
openssl 3.0.17-1~deb12u2 3.0.17-1~deb12u1
#end
"""


def test_updates_of_apt_are_those_that_are_newer() -> None:
    found = UpdatesProbe().parse(APT)
    assert isinstance(found, Updates)
    assert found.asked == 20780
    assert {entry.name: entry.candidate for entry in found.entries} == {
        "apt": "2.6.2", "libc6": "2.36-9+deb12u13",
    }  # fmt: skip


DNF = """#dnf
#asked 20000
  Update ID: RHSA-2024:1234
       Type: security
    Updated: 2024-03-05 12:34:56
   Severity: Important
  Update ID: RHBA-2024:2
       Type: bugfix
    Updated: 2024-04-05 12:34:56
#end
"""


def test_advisories_of_dnf() -> None:
    found = UpdatesProbe().parse(DNF)
    assert isinstance(found, Updates)
    other, advisory = found.entries
    assert (advisory.name, advisory.published) == ("RHSA-2024:1234", date(2024, 3, 5))
    assert (advisory.security, advisory.severity, other.security) == (True, "important", False)


ZYPP = """#zypp
#asked 20780
.
SUSE-SLE-2025-1|important|1747700000|openssl|0:3.1.4-150600.5.27.1|0:3.1.4-150600.5.3.1
SUSE-SLE-2025-1|important|1747700000|libopenssl3|0:3.1.4-150600.5.27.1|0:3.1.4-150600.5.27.1
SUSE-SLE-2024-9|moderate|2024-09-01|openssl|0:3.1.4-150600.5.2.1|0:3.1.4-150600.5.3.1
SUSE-SLE-2025-2|critical|1747800000|*kernel-default|0:6.4.0-2.1|0:6.4.0-1.1,0:6.4.0-3.1
SUSE-SLE-2025-4|low|1747800000|toy|0:2.0-1|0:1.0-1,0:2.0-1
SUSE-SLE-2025-3|critical|1747800000|*kernel-default|0:6.4.0-4.1|0:6.4.0-1.1,0:6.4.0-3.1
#end
"""


def test_patches_of_zypper_wait_while_something_older_is_installed() -> None:
    """Of several kernels the newest counts."""
    found = UpdatesProbe().parse(ZYPP)
    assert isinstance(found, Updates)
    assert [entry.name for entry in found.entries] == [
        "SUSE-SLE-2025-1", "SUSE-SLE-2025-3", "SUSE-SLE-2025-4",
    ]  # fmt: skip
    first = found.entries[0]
    assert (first.published, first.severity, first.security) == (
        date(2025, 5, 20), "important", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("#zypp\n#missing\n#end\n", Reason.TOOL_MISSING),
        ("#zypp\n#none\n#end\n", Reason.INCOMPLETE),
        ("#zypp\n#partial\n#end\n", Reason.INCOMPLETE),
        ("#zypp\n#unsaid\n#end\n", Reason.INCOMPLETE),
        ("#zypp\n#asked 1\n!\n#end\n", Reason.UNPARSABLE),
        ("#zypp\n#asked 1\n.\na|b|c\n#end\n", Reason.UNPARSABLE),
        (ZYPP.replace("1747700000", ""), Reason.UNPARSABLE),
        (ZYPP.replace("1747700000", "9" * 40), Reason.UNPARSABLE),
        (ZYPP.replace("\n.\n", "\n"), Reason.UNPARSABLE),
        ("#dnf\n#missing\n#end\n", Reason.TOOL_MISSING),
        ("#apt\n#none\n#end\n", Reason.INCOMPLETE),
        ("#dnf\n#unsaid\n#end\n", Reason.INCOMPLETE),
        ("#apt\n#asked x\n#end\n", Reason.UNPARSABLE),
        ("#apt\n#asked 1\n.\nhalf\n#end\n", Reason.UNPARSABLE),
        ("#apt\n#asked 1\nbash 1 2\n#end\n", Reason.UNPARSABLE),
        (DNF.replace("2024-03-05", "1970-01-01"), Reason.UNPARSABLE),
        (DNF.replace("    Updated: 2024-03-05 12:34:56\n", ""), Reason.UNPARSABLE),
        (DNF.removesuffix("#end\n"), Reason.UNPARSABLE),
    ],
)
def test_what_cannot_be_said_of_updates(text: str, reason: Reason) -> None:
    found = UpdatesProbe().parse(text)
    assert isinstance(found, CouldNot)
    assert found.reason is reason


def test_states_of_dconf() -> None:
    assert DconfProbe().parse("local current\ngdm stale\nend\n") == {
        "local": "current", "gdm": "stale",
    }  # fmt: skip
    for text in ("", "local current\n", "local perhaps\nend\n", "end"):
        assert isinstance(DconfProbe().parse(text), CouldNot)


@given(st.text(max_size=200))
def test_no_answer_is_too_strange(text: str) -> None:
    for probe in (DconfProbe(), TimersProbe(), UpdatesProbe()):
        for framed in (
            text,
            f"#timers\n{text}\n#end\n",
            f"#apt\n#asked 1\n{text}\n#end\n",
            f"#zypp\n#asked 1\n.\n{text}\n#end\n",
        ):
            probe.parse(probe.clean(framed.encode()).decode())
