package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
	"tocsin/render"
)

// command runs a client command against the daemon and returns what it prints.
func (p *process) command(args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.path, args...)
	cmd.Env = []string{beTocsin + "=1", "HOME=" + p.dir, "TOCSIN_SOCKET=" + p.env["TOCSIN_SOCKET"]}
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("tocsin %v: %v\n%s", args, err, out)
	}
	return string(out)
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
	top, _ := cards(s.Messages("#alerts"))
	if len(top) != 2 {
		t.Fatalf("%d cards are shown, want the one whose answer was lost and the other", len(top))
	}
	for n, m := range top {
		if marked := strings.Contains(m.Text, render.Twice) && strings.Contains(string(m.Blocks), render.Twice); marked != (n == 1) {
			t.Errorf("card %d says that it is possibly shown twice: %t\n%s", n, marked, shown(m))
		}
	}
	if queue := p.command("queue"); !strings.Contains(queue, "1 message may be shown twice in #alerts (1)") {
		t.Errorf("tocsin queue says %s", queue)
	}
	if !strings.Contains(p.metrics(), "\ntocsin_possible_duplicates_total 1\n") {
		t.Error("no metric counts it")
	}
	if !strings.Contains(p.log.String(), "may be a duplicate") {
		t.Error("the log does not say so")
	}
}

func TestHistoryThatLagsBehindMakesNoDuplicates(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	channels := addChannels(s, 20)
	fault(t, s, playground.Fault{Kind: playground.FaultLost, Method: "chat.postMessage", Times: len(channels)})
	fault(t, s, playground.Fault{Kind: playground.FaultLag, Delay: 8 * time.Second})
	p := prepare(t, s, nil)
	p.start()
	var batch []map[string]any
	for _, ch := range channels {
		batch = append(batch, inChannel(firing(ch, "its answer was lost"), ch))
	}
	p.settle(p.mustPush(batch...)...)
	for _, ch := range channels {
		if top, _ := cards(s.Messages(ch)); len(top) != 1 {
			t.Errorf("%s shows %d cards", ch, len(top))
		}
	}
	if l := p.ledger(); l.PossibleDuplicates != 0 || l.Total.Delivered != int64(len(channels)) {
		t.Errorf("the ledger is %+v", l)
	}
}

func TestWhatIsSentAgainBecauseHistoryDoesNotShowItIsMarked(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	fault(t, s, playground.Fault{Kind: playground.FaultLost, Method: "chat.postMessage", Times: 1})
	fault(t, s, playground.Fault{Kind: playground.FaultLag, Delay: time.Hour})
	p := prepare(t, s, nil)
	p.start()
	critical := firing("a", "shown, but not listed")
	critical["severity"] = "critical"
	p.settle(p.mustPush(critical)...)
	top, _ := cards(s.Messages("#alerts"))
	if len(top) != 2 || strings.Contains(shown(top[0]), render.Twice) || !strings.Contains(shown(top[1]), render.Twice) {
		t.Errorf("want a card and one that is marked as a possible duplicate, got %v", top)
	}
	if l := p.ledger(); l.PossibleDuplicates != 1 {
		t.Errorf("the ledger is %+v", l)
	}
}

func TestWhatCannotBeLookedForWaitsForAPersonWithHold(t *testing.T) {
	t.Parallel()
	for name, yaml := range map[string]string{
		"everywhere":  "delivery:\n  when_unsure: hold\n",
		"in a route":  "routes:\n  - name: careful\n    match: severity=\"error\"\n    when_unsure: hold\n",
		"but for one": "delivery:\n  when_unsure: hold\nroutes:\n  - name: careless\n    match: severity=\"info\"\n    when_unsure: resend\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heldForAPerson(t, yaml)
		})
	}
}

func heldForAPerson(t *testing.T, yaml string) {
	t.Helper()
	s := blindSlack(t)
	p := prepare(t, s, nil)
	p.configure(yaml)
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
	p.command("queue", "retry", "--all") // somebody looked, and it is to be sent
	p.settle(receipts...)
	if top, _ := cards(s.Messages("#alerts")); len(top) != 2 || p.ledger().PossibleDuplicates != 1 {
		t.Errorf("%d cards are shown after the retry, the ledger is %+v", len(top), p.ledger())
	}
}
