package bot

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tocsin/alert"
	"tocsin/playground"
)

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// TestMain fails the run if a goroutine is left.
func TestMain(m *testing.M) {
	flag.Parse()
	// The parallel tests wait for Slack's real times and need no processor.
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// logBook keeps every line that is logged, at every level.
type logBook struct {
	mu    sync.Mutex
	lines bytes.Buffer
	wake  chan struct{}
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wake != nil {
		close(b.wake)
		b.wake = nil
	}
	return b.lines.Write(p)
}

// await waits until the log holds text n times.
func (b *logBook) await(t testing.TB, text string, n int) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		b.mu.Lock()
		found := strings.Count(b.lines.String(), text)
		if b.wake == nil {
			b.wake = make(chan struct{})
		}
		wake := b.wake
		b.mu.Unlock()
		if found >= n {
			return
		}
		select {
		case <-wake:
		case <-limit.C:
			t.Fatalf("the log holds %q %d times, not %d:\n%s", text, found, n, b.text())
		}
	}
}

func (b *logBook) Sync() error { return nil }

func (b *logBook) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines.String()
}

func (b *logBook) logger() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), b, zap.DebugLevel))
}

// secrets must never be logged: tokens, and addresses that work without one.
func secrets(slack *playground.Server) []string {
	return []string{slack.AppToken(), slack.BotToken(), "/link/", "ticket=", "/hooks/"}
}

func noSecrets(t *testing.T, log string, slack *playground.Server) {
	t.Helper()
	for _, secret := range secrets(slack) {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}

// startSlack starts a playground without rate limits.
func startSlack(t testing.TB, opts playground.Options) *playground.Server {
	t.Helper()
	if opts.Limits == (playground.Limits{}) {
		opts.Limits = playground.NoLimits()
	}
	opts.Seed = 1
	slack, err := playground.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := slack.Close(); err != nil {
			t.Error(err)
		}
	})
	return slack
}

func tokensOf(slack *playground.Server) func() (app, bot alert.Secret) {
	return func() (app, bot alert.Secret) { return alert.Secret(slack.AppToken()), alert.Secret(slack.BotToken()) }
}

func newBot(t testing.TB, slack *playground.Server, book *logBook) *Bot {
	t.Helper()
	b := New(Options{APIURL: slack.APIURL(), Tokens: tokensOf(slack), Log: book.logger()})
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// memoryInbox is an inbox in memory.
type memoryInbox struct {
	mu      sync.Mutex
	seen    map[string]bool
	left    []alert.Envelope
	handled []string
	broken  error
	// received tells that left has more; nil for none.
	received chan struct{}
}

func (i *memoryInbox) Received() <-chan struct{} { return i.received }

func newMemoryInbox(left ...alert.Envelope) *memoryInbox {
	return &memoryInbox{seen: map[string]bool{}, left: left}
}

func (i *memoryInbox) Receive(_ context.Context, e alert.Envelope) (bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.broken != nil {
		return false, i.broken
	}
	if i.seen[e.ID] || e.Dedupe != "" && i.seen[e.Dedupe] {
		return false, nil
	}
	i.seen[e.ID], i.seen[e.Dedupe] = true, true
	i.left = append(i.left, e)
	return true, nil
}

func (i *memoryInbox) Unhandled(context.Context) ([]alert.Envelope, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.broken != nil {
		return nil, i.broken
	}
	return append([]alert.Envelope(nil), i.left...), nil
}

func (i *memoryInbox) Handled(_ context.Context, id string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.broken != nil {
		return i.broken
	}
	for n, e := range i.left {
		if e.ID == id {
			i.left = append(i.left[:n], i.left[n+1:]...)
			break
		}
	}
	i.handled = append(i.handled, id)
	return nil
}

func (i *memoryInbox) unhandled() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.left)
}

// listener is a handler that records its calls.
type listener struct {
	commands chan Command
	messages chan Message
	homes    chan Home
	actions  chan Action
	done     chan Submission
	command  func(Command) error
	submit   func(Submission) map[string]string
}

func newListener() *listener {
	return &listener{
		commands: make(chan Command, 10_000), messages: make(chan Message, 100), homes: make(chan Home, 100),
		actions: make(chan Action, 100), done: make(chan Submission, 100),
	}
}

func (l *listener) Command(_ context.Context, c Command) error {
	l.commands <- c
	if l.command != nil {
		return l.command(c)
	}
	return nil
}

func (l *listener) Message(_ context.Context, m Message) error {
	l.messages <- m
	return nil
}

func (l *listener) Home(_ context.Context, h Home) error {
	l.homes <- h
	return nil
}

func (l *listener) Action(_ context.Context, a Action) error {
	l.actions <- a
	return nil
}

func (l *listener) Submit(s Submission) (map[string]string, func(context.Context) error) {
	if l.submit != nil {
		if errs := l.submit(s); errs != nil {
			return errs, nil
		}
	}
	return nil, func(context.Context) error {
		l.done <- s
		return nil
	}
}

// stage is a running Socket with a playground on the other side.
type stage struct {
	t      testing.TB
	slack  *playground.Server
	bot    *Bot
	socket *Socket
	heard  *listener
	inbox  *memoryInbox
	log    *logBook
	stop   func()
}

// connect starts a socket; change may alter it before. At the end of the test it
// is stopped, and the log is searched for secrets.
func connect(t testing.TB, opts playground.Options, change func(*stage)) *stage {
	t.Helper()
	s := &stage{t: t, slack: startSlack(t, opts), heard: newListener(), inbox: newMemoryInbox(), log: &logBook{}}
	s.bot = newBot(t, s.slack, s.log)
	s.socket = NewSocket(s.bot, s.inbox, s.heard)
	s.socket.timing.stagger = 0
	s.socket.timing.refused = 20 * time.Millisecond
	if change != nil {
		change(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.socket.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() {
		s.stop()
		if test, ok := t.(*testing.T); ok {
			noSecrets(test, s.log.text(), s.slack)
		}
	})
	return s
}

// wait waits until the playground shows what the test wants.
func (s *stage) wait(what string, done func(*playground.Snapshot) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.slack.Wait(ctx, done); err != nil {
		s.t.Fatalf("%s: %v\n%s", what, err, s.log.text())
	}
}

// live waits until n sockets are live.
func (s *stage) live(n int) {
	s.t.Helper()
	s.wait(fmt.Sprintf("%d sockets live", n), func(sn *playground.Snapshot) bool { return len(liveOf(sn.Sockets())) == n })
}

func liveOf(sockets []playground.SocketInfo) []string {
	var ids []string
	for _, k := range sockets {
		if k.State == "live" {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

// command runs a slash command and fails the test if it is not acked.
func (s *stage) command(text string) {
	s.t.Helper()
	run, err := s.slack.User("ann").Command(s.t.Context(), "#alerts", "/notify-test", text)
	if err != nil || !run.Acked {
		s.t.Fatalf("command: %v %+v\n%s", err, run, s.log.text())
	}
}

// crowd lets eight people type commands until there are enough of them and
// enough sockets were closed, and counts those that nobody acked.
func (s *stage) crowd(commands, closed int) (typed, lost int) {
	s.t.Helper()
	var all, unacked atomic.Int64
	var people sync.WaitGroup
	for range 8 {
		people.Go(func() {
			for all.Load() < int64(commands) || s.count(playground.KindSocketClosed) < closed {
				run, err := s.slack.User("ann").Command(s.t.Context(), "#alerts", "/notify-test", "")
				if all.Add(1); err != nil || !run.Acked {
					unacked.Add(1)
				}
			}
		})
	}
	people.Wait()
	return int(all.Load()), int(unacked.Load())
}

// count counts entries of a kind in the playground's journal.
func (s *stage) count(kind string) int {
	n := 0
	for _, e := range s.slack.Journal() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// mostSockets is the largest number of sockets that Slack has counted at once.
func (s *stage) mostSockets() int {
	most := 0
	for _, e := range s.slack.Journal() {
		n, err := strconv.Atoi(strings.TrimPrefix(e.Text, "num_connections "))
		if err == nil && e.Kind == playground.KindHello {
			most = max(most, n)
		}
	}
	return most
}

// next receives from a channel, within patience.
func next[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case v := <-from:
		return v
	case <-limit.C:
		t.Fatal("nothing was received")
		panic("unreachable")
	}
}

func sendErrorOf(t testing.TB, err error) *alert.SendError {
	t.Helper()
	var e *alert.SendError
	if !errors.As(err, &e) {
		t.Fatalf("not a SendError: %v", err)
	}
	return e
}

// methodsCalled returns the Web API's methods that are named in the package's source.
func methodsCalled(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`"((?:api|apps|auth|chat|conversations|files|usergroups|users|views)\.[a-zA-Z.]+)"`)
	var all []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, found := range name.FindAllStringSubmatch(string(source), -1) {
			all = append(all, found[1])
		}
	}
	return all
}

// app is the app token of a bot.
func app(b *Bot) alert.Secret {
	token, _ := b.opts.Tokens()
	return token
}
