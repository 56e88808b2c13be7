package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// The exit statuses of commands that did not end by themselves, as shells and timeout(1)
// have them.
const (
	exitTimedOut = 124
	exitNotRun   = 126
	exitNotFound = 127
	exitSignal   = 128 // and the signal's number
)

const (
	// runKillAfter is how long a command may take to end after SIGTERM.
	runKillAfter = 10 * time.Second
	// outputGrace is how long output is awaited after the command has ended, because a
	// process that it has left behind may keep its output open.
	outputGrace = time.Second
)

// child is a command whose output is passed on, and its end kept.
type child struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	timeout        time.Duration // zero for none
	killAfter      time.Duration // from SIGTERM to SIGKILL, after timeout
	// foreground is set where a person is at the terminal: the command stays in its
	// process group, so that it can read from it and Ctrl-C and Ctrl-Z reach it.
	foreground bool

	tail   tail
	copies sync.WaitGroup
}

// outcome is how a command has ended.
type outcome struct {
	status int
	// reason is empty for exit status 0.
	reason   string
	took     time.Duration
	timedOut bool
	// interrupted is set when a person has pressed Ctrl-C.
	interrupted bool
}

// run runs a command to its end.
func (c *child) run(ctx context.Context, args []string) outcome {
	began := time.Now()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedOn()...)
	defer signal.Stop(signals)
	broken := make(chan os.Signal, 1) // so that output nobody reads is an error, and not our end
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)

	// It is ended by signals that are passed on, and not with a context.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !c.foreground}
	cmd.Stdin = c.stdin
	if err := c.start(cmd); err != nil {
		return notRun(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the process's state says it
	}()
	o := c.watch(cmd.Process.Pid, signals, ended)
	o.took = time.Since(began)
	if o.timedOut {
		o.status, o.reason = exitTimedOut, fmt.Sprintf("timed out after %s", c.timeout)
	} else {
		o.status, o.reason = statusOf(cmd.ProcessState)
	}
	return o
}

// passedOn are the signals that the command gets, without those that are ignored, as
// SIGHUP is under nohup.
func passedOn() (all []os.Signal) {
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(s) {
			all = append(all, s)
		}
	}
	return all
}

// start starts the command with pipes for its output, which are copied until nobody has
// them open any more.
func (c *child) start(cmd *exec.Cmd) error {
	out, outEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	errs, errsEnd, err := os.Pipe()
	if err != nil {
		return errors.Join(err, out.Close(), outEnd.Close())
	}
	cmd.Stdout, cmd.Stderr = outEnd, errsEnd
	err = cmd.Start()
	_, _ = outEnd.Close(), errsEnd.Close() // the command has its own
	if err != nil {
		_, _ = out.Close(), errs.Close()
		return err
	}
	c.copies.Go(func() { c.copy(c.stdout, out) })
	c.copies.Go(func() { c.copy(c.stderr, errs) })
	return nil
}

// copy passes on a stream. If nobody reads it any more, the command learns it by the
// signal that it would have got without us.
func (c *child) copy(to io.Writer, from *os.File) {
	kept := c.tail.writer()
	defer kept.close()
	defer func() { _ = from.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		_, _ = kept.Write(buf[:n]) // it never fails
		if n > 0 {
			if _, failed := to.Write(buf[:n]); failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// watch passes signals on until the command has ended, and ends it when its time is over.
func (c *child) watch(pid int, signals <-chan os.Signal, ended <-chan struct{}) (o outcome) {
	var over, kill <-chan time.Time
	if c.timeout > 0 {
		over = time.After(c.timeout)
	}
	for {
		select {
		case <-ended:
			if o.timedOut {
				c.endGroup(pid, kill)
			}
			return o
		case s := <-signals:
			o.interrupted = o.interrupted || c.foreground && s == syscall.SIGINT
			c.pass(pid, s)
		case <-over:
			o.timedOut = true
			kill = time.After(c.killAfter)
			c.signal(pid, syscall.SIGTERM)
			c.signal(pid, syscall.SIGCONT) // a stopped process would not notice
		case <-kill:
			c.signal(pid, syscall.SIGKILL)
		}
	}
}

// pass passes a signal on, unless the terminal has sent it to the command as well.
func (c *child) pass(pid int, s os.Signal) {
	number, ok := s.(syscall.Signal)
	if ok && !(c.foreground && (number == syscall.SIGINT || number == syscall.SIGQUIT)) {
		c.signal(pid, number)
	}
}

// signal sends a signal to the command's process group, in the foreground to the command.
func (c *child) signal(pid int, s syscall.Signal) {
	if !c.foreground {
		pid = -pid
	}
	_ = syscall.Kill(pid, s) // it may have ended
}

// endGroup waits until nothing is left of the process group of a command that has ended,
// and kills it at the time of kill.
func (c *child) endGroup(pid int, kill <-chan time.Time) {
	if c.foreground {
		return
	}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for syscall.Kill(-pid, 0) == nil {
		select {
		case <-look.C:
		case <-kill:
			c.signal(pid, syscall.SIGKILL)
			return
		}
	}
}

// await waits for the rest of the output, for a time.
func (c *child) await(limit time.Duration) {
	done := make(chan struct{})
	go func() {
		c.copies.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// statusOf is a process's exit status as a shell has it, and in words.
func statusOf(state *os.ProcessState) (status int, reason string) {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return exitSignal + int(wait.Signal()), fmt.Sprintf("ended by signal %d (%s)", int(wait.Signal()), wait.Signal())
	}
	if state.Success() {
		return exitOK, ""
	}
	return state.ExitCode(), fmt.Sprintf("exit status %d", state.ExitCode())
}

// notRun is the outcome of a command that could not be started.
func notRun(err error) outcome {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return outcome{status: exitNotFound, reason: "command not found"}
	}
	return outcome{status: exitNotRun, reason: "it can't be run: " + err.Error()}
}
