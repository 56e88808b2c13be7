// Package systemd tells the service manager that the daemon is ready or stopping,
// its status, and by watchdog pings that it is healthy. It also holds the unit
// files. Outside systemd it does nothing, so callers need no check.
package systemd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/coreos/go-systemd/v22/journal"
)

// Managed reports whether systemd runs this process as a service whose
// standard error is the journal. A shell that was started from a service
// inherits the variables, but its terminal is not the journal.
func Managed() bool {
	if os.Getenv("INVOCATION_ID") == "" {
		return false
	}
	// A malformed JOURNAL_STREAM is not from systemd.
	toJournal, err := journal.StderrIsJournalStream()
	return err == nil && toJournal
}

// Notifier sends the service's state over $NOTIFY_SOCKET, and never waits for the manager to
// read. The zero value is ready to use; its methods may be called from several goroutines.
// They return an error if the manager did not get something, which Watch then repeats.
type Notifier struct {
	mu     sync.Mutex
	status string // as shown while healthy
	sick   string // the status line after a check that failed; empty while healthy
	shown  string // the status line that the manager has
	due    string // READY=1 that the manager did not get
}

// Ready says that the service is up (READY=1), with a status line for
// systemctl status. Call it when every listener is bound.
func (n *Notifier) Ready(status string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status, n.due = status, daemon.SdNotifyReady
	return n.send("")
}

// Reloading says that the service reads its configuration again (RELOADING=1, with the
// time at which it began). Call Ready at the end.
func (n *Notifier) Reloading() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.due = ""
	return n.send(daemon.SdNotifyReloading + "\n" + strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// Status replaces the status line. While Watch finds the daemon unhealthy, the
// line is kept and shown once it has recovered.
func (n *Notifier) Status(status string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status = status
	return n.send("")
}

// Stopping says that the service is going down (STOPPING=1).
func (n *Notifier) Stopping(status string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status, n.sick, n.due = status, "", ""
	return n.send(daemon.SdNotifyStopping)
}

// Interval returns how often a ping is due: half of the unit's WatchdogSec, as
// sd_watchdog_enabled(3) recommends, or 0 when this process is not watched.
func Interval() (time.Duration, error) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("read watchdog interval: %w", err)
	}
	return limit / 2, nil
}

const (
	// recheck is how many times as often health is checked while it is bad, so that a
	// short problem does not cost the ping that systemd waits for.
	recheck = 5
	// repeat is how often what the manager did not get is sent again without a watchdog.
	repeat = 5 * time.Second
)

// Watch pings the watchdog for as long as healthy returns nil, and blocks until
// ctx is done. While healthy returns an error, or does not return, no ping is
// sent, and systemd restarts the service when WatchdogSec has passed; the error
// is the status line until then. It returns nil when ctx is done, and an error
// only when systemd's variables are malformed.
func (n *Notifier) Watch(ctx context.Context, healthy func() error) error {
	interval, err := Interval()
	if err != nil {
		return err
	}
	for {
		wait := cmp.Or(interval, repeat)
		if interval == 0 {
			_ = n.ping("", nil) // it is sent again
		} else if health := healthy(); n.ping(daemon.SdNotifyWatchdog, health) != nil || health != nil {
			wait /= recheck
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// ping sends state, unless health is bad, and what the manager did not get before.
func (n *Notifier) ping(state string, health error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sick = ""
	if health != nil {
		state, n.sick = "", "not healthy, no watchdog pings: "+health.Error()
	}
	return n.send(state)
}

// send sends a state, and what the manager does not have yet, in one datagram, one assignment
// per line.
func (n *Notifier) send(state string) error {
	var lines []string
	for _, line := range []string{n.due, state} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	status := cmp.Or(n.sick, n.status)
	if status != n.shown {
		lines = append(lines, "STATUS="+strings.Join(strings.Fields(status), " "))
	}
	manager := os.Getenv("NOTIFY_SOCKET")
	if len(lines) == 0 || manager == "" {
		return nil
	}
	if err := sendTo(manager, strings.Join(lines, "\n")); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	n.due, n.shown = "", status
	return nil
}

// sendTo sends a datagram if there is room for it: the queue of a manager that does not read
// holds only a few.
func sendTo(manager, text string) (err error) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: manager, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var full error
	err = raw.Write(func(fd uintptr) bool {
		_, full = syscall.Write(int(fd), []byte(text))
		return true // also if it would have to wait
	})
	return errors.Join(err, os.NewSyscallError("write", full))
}
