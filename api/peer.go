package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/user"
	"strconv"

	"tocsin/alert"
)

// peer is the context key of the uid at the other end of a Unix socket.
type peer struct{}

// withPeer adds the uid at the other end to the context, as the kernel says it.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return ctx // the connection is closed
	}
	var uid uint32
	var failed error
	err = raw.Control(func(fd uintptr) { uid, failed = peerOf(int(fd)) })
	if err != nil || failed != nil {
		return ctx
	}
	return context.WithValue(ctx, peer{}, uid)
}

// userHeader is where a client says which user of its shell it is. It counts over TCP only:
// on the Unix socket the kernel says who it is.
const userHeader = "X-Tocsin-User"

// orCaller returns p, or the caller as far as known if p is empty.
func orCaller(p alert.Person, r *http.Request) alert.Person {
	if p != (alert.Person{}) {
		return p
	}
	uid, ok := r.Context().Value(peer{}).(uint32)
	if !ok {
		user, err := person("the user", alert.Person{Name: r.Header.Get(userHeader)})
		if err != nil || user == (alert.Person{}) {
			return alert.Person{Name: "the HTTP API"}
		}
		return user
	}
	number := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(number)
	if err != nil {
		return alert.Person{Name: fmt.Sprintf("user %s", number)}
	}
	return alert.Person{Name: u.Username}
}
