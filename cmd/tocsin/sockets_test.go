package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// bind binds a socket as systemd does before it starts the daemon, and keeps it.
func (p *process) bind(network, address string) net.Addr {
	p.t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		p.t.Fatal(err)
	}
	if l, ok := l.(*net.UnixListener); ok {
		l.SetUnlinkOnClose(false)
	}
	file, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = file.Close() })
	p.bound = append(p.bound, file)
	return l.Addr()
}

// withoutKeepAlive makes each request over a connection of its own, as curl does. A
// server that stops may close one that is kept while a client writes to it.
func withoutKeepAlive(c *client) *client {
	c.http.Transport.(*http.Transport).DisableKeepAlives = true
	return c
}

func TestARestartUnderLoadRefusesNoRequestWhereSystemdHoldsTheSockets(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), map[string]string{"LISTEN_FDNAMES": "tcp:unix"})
	// What listens is what systemd passes, in whichever order, and not what is configured.
	tcp := p.bind("tcp", "127.0.0.1:0")
	p.bind("unix", p.env["TOCSIN_SOCKET"])
	p.env["TOCSIN_SOCKET"] = filepath.Join(p.dir, "other.sock")
	path := filepath.Join(p.dir, "tocsin.sock")
	p.start()

	ctx, stop := context.WithCancel(t.Context())
	var accepted atomic.Int64
	var pushers sync.WaitGroup
	for i := range 8 {
		c := withoutKeepAlive(socketClient(path))
		if i%2 == 0 {
			c = withoutKeepAlive(clientAt(place{"tcp", tcp.String()}))
		}
		pushers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if _, err := push(t.Context(), c, []map[string]any{firing(fmt.Sprint(i), fmt.Sprint(n))}); err != nil {
					t.Errorf("request %d of pusher %d: %v", n, i, err)
					return
				}
				accepted.Add(1)
			}
		})
	}
	for range 3 {
		for before := accepted.Load(); accepted.Load() < before+20 && !t.Failed(); {
			pause(ctx, 20*time.Millisecond)
		}
		if err := p.terminate(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the daemon's end took away systemd's socket: %v", err)
		}
		p.start()
	}
	stop()
	pushers.Wait()
	if _, err := os.Stat(p.env["TOCSIN_SOCKET"]); err == nil {
		t.Error("it bound a socket other than the one that it was given")
	}
	var l alert.Ledger
	if err := socketClient(path).call(t.Context(), http.MethodGet, "/v1/ledger", nil, &l); err != nil {
		t.Fatal(err)
	}
	if l.Total.Accepted != accepted.Load() {
		t.Errorf("of %d accepted alerts the ledger has %d", accepted.Load(), l.Total.Accepted)
	}
}

func TestASocketOfSystemdThatCannotBeUsedIsSaidAtTheStart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ names, network, address, want string }{
		{"tocsin.socket", "tcp", "127.0.0.1:0", `the socket "tocsin.socket" at tcp 127.0.0.1`},
		{"unix", "tcp", "127.0.0.1:0", "FileDescriptorName= has to be unix for a path and tcp for an address"},
		{"tcp", "tcp", "0.0.0.0:0", "can be reached from other machines, and no token protects it"},
		{"tcp:tcp", "tcp", "127.0.0.1:0", "another socket has this name"},
	} {
		t.Run(tt.names+" "+tt.address, func(t *testing.T) {
			t.Parallel()
			p := prepare(t, slack(t, playground.Options{}), map[string]string{"LISTEN_FDNAMES": tt.names})
			for range strings.Split(tt.names, ":") {
				p.bind(tt.network, tt.address)
			}
			p.launch()
			if p.awaitReady() {
				t.Fatal("it started")
			}
			err := <-p.exited
			p.cmd = nil
			if err == nil || !strings.Contains(p.log.String(), tt.want) {
				t.Errorf("it ended with %v and said\n%s", err, p.log)
			}
		})
	}
}
