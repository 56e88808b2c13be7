package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// trick has characters that reorder, hide, or steer a terminal.
const trick = "a\u202Eb\u2066c\u2069d\u061Ce\u200Bf\u008D31mg\U000E0041h"

// tricked is how people see trick.
const tricked = `a\u202eb\u2066c\u2069d\u061ce\u200bf\u008d31mg\U000e0041h`

func TestTextFromOutsideCanNeitherSteerATerminalNorImitateOutput(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.start()
	accepted := p.mustPush(map[string]any{
		"key": trick, "title": trick, "text": trick + "\nHistory:\n  2026-11-27 00:00:00  resolved by ann 👩‍🔧",
		"labels": map[string]string{"host": trick + "\nstate: resolved\tx"},
	})
	p.settle(accepted...)
	var page struct{ Deliveries []alert.Delivery }
	if err := p.ask("/v1/deliveries", &page); err != nil || len(page.Deliveries) == 0 {
		t.Fatal(page, err)
	}
	p.mustPush(map[string]any{"key": trick, "title": trick, "status": "resolved"})
	cli := func(args ...string) string {
		t.Helper()
		var out strings.Builder
		w := world{stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard, getenv: func(string) string { return "" }}
		if status := run(t.Context(), append(args, "--socket", p.env["TOCSIN_SOCKET"]), w); status != exitOK {
			t.Errorf("%q: status %d", args, status)
		}
		if strings.ContainsAny(out.String(), "\u202E\u2066\u2069\u061C\u200B\u008D\U000E0041") {
			t.Errorf("%q: a terminal would obey\n%q", args, out.String())
		}
		return out.String()
	}
	id := accepted[0].Incident
	cli("incidents", "--state", "all")
	cli("queue")
	cli("queue", "show", page.Deliveries[0].ID)
	cli("ack", id)
	shown := cli("incidents", "show", id)
	for _, line := range []string{"title:", "key:"} {
		if !strings.Contains(shown, line) || !strings.Contains(shown, tricked) {
			t.Errorf("%s %s is missing in\n%s", line, tricked, shown)
		}
	}
	if !strings.Contains(shown, "\n  | History:\n  |   2026-11-27 00:00:00  resolved by ann 👩‍🔧\n") || strings.Count(shown, "\nHistory:\n") != 1 || strings.Contains(shown, "\nstate: resolved") {
		t.Errorf("it can be mistaken for other output:\n%s", shown)
	}
	var same incidentDetail
	if err := json.Unmarshal([]byte(cli("incidents", "show", id, "--json")), &same); err != nil || same.Title != trick {
		t.Errorf("JSON readers get %q, %v", same.Title, err)
	}
}

func TestASilenceWhoseTimeIsOverHasBeenEndedByNobody(t *testing.T) {
	over := time.Date(2026, 11, 28, 14, 5, 0, 0, time.Local)
	for want, s := range map[string]alert.Silence{
		"s-k7f2 had ended at 2026-11-28 14:05:00; it hid 1 alert": {ID: "s-k7f2", EndsAt: over, Hidden: 1},
		"s-k7f2 ended by ann; it hid 0 alerts":                    {ID: "s-k7f2", EndsAt: over, EndedBy: alert.Person{Name: "ann"}},
	} {
		if got := endedText(s); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}
