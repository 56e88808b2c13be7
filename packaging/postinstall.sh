#!/bin/sh
# After an installation or an upgrade. Nothing is enabled: the daemon needs tokens first.
# DPKG_ROOT is where dpkg installs it, unless that is here.
set -e

# Where there is no systemd, nobody needs the groups of its units.
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers ${DPKG_ROOT:+"--root=$DPKG_ROOT"} tocsin.conf
fi
# A machine that systemd does not run, such as a container, has nothing to be told.
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# A daemon that runs is replaced by the new one. One that was stopped stays so.
	systemctl try-restart tocsin.service
fi
