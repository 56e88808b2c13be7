#!/bin/sh
# After a removal, and after an upgrade. A purge, which only dpkg has, also deletes the
# store and the tokens. The groups stay: files that are kept elsewhere may belong to them.
set -e

if [ "$1" = purge ]; then
	# What tocsin init has told systemd about the tokens.
	rm -f "$DPKG_ROOT/etc/systemd/system/tocsin.service.d/init-credentials.conf"
	rmdir "$DPKG_ROOT/etc/systemd/system/tocsin.service.d" 2>/dev/null || true # others may be there
	rmdir "$DPKG_ROOT/run/tocsin" 2>/dev/null || true # where the socket was
	rm -rf "$DPKG_ROOT/var/lib/private/tocsin" "$DPKG_ROOT/var/lib/tocsin" "$DPKG_ROOT/etc/tocsin"
fi
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
