package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// configured gives the daemon a configuration file.
func (p *process) configured(yaml string) {
	p.t.Helper()
	path := filepath.Join(p.dir, "tocsin.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.env["TOCSIN_CONFIG"] = path
}

// blindSlack takes the first post, loses its answer, and lets nobody read.
func blindSlack(t *testing.T) *playground.Server {
	t.Helper()
	s := slack(t, playground.Options{})
	s.SetScopes([]string{"chat:write", "chat:write.public", "commands"})
	if err := s.SetFault(playground.Fault{Kind: playground.FaultLost, Method: "chat.postMessage", Times: 1}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatCannotBeLookedForIsSentAgainAndCountedInTheLedger(t *testing.T) {
	t.Parallel()
	s := blindSlack(t)
	p := prepare(t, s, nil)
	p.start()
	receipts := p.mustPush(firing("a", "perhaps twice"))
	p.settle(receipts...)
	var rec alert.Record
	if err := p.ask("/v1/alerts/"+receipts[0].ID, &rec); err != nil || rec.Standing != alert.StandDelivered || !rec.PossibleDuplicate {
		t.Errorf("the alert stands as %+v, %v", rec, err)
	}
	if l := p.ledger(); l.PossibleDuplicates != 1 || l.Total.Accepted != 1 || l.Total.Delivered != 1 {
		t.Errorf("the ledger is %+v", l)
	}
	if top, _ := cards(s.Messages("#alerts")); len(top) != 2 {
		t.Errorf("%d cards are shown, want the one whose answer was lost and the other", len(top))
	}
}

func TestWhatCannotBeLookedForWaitsForAPersonWithHold(t *testing.T) {
	t.Parallel()
	s := blindSlack(t)
	p := prepare(t, s, nil)
	p.configured("delivery:\n  when_unsure: hold\n")
	p.start()
	receipts := p.mustPush(firing("a", "perhaps twice"))
	p.settle(receipts...)
	var rec alert.Record
	if err := p.ask("/v1/alerts/"+receipts[0].ID, &rec); err != nil || rec.Standing != alert.StandDead || !strings.Contains(rec.Reason, "perhaps shown") {
		t.Errorf("the alert stands as %+v, %v", rec, err)
	}
	if top, _ := cards(s.Messages("#alerts")); len(top) != 1 {
		t.Errorf("%d cards are shown, want one", len(top))
	}
}
