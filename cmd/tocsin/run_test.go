package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// command is the real program as the shell's user runs it, without a terminal.
func (s *shell) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), os.Args[0], args...)
	cmd.Env = []string{beTocsin + "=1", "HOME=" + s.home, "TOCSIN_SOCKET=" + s.socket, "PATH=" + os.Getenv("PATH")}
	cmd.Dir = s.home
	return cmd
}

// real runs the real program and returns its exit status and output.
func (s *shell) real(args ...string) (status int, stdout, stderr string) {
	s.t.Helper()
	var out, said bytes.Buffer
	cmd := s.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("the input\n"), &out, &said
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() < 0) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), said.String()
}

// Cron jobs must run as without tocsin, whether or not there is a daemon.
func TestACommandRunsAsItIsWithoutADaemonAndItsAlertIsKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args     []string
		status   int
		out      string
		said     string
		reported string
	}{
		"success":      {[]string{"sh", "-c", "cat; echo more >&2"}, 0, "the input\n", "more\n", "succeeded"},
		"failure":      {[]string{"sh", "-c", "echo no; exit 3"}, 3, "no\n", "", "exit status 3"},
		"killed":       {[]string{"sh", "-c", "kill -9 $$"}, 137, "", "", "ended by signal 9 (killed)"},
		"terminated":   {[]string{"sh", "-c", "kill -TERM $$"}, 143, "", "", "ended by signal 15 (terminated)"},
		"not found":    {[]string{"no-such-command"}, 127, "", "tocsin: no-such-command: command not found\n", "command not found"},
		"no program":   {[]string{"/etc/passwd"}, 126, "", "tocsin: /etc/passwd: it can't be run", "permission denied"},
		"its own flag": {[]string{"sh", "--key", "x"}, 2, "", "", "exit status 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sh := &shell{t: t, home: t.TempDir(), socket: filepath.Join(t.TempDir(), "none.sock")}
			status, out, said := sh.real(append([]string{"run", "--"}, c.args...)...)
			if status != c.status || out != c.out || !strings.HasPrefix(said, c.said) {
				t.Errorf("exit status %d, output %q, %q", status, out, said)
			}
			if files := sh.files(); len(files) != 1 {
				t.Fatalf("the spool has %q", files)
			}
			kept, err := os.ReadFile(filepath.Join(sh.spool(), sh.files()[0]))
			if err != nil || !strings.Contains(string(kept), c.reported) {
				t.Errorf("kept is %s, %v", kept, err)
			}
			if c.status == exitOK && said != c.said {
				t.Errorf("of a success it said %q", said)
			}
		})
	}
	if status, _, said := (&shell{t: t, home: t.TempDir()}).real("run"); status != exitUsage || !strings.Contains(said, "tocsin run -- backup.sh") {
		t.Errorf("without a command: exit status %d, it said %q", status, said)
	}
}

func TestSignalsArePassedOnToTheCommand(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		sh := &shell{t: t, home: t.TempDir(), socket: filepath.Join(t.TempDir(), "none.sock")}
		cmd := sh.command("run", "--", "sh", "-c", `trap 'exit 7' TERM INT; echo ready; while :; do sleep 0.02; done`)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
			t.Fatalf("it printed %q, %v", line, err)
		}
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if _, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok || cmd.ProcessState.ExitCode() != 7 {
			t.Errorf("%s: it ended with %v, want 7", s, cmd.ProcessState)
		}
		if files := sh.files(); len(files) != 1 {
			t.Errorf("%s: the spool has %q", s, files)
		}
	}
}

func TestATimeoutEndsAllProcessesOfTheCommand(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"that end":             `sleep 1000 & echo $!; sleep 1000`,
		"that stay behind":     `(trap '' TERM; echo $(exec sh -c 'echo $PPID'); while :; do sleep 0.02; done) & sleep 1000`,
		"that ignore a signal": `trap '' TERM; echo $$; while :; do sleep 0.02; done`,
	} {
		var out logBuffer
		c := child{stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard, timeout: 300 * time.Millisecond, killAfter: 200 * time.Millisecond}
		o := c.run(t.Context(), []string{"sh", "-c", script})
		c.copies.Wait()
		if o.status != exitTimedOut || o.reason != "timed out after 300ms" {
			t.Errorf("%s: the outcome is %+v", name, o)
		}
		pid := strings.TrimSpace(out.String())
		stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if pid == "" || err == nil && !strings.Contains(string(stat), ") Z ") { // perhaps nobody has waited for it yet
			t.Errorf("%s: process %q is still there: %s", name, pid, stat)
		}
	}
}

func TestAFailureIsACardWithTheOutputAndASuccessResolvesIt(t *testing.T) {
	t.Parallel()
	sl := slack(t, playground.Options{})
	p := prepare(t, sl, nil)
	p.start()
	sh := shellOf(t, p)
	sh.quietly("run", "--key", "never", "--", "true")
	if l := p.ledger().Total; l.Accepted != 0 {
		t.Fatalf("a success of what has not failed is an alert: %+v", l)
	}
	if status, _, _ := sh.real("run", "-l", "team=db", "--", "sh", "-c", `printf 'copying\r50%%\rdone\n'; echo '\033[31mdisk\033[0m full' >&2; exit 4`); status != 4 {
		t.Errorf("exit status %d", status)
	}
	var list incidentPage
	if err := p.ask("/v1/incidents", &list); err != nil || len(list.Incidents) != 1 {
		t.Fatalf("the incidents are %s, %v", asJSON(list), err)
	}
	var i struct{ alert.Incident }
	if err := p.ask("/v1/incidents/"+list.Incidents[0].ID, &i); err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	if l := i.Labels; l["host"] != host || l["status"] != "4" || l["team"] != "db" || l["user"] == "" || l["duration"] == "" {
		t.Errorf("its labels are %v", l)
	}
	// Each stream has a pipe of its own, so nothing promises the order of lines that come at the same moment.
	if !strings.Contains(i.Text, "```\ndone\ndisk full\n```") && !strings.Contains(i.Text, "```\ndisk full\ndone\n```") ||
		!strings.HasPrefix(i.Text, "failed after ") || !strings.HasSuffix(i.Title, " failed: exit status 4") {
		t.Errorf("its title is %q, its text %q", i.Title, i.Text)
	}
	until(t, sl, "the card", func(sn *playground.Snapshot) bool {
		top, _ := cards(sn.Messages("#alerts"))
		return len(top) == 1 && strings.Contains(shown(top[0]), "rich_text_preformatted")
	})
	// The same command ends well the next time.
	marker := filepath.Join(sh.home, "ok")
	script := []string{"run", "--", "sh", "-c", "test -e " + marker}
	if status, _, _ := sh.real(script...); status != 1 {
		t.Errorf("exit status %d", status)
	}
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sh.quietly(script...)
	if err := p.ask("/v1/incidents?state=resolved", &list); err != nil || len(list.Incidents) != 1 || !strings.Contains(list.Incidents[0].Title, "test -e") {
		t.Errorf("resolved are %s, %v", asJSON(list), err)
	}
}

// quietly runs what must succeed without a word.
func (s *shell) quietly(args ...string) {
	s.t.Helper()
	if status, out, said := s.real(args...); status != exitOK || out+said != "" {
		s.t.Errorf("%q: exit status %d, it printed %q, %q", args, status, out, said)
	}
}

func TestWhenARunAlerts(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.start()
	sh := shellOf(t, p)
	for _, c := range []struct {
		on       string
		statuses []int
		accepted int64
	}{
		{onFailure, []int{0, 1, 1, 0, 0}, 3},
		{onChange, []int{0, 1, 1, 2, 2, 0, 0, 1}, 4},
		{onAlways, []int{0, 0, 1, 0}, 5},
	} {
		before := p.ledger().Total.Accepted
		for _, want := range c.statuses {
			if status, _, said := sh.real("run", "--on", c.on, "--key", "on "+c.on, "--", "sh", "-c", fmt.Sprint("exit ", want)); status != want || said != "" {
				t.Errorf("exit status %d, want %d; it said %q", status, want, said)
			}
		}
		if got := p.ledger().Total.Accepted - before; got != c.accepted {
			t.Errorf("--on %s, statuses %v: %d alerts were accepted, want %d", c.on, c.statuses, got, c.accepted)
		}
	}
}

func TestTheEndOfAnOutputIsShownAsPeopleReadIt(t *testing.T) {
	many := strings.Repeat("line\n", 100)
	for name, c := range map[string]struct {
		writes  []string
		text    string
		missing int
	}{
		"lines":                  {[]string{"one\ntwo\n"}, "one\ntwo", 0},
		"no line end":            {[]string{"one\nt", "wo"}, "one\ntwo", 0},
		"Windows":                {[]string{"one\r\ntwo\r", "\nthree"}, "one\ntwo\nthree", 0},
		"a progress bar":         {[]string{"1%\r50%\r", "100%\ndone\n"}, "100%\ndone", 0},
		"a bar in small writes":  {[]string{"1", "%\r", "5", "0%", "\r1", "00%\n"}, "100%", 0},
		"a bar that is not over": {[]string{"1%\r2%\r"}, "2%", 0},
		"colours":                {[]string{"\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x07 \x1b(Bx"}, "red link x", 0},
		"NUL and bytes":          {[]string{"a\x00b\xff\xfec\ad\n"}, "ab\uFFFDcd", 0},
		"many lines":             {[]string{many, "last\n"}, strings.Repeat("line\n", tailLines-1) + "last", 101 - tailLines},
		"a long line":            {[]string{strings.Repeat("é", 1000)}, strings.Repeat("é", tailLine/2) + "…", 0},
		"many long lines":        {[]string{strings.Repeat(strings.Repeat("x", tailLine)+"\n", 20)}, strings.TrimSpace(strings.Repeat(strings.Repeat("x", tailLine)+"\n", tailBytes/(tailLine+1))), 20 - tailBytes/(tailLine+1)},
		"nothing":                {nil, "", 0},
	} {
		var kept tail
		w := kept.writer()
		for _, text := range c.writes {
			if n, err := io.WriteString(w, text); n != len(text) || err != nil {
				t.Errorf("%s: wrote %d, %v", name, n, err)
			}
		}
		w.close()
		if text, missing := kept.text(); text != c.text || missing != c.missing {
			t.Errorf("%s: it is %q after %d lines, want %q after %d", name, text, missing, c.text, c.missing)
		}
	}
}

func TestNothingInAnOutputEndsItsBlock(t *testing.T) {
	for _, text := range []string{"plain", "```\ncode\n```", "x ````", "~~~~", strings.Repeat("`", 29), strings.Repeat("`", 40) + "\n```", "```go", "`"} {
		all := alert.Passages("before\n" + fenced(text))
		if len(all) != 2 || !all[1].Code || strings.Contains(text, "```\n") && !strings.Contains(all[1].Text, "```") {
			t.Errorf("%q becomes %+v", text, all)
		}
	}
}
