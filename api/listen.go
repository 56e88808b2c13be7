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

// socketMode lets the owner and the group of the Unix socket's file push alerts.
const socketMode = 0o660

// ListenUnix binds the Unix socket at path. A file that a dead daemon left is
// replaced; a socket that answers belongs to a living one and is an error.
func ListenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := privateFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("listen on unix socket: %w", err)
	}
	if err := clearSocket(ctx, path); err != nil {
		return nil, err
	}
	// The socket is bound under another name and moved into place once its mode
	// is right, so that nobody is let in or kept out in between.
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

// privateFolder makes sure that dir exists and that nobody but root or this
// user could have put it there: under a shared temporary directory somebody
// else might wait for alerts in our name.
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

// Close ends the listener and removes the socket's file. It does so once: the
// file that is there later is another daemon's.
func (l *unixListener) Close() error {
	l.once.Do(func() {
		if err := os.Remove(l.path); !errors.Is(err, fs.ErrNotExist) {
			l.err = err
		}
		l.err = errors.Join(l.err, l.Listener.Close())
	})
	return l.err
}

// clearSocket removes a socket file nobody listens on.
func clearSocket(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen on unix socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("listen on unix socket: %s exists and is no socket: remove it, or choose another path with TOCSIN_SOCKET", path)
	}
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return errors.Join(
			fmt.Errorf("listen on unix socket: a running daemon holds %s: stop it, or choose another path with TOCSIN_SOCKET", path), conn.Close())
	case !errors.Is(err, syscall.ECONNREFUSED): // a living daemon may be too busy to answer
		return fmt.Errorf("listen on unix socket: a daemon may hold %s: stop it, or choose another path with TOCSIN_SOCKET: %w", path, err)
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
		return nil, fmt.Errorf("listen on %s: the port is taken: stop what uses it, or choose another with TOCSIN_LISTEN (off for none): %w", address, err)
	case err != nil:
		return nil, fmt.Errorf("listen on tcp: %w", err)
	}
	return l, nil
}
