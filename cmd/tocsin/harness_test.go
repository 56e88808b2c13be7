package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tocsin/alert"
	"tocsin/playground"
	"tocsin/store/storetest"
)

// beTocsin makes the test binary behave as tocsin itself, so that a test can
// start, signal and kill the real program.
const beTocsin = "TOCSIN_TEST_BE_TOCSIN"

// atOnce is how many tests run beside each other unless go test -parallel says otherwise:
// they wait for Slack's pace much longer than they compute.
const atOnce = "8"

func TestMain(m *testing.M) {
	if os.Getenv(beTocsin) != "" {
		main()
		return
	}
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"tocsin": main})
}

// patience is how long a test waits for what must come; it is no measurement.
const patience = 60 * time.Second

// slack starts a playground that ends with the test.
func slack(t testing.TB, opts playground.Options) *playground.Server {
	t.Helper()
	if opts.Commands == nil {
		commands, err := manifestCommands()
		if err != nil {
			t.Fatal(err)
		}
		opts.Commands = commands
	}
	s, err := playground.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// process is the real program in a process of its own.
type process struct {
	t      testing.TB
	dir    string
	path   string // of the program
	env    map[string]string
	notify *net.UnixConn
	reads  sync.WaitGroup // of readNotifications

	cmd    *exec.Cmd
	log    *logBuffer
	stderr *os.File   // in place of log; nil for none
	bound  []*os.File // sockets that it is started with, as systemd does
	exited chan error
}

// logBuffer keeps what a process writes.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// prepare returns a daemon for s that is not started; extra adds to its
// environment or, with an empty value, takes away.
func prepare(t testing.TB, s *playground.Server, extra map[string]string) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "tocsin-test-")
	if err != nil {
		t.Fatal(err)
	}
	notify := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: dir, path: os.Args[0], notify: conn, log: &logBuffer{}, env: map[string]string{
		beTocsin: "1", "HOME": dir, "NOTIFY_SOCKET": notify,
		"SLACK_APP_TOKEN": s.AppToken(), "SLACK_BOT_TOKEN": s.BotToken(), "SLACK_CHANNEL_ID": "#alerts", "SLACK_API_URL": s.APIURL(),
		"TOCSIN_SOCKET": filepath.Join(dir, "tocsin.sock"), "TOCSIN_LISTEN": "off", "TOCSIN_STORE": "sqlite:" + filepath.Join(dir, "tocsin.db"),
	}}
	if extra["TOCSIN_STORE"] == "" {
		storetest.Empty(t, filepath.Join(dir, "tocsin.db"))
	}
	maps.Copy(p.env, extra)
	t.Cleanup(p.cleanUp)
	return p
}

func (p *process) cleanUp() {
	if p.cmd != nil {
		p.kill()
	}
	if p.t.Failed() {
		p.t.Logf("the daemon's log:\n%s", p.log)
	}
	if err := errors.Join(p.notify.Close(), os.RemoveAll(p.dir)); err != nil {
		p.t.Error(err)
	}
}

// start runs the daemon and returns once it has said READY.
func (p *process) start() {
	p.t.Helper()
	p.launch()
	if !p.awaitReady() {
		err := <-p.exited
		p.cmd = nil
		p.t.Fatalf("the daemon ended before it was ready: %v\n%s", err, p.log)
	}
}

// launch runs the daemon without waiting for it.
func (p *process) launch() {
	p.t.Helper()
	p.cmd = exec.Command(p.path, "serve")
	if len(p.bound) > 0 { // for the process that the shell becomes
		p.cmd = exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" serve`, p.path)
		p.cmd.ExtraFiles = p.bound
		p.cmd.Env = []string{"LISTEN_FDS=" + strconv.Itoa(len(p.bound))}
	}
	for k, v := range p.env {
		if v != "" {
			p.cmd.Env = append(p.cmd.Env, k+"="+v)
		}
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if p.stderr != nil {
		p.cmd.Stderr = p.stderr
	}
	p.reads.Wait()
	p.forget()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	exited := make(chan error, 1)
	p.exited = exited
	cmd, notify := p.cmd, p.notify
	go func() {
		err := cmd.Wait()
		// Whoever still reads from the notify socket is told that it is over,
		// before anybody can start the next process.
		_ = notify.SetReadDeadline(time.Now())
		exited <- err
	}()
}

// forget throws away what a killed daemon had still told its service manager.
func (p *process) forget() {
	if err := p.notify.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		p.t.Fatal(err)
	}
	for buf := make([]byte, 4096); ; {
		if _, err := p.notify.Read(buf); err != nil {
			return
		}
	}
}

// awaitReady reads what the daemon tells its service manager up to READY=1, and
// returns false if it ends before.
func (p *process) awaitReady() bool {
	p.t.Helper()
	return p.awaitNotification(func(said string) bool { return strings.Contains(said, "READY=1") })
}

// awaitNotification reads what the daemon tells its service manager up to what is wanted, and
// returns false if it ends before.
func (p *process) awaitNotification(wanted func(said string) bool) bool {
	p.t.Helper()
	if err := p.notify.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for {
		n, err := p.notify.Read(buf)
		if err != nil {
			return false
		}
		if wanted(string(buf[:n])) {
			return true
		}
	}
}

// readNotifications reads all that the running daemon tells its service manager, as
// systemd does. The socket's queue may have room for ten messages only.
func (p *process) readNotifications() {
	p.t.Helper()
	if err := p.notify.SetReadDeadline(time.Time{}); err != nil {
		p.t.Fatal(err)
	}
	p.reads.Go(func() {
		for buf := make([]byte, 4096); ; {
			if _, err := p.notify.Read(buf); err != nil {
				return // it has ended
			}
		}
	})
}

// kill ends the daemon as a power cut would and waits until it is gone.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	end := syscall.SIGKILL
	if p.t.Failed() {
		end = syscall.SIGQUIT // its log then says what each goroutine did
	}
	_ = p.cmd.Process.Signal(end) // it may be gone already
	p.t.Logf("the daemon was ended: %v", <-p.exited)
	p.cmd = nil
}

// terminate ends the daemon as systemd does and returns its exit error.
func (p *process) terminate() error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.exited:
		p.cmd = nil
		return err
	case <-time.After(patience):
		p.t.Fatal("the daemon did not end")
		return nil
	}
}

// client is a command's way to the daemon.
func (p *process) client() *client { return socketClient(p.env["TOCSIN_SOCKET"]) }

// push sends alerts and returns their receipts.
func (p *process) push(alerts ...map[string]any) ([]alert.Accepted, error) {
	return push(p.t.Context(), p.client(), alerts)
}

func push(ctx context.Context, c *client, alerts []map[string]any) ([]alert.Accepted, error) {
	var answer struct {
		Alerts []alert.Accepted `json:"alerts"`
	}
	err := c.call(ctx, http.MethodPost, "/v1/alerts", alerts, &answer)
	return answer.Alerts, err
}

// mustPush is push for alerts that are to be taken.
func (p *process) mustPush(alerts ...map[string]any) []alert.Accepted {
	p.t.Helper()
	got, err := p.push(alerts...)
	if err != nil {
		p.t.Fatal(err)
	}
	return got
}

// ask reads a JSON answer.
func (p *process) ask(path string, into any) error {
	return p.client().call(p.t.Context(), http.MethodGet, path, nil, into)
}

func (p *process) ledger() alert.Ledger {
	p.t.Helper()
	var l alert.Ledger
	if err := p.ask("/v1/ledger", &l); err != nil {
		p.t.Fatal(err)
	}
	return l
}

// settle waits until nothing is pending.
func (p *process) settle(receipts ...alert.Accepted) {
	p.t.Helper()
	for _, r := range receipts {
		var rec alert.Record
		if err := p.ask("/v1/alerts/"+r.ID+"?wait=60s", &rec); err != nil {
			p.t.Fatal(err)
		}
		if rec.Standing == alert.StandPending || rec.Standing == alert.StandQueued {
			p.t.Fatalf("alert %s is still %s", r.ID, rec.Standing)
		}
	}
}

// until waits until the playground is as ok wants it.
func until(t testing.TB, s *playground.Server, what string, ok func(*playground.Snapshot) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Wait(ctx, ok); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// writeProgram is os.WriteFile for what is run afterwards: as long as it is open, no process
// may be started, which would have it open too, so that it could not be run.
func writeProgram(path string, content []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, mode)
}

// mustReconnect cuts every connection, and waits for a new one.
func mustReconnect(t testing.TB, s *playground.Server) {
	t.Helper()
	var before int
	until(t, s, "nothing", func(sn *playground.Snapshot) bool { before = sn.Count(playground.KindHello); return true })
	for _, socket := range s.Sockets() {
		_ = s.Cut(socket.ID) // it may have gone by itself
	}
	until(t, s, "a new connection", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) > before })
}

// cards are the top-level messages of a channel; threads lists the others.
func cards(messages []playground.Message) (top, threads []playground.Message) {
	for _, m := range messages {
		if m.ThreadTS == "" || m.ThreadTS == m.TS {
			top = append(top, m)
		} else {
			threads = append(threads, m)
		}
	}
	return top, threads
}

// shown is everything a message says.
func shown(m playground.Message) string { return asJSON(m) }

// asJSON shows a value in a failure.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func firing(key, title string) map[string]any { return map[string]any{"key": key, "title": title} }

func inChannel(a map[string]any, channel string) map[string]any {
	a = maps.Clone(a)
	a["channel"] = channel
	return a
}

func resolved(a map[string]any) map[string]any {
	a = maps.Clone(a)
	a["status"] = "resolved"
	return a
}

func addChannels(s *playground.Server, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = s.AddChannel(playground.Channel{Name: fmt.Sprintf("lane-%d", i), IsMember: true})
	}
	return names
}

// awaitHTTP asks the daemon of another process for its health until it answers.
func awaitHTTP(ts *testscript.TestScript, c *client) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := c.call(ctx, http.MethodGet, "/healthz", nil, &struct{}{})
		if err == nil {
			return
		}
		if !pause(ctx, 20*time.Millisecond) {
			ts.Fatalf("no daemon answered: %v", err)
		}
	}
}
