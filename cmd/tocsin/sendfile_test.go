package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/playground"
)

// written is a file with these lines.
func written(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileOfTenThousandLinesIsSentOnceAndWrongLinesAreNamed(t *testing.T) {
	t.Parallel()
	const all = 10_000
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.start()
	sh := shellOf(t, p)
	lines := make([]string, all)
	for n := range lines {
		lines[n] = fmt.Sprintf(`{"title": "alert %d", "key": "key %d"}`, n, n%20)
	}
	lines[6] = `{"title": "broken`
	lines[16] = `{"text": "", "title": ""}`
	lines[4321] = `{"title": "x", "idempotency_key": "same"}`
	lines[4322] = `{"title": "y", "idempotency_key": "same"}`
	lines[9998] = `[{"title": "a"}, {"title": "b"}]`
	path := written(t, lines...)
	wrong := []int{7, 17, 4323, 9999}
	for _, want := range []fileResult{{Lines: all, Accepted: all - len(wrong)}, {Lines: all, Duplicates: all - len(wrong)}} {
		status, out, said := sh.tocsin("send", "--json", "--file", path)
		var got fileResult
		if err := json.Unmarshal([]byte(out), &got); err != nil || status != exitFailure {
			t.Fatalf("exit status %d, %v: %s %s", status, err, out, said)
		}
		var refused []int
		for _, line := range got.Refused {
			refused = append(refused, line.Line)
		}
		slices.Sort(refused)
		if got.Refused = nil; asJSON(got) != asJSON(want) || !slices.Equal(refused, wrong) {
			t.Errorf("it was %s, and refused %v", asJSON(got), refused)
		}
		for _, text := range []string{path + ": line 7: refused: broken JSON", "line 17: refused: the alert has neither title nor text", "line 4323: refused: nothing was accepted: the idempotency key", "line 9999: refused: it is an array", "tocsin: 55%  5501 alerts"} {
			if !strings.Contains(said, text) {
				t.Errorf("it did not say %q but %s", text, said)
			}
		}
	}
	if l := p.ledger().Total; l.Accepted != int64(all-len(wrong)) {
		t.Errorf("the ledger is %+v", l)
	}
	// From a pipe, with what editors and other systems leave in a file.
	content := "\ufeff{\"title\":\"a\"}\r\n\r\n  {}\n{\"title\":\"b\",\"key\":\"k\",\"status\":\"resolved\",\"only_if_open\":true}"
	var out, said strings.Builder
	w := world{stdin: strings.NewReader(content), stdout: &out, stderr: &said, getenv: func(string) string { return "" }}
	if status := run(t.Context(), []string{"send", "-f", "-", "--socket", sh.socket}, w); status != exitFailure || out.String() != "3 alerts: 1 accepted, 1 ignored, because nothing is open, 1 refused\n" || !strings.Contains(said.String(), "-: line 3: refused") {
		t.Errorf("exit status %d, %s %s", status, out.String(), said.String())
	}
}

func TestAFileWaitsAsLongAsItIsAskedTo(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.start()
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := asked.Add(1); n <= 2 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(map[int64]int{1: http.StatusTooManyRequests, 2: http.StatusServiceUnavailable}[n])
			_, _ = io.WriteString(w, `{"error":"not now"}`)
			return
		}
		req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://localhost"+r.URL.RequestURI(), r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header
		resp, err := p.client().http.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	defer proxy.Close()
	sh := &shell{t: t, home: t.TempDir(), env: map[string]string{"TOCSIN_SERVER": proxy.URL}}
	began := time.Now()
	status, out, said := sh.tocsin("send", "--timeout", "20s", "--file", written(t, `{"title":"a"}`, `{"title":"b"}`))
	if status != exitOK || out != "2 alerts: 2 accepted\n" || strings.Count(said, "not now") != 1 || time.Since(began) < 2*time.Second {
		t.Errorf("exit status %d after %s: %s %s", status, time.Since(began), out, said)
	}
}

func TestAFileThatIsInterruptedSaysWhatWasSentAndHowToGoOn(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var asked atomic.Int64
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if asked.Add(1) == 2 {
			interrupt()
			<-r.Context().Done()
			return
		}
		_, _ = fmt.Fprintf(w, `{"alerts":[%s{}]}`, strings.Repeat("{},", strings.Count(string(body), "\n")-1))
	}))
	defer daemon.Close()
	var out, said strings.Builder
	w := world{stdin: strings.NewReader(""), stdout: &out, stderr: &said, getenv: func(string) string { return "" }}
	lines := slices.Repeat([]string{`{"title":"a"}`}, 2*batchLines)
	status := run(ctx, []string{"send", "--server", daemon.URL, "--file", written(t, lines...)}, w)
	if status != exitInterrupted || out.String() != fmt.Sprintf("%d alerts: %d accepted\n", batchLines, batchLines) || !strings.Contains(said.String(), "interrupted: send the file again for the rest") {
		t.Errorf("exit status %d: %s %s", status, out.String(), said.String())
	}
}

func TestAFileIsAllThatIsSent(t *testing.T) {
	t.Parallel()
	path := written(t, `{"title":"a"}`)
	for want, args := range map[string][]string{
		"leave out TEXT":          {"send", "--file", path, "disk full"},
		"combined with --channel": {"send", "--file", path, "--channel", "#ops"},
		"no such file":            {"send", "--file", path + "2"},
	} {
		sh := &shell{t: t, home: t.TempDir()}
		if status, _, said := sh.tocsin(args...); status != exitUsage || !strings.Contains(said, want) {
			t.Errorf("%q: exit status %d, it said %q", args, status, said)
		}
	}
	sh := &shell{t: t, home: t.TempDir(), socket: filepath.Join(t.TempDir(), "none.sock")}
	if status, out, said := sh.tocsin("send", "--file", path, "--timeout", "1ms"); status != exitFailure || out != "0 alerts: 0 accepted\n" || !strings.Contains(said, "no daemon answers") || !strings.Contains(said, "send the file again") {
		t.Errorf("without a daemon: exit status %d: %s %s", status, out, said)
	}
}

func TestWhatComesThroughAPipeWaitsInTheSpoolAndCountsOnce(t *testing.T) {
	t.Parallel()
	sl := slack(t, playground.Options{})
	p := prepare(t, sl, nil)
	sh := shellOf(t, p)
	piped := func(args ...string) (status int, stdout, stderr string) {
		content := strings.Repeat(`{"title":"a","key":"a"}`+"\n", batchLines) + "broken\n" + `{"title":"b","key":"b"}`
		return sh.fed(content, append([]string{"send", "--file", "-", "--timeout", "1ms"}, args...)...)
	}
	if status, out, said := piped("--no-spool"); status != exitFailure || len(sh.files()) > 0 || !strings.Contains(said, "no daemon answers") {
		t.Errorf("without a spool: exit status %d: %s %s", status, out, said)
	}
	status, out, said := piped()
	if want := fmt.Sprintf("%d alerts: 0 accepted, %d waiting in the spool, 1 refused\n", batchLines+2, batchLines+1); status != exitFailure || out != want || !strings.Contains(said, "no daemon answers") {
		t.Errorf("exit status %d, and it printed %q, want %q: %s", status, out, want, said)
	}
	if n := len(sh.files()); n != batchLines+1 {
		t.Errorf("%d files wait", n)
	}
	p.start()
	p.eventually("that the spool is empty", func() bool { return len(sh.files()) == 0 })
	if status, out, said := piped("--timeout", "30s"); status != exitFailure || out != fmt.Sprintf("%d alerts: 0 accepted, %d accepted before, 1 refused\n", batchLines+2, batchLines+1) {
		t.Errorf("again: exit status %d: %s %s", status, out, said)
	}
	if l := p.ledger().Total; l.Accepted != batchLines+1 {
		t.Errorf("the ledger is %+v", l)
	}
}

func TestOfAPipeThatIsMoreThanTheSpoolHoldsTheLineIsSaidWhereTheLossBegins(t *testing.T) {
	t.Parallel()
	sh := &shell{t: t, home: t.TempDir(), socket: filepath.Join(t.TempDir(), "none.sock")}
	line := `{"text":"` + strings.Repeat("x", 900<<10) + `"}` + "\n"
	const fit = spoolBytes / (901 << 10)
	status, out, said := sh.fed(strings.Repeat(line, fit+2), "send", "--file", "-", "--timeout", "1ms")
	if want := fmt.Sprintf("what begins with line %d is lost: the spool is full", fit+1); status != exitTempFail || !strings.Contains(said, want) || strings.Contains(said, "will be sent") || !strings.Contains(out, fmt.Sprintf("%d waiting in the spool", fit)) {
		t.Errorf("exit status %d: %s %s", status, out, said)
	}
}
