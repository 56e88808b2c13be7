package main

import (
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// labelled is a firing alert with a severity and a team.
func labelled(key, severity, team string) map[string]any {
	return map[string]any{"key": key, "title": key, "severity": severity, "labels": map[string]any{"team": team}}
}

// saying are the messages of a channel that hold a text, in a thread or not.
func saying(messages []playground.Message, text string) (found []playground.Message) {
	for _, m := range messages {
		if strings.Contains(shown(m), text) {
			found = append(found, m)
		}
	}
	return found
}

const routesOfTeams = `
routes:
  - name: database
    match: team="db", severity=~"critical|error"
    to: ["#dba", "#ops"]
    mention: here
    thread: all
    broadcast: true
  - name: audit
    match: team=~"db|web"
    to: "#audit"
    continue: true
  - name: web
    match: [team="web", severity!="info"]
    to: "#web"
`

func TestAlertsGoWhereTheirRoutesSay(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	for _, name := range []string{"dba", "audit", "web", "general"} {
		s.AddChannel(playground.Channel{Name: name, IsMember: true})
	}
	p := prepare(t, s, nil)
	p.configure(routesOfTeams)
	p.start()
	db := labelled("both", "error", "db")
	p.settle(p.mustPush(db, labelled("audited", "warning", "db"), labelled("twice", "error", "web"), labelled("whim", "info", "web"), labelled("nobody's", "error", "hr"),
		inChannel(labelled("named", "error", "db"), "#general"))...)
	want := map[string]string{
		"#dba": "both", "#ops": "both", "#audit": "audited twice whim", "#web": "twice", "#alerts": "nobody's", "#general": "named",
	}
	for channel, titles := range want {
		until(t, s, channel, func(sn *playground.Snapshot) bool { return sn.MessageCount(channel) >= len(strings.Fields(titles)) })
		top, _ := cards(s.Messages(channel))
		var got []string
		for _, m := range top {
			for _, title := range []string{"both", "audited", "twice", "whim", "nobody's", "named"} {
				if strings.Contains(m.Text, title) {
					got = append(got, title)
				}
			}
			if pings := strings.Contains(m.Text, "<!here>"); pings != (titles == "both" || titles == "named") {
				t.Errorf("%s: it pings: %t, %q", channel, pings, m.Text)
			}
		}
		if strings.Join(got, " ") != titles {
			t.Errorf("%s shows %q, want %q", channel, got, titles)
		}
	}

	// Each firing again is told in the thread and, broadcast, in the channel.
	p.settle(p.mustPush(db)...)
	until(t, s, "the thread to say that it fired again", func(sn *playground.Snapshot) bool {
		_, threads := cards(sn.Messages("#ops"))
		return len(threads) == 1
	})
	if l := p.ledger().Total; l.Accepted != 7 || l.Delivered != 6 || l.Folded != 1 {
		t.Errorf("the ledger is %+v", l)
	}
}

const escalateSoon = `
routes:
  - name: database
    match: team="db"
    to: "#ops"
    escalate:
      - {after: 2s, mention: here}
      - {after: 3s, to: "#boss", mention: channel}
    remind: 1s
`

func TestAnEscalationGoesOnAfterARestartOnceInOrderAndEndsWithTheAck(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	s.AddChannel(playground.Channel{Name: "boss", IsMember: true})
	p := prepare(t, s, nil)
	p.configure(escalateSoon)
	p.start()
	accepted := p.mustPush(labelled("left alone", "error", "db"), labelled("taken", "error", "db"))
	p.settle(accepted...)
	p.command("ack", accepted[1].Incident, "--as", "ann")
	p.kill()
	pause(t.Context(), 4*time.Second) // both steps become due while nobody is there
	p.start()
	until(t, s, "the second step", func(sn *playground.Snapshot) bool { return sn.MessageCount("#boss") > 0 })
	until(t, s, "both steps in the thread, and the reminder of who took the other", func(sn *playground.Snapshot) bool {
		ops := sn.Messages("#ops")
		return len(saying(ops, "Nobody has acknowledged this")) > 1 && len(saying(ops, "Still open")) > 0
	})
	p.settle(p.mustPush(firing("other", "comes after it"))...)
	p.kill()
	p.start() // nothing is due a second time
	p.settle(p.mustPush(inChannel(firing("last", "comes last"), "#boss"))...)

	boss, _ := cards(s.Messages("#boss"))
	if len(boss) != 2 || !strings.Contains(boss[0].Text, "left alone") || !strings.Contains(boss[0].Text, "<!channel>") {
		t.Errorf("#boss shows %v", boss)
	}
	steps := saying(s.Messages("#ops"), "Nobody has acknowledged this")
	if len(steps) != 2 || !strings.Contains(steps[0].Text, "<!here>") || strings.Contains(steps[1].Text, "<!") {
		t.Errorf("the steps are told as %v", steps)
	}
	for _, m := range steps {
		if !strings.Contains(m.Text, "left alone") {
			t.Errorf("what was taken is escalated: %q", m.Text)
		}
	}
	shown := p.command("incidents", "show", accepted[0].Incident)
	if strings.Count(shown, " escalated: ") != 2 || strings.Index(shown, "escalated: here") > strings.Index(shown, "escalated: #boss") {
		t.Errorf("its history is\n%s", shown)
	}
	if strings.Contains(p.command("incidents", "show", accepted[1].Incident), "escalated") {
		t.Error("what was taken is escalated")
	}
}

func TestWhatASilenceHidesIsCountedAndShownWhenItEnds(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	p.command("silence", "team=web", "--for", "10s", "--because", "moving house", "--as", "ann")
	p.command("silence", "team=db", "--for", "1h", "--as", "ann")
	hidden := p.mustPush(labelled("hidden", "error", "web"), labelled("ended-in-silence", "error", "web"), labelled("long", "critical", "db"))
	p.mustPush(resolved(labelled("ended-in-silence", "error", "web")))
	p.settle(p.mustPush(firing("other", "not silenced"))...)
	if l := p.ledger().Total; l != (alert.Counts{Accepted: 5, Delivered: 1, Silenced: 4}) {
		t.Errorf("while it holds the ledger is %+v", l)
	}
	until(t, s, "the word about the critical one", func(sn *playground.Snapshot) bool {
		return len(saying(sn.Messages("#alerts"), "hides a critical alert")) == 1
	})
	p.kill()
	p.start()
	until(t, s, "what is still open", func(sn *playground.Snapshot) bool {
		top, _ := cards(sn.Messages("#alerts"))
		return len(saying(top, "hidden")) == 1
	})
	p.settle(p.mustPush(labelled("shown", "error", "web"))...)
	if over := saying(s.Messages("#alerts"), "ended-in-silence"); len(over) != 0 {
		t.Errorf("what ended in silence is shown: %q", over[0].Text)
	}
	if l := p.ledger().Total; l.Accepted != 6 || l.Pending != 0 || l.Silenced != 4 || l.Delivered != 2 {
		t.Errorf("afterwards the ledger is %+v", l)
	}
	var rec alert.Record
	if err := p.ask("/v1/alerts/"+hidden[0].ID, &rec); err != nil || rec.Standing != alert.StandSilenced || !strings.Contains(rec.Reason, "by ann: moving house") {
		t.Errorf("the hidden alert stands as %+v, %v", rec, err)
	}
	notice := saying(s.Messages("#alerts"), "hides a critical alert")[0].TS
	press(t, s, "bob", notice, "expire")
	until(t, s, "the notice without its button", func(sn *playground.Snapshot) bool {
		over := saying(sn.Messages("#alerts"), "A silence was ended by bob")
		return len(over) == 1 && over[0].TS == notice && !strings.Contains(shown(over[0]), "expire")
	})
	until(t, s, "the critical one", func(sn *playground.Snapshot) bool {
		top, _ := cards(sn.Messages("#alerts"))
		return len(saying(top, "Critical: long")) == 1
	})
}

func TestInQuietHoursOnlyTheCriticalIsShownAndTheRestIsKept(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	// Whatever the time is, it is quiet for hours to come.
	now := time.Now().UTC()
	from, until := now.Add(-6*time.Hour).Format("15:04"), now.Add(6*time.Hour).Format("15:04")
	p.configure("routes:\n  - name: all\n    quiet: {from: \"" + from + "\", until: \"" + until + "\", zone: UTC}\n")
	p.start()
	kept := p.mustPush(labelled("kept", "error", "web"))
	p.settle(p.mustPush(labelled("loud", "critical", "web"))...)
	if top, _ := cards(s.Messages("#alerts")); len(top) != 1 || !strings.Contains(top[0].Text, "loud") {
		t.Errorf("the channel shows %v", top)
	}
	if l := p.ledger().Total; l != (alert.Counts{Accepted: 2, Pending: 1, Delivered: 1}) {
		t.Errorf("the ledger is %+v", l)
	}
	if says := p.command("incidents", "show", kept[0].Incident); !strings.Contains(says, "held back:") {
		t.Errorf("it is shown as\n%s", says)
	}
	// Getting worse, it is shown at once.
	p.settle(p.mustPush(labelled("kept", "critical", "web"))...)
	if top, _ := cards(s.Messages("#alerts")); len(saying(top, "kept")) != 1 {
		t.Errorf("the channel shows %v", top)
	}
	p.settle(kept...)
}

func TestWhatIsMutedIsCountedAndShownOnceNothingMutesItAnyMore(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	const times = "times:\n  - {name: always, time_intervals: [{weekdays: 'sunday:saturday'}]}\n  - {name: past, time_intervals: [{years: 2020}]}\n"
	p.configure(times + "routes:\n  - {name: web, match: team=web, mute: [always]}\n  - {name: db, match: team=db, active: [past, past]}\n  - {name: rest, mute: past, active: always}\n")
	p.start()
	muted := p.mustPush(labelled("muted", "critical", "web"), labelled("away", "critical", "db"), labelled("brief", "critical", "web"))
	brief := labelled("brief", "critical", "web")
	brief["status"] = "resolved"
	p.mustPush(brief)
	p.settle(p.mustPush(labelled("loud", "info", "ops"))...)
	if top, _ := cards(s.Messages("#alerts")); len(top) != 1 || !strings.Contains(top[0].Text, "loud") {
		t.Errorf("the channel shows %v", top)
	}
	if l := p.ledger().Total; l != (alert.Counts{Accepted: 5, Silenced: 4, Delivered: 1}) {
		t.Errorf("the ledger is %+v", l)
	}
	for n, want := range []string{"muted by always until", "not active outside of past until", "it ended while it was muted"} {
		if says := p.command("incidents", "show", muted[n].Incident); !strings.Contains(says, want) {
			t.Errorf("it is shown as\n%s", says)
		}
	}
	if says := p.command("oncall"); !strings.Contains(says, "muted by always") || !strings.Contains(says, "at once") {
		t.Errorf("who is on call is\n%s", says)
	}
	p.kill()
	p.configure("routes:\n  - {name: web, match: team=web}\n  - {name: db, match: team=db}\n  - name: rest\n")
	p.start()
	p.settle(p.mustPush(labelled("muted", "critical", "web"), labelled("away", "critical", "db"))...)
	top, _ := cards(s.Messages("#alerts"))
	if len(saying(top, "muted")) != 1 || len(saying(top, "away")) != 1 || len(saying(top, "brief")) != 0 {
		t.Errorf("the channel shows %v", top)
	}
}

func TestWhatIsTypedInTheShellIsRefusedWithTheRemedy(t *testing.T) {
	for until, want := range map[string]string{
		"18:00": "2026-01-02 18:00", "11:59": "2026-01-03 11:59", "2026-01-05": "2026-01-05 00:00", "2026-01-05 09:30": "2026-01-05 09:30", "2026-01-05T09:30:00Z": "2026-01-05 09:30",
	} {
		at, err := parseUntil(until, time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
		if err != nil || at.UTC().Format("2006-01-02 15:04") != want {
			t.Errorf("%s is %s, %v", until, at, err)
		}
	}
	for _, args := range [][]string{{"a b=c"}, {`a="b`}, {"{a=b"}, {"not(a=b)"}, {"Severity=crit"}, {"a!=~b"}, {"a~=b"}, {"team="}, {"team=", "host=db"}, {"team=,"}, {"team= for"}, {"team= disk full"}, {"a==b"}} {
		if _, err := parseMatchers(args); err == nil || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%v: %v", args, err)
		}
	}
	ms, err := parseMatchers([]string{"team=web", "title=disk full", `severity!="info", env=~"a|b"`, "service=~db-.*", `unit=eth0 (up)`, "a = b c", `path=C:\\x y`})
	if want := `team="web", title="disk full", severity!="info", env=~"a|b", service=~"db-.*", unit="eth0 (up)", a="b c", path="C:\\\\x y"`; err != nil || ms.String() != want {
		t.Errorf("read %s, %v", ms, err)
	}
}
