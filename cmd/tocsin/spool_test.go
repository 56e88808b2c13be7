package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// shell runs client commands as a user at home, with the socket of a daemon.
type shell struct {
	t            *testing.T
	home, socket string
	env          map[string]string
}

// shellOf is a shell of the user who runs the daemon.
func shellOf(t *testing.T, p *process) *shell {
	return &shell{t: t, home: p.dir, socket: p.env["TOCSIN_SOCKET"]}
}

func (s *shell) spool() string { return filepath.Join(s.home, ".local", "state", "tocsin", "spool") }

// tocsin runs a command and returns its exit status, what it printed, and what it said on
// standard error.
func (s *shell) tocsin(args ...string) (status int, stdout, stderr string) {
	s.t.Helper()
	return s.fed("", args...)
}

// fed is tocsin with something on standard input.
func (s *shell) fed(input string, args ...string) (status int, stdout, stderr string) {
	s.t.Helper()
	var out, said strings.Builder
	w := world{stdin: strings.NewReader(input), stdout: &out, stderr: &said, getenv: func(name string) string {
		return map[string]string{"HOME": s.home, "TOCSIN_SOCKET": s.socket, "USER": "ann", "TOCSIN_SERVER": s.env["TOCSIN_SERVER"], "TOCSIN_LISTEN": "off"}[name]
	}}
	status = run(s.t.Context(), args, w)
	return status, out.String(), said.String()
}

// keep sends an alert that must go to the spool.
func (s *shell) keep(key string) {
	s.t.Helper()
	if status, out, said := s.tocsin("send", "--timeout", "1ms", "--key", key, key); status != exitOK || !strings.Contains(said, "waits in "+s.spool()) || out != "" {
		s.t.Fatalf("%s: exit status %d, it said %q", key, status, said)
	}
}

// put writes an alert to the spool as a client did at a time.
func (s *shell) put(written time.Time, key string) {
	s.t.Helper()
	p, err := alertParcel(alert.Alert{Key: key, Title: key, IdempotencyKey: alert.NewID()})
	if err != nil {
		s.t.Fatal(err)
	}
	p.Written, p.To = written, []string{s.socket}
	if _, err := (spool{s.spool()}).write(p.spooled, p.about); err != nil {
		s.t.Fatal(err)
	}
}

// files are the names in the spool.
func (s *shell) files() (names []string) {
	s.t.Helper()
	entries, err := os.ReadDir(s.spool())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != refusedFolder {
			names = append(names, e.Name())
		}
	}
	return names
}

// titles are those of a channel's cards, in order.
func titles(s *playground.Server, channel string) (all []string) {
	top, _ := cards(s.Messages(channel))
	for _, m := range top {
		all = append(all, m.Text)
	}
	return all
}

// inOrder reports whether the texts contain the words, one each and nothing else.
func inOrder(texts []string, words ...string) bool {
	for n, text := range texts {
		if n >= len(words) || !strings.Contains(text, words[n]) {
			return false
		}
	}
	return len(texts) == len(words)
}

func TestWhatNoDaemonAcceptsWaitsAndIsDeliveredInOrderAndOnce(t *testing.T) {
	t.Parallel()
	sl := slack(t, playground.Options{})
	p := prepare(t, sl, nil)
	sh := shellOf(t, p)
	began := time.Now().Add(-time.Hour)
	sh.put(began, "first")
	sh.keep("second")
	for path, mode := range map[string]fs.FileMode{sh.spool(): fs.ModeDir | 0o700, filepath.Join(sh.spool(), sh.files()[0]): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode(), err, mode)
		}
	}
	if status, out, _ := sh.tocsin("status"); status != exitFailure || !strings.Contains(out, "2 requests") {
		t.Errorf("status, exit status %d, says %q", status, out)
	}
	p.start()
	p.eventually("the spool to be empty", func() bool { return len(sh.files()) == 0 })
	if status, _, said := sh.tocsin("send", "--wait", "--key", "third", "third"); status != exitOK {
		t.Fatal(said)
	}
	if got := titles(sl, "#alerts"); !inOrder(got, "first", "second", "third") {
		t.Errorf("the channel shows %q", got)
	}
	var list incidentPage
	if err := p.ask("/v1/incidents?q=first", &list); err != nil || len(list.Incidents) != 1 || list.Incidents[0].Began().Sub(began).Abs() > time.Minute {
		t.Errorf("the incidents are %s, %v; it began at %s", asJSON(list), err, began)
	}
	sh.put(time.Now(), "while it runs")
	p.eventually("what was written while it runs", func() bool { return len(sh.files()) == 0 })
	if l := p.ledger().Total; l.Accepted != 4 {
		t.Errorf("the ledger is %+v", l)
	}
}

// The daemon is killed with many alerts still in the spool, and perhaps one accepted that
// is still there.
func TestAKillWhileTheSpoolIsEmptiedHasEachAlertCountedOnce(t *testing.T) {
	t.Parallel()
	const all = 200
	p := prepare(t, slack(t, playground.Options{}), nil)
	sh := shellOf(t, p)
	for n := range all {
		sh.put(time.Now(), fmt.Sprint("alert ", n))
	}
	// A file that is still there although its alert is accepted: as after a kill in between.
	saved, err := os.ReadFile(filepath.Join(sh.spool(), sh.files()[0]))
	if err != nil {
		t.Fatal(err)
	}
	again := sh.files()[0]
	p.start()
	p.eventually("some of them", func() bool { return len(sh.files()) < all-10 })
	p.kill()
	if err := os.WriteFile(filepath.Join(sh.spool(), again), saved, 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.eventually("the spool to be empty", func() bool { return len(sh.files()) == 0 })
	if l := p.ledger().Total; l.Accepted != all {
		t.Errorf("of %d alerts, %d were accepted", all, l.Accepted)
	}
}

func TestWhatWaitsOfAnotherUserIsSentFirstByTheirNextCommand(t *testing.T) {
	t.Parallel()
	sl := slack(t, playground.Options{})
	p := prepare(t, sl, nil)
	sh := &shell{t: t, home: t.TempDir(), socket: p.env["TOCSIN_SOCKET"]}
	sh.keep("first")
	sh.keep("second")
	p.start()
	if status, _, said := sh.tocsin("send", "--wait", "--key", "third", "third"); status != exitOK {
		t.Fatal(said)
	}
	p.eventually("all cards", func() bool { return inOrder(titles(sl, "#alerts"), "first", "second", "third") })
	if left := sh.files(); len(left) > 0 {
		t.Errorf("there is still %q", left)
	}
}

func TestWhatIsForAnotherDaemonStaysInTheSpool(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	sh := shellOf(t, p)
	sh.env = map[string]string{"TOCSIN_SERVER": "http://127.0.0.1:1"}
	sh.keep("elsewhere")
	sh.env = nil
	sh.keep("here")
	p.start()
	p.eventually("the other one", func() bool { return len(sh.files()) == 1 })
	if status, _, said := sh.tocsin("send", "after"); status != exitOK || len(sh.files()) != 1 {
		t.Errorf("exit status %d, it said %q, the spool has %q", status, said, sh.files())
	}
	if l := p.ledger().Total; l.Accepted != 2 {
		t.Errorf("the ledger is %+v", l)
	}
}

func TestAFileThatCannotBeUsedIsSetAsideAndStopsNothing(t *testing.T) {
	t.Parallel()
	sl := slack(t, playground.Options{})
	p := prepare(t, sl, nil)
	sh := shellOf(t, p)
	sh.keep("first")
	sh.keep("last")
	const name = "1000000000000000000-0000000000000000-alert-%08d.json"
	at := func(n int) string { return filepath.Join(sh.spool(), fmt.Sprintf(name, n)) }
	big, err := os.Create(at(5))
	if err != nil {
		t.Fatal(err)
	}
	to := asJSON([]string{sh.socket})
	err = errors.Join(big.Truncate(spoolLargest+1), big.Close(),
		os.WriteFile(at(1), []byte(`{"written":`), 0o600),
		os.WriteFile(at(2), []byte(`{"to":`+to+`,"path":"/v1/silences","body":{}}`), 0o600),
		os.WriteFile(at(3), []byte(`{"to":`+to+`,"path":"/v1/alerts","body":{"title":""}}`), 0o600),
		os.Symlink("/etc/passwd", at(4)),
		syscall.Mkfifo(at(6), 0o600),
		os.Mkdir(at(7), 0o700),
		os.WriteFile(filepath.Join(sh.spool(), "notes.txt"), []byte("hello"), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	p.start()
	p.eventually("the spool to be empty", func() bool { return len(sh.files()) == 0 })
	p.eventually("both alerts", func() bool { return inOrder(titles(sl, "#alerts"), "first", "last") })
	refused, err := filepath.Glob(filepath.Join(sh.spool(), refusedFolder, "*[^y]"))
	if err != nil || len(refused) != 8 {
		t.Errorf("%d files were set aside, %v; want 8", len(refused), err)
	}
	for _, f := range refused {
		if why, err := os.ReadFile(f + whySuffix); err != nil || len(why) == 0 || !strings.Contains(p.log.String(), filepath.Base(f)) {
			t.Errorf("nothing was said about %s: %q, %v", f, why, err)
		}
	}
	p.eventually("a note", func() bool {
		_, out, _ := sh.tocsin("status")
		return strings.Contains(out, "8 files of the spool can't be used, the latest because of this: it is not a file of the spool")
	})
}

func TestAFullSpoolRefusesWithAStatusOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ files, size int }{{spoolFiles, 0}, {spoolBytes / spoolLargest, spoolLargest}} {
		sh := &shell{t: t, home: t.TempDir(), socket: filepath.Join(t.TempDir(), "none.sock")}
		content := `{"to":["elsewhere"],"path":"/v1/alerts"}`
		content += strings.Repeat(" ", max(c.size-len(content), 0))
		one := filepath.Join(t.TempDir(), "one")
		err := errors.Join(os.MkdirAll(sh.spool(), 0o700), os.WriteFile(one, []byte(content), 0o600))
		for n := range c.files {
			err = errors.Join(err, os.Link(one, filepath.Join(sh.spool(), fmt.Sprintf("%019d-0000000000000000-alert-00000000.json", n))))
		}
		if err != nil {
			t.Fatal(err)
		}
		before := len(sh.files())
		status, _, said := sh.tocsin("send", "--timeout", "1ms", "disk full")
		if status != exitTempFail || !strings.Contains(said, "the alert is lost: the spool is full (10000 files or 64 MiB)") || len(sh.files()) != before {
			t.Errorf("%d files: exit status %d, it said %q", c.files, status, said)
		}
	}
}

// What a daemon refuses is a mistake of the sender, and is said at once.
func TestOnlyWhatMayBeAcceptedLaterGoesToTheSpool(t *testing.T) {
	t.Parallel()
	for answer, kept := range map[int]bool{
		http.StatusServiceUnavailable: true, http.StatusTooManyRequests: true, http.StatusBadGateway: true,
		http.StatusBadRequest: false, http.StatusUnauthorized: false, http.StatusConflict: false, http.StatusInternalServerError: false,
	} {
		daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(answer)
			_, _ = io.WriteString(w, `{"error":"no","hint":"nothing"}`)
		}))
		sh := &shell{t: t, home: t.TempDir(), env: map[string]string{"TOCSIN_SERVER": daemon.URL}}
		status, _, said := sh.tocsin("send", "--timeout", "300ms", "disk full")
		if (status == exitOK) != kept || (len(sh.files()) == 1) != kept || !strings.Contains(said, "no") {
			t.Errorf("%d: exit status %d, %d files, it said %q", answer, status, len(sh.files()), said)
		}
		daemon.Close()
	}
}

// What only the daemon can refuse is set aside, and tocsin status says why.
func TestWhatEveryDaemonWouldRefuseIsRefusedAtOnceAndTheRestLaterWithTheReason(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	sh := shellOf(t, p)
	for want, args := range map[string][]string{
		"fatal9":                 {"--strict", "-s", "fatal9", "disk full"},
		"neither title nor text": {" \u200b"},
	} {
		if status, _, said := sh.tocsin(append([]string{"send", "--timeout", "1ms"}, args...)...); status != exitUsage || !strings.Contains(said, want) || len(sh.files()) > 0 {
			t.Errorf("%q: exit status %d, %d files, it said %q", args, status, len(sh.files()), said)
		}
	}
	if status, _, said := sh.tocsin("heartbeat", "backup"); status != exitOK || len(sh.files()) != 1 {
		t.Fatalf("exit status %d, %d files, it said %q", status, len(sh.files()), said)
	}
	p.start()
	const why = "1 file of the spool can't be used: nobody has said how often the heartbeat backup is to be heard"
	p.eventually("a note", func() bool {
		_, out, _ := sh.tocsin("status")
		return strings.Contains(out, why) && strings.Contains(out, "--every 5m")
	})
	other := &shell{t: t, home: sh.home, socket: filepath.Join(t.TempDir(), "none.sock")}
	if _, out, _ := other.tocsin("status"); !strings.Contains(out, "1 file in "+filepath.Join(sh.spool(), refusedFolder)+": nobody has said how often") {
		t.Errorf("without a daemon, status says %q", out)
	}
}

// A success every minute must not fill the spool.
func TestOfSuccessesInARowOnlyTheLastOneWaits(t *testing.T) {
	s := spool{filepath.Join(t.TempDir(), "spool")}
	for n, a := range []about{{"backup", true}, {"backup", true}, {"other", true}, {"backup", false}, {"backup", true}, {"backup", true}, {}, {}} {
		if _, err := s.write(spooled{Written: time.Unix(int64(100-n), 0), To: []string{"x"}, Path: alertsPath, Body: json.RawMessage(fmt.Sprint(n))}, a); err != nil {
			t.Fatal(err)
		}
	}
	var bodies []string
	names, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(s.dir, name.Name()))
		if err != nil {
			t.Fatal(err)
		}
		var e spooled
		if err := json.Unmarshal(content, &e); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(e.Body))
	}
	if got := strings.Join(bodies, " "); got != "1 2 3 5 6 7" { // in the order of writing, though the clock went back
		t.Errorf("there are %s", got)
	}
}

// The daemon of the system is another user than root, and may be broken into.
func TestWhatRootKeepsBelongsToTheDaemonAndNoLinkIsFollowed(t *testing.T) {
	daemon := os.Geteuid()
	if daemon == 0 {
		daemon = 12345
	}
	state, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Chown(state, daemon, -1); err != nil {
		t.Fatal(err)
	}
	s := spool{filepath.Join(state, "spool")}
	file, err := s.write(spooled{Written: time.Now(), Path: alertsPath}, about{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, s.dir} {
		if info, err := os.Stat(path); err != nil || ownerOf(info) != daemon {
			t.Errorf("%s: %v, it does not belong to user %d", path, err, daemon)
		}
	}
	linked := spool{filepath.Join(state, "linked")}
	if err := os.Symlink(elsewhere, linked.dir); err != nil {
		t.Fatal(err)
	}
	if file, err := linked.write(spooled{Written: time.Now(), Path: alertsPath}, about{}); err == nil {
		t.Errorf("it was written to %s", file)
	}
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
		t.Errorf("behind the link there is %v, %v", left, err)
	}
}
func TestAHeartbeatThatWaitsCountsByItsTimeOfWriting(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	sh := shellOf(t, p)
	for range 2 { // only the last one counts
		if status, out, said := sh.tocsin("heartbeat", "backup", "--every", "1d"); status != exitOK || out != "" || !strings.Contains(said, "no daemon answers; the heartbeat waits in "+sh.spool()) {
			t.Fatalf("exit status %d, it printed %q, %q", status, out, said)
		}
	}
	files := sh.files()
	if len(files) != 1 {
		t.Fatalf("the spool has %q", files)
	}
	path := filepath.Join(sh.spool(), files[0])
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var e spooled
	if err := json.Unmarshal(content, &e); err != nil {
		t.Fatal(err)
	}
	e.Written = e.Written.Add(-time.Hour)
	if err := os.WriteFile(path, []byte(asJSON(e)), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.eventually("the spool to be empty", func() bool { return len(sh.files()) == 0 })
	if status, out, said := sh.tocsin("heartbeat", "worker", "--every", "5m"); status != exitOK || out+said != "" {
		t.Errorf("exit status %d, it printed %q, %q", status, out, said)
	}
	var list struct {
		Heartbeats []struct {
			Name   string    `json:"name"`
			LastAt time.Time `json:"last_at"`
		} `json:"heartbeats"`
	}
	if err := p.ask("/v1/heartbeats", &list); err != nil || len(list.Heartbeats) != 2 {
		t.Fatalf("the heartbeats are %s, %v", asJSON(list), err)
	}
	if h := list.Heartbeats[0]; h.Name != "backup" || h.LastAt.Sub(e.Written).Abs() > 5*time.Second {
		t.Errorf("%s was heard at %s, and written at %s", h.Name, h.LastAt, e.Written)
	}
	for _, args := range [][]string{{"backup", "--every", "1ms"}, {"backup", "--grace", "2y"}, {"a/b"}, {"backup", "--every", "often"}} {
		if status, _, said := sh.tocsin(append([]string{"heartbeat"}, args...)...); status != exitUsage {
			t.Errorf("%q: exit status %d, it said %q", args, status, said)
		}
	}
}
