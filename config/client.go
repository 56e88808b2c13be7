package config

import (
	"path/filepath"
	"slices"
	"strings"

	"tocsin/alert"
)

const systemSocket = "/run/tocsin/" + socketName

// Client is what a client command needs to find a running daemon.
type Client struct {
	// Sockets are the paths to try, in this order: the configured one, or else where a
	// daemon of this user or of the system listens by default.
	Sockets []string
	// Server is the address of a daemon that TOCSIN_SERVER names; empty means none, or
	// that a flag says where the daemon is.
	Server string
	// TCP is host:port, or empty when that listener is off.
	TCP string
	// Token is the bearer token for TCP; empty means none.
	Token alert.Secret
	// Spools are the folders where what no daemon accepts may wait, the best first.
	Spools []string
}

// LoadClient reads only the settings of the listeners, and reports only mistakes in
// those: a person who may not read the daemon's secrets can still send an alert.
func LoadClient(in Input) (*Client, error) {
	l := newLoader(in)
	l.readDocument()
	l.problems = nil
	l.resolveKeys(keyTCP, keySocket, keyCertFile)
	if len(l.problems) > 0 {
		return nil, &Errors{Problems: inOrder(l.problems)}
	}
	// A token file this user may not read matters only if TCP is used, and
	// then the daemon says so.
	l.resolveKeys(keyToken)
	sockets := l.sockets()
	tcp := unlessOff(l.value(keyTCP))
	if l.has(keyCertFile) { // nothing here says by which name its certificate knows it
		tcp = ""
	}
	return &Client{
		Server:  in.server(),
		Sockets: sockets,
		Spools:  in.spools(slices.Contains(sockets, systemSocket)),
		TCP:     tcp,
		Token:   alert.Secret(l.value(keyToken)),
	}, nil
}

func (l *loader) sockets() []string {
	socket := l.values[keySocket]
	switch {
	case socket.value == off:
		return nil
	case socket.origin.kind != fromDefault:
		return []string{socket.value}
	}
	var places []string
	for _, path := range []string{socket.value, l.in.temporarySocket(), systemSocket} {
		if !slices.Contains(places, path) {
			places = append(places, path)
		}
	}
	return places
}

// SystemState is the folder of the system's daemon, which root may use.
const SystemState = "/var/lib/tocsin"

// LoadStore reads only where the daemon keeps its store, so that a mistake elsewhere keeps
// nobody from a backup.
func LoadStore(in Input) (alert.Secret, error) {
	l := newLoader(in)
	l.readDocument()
	if !l.doc.broken {
		l.problems = nil
	}
	l.resolveKeys(keyStore)
	if len(l.problems) > 0 {
		return "", &Errors{Problems: inOrder(l.problems)}
	}
	return alert.Secret(l.value(keyStore)), nil
}

// Spools are the folders from which a daemon with this environment takes what waits.
func (in Input) Spools() []string { return in.spools(false) }

// spools are a daemon's own folder, that of the system's daemon for root, the user's, and
// that of a service which has no home.
func (in Input) spools(system bool) (folders []string) {
	const spool = "spool"
	state := in.systemdDir("STATE_DIRECTORY")
	own := filepath.Base(state) == "tocsin"
	if own {
		folders = append(folders, filepath.Join(state, spool))
	}
	if system && in.UID == 0 {
		folders = append(folders, filepath.Join(SystemState, spool))
	}
	if dir := in.xdg("XDG_STATE_HOME", filepath.Join(".local", "state")); dir != "" {
		folders = append(folders, filepath.Join(dir, "tocsin", spool))
	}
	if state != "" && !own {
		folders = append(folders, filepath.Join(state, "tocsin", spool))
	}
	return folders
}

func (in Input) server() string {
	if in.Flags["socket"] != "" || in.Flags["config"] != "" {
		return ""
	}
	return strings.TrimSpace(unquoted(in.Getenv("TOCSIN_SERVER")))
}
