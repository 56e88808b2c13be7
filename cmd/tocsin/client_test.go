package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
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
	var said strings.Builder
	w := world{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &said, getenv: func(name string) string { return env[name] }}
	socket := filepath.Join(t.TempDir(), "tocsin.sock")
	if status := run(t.Context(), []string{"send", "--socket", socket, "--timeout", "200ms", "--no-spool", "disk full"}, w); status != exitFailure {
		t.Errorf("exit status %d", status)
	}
	if !strings.Contains(said.String(), "no daemon answers at "+socket) {
		t.Errorf("it said %q", said.String())
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
		var said strings.Builder
		w := world{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &said, getenv: func(string) string { return "" }}
		if status := run(t.Context(), c.args, w); status != c.status || !strings.Contains(said.String(), c.said) {
			t.Errorf("%q: status %d, it said %q", c.args, status, said.String())
		}
	}
}

func TestWhatTheDaemonTellsProgramsIsSaidInCommands(t *testing.T) {
	for said, want := range map[string]string{
		"incident zzzz: not found; list incidents with GET /v1/incidents (tocsin incidents)":                 "incident zzzz: not found; list incidents with tocsin incidents",
		"not found; list what there is with GET /v1/deliveries?state=dead (tocsin queue list)":               "not found; list what there is with tocsin queue list",
		"/readyz says what is wrong and what to do (tocsin status); send it again after Retry-After seconds": "tocsin status says what is wrong and what to do; try again",
		"send it again with the same Idempotency-Key: it will not count twice; /readyz says what is wrong":   "try again: it will not count twice; tocsin status says what is wrong",
		"there are 10000; forget those: DELETE /v1/heartbeats/NAME (tocsin heartbeats forget NAME)":          "there are 10000; forget those: tocsin heartbeats forget NAME",
		"nobody has said how often; add ?every=5m to the address, or name it":                                "nobody has said how often; add --every 5m, or name it",
		"the disk is full": "the disk is full",
	} {
		if got := inCommands(said); got != want {
			t.Errorf("%q is said as %q, want %q", said, got, want)
		}
	}
}

func TestADaemonIsFoundByTheEnvironmentAndNeedsItsToken(t *testing.T) {
	t.Parallel()
	tcp := freeAddress(t.Context(), "127.0.0.1:0")
	p := prepare(t, slack(t, playground.Options{}), map[string]string{"TOCSIN_LISTEN": tcp, "TOCSIN_API_TOKEN": "0123456789abcdef"})
	p.start()
	id := p.mustPush(firing("a", "disk full"))[0].Incident
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env    map[string]string
		args   []string
		status int
		said   string
	}{
		"no token":             {nil, nil, exitFailure, "tocsin: the token is missing or wrong; give the daemon's token with --token, or set TOCSIN_API_TOKEN\n"},
		"a token":              {nil, []string{"--token", "0123456789abcdef"}, exitOK, ""},
		"a token in a file":    {nil, []string{"--token", "@" + file}, exitOK, ""},
		"in the environment":   {map[string]string{"TOCSIN_API_TOKEN": "0123456789abcdef"}, nil, exitOK, ""},
		"quoted":               {map[string]string{"TOCSIN_SERVER": `"http://` + tcp + `/"`, "TOCSIN_API_TOKEN": "0123456789abcdef"}, nil, exitOK, ""},
		"a flag beats it":      {map[string]string{"TOCSIN_SERVER": "http://127.0.0.1:1"}, []string{"--socket", p.env["TOCSIN_SOCKET"]}, exitOK, ""},
		"no address":           {map[string]string{"TOCSIN_SERVER": "ftp://x"}, nil, exitUsage, `TOCSIN_SERVER is "ftp://x"`},
		"a flag that is none":  {nil, []string{"--server", "http://"}, exitUsage, `--server is "http://"`},
		"a file that is gone":  {nil, []string{"--token", "@" + file + "2"}, exitUsage, "read --token"},
		"no daemon, said once": {map[string]string{"TOCSIN_SERVER": "127.0.0.1:1"}, []string{"again"}, exitFailure, "no daemon answers at http://127.0.0.1:1"},
	} {
		env := map[string]string{"TOCSIN_SERVER": tcp, "HOME": t.TempDir()}
		maps.Copy(env, c.env)
		var said strings.Builder
		w := world{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &said, getenv: func(name string) string { return env[name] }}
		if status := run(t.Context(), slices.Concat([]string{"ack", id}, c.args), w); status != c.status || !strings.Contains(said.String(), c.said) || strings.Count(said.String(), "no daemon") > 1 {
			t.Errorf("%s: status %d, it said %q", name, status, said.String())
		}
	}
}

// TestWhatTheDaemonRefusesIsAUsageError: a wrong value is one whoever finds it.
func TestWhatTheDaemonRefusesIsAUsageError(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.start()
	id := p.mustPush(firing("a", "disk full"))[0].Incident
	for _, c := range []struct {
		args   []string
		status int
	}{
		{[]string{"send", "--strict", "--link", "x=javascript:alert(1)", "x"}, exitUsage},
		{[]string{"note", id, strings.Repeat("long ", 10_000)}, exitUsage},
		{[]string{"silence", "host=db-3", "--for", "9000000h"}, exitUsage},
		{[]string{"ack", "zzzz"}, exitFailure},
		{[]string{"ack", id}, exitOK},
	} {
		var said strings.Builder
		w := world{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &said, getenv: func(name string) string { return p.env[name] }}
		if status := run(t.Context(), c.args, w); status != c.status || status != exitOK && strings.Count(said.String(), "tocsin: ") != 1 {
			t.Errorf("%.60q: status %d, want %d; it said %.300q", c.args, status, c.status, said.String())
		}
	}
}

func TestAWatchedListShowsWhatHasChangedUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.start()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, status := &logBuffer{}, make(chan int, 1)
	go func() {
		w := world{stdin: strings.NewReader(""), stdout: out, stderr: io.Discard, getenv: func(string) string { return "" }}
		status <- run(ctx, []string{"incidents", "--watch", "--socket", p.env["TOCSIN_SOCKET"]}, w)
	}()
	p.eventually("the list", func() bool { return strings.Contains(out.String(), "no incident is open") })
	p.mustPush(firing("a", "disk full"))
	p.eventually("what has changed", func() bool { return strings.Contains(out.String(), "disk full") })
	interrupt()
	if code := <-status; code != exitOK {
		t.Errorf("exit status %d", code)
	}
	if n := strings.Count(out.String(), "no incident is open"); n != 1 {
		t.Errorf("it shows what has not changed:\n%s", out)
	}
}
