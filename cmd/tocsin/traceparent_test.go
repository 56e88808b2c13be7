package main

import (
	"net/http"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

const traceURL = `
slack:
  trace_url: https://tempo.example.com/trace/{{trace_id}}
`

// traceparentOf is the header of a push in this trace.
func traceparentOf(traceID string) string { return "00-" + traceID + "-00f067aa0ba902b7-01" }

// pushWith posts a body with these headers, and returns the receipts.
func (p *process) pushWith(path, body string, header http.Header) []alert.Accepted {
	p.t.Helper()
	var answer receipt
	r := request{method: http.MethodPost, path: path, header: header, body: []byte(body)}
	if err := p.client().do(p.t.Context(), r, &answer); err != nil || len(answer.Alerts) == 0 {
		p.t.Fatalf("%s was answered with %+v, %v", path, answer, err)
	}
	return answer.Alerts
}

func TestTheTraceOfAPushIsKeptAndItsCardLinksToIt(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(traceURL)
	const sent, hooked, waited, again = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319d", "2af7651916cd43dd8448eb211c80319e"
	p.env["TRACEPARENT"] = traceparentOf(waited)
	if said, err := p.tocsin("send", "--timeout", "1ms", "it waits in the spool"); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	p.start()
	p.env["TRACEPARENT"] = traceparentOf(sent)
	if said, err := p.tocsin("send", "--wait", "--link", "Runbook=https://example.com/runbook", "sent by the command"); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if _, err := p.tocsin("run", "--key", "run", "--", "false"); err == nil {
		t.Fatal("run hides the exit status")
	}
	firing := `{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"by webhook"},"startsAt":"2026-11-28T10:00:00Z"}]}`
	receipts := p.pushWith("/v1/webhooks/alertmanager", firing, http.Header{"Traceparent": {traceparentOf(hooked)}})
	for title, hostile := range map[string][]string{
		"upper case": {strings.ToUpper(traceparentOf(sent))}, "only zeros": {traceparentOf(strings.Repeat("0", 32))},
		"too short": {traceparentOf(sent[1:])}, "two of them": {traceparentOf(sent), traceparentOf(hooked)}, "long": {strings.Repeat("0", 8000)},
	} {
		receipts = append(receipts, p.pushWith("/v1/alerts", `{"title":"`+title+`","channel":"#ops"}`, http.Header{"Traceparent": hostile})...)
	}
	first := p.pushWith("/v1/alerts", `{"title":"tried twice","idempotency_key":"k"}`, http.Header{"Traceparent": {traceparentOf(sent)}})
	twice := p.pushWith("/v1/alerts", `{"title":"tried twice","idempotency_key":"k"}`, http.Header{"Traceparent": {traceparentOf(again)}})
	if twice[0].ID != first[0].ID {
		t.Errorf("a second try in another trace is another alert: %+v, %+v", first, twice)
	}
	p.settle(append(receipts, first...)...)
	p.kill()
	p.start()
	var rec alert.Record
	if err := p.ask("/v1/alerts/"+receipts[0].ID, &rec); err != nil || rec.Traceparent != alert.Traceparent(traceparentOf(hooked)) {
		t.Errorf("the alert is %+v, %v", rec, err)
	}
	until(t, s, "all cards", func(sn *playground.Snapshot) bool {
		return len(sn.Messages("#alerts")) == 5 && len(sn.Messages("#ops")) >= 1
	})
	for title, trace := range map[string]string{"it waits in the spool": waited, "sent by the command": sent, "by webhook": hooked, "false failed": sent, "tried twice": sent} {
		card := saying(s.Messages("#alerts"), title)
		if len(card) != 1 || !strings.Contains(shown(card[0]), "https://tempo.example.com/trace/"+trace) {
			t.Errorf("%q does not link to %s: %s", title, trace, asJSON(card))
		}
	}
	for _, m := range s.Messages("#ops") {
		if strings.Contains(shown(m), "tempo") {
			t.Errorf("a hostile header has made a link: %s", shown(m))
		}
	}
}
