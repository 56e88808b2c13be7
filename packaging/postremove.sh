#!/bin/sh
# After a removal, and after an upgrade. A purge, which only dpkg has, also deletes the
# store and the tokens. The groups stay: files that are kept elsewhere may belong to them.
set -e

if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
if [ "$1" = purge ]; then
	rmdir "$DPKG_ROOT/run/tocsin" 2>/dev/null || true # where the socket was
	rm -rf "$DPKG_ROOT/var/lib/private/tocsin" "$DPKG_ROOT/var/lib/tocsin" "$DPKG_ROOT/etc/tocsin"
fi
