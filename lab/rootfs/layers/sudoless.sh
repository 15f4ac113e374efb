# A host on which nobody ever installed sudo.
SUDO_FORCE_REMOVE=yes dpkg --purge sudo >/dev/null
rm -rf /etc/sudoers.d
! command -v sudo
