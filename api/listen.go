package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// socketMode lets the owner and the group of the socket file connect.
const socketMode = 0o660

// ListenUnix binds the Unix socket at path. A socket file on which nobody listens is
// replaced; one of a running daemon is an error.
func ListenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := privateFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("listen on unix socket: %w", err)
	}
	if err := clearSocket(ctx, path); err != nil {
		return nil, err
	}
	// The socket is bound under another name and renamed when it has its mode, so that
	// it never exists with a wrong one.
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", temporary)
	if err != nil {
		return nil, fmt.Errorf("listen on unix socket %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(temporary, socketMode), os.Rename(temporary, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on unix socket %s: %w", path, err), l.Close(), os.Remove(temporary))
	}
	return &unixListener{Listener: l, path: path}, nil
}

// privateFolder creates dir unless it exists, and refuses one that belongs to another
// user: in a shared temporary directory, somebody else could receive our alerts.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the folder %s belongs to another user (uid %d): choose another path with TOCSIN_SOCKET", dir, st.Uid)
	}
	return nil
}

// unixListener removes its file when it closes.
type unixListener struct {
	net.Listener
	path string
	once sync.Once
	err  error
}

// Close closes the listener and removes the socket file, but only once: a later file
// belongs to another daemon.
func (l *unixListener) Close() error {
	l.once.Do(func() {
		if err := os.Remove(l.path); !errors.Is(err, fs.ErrNotExist) {
			l.err = err
		}
		l.err = errors.Join(l.err, l.Listener.Close())
	})
	return l.err
}

// SetDeadline is that of a net.UnixListener.
func (l *unixListener) SetDeadline(t time.Time) error {
	return l.Listener.(*net.UnixListener).SetDeadline(t)
}

// clearSocket removes a socket file on which nobody listens.
func clearSocket(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen on unix socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("listen on unix socket: %s exists and is not a socket: remove it, or choose another path with TOCSIN_SOCKET", path)
	}
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return errors.Join(
			fmt.Errorf("listen on unix socket: a running daemon uses %s: stop it, or choose another path with TOCSIN_SOCKET", path), conn.Close())
	case !errors.Is(err, syscall.ECONNREFUSED): // a running daemon may be too busy to answer
		return fmt.Errorf("listen on unix socket: a daemon may be using %s: stop it, or choose another path with TOCSIN_SOCKET: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("listen on unix socket: remove the old one: %w", err)
	}
	return nil
}

// ListenTCP binds address (host:port).
func ListenTCP(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: the port is in use: stop what uses it, or choose another with TOCSIN_LISTEN (off for none): %w", address, err)
	case err != nil:
		return nil, fmt.Errorf("listen on tcp: %w", err)
	}
	return l, nil
}
