# Looks like a host of the RHEL 9 family to whoever asks for os-release and for rpm: a true rpm
# database with true (empty) packages, no dpkg, the file modes and names of that family. The programs
# remain Debian's.
work=/var/tmp/lab-rpm
mkdir -p $work /etc/rpm
# Debian's rpm keeps a database in the home directory of whoever asks.
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros

package() { # name version release architecture [epoch]
  cat >$work/$1.spec <<SPEC
Name: $1
Version: $2
Release: $3
${5:+Epoch: $5}
Summary: Stand-in for $1
License: Apache-2.0
BuildArch: noarch
%description
Stand-in of a lab host: it has the name and version of a package, and one file.
%install
mkdir -p %{buildroot}/usr/share/lab/packages
echo $1 >%{buildroot}/usr/share/lab/packages/$1
%files
/usr/share/lab/packages/$1
SPEC
  rpmbuild -bb --quiet --define "_topdir $work" --define "_tmppath $work" $work/$1.spec >/dev/null 2>&1
}
package bash 5.1.8 9.el9
package sudo 1.9.5p2 10.el9_3
package openssh-server 8.7p1 38.el9
package openssh 8.7p1 38.el9
package audit 3.1.2 2.el9
package cronie 1.5.7 11.el9
package rsyslog 8.2310.0 4.el9
package chrony 4.5 1.el9
package nftables 1.0.9 1.el9 1
package firewalld 1.3.4 1.el9
package libselinux 3.6 1.el9
package pam 1.5.1 19.el9
package libpwquality 1.4.4 8.el9
package crypto-policies 20240202 1.git283706d.el9
package systemd 252 32.el9
package kernel-core 5.14.0 427.13.1.el9_4
package rocky-release 9.4 1.7.el9
rpm -i --nodeps $work/RPMS/noarch/*.rpm
[ "$(rpm -qa | wc -l)" -eq 17 ]
[ -e /var/lib/rpm/rpmdb.sqlite ]
rm -rf $work

cat >/usr/lib/os-release <<OS
NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
CPE_NAME="cpe:/o:rocky:rocky:9::baseos"
OS
ln -sf ../usr/lib/os-release /etc/os-release
echo 'Rocky Linux release 9.4 (Blue Onyx)' >/etc/rocky-release
ln -sf rocky-release /etc/redhat-release
rm -f /etc/debian_version
mkdir -p /etc/sysconfig
groupadd -f -g 10 wheel 2>/dev/null || groupadd -f wheel
chown root:root /etc/*shadow /etc/*shadow-
chmod 0000 /etc/*shadow /etc/*shadow-
ln -sf /usr/lib/systemd/system/cron.service /etc/systemd/system/crond.service
# No trace of the other package manager, so that nothing is answered from the wrong database.
rm -rf /var/lib/dpkg /var/lib/apt /etc/apt /etc/dpkg
rm -f /usr/bin/dpkg* /usr/bin/apt* /usr/sbin/dpkg*
