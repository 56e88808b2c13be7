package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tocsin/api"
	"tocsin/config"
	"tocsin/systemd"
)

// The names that the socket units give their sockets.
const (
	unixSocket = "unix"
	tcpSocket  = "tcp"
)

// boundSockets says which sockets systemd has bound for the daemon. One that nobody
// would accept connections from is an error, because its clients would wait for ever.
func boundSockets() (_ map[string]config.Bound, err error) {
	all, err := systemd.Listeners()
	if err != nil {
		return nil, err
	}
	bound := map[string]config.Bound{}
	for name, l := range all {
		flag := map[string]string{unixSocket + "/unix": "socket", tcpSocket + "/tcp": "listen"}[name+"/"+l.Addr().Network()]
		if flag == "" {
			err = errors.Join(err, fmt.Errorf("systemd passes the socket %q at %s %s: FileDescriptorName= has to be %s for a path and %s for an address",
				name, l.Addr().Network(), l.Addr(), unixSocket, tcpSocket))
		}
		bound[flag] = config.Bound{Name: name, Address: l.Addr().String()}
		err = errors.Join(err, l.Close())
	}
	return bound, err
}

// doors are the listeners that this process has bound. While a daemon becomes active or a
// standby they are kept, so that nobody is refused: who connects meanwhile waits.
type doors struct {
	unix, tcp, requests bound
	kept                atomic.Bool
}

// bound is a listener whose Accept can be ended without closing it.
type bound interface {
	net.Listener
	SetDeadline(t time.Time) error
}

// open returns a listener at one of the doors, which is bound unless it was kept.
func (o *doors) open(at *bound, bind func() (net.Listener, error)) (net.Listener, error) {
	if *at == nil || (*at).SetDeadline(time.Time{}) != nil {
		l, err := bind()
		if err != nil {
			return nil, err
		}
		*at = l.(bound)
	}
	return &door{bound: *at, kept: &o.kept}, nil
}

// close closes all doors.
func (o *doors) close() {
	for _, l := range []bound{o.unix, o.tcp, o.requests} {
		if l != nil {
			_ = l.Close() // it may be closed
		}
	}
}

// door is what accepts at a listener until Close, which leaves it bound if the doors are kept.
type door struct {
	bound
	kept   *atomic.Bool
	closed atomic.Bool
}

// Accept accepts a connection.
func (d *door) Accept() (net.Conn, error) {
	conn, err := d.bound.Accept()
	if err != nil && d.closed.Load() {
		return nil, net.ErrClosed
	}
	return conn, err
}

// Close ends Accept.
func (d *door) Close() error {
	if d.closed.Swap(true) {
		return net.ErrClosed
	}
	if d.kept.Load() {
		return d.SetDeadline(time.Unix(1, 0))
	}
	return d.bound.Close()
}

// listen takes the sockets that systemd has bound, and binds those that the
// configuration also names.
func (d *daemon) listen(ctx context.Context) error {
	bound, err := systemd.Listeners()
	if err != nil {
		return err
	}
	d.unix, d.tcp = bound[unixSocket], bound[tcpSocket]
	tcp := func(address string) func() (net.Listener, error) {
		return func() (net.Listener, error) { return api.ListenTCP(ctx, address) }
	}
	if path := d.cfg.Listen.Socket; path != "" && d.unix == nil {
		if d.unix, err = d.doors.open(&d.doors.unix, func() (net.Listener, error) { return api.ListenUnix(ctx, path) }); err != nil {
			return err
		}
	}
	if address := d.cfg.Listen.TCP; address != "" && d.tcp == nil {
		if d.tcp, err = d.doors.open(&d.doors.tcp, tcp(address)); err != nil {
			return err
		}
	}
	if d.cfg.Slack.Mode == config.HTTPMode {
		if d.requests, err = d.doors.open(&d.doors.requests, tcp(d.cfg.Slack.Listen)); err != nil {
			return err
		}
	}
	d.doors.kept.Store(false)
	if d.unix != nil {
		d.socketFile, err = os.Stat(d.cfg.Listen.Socket)
	}
	return err
}

// serveClients adds what answers clients.
func (d *daemon) serveClients(parts *stages) {
	d.serve(parts, d.unix, d.unixHandler())
	if d.certificates != nil {
		parts.start("certificates", time.Second, d.certificates.run)
	}
	d.serve(parts, d.encrypted(d.tcp), d.tcpHandler())
	d.answerBeforeStopping(parts)
}

// serve adds an HTTP server on l, unless l is nil.
func (d *daemon) serve(parts *stages, l net.Listener, h http.Handler) {
	if l == nil {
		return
	}
	srv := api.Serve(h, d.log.Named("api"))
	srv.ConnState = d.clients.Track
	ctx, cancel := context.WithCancel(context.Background())
	srv.BaseContext = func(net.Listener) context.Context { return ctx }
	d.servers = append(d.servers, srv)
	d.accepting.Add(1)
	serve := func() error {
		defer d.accepting.Done()
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
	parts.startWith("listener "+l.Addr().String(), stopServers, serve, func(limit context.Context) error {
		// Clients that wait for a delivery are answered now; pushes may still finish.
		context.AfterFunc(limit, cancel)
		soon := time.AfterFunc(stopServers/2, cancel)
		defer soon.Stop()
		defer cancel()
		if err := srv.Shutdown(limit); err != nil {
			// A client that does not finish is disconnected. That is not a failure,
			// because nothing that was accepted is lost.
			d.log.Debug("clients disconnected", zap.Stringer("listener", l.Addr()), zap.Error(err))
			return srv.Close()
		}
		return nil
	})
}

// answerBeforeStopping adds what stops before the servers: no more connections are
// accepted, and those that are open get their answers. A server that is shut down
// disconnects those whose request it has not read.
func (d *daemon) answerBeforeStopping(parts *stages) {
	accept := func() error {
		d.accepting.Wait()
		return nil
	}
	parts.startWith("clients", stopClients, accept, func(limit context.Context) (err error) {
		for _, l := range []net.Listener{d.unix, d.tcp} {
			if l != nil {
				err = errors.Join(err, l.Close())
			}
		}
		for _, srv := range d.servers {
			srv.SetKeepAlivesEnabled(false) // closes those that are idle, and others after their answer
		}
		d.accepting.Wait()
		for d.clients.Open() > 0 && pause(limit, stopEvery) {
		}
		return err
	})
}

// stopEvery is how often it is looked whether all clients have been answered.
const stopEvery = 5 * time.Millisecond
