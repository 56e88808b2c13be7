package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tocsin/playground"
)

// cardTitles lists which of the titles the cards of a channel show, in their order.
func cardTitles(s shows, channel string, titles []string) (found []string) {
	top, _ := cards(s.Messages(channel))
	for _, m := range top {
		for _, title := range titles {
			if strings.Contains(m.Text, title) {
				found = append(found, title)
			}
		}
	}
	return found
}

// lanes are the lanes of the ledger, which has to balance.
func (p *process) lanes() []string {
	p.t.Helper()
	l := p.ledger()
	var names []string
	sum := int64(0)
	for _, lane := range l.Lanes {
		names = append(names, lane.Lane)
		sum += lane.Pending + lane.Delivered + lane.Folded + lane.Silenced + lane.Dead
	}
	if sum != l.Total.Accepted {
		p.t.Errorf("the ledger does not balance: %+v", l)
	}
	return names
}

const routesToBothNames = `
delivery:
  probe_every: 300ms
  digest_above: 1000
routes:
  - name: both
    match: team="both"
    to: ["#ops", "C0OPS"]
`

func TestWhatWaitsForAChannelUnderTwoNamesIsDeliveredInOrderOnceWithOneMark(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(routesToBothNames)
	p.start()
	connected(t, s)
	archive(t, s.Archive, "#ops")
	var titles []string
	for n := range 8 {
		a := inChannel(firing(fmt.Sprint("k", n), fmt.Sprintf("title-%d", n)), []string{"C0OPS", "#ops"}[n%2])
		if n == 5 {
			a = labelled("title-5", "error", "both")
		}
		titles = append(titles, fmt.Sprintf("title-%d", n))
		p.mustPush(a)
	}
	p.eventually("one broken mark for both", func() bool {
		r := p.readiness()
		return len(r.Notes) == 1 && r.Notes[0].Lane == "#ops" && strings.Contains(p.metrics(), "\ntocsin_broken_destinations 1\n")
	})
	if got := p.lanes(); !slices.Equal(got, []string{"#ops"}) {
		t.Errorf("the ledger has the lanes %q", got)
	}
	p.kill()
	p.start()
	archive(t, s.Unarchive, "#ops")
	p.eventually("everything is delivered", func() bool { return p.ledger().Total.Pending == 0 })
	if got := cardTitles(s, "#ops", titles); !slices.Equal(got, titles) {
		t.Errorf("it shows %q", got)
	}
	if l := p.ledger().Total; l.Delivered != 8 || len(p.readiness().Notes) != 0 {
		t.Errorf("the ledger is %+v, /readyz %+v", l, p.readiness())
	}
	if queue := p.command("queue"); strings.Contains(queue, "C0OPS") || !strings.Contains(queue, "#ops") {
		t.Errorf("the queue is listed as\n%s", queue)
	}
	if slices.ContainsFunc(s.Calls(), func(c playground.Call) bool { return c.Method == "conversations.list" }) {
		t.Error("all channels of the workspace were listed")
	}
}

func TestAnAlertToTheIDFoldsIntoTheCardOfTheNameOnceACommandHasToldIt(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	web := s.AddChannel(playground.Channel{Name: "web", IsMember: true})
	p := prepare(t, s, nil)
	p.start()
	connected(t, s)
	if run, err := s.User("ann").Command(t.Context(), "#web", "/notify", "help"); err != nil || !run.Acked {
		t.Fatalf("got %+v, %v", run, err)
	}
	until(t, s, "an answer", func(sn *playground.Snapshot) bool { return len(sn.Ephemerals("ann", "#web")) > 0 })
	first := p.mustPush(inChannel(firing("db", "disk full"), web))[0]
	p.settle(first)
	again := p.mustPush(inChannel(firing("db", "disk full"), "#web"))[0]
	p.settle(again)
	if again.Incident != first.Incident || again.Effect != "folded" {
		t.Errorf("got %+v after %+v", again, first)
	}
	if got := titled(s, "#web", "disk full"); len(got) != 1 {
		t.Errorf("it is shown %d times", len(got))
	}
	if got := p.lanes(); !slices.Equal(got, []string{"#web"}) {
		t.Errorf("the ledger has the lanes %q", got)
	}
	if says := p.command("incidents"); !strings.Contains(says, "#web") || strings.Contains(says, web) {
		t.Errorf("the incidents are listed as\n%s", says)
	}
}

func TestAChannelThatIsKnownByItsIDIsListedByItsNameAfterAPost(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	web := s.AddChannel(playground.Channel{Name: "web", IsMember: true})
	secret := s.AddChannel(playground.Channel{Name: "plans", IsPrivate: true, IsMember: true})
	p := prepare(t, s, nil)
	p.start()
	connected(t, s)
	first := p.mustPush(inChannel(firing("db", "disk full"), web), inChannel(firing("raid", "disk lost"), secret))
	p.eventually("their names are known", func() bool { return slices.Equal(p.lanes(), []string{"#plans", "#web"}) })
	if again := p.mustPush(inChannel(firing("db", "disk full"), "#web"))[0]; again.Incident != first[0].Incident {
		t.Errorf("got %+v after %+v", again, first)
	}
	if says := p.command("incidents"); !strings.Contains(says, "#web") || !strings.Contains(says, "#plans") || strings.Contains(says, web) {
		t.Errorf("the incidents are listed as\n%s", says)
	}
	p.settle(p.mustPush(inChannel(firing("again", "disk fails"), web))...)
	asked := slices.DeleteFunc(s.Calls(), func(c playground.Call) bool { return c.Method != "conversations.info" })
	if len(asked) != 2 {
		t.Errorf("Slack was asked %d times about 2 channels", len(asked))
	}
}

func TestARenamedChannelKeepsItsLane(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	connected(t, s)
	p.settle(p.mustPush(inChannel(firing("db", "disk full"), "#ops"))...)
	if err := s.Rename("#ops", "operations"); err != nil {
		t.Fatal(err)
	}
	p.eventually("its new name is known", func() bool { return slices.Contains(p.lanes(), "#operations") })
	for restart := range 2 {
		if restart == 1 {
			p.kill()
			p.start()
		}
		for n, spelling := range []string{"#ops", "C0OPS", "#operations"} {
			p.settle(p.mustPush(inChannel(firing("db", "disk full"), spelling), inChannel(firing(fmt.Sprint("k", restart, n), fmt.Sprint("another-", restart, n)), spelling))...)
		}
		if got := p.lanes(); !slices.Equal(got, []string{"#operations"}) {
			t.Errorf("the ledger has the lanes %q", got)
		}
	}
	if got := titled(s, "#operations", "disk full"); len(got) != 1 {
		t.Errorf("the card is shown %d times", len(got))
	}
	if got := titled(s, "#operations", "another-"); len(got) != 6 {
		t.Errorf("it shows %d others, want 6", len(got))
	}
}

func TestARouteToAPersonAndTheirSubscriptionAreOneCard(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure("routes:\n  - name: ann\n    match: team=\"db\"\n    to: [\"@ann\", \"ann@example.com\"]\n")
	p.start()
	connected(t, s)
	types(t, s, "ann", `subscribe severity=critical`)
	privately(t, s, "ann", "critical")
	p.settle(p.mustPush(labelled("it tells who she is", "error", "db"))...)
	p.eventually("her names are one lane", func() bool { return slices.Equal(p.lanes(), []string{"@ann"}) })
	r := p.mustPush(labelled("disk full", "critical", "db"))
	p.settle(r...)
	until(t, s, "the card", func(sn *playground.Snapshot) bool { return len(titled(sn, "D0ANN", "disk full")) > 0 })
	p.eventually("nothing more is sent", func() bool { return strings.Contains(p.command("queue"), "total") && p.ledger().Total.Pending == 0 })
	if got := titled(s, "D0ANN", "disk full"); len(got) != 1 {
		t.Errorf("she got %d cards", len(got))
	}
	if says := p.command("incidents", "show", r[0].Incident); strings.Contains(says, "U0ANN") || strings.Contains(says, "ann@example.com") {
		t.Errorf("the incident is shown as\n%s", says)
	}
}
