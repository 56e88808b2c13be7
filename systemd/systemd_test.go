package systemd_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tocsin/systemd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// manager is the other side of $NOTIFY_SOCKET.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func listen(t *testing.T) manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd") // t.TempDir's path is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = os.RemoveAll(dir)
	})
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "")
	t.Setenv("WATCHDOG_PID", "")
	return manager{t, conn}
}

// received returns the datagrams that have arrived, without waiting: a
// datagram is in the queue once its sender's write has returned.
func (m manager) received() []string {
	m.t.Helper()
	raw, err := m.conn.SyscallConn()
	if err != nil {
		m.t.Fatal(err)
	}
	var all []string
	buffer := make([]byte, 4096)
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, _, err := syscall.Recvfrom(int(fd), buffer, syscall.MSG_DONTWAIT)
			if err != nil {
				return true
			}
			all = append(all, string(buffer[:n]))
		}
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

func (m manager) expect(want ...string) {
	m.t.Helper()
	if got := m.received(); strings.Join(got, "|") != strings.Join(want, "|") {
		m.t.Errorf("systemd heard %q, want %q", got, want)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheManagerHearsReadyStatusAndStopping(t *testing.T) {
	m := listen(t)
	var n systemd.Notifier
	check(t, n.Ready("listening on 127.0.0.1:8126"))
	check(t, n.Status("connected to Slack\nREADY=0"))
	check(t, n.Stopping("draining"))
	m.expect("READY=1\nSTATUS=listening on 127.0.0.1:8126", "STATUS=connected to Slack READY=0", "STOPPING=1\nSTATUS=draining")
}

func TestTheManagerHearsThatItReloadsAndSinceWhen(t *testing.T) {
	m := listen(t)
	var n systemd.Notifier
	check(t, n.Reloading())
	check(t, n.Ready("reloaded"))
	heard := m.received()
	if len(heard) != 2 || !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=\d+$`).MatchString(heard[0]) || heard[1] != "READY=1\nSTATUS=reloaded" {
		t.Errorf("systemd heard %q", heard)
	}
}

func TestOutsideSystemdNothingHappens(t *testing.T) {
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM"} {
		t.Setenv(name, "")
	}
	var n systemd.Notifier
	check(t, errors.Join(n.Ready("a"), n.Status("b"), n.Stopping("c")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	check(t, n.Watch(ctx, func() error { return errors.New("must not be asked") }))
	if systemd.Managed() {
		t.Error("managed by nobody")
	}
}

func TestAManagerThatIsGoneIsAnError(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	var n systemd.Notifier
	if err := n.Ready("up"); err == nil || !strings.HasPrefix(err.Error(), "notify systemd: ") {
		t.Errorf("got %v", err)
	}
}

func TestAManagerThatDoesNotReadKeepsNobodyWaitingAndHearsLater(t *testing.T) {
	for name, usec := range map[string]string{"watched": "30000000", "not watched": ""} {
		t.Run(name, func(t *testing.T) {
			m := listen(t)
			t.Setenv("WATCHDOG_USEC", usec)
			synctest.Test(t, func(t *testing.T) {
				var n systemd.Notifier
				var err error
				for i := 0; err == nil; i++ { // until its queue is full
					err = n.Status(strconv.Itoa(i))
				}
				for what, err := range map[string]error{"status": err, "reloading": n.Reloading(), "ready": n.Ready("reloaded"), "the next status": n.Status("up")} {
					if !errors.Is(err, syscall.EAGAIN) {
						t.Errorf("%s: %v", what, err)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- n.Watch(ctx, func() error { return nil }) }()
				pass(time.Second)
				m.received()
				pass(6 * time.Second)
				if heard := m.received(); len(heard) == 0 || !strings.HasPrefix(heard[0], "READY=1\n") || !strings.HasSuffix(heard[0], "\nSTATUS=up") {
					t.Errorf("once it reads, systemd hears %q", heard)
				}
				cancel()
				check(t, <-done)
			})
		})
	}
}

func TestTheWatchdogGoesOnWhenTheManagerIsBack(t *testing.T) {
	m := listen(t)
	t.Setenv("WATCHDOG_USEC", "30000000")
	path := os.Getenv("NOTIFY_SOCKET")
	check(t, os.Rename(path, path+".away"))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var n systemd.Notifier
		done := make(chan error, 1)
		go func() { done <- n.Watch(ctx, func() error { return nil }) }()
		pass(time.Second)
		check(t, os.Rename(path+".away", path))
		pass(3 * time.Second)
		m.expect("WATCHDOG=1")
		cancel()
		check(t, <-done)
	})
}

func TestTheWatchdogIsPingedOnlyWhileHealthy(t *testing.T) {
	m := listen(t)
	t.Setenv("WATCHDOG_USEC", "30000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var n systemd.Notifier
		var sick atomic.Bool
		done := make(chan error, 1)
		check(t, n.Ready("up"))
		go func() {
			done <- n.Watch(ctx, func() error {
				if sick.Load() {
					return errors.New("the store\ndoes not answer")
				}
				return nil
			})
		}()
		pass(time.Second)
		m.expect("READY=1\nSTATUS=up", "WATCHDOG=1")
		pass(30 * time.Second)
		m.expect("WATCHDOG=1", "WATCHDOG=1")

		sick.Store(true)
		pass(15 * time.Second)
		m.expect("STATUS=not healthy, no watchdog pings: the store does not answer")
		check(t, n.Status("reconnected"))
		m.expect()

		sick.Store(false)
		pass(15 * time.Second)
		m.expect("WATCHDOG=1\nSTATUS=reconnected")
		pass(15 * time.Second)
		m.expect("WATCHDOG=1")

		cancel()
		check(t, <-done)
		m.expect()
	})
}

func TestOneSickMomentDoesNotEndTheDaemon(t *testing.T) {
	m := listen(t)
	t.Setenv("WATCHDOG_USEC", "30000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var n systemd.Notifier
		var asked atomic.Int64
		done := make(chan error, 1)
		check(t, n.Ready("up"))
		go func() {
			done <- n.Watch(ctx, func() error {
				if asked.Add(1) == 2 {
					return errors.New("the store does not answer")
				}
				return nil
			})
		}()
		pass(29 * time.Second) // systemd waits 30 s after the first ping
		m.expect("READY=1\nSTATUS=up", "WATCHDOG=1", "STATUS=not healthy, no watchdog pings: the store does not answer", "WATCHDOG=1\nSTATUS=up")
		cancel()
		check(t, <-done)
	})
}

// pass lets d go by, and waits until all goroutines are blocked.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestAHealthCheckThatHangsStopsThePings(t *testing.T) {
	m := listen(t)
	t.Setenv("WATCHDOG_USEC", "2000000")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var n systemd.Notifier
		done := make(chan error, 1)
		go func() {
			done <- n.Watch(ctx, func() error {
				<-ctx.Done()
				return ctx.Err()
			})
		}()
		pass(time.Minute)
		m.expect()
		cancel()
		check(t, <-done)
	})
}

func TestSystemdsVariablesForAnotherProcessAreNotOurs(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "2000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()+1))
	if interval, err := systemd.Interval(); interval != 0 || err != nil {
		t.Errorf("got %s, %v", interval, err)
	}
	t.Setenv("WATCHDOG_PID", "me")
	var n systemd.Notifier
	if err := n.Watch(t.Context(), func() error { return nil }); err == nil || !strings.HasPrefix(err.Error(), "read watchdog interval: ") {
		t.Errorf("got %v", err)
	}
}

func TestAServiceIsManagedOnlyIfItsErrorsGoToTheJournal(t *testing.T) {
	var stat syscall.Stat_t
	check(t, syscall.Fstat(syscall.Stderr, &stat))
	ours := fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
	for _, tt := range []struct {
		invocation, stream string
		want               bool
	}{
		{"0123", ours, true},
		{"", ours, false},
		{"0123", "", false},
		{"0123", "1:2", false},
		{"0123", "nonsense", false},
	} {
		t.Setenv("INVOCATION_ID", tt.invocation)
		t.Setenv("JOURNAL_STREAM", tt.stream)
		if got := systemd.Managed(); got != tt.want {
			t.Errorf("INVOCATION_ID=%q JOURNAL_STREAM=%q: %t", tt.invocation, tt.stream, got)
		}
	}
}
