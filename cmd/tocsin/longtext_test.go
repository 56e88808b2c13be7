package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tocsin/playground"
)

// logOf is a text of about so many bytes whose lines differ.
func logOf(bytes int) string {
	var b strings.Builder
	for n := 0; b.Len() < bytes; n++ {
		fmt.Fprintf(&b, "%06d  a line of a log with <tags> & more\n", n)
	}
	return strings.TrimSpace(b.String())
}

func TestALongLogIsOneFileInTheCardsThread(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	text := logOf(300_000)
	log := firing("log", "backup failed")
	log["severity"], log["text"] = "warning", text
	p.settle(p.mustPush(log)...)
	p.eventually("everything delivered", func() bool { return p.unfinished() == 0 })
	top, thread := cards(s.Messages("#alerts"))
	if len(top) != 1 || len(thread) != 1 || len(thread[0].Files) != 1 {
		t.Fatalf("it is shown as %s", asJSON(thread))
	}
	if content, _ := s.File(thread[0].Files[0].ID); string(content) != text {
		t.Errorf("the file has %d bytes, want the text's %d", len(content), len(text))
	}
	if thread[0].ThreadTS != top[0].TS || thread[0].Files[0].Title != "backup failed" {
		t.Errorf("the file's message is %s", shown(thread[0]))
	}
}

func TestWithoutThePermissionForFilesTheThreadSaysWhereALongTextIs(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	if err := s.SetFault(playground.Fault{Kind: playground.FaultError, Method: "files.getUploadURLExternal", Error: "missing_scope"}); err != nil {
		t.Fatal(err)
	}
	p := prepare(t, s, nil)
	p.start()
	text := logOf(30_000)
	log := firing("log", "backup failed")
	log["text"] = text
	got := p.mustPush(log)
	p.settle(got...)
	var thread []playground.Message
	p.eventually("a reply in the thread", func() bool {
		_, thread = cards(s.Messages("#alerts"))
		return len(thread) > 0
	})
	if len(thread) != 1 || !strings.Contains(thread[0].Text, "more lines") || !strings.Contains(thread[0].Text, "tocsin incidents show "+got[0].Incident) {
		t.Fatalf("the thread says %s", asJSON(thread))
	}
	if broken := p.readyz(); !broken.Ready {
		t.Errorf("the conversation counts as broken: %+v", broken)
	}
}

// TestPagesNeverDelayAnotherIncidentsCard counts what is shown between an alert's
// acceptance and its card.
func TestPagesNeverDelayAnotherIncidentsCard(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	var logs []map[string]any
	for n, severity := range []string{"critical", "warning", "critical", "error", "critical"} {
		log := firing(fmt.Sprint("log-", n), fmt.Sprint("backup failed on db-", n))
		log["severity"], log["text"] = severity, logOf(9_000)
		logs = append(logs, log)
	}
	p.settle(p.mustPush(logs...)...)
	for n := range logs { // while the pages wait
		logs[n]["text"] = logOf(9_000 + 100*n)
	}
	p.mustPush(logs...)
	before := len(s.Messages("#alerts"))
	p.settle(p.mustPush(firing("next", "no answer from web-1"))...)
	after := s.Messages("#alerts")[before:]
	at := slices.IndexFunc(after, func(m playground.Message) bool { return strings.Contains(m.Text, "no answer from web-1") })
	// One message may be on its way, and another one was claimed before the alert came.
	if at < 0 || at > 2 {
		t.Errorf("%d messages were shown before the alert: %s", at, asJSON(after))
	}
	p.eventually("everything delivered", func() bool { return p.unfinished() == 0 })
	if _, thread := cards(s.Messages("#alerts")); len(thread) < 15 {
		t.Errorf("there are %d pages, too few to delay anything", len(thread))
	}
}
