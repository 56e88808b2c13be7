package main

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"tocsin/playground"
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

func TestOverTCPWithoutATokenAnybodySendsAndOnlyTheSocketActs(t *testing.T) {
	t.Parallel()
	tcp := freeAddress(t.Context(), "127.0.0.1:0")
	p := prepare(t, slack(t, playground.Options{}), map[string]string{"TOCSIN_LISTEN": tcp})
	p.start()
	anybody := []string{"--server", "http://" + tcp}
	member := []string{"--socket", p.env["TOCSIN_SOCKET"]}
	many := []string{"silence", `severity>=warning`, "--for", "720h"}
	for _, c := range []struct {
		args   []string
		status int
		said   string
	}{
		{slices.Concat([]string{"send"}, anybody, []string{"disk full"}), 0, ""},
		{slices.Concat([]string{"incidents"}, anybody), 0, ""},
		{slices.Concat(many, anybody), exitFailure, "use the Unix socket, or set TOCSIN_API_TOKEN and send it"},
		{slices.Concat([]string{"queue", "drop", "--all"}, anybody), exitFailure, "use the Unix socket"},
		{slices.Concat(many, member), 0, ""},
	} {
		var told strings.Builder
		w := world{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &told, getenv: func(string) string { return "" }}
		if status := run(t.Context(), c.args, w); status != c.status || !strings.Contains(told.String(), c.said) {
			t.Errorf("%q: status %d, it said %q", c.args, status, told.String())
		}
	}
}
