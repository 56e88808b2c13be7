// Package systemd tells the service manager that the daemon is ready or stopping,
// its status, and by watchdog pings that it is healthy. It also holds the unit
// files. Outside systemd it does nothing, so callers need no check.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
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

// Notifier sends the service's state over $NOTIFY_SOCKET. The zero value is
// ready to use; its methods may be called from several goroutines.
type Notifier struct {
	mu     sync.Mutex
	status string // as shown while healthy
	sick   bool   // the latest check failed, and status shows why
}

// Ready says that the service is up (READY=1), with a status line for
// systemctl status. Call it when every listener is bound.
func (n *Notifier) Ready(status string) error {
	return n.keep(daemon.SdNotifyReady, status)
}

// Reloading says that the service reads its configuration again (RELOADING=1, with the
// time at which it began). Call Ready at the end.
func (n *Notifier) Reloading() error {
	return send(daemon.SdNotifyReloading+"\n"+strings.TrimSpace(daemon.SdNotifyMonotonicUsec()), "")
}

// Status replaces the status line. While Watch finds the daemon unhealthy, the
// line is kept and shown once it has recovered.
func (n *Notifier) Status(status string) error {
	return n.keep("", status)
}

// Stopping says that the service is going down (STOPPING=1).
func (n *Notifier) Stopping(status string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status, n.sick = status, false
	return send(daemon.SdNotifyStopping, n.status)
}

func (n *Notifier) keep(state, status string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status = status
	if n.sick {
		status = ""
	}
	return send(state, status)
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

// recheck is how many times as often health is checked while it is bad, so that a
// short problem does not cost the ping that systemd waits for.
const recheck = 5

// Watch pings the watchdog for as long as healthy returns nil, and blocks until
// ctx is done. While healthy returns an error, or does not return, no ping is
// sent, and systemd restarts the service when WatchdogSec has passed; the error
// is the status line until then. It returns nil when ctx is done, and an error
// only when systemd's variables are malformed or its socket is gone.
func (n *Notifier) Watch(ctx context.Context, healthy func() error) error {
	interval, err := Interval()
	if err != nil {
		return err
	}
	if interval == 0 {
		<-ctx.Done()
		return nil
	}
	for {
		health := healthy()
		late := n.ping(health)
		if late != nil && !errors.Is(late, os.ErrDeadlineExceeded) {
			return late
		}
		wait := interval
		if health != nil || late != nil {
			wait /= recheck
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (n *Notifier) ping(health error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	wasSick := n.sick
	n.sick = health != nil
	switch {
	case n.sick && wasSick:
		return nil
	case n.sick:
		return send("", "not healthy, no watchdog pings: "+health.Error())
	case wasSick:
		return send(daemon.SdNotifyWatchdog, n.status)
	}
	return send(daemon.SdNotifyWatchdog, "")
}

// sendLimit bounds how long sending waits for a manager that does not read: the queue
// of its socket holds only a few datagrams. READY is sent once, so it may wait for a
// manager that is busy while the machine starts.
const (
	sendLimit  = 2 * time.Second
	readyLimit = time.Minute
)

// send sends a state, a status line or both in one datagram, one assignment per
// line.
func send(state, status string) error {
	var lines []string
	if state != "" {
		lines = append(lines, state)
	}
	if status != "" {
		lines = append(lines, "STATUS="+strings.Join(strings.Fields(status), " "))
	}
	manager := os.Getenv("NOTIFY_SOCKET")
	if len(lines) == 0 || manager == "" {
		return nil
	}
	limit := sendLimit
	if state == daemon.SdNotifyReady {
		limit = readyLimit
	}
	if err := sendTo(manager, strings.Join(lines, "\n"), limit); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

func sendTo(manager, text string, limit time.Duration) (err error) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: manager, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(text))
	return err
}
