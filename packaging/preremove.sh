#!/bin/sh
# Before a removal, and before an upgrade, which restarts the daemon once the new program
# is there: the argument is then "upgrade" from dpkg and 1 from rpm.
set -e

case $1 in
remove | 0)
	if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
		systemctl disable --now tocsin.socket tocsin-tcp.socket tocsin.service
	elif command -v systemctl >/dev/null; then
		# Without systemd nothing runs, and the links of what is enabled would stay.
		systemctl ${DPKG_ROOT:+"--root=$DPKG_ROOT"} --quiet disable tocsin.socket tocsin-tcp.socket tocsin.service
	fi
	;;
esac
