package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"tocsin/playground"
)

// journal makes a file that the daemon takes for the journal, and returns what
// has been written to it.
func (p *process) journal() (written func() string) {
	p.t.Helper()
	file, err := os.Create(filepath.Join(p.dir, "journal"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = file.Close() })
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &stat); err != nil {
		p.t.Fatal(err)
	}
	p.stderr = file
	p.env["INVOCATION_ID"], p.env["JOURNAL_STREAM"] = "0123", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
	return func() string {
		content, err := os.ReadFile(file.Name())
		if err != nil {
			p.t.Fatal(err)
		}
		return string(content)
	}
}

func TestTheJournalKnowsThePriorityOfEachLine(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"SLACK_BOT_TOKEN": s.AppToken()}) // which is logged as a warning
	written := p.journal()
	p.start()
	if err := p.terminate(); err != nil {
		t.Error(err)
	}
	line := regexp.MustCompile(`^<([2-7])>\{"level":"(\w+)",.*\}$`)
	want := map[string]string{"debug": "7", "info": "6", "warn": "4", "error": "3"}
	seen := map[string]bool{}
	for text := range strings.Lines(written()) {
		found := line.FindStringSubmatch(strings.TrimSpace(text))
		if found == nil || want[found[2]] != found[1] {
			t.Errorf("journald would read %q", text)
			continue
		}
		seen[found[2]] = true
	}
	if !seen["info"] || !seen["warn"] {
		t.Errorf("it logged only %v", seen)
	}
}

func TestADaemonThatCannotStartSaysSoAsAnErrorInTheJournal(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), map[string]string{"TOCSIN_STORE": "mysql://x", "TOCSIN_LISTEN": "nonsense"})
	written := p.journal()
	p.launch()
	err := <-p.exited
	p.cmd = nil
	said := written()
	if err == nil {
		t.Error("it ended without an error")
	}
	if strings.Count(said, "\n") < 3 || !strings.HasPrefix(said, "<3>tocsin: ") {
		t.Errorf("it said %q", said)
	}
	for text := range strings.Lines(said) {
		if !strings.HasPrefix(text, "<3>") {
			t.Errorf("journald would take this for information: %q", text)
		}
	}
}
