package config

import (
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
}

// LoadClient reads only the settings of the listeners, and reports only mistakes in
// those: a person who may not read the daemon's secrets can still send an alert.
func LoadClient(in Input) (*Client, error) {
	l := newLoader(in)
	l.readDocument()
	l.problems = nil
	l.resolveKeys(keyTCP, keySocket)
	if len(l.problems) > 0 {
		return nil, &Errors{Problems: inOrder(l.problems)}
	}
	// A token file this user may not read matters only if TCP is used, and
	// then the daemon says so.
	l.resolveKeys(keyToken)
	return &Client{
		Server:  in.server(),
		Sockets: l.sockets(),
		TCP:     unlessOff(l.value(keyTCP)),
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

func (in Input) server() string {
	if in.Flags["socket"] != "" || in.Flags["config"] != "" {
		return ""
	}
	return strings.TrimSpace(unquoted(in.Getenv("TOCSIN_SERVER")))
}
