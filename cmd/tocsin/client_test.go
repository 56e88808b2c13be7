package main

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func TestWhoMayNotUseTheSocketIsToldHow(t *testing.T) {
	err := socketClient("/run/tocsin/tocsin.sock").unreachable(&net.OpError{Op: "dial", Net: "unix", Err: fs.ErrPermission})
	if !strings.Contains(err.Error(), "tocsin-clients") || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("it said %q", err)
	}
}

func TestASocketThatIsNamedIsTheOnlyPlaceToLook(t *testing.T) {
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer other.Close()
	env := map[string]string{"HOME": t.TempDir(), "TOCSIN_LISTEN": other.Listener.Addr().String()}
	var told strings.Builder
	w := world{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &told, getenv: func(name string) string { return env[name] }}
	socket := filepath.Join(t.TempDir(), "tocsin.sock")
	if status := run(t.Context(), []string{"send", "--socket", socket, "--timeout", "1ms", "disk full"}, w); status != exitFailure {
		t.Errorf("exit status %d", status)
	}
	if !strings.Contains(told.String(), "no daemon answers at "+socket) {
		t.Errorf("it said %q", told.String())
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("another daemon was asked %d times", n)
	}
}
