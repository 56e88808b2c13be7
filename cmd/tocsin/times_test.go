package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// cardWith is what a channel shows of an incident.
func cardWith(t *testing.T, s *playground.Server, title string) playground.Message {
	t.Helper()
	top, _ := cards(s.Messages("#alerts"))
	at := slices.IndexFunc(top, func(m playground.Message) bool { return strings.Contains(m.Text, title) })
	if at < 0 {
		t.Fatalf("no card shows %q", title)
	}
	return top[at]
}

func TestAnEventIsShownAsOldAsItIs(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	began := time.Now().Add(-9 * time.Hour).UTC().Truncate(time.Second)
	late, future, now := firing("late", "Host unreachable"), firing("future", "Host away"), firing("now", "Host gone")
	late["at"], future["at"], now["at"] = began.Format(time.RFC3339), began.AddDate(1, 0, 0), time.Now().UTC()
	got := p.mustPush(late, future, now)
	p.settle(got...)
	if len(got[1].Notes) != 1 || len(got[0].Notes) != 0 {
		t.Errorf("a time in the future is noted as %q, another one as %q", got[1].Notes, got[0].Notes)
	}
	card := cardWith(t, s, "Host unreachable")
	if !strings.Contains(card.Text, fmt.Sprintf("began <!date^%d^", began.Unix())) || !strings.Contains(card.Text, "received <!date^") {
		t.Errorf("it is shown as %s", card.Text)
	}
	for _, title := range []string{"Host away", "Host gone"} {
		if card := cardWith(t, s, title); strings.Contains(card.Text, "received") {
			t.Errorf("it is shown as %s", card.Text)
		}
	}
	if said := p.command("incidents", "show", got[0].Incident); !strings.Contains(said, "began:") || !strings.Contains(said, "received:") {
		t.Errorf("the command says %s", said)
	}
	var i alert.Incident
	if err := p.ask(incidentPath(got[0].Incident), &i); err != nil || !i.BeganAt.Equal(began) || i.FirstAt.Before(began.Add(time.Hour)) {
		t.Errorf("the API says %s and %s: %v", i.BeganAt, i.FirstAt, err)
	}
	p.settle(p.mustPush(resolved(firing("late", "Host unreachable")))...)
	p.eventually("the end", func() bool { return strings.Contains(cardWith(t, s, "Host unreachable").Text, "Resolved after 9 h") })
}

func TestWhatNothingRefreshesExpiresAlsoAcrossARestart(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	short, down, stays := firing("short", "probe failed"), firing("down", "lease is over"), firing("stays", "disk full")
	short["expires_in"], down["ends_at"], stays["expires_in"] = 1, time.Now().Add(2*time.Second), "forever"
	p.settle(p.mustPush(short, down, stays)...)
	expired := func(title string) func() bool {
		return func() bool { return strings.Contains(cardWith(t, s, title).Text, "Expired after") }
	}
	p.eventually("the first to expire", expired("probe failed"))
	p.kill()
	p.start()
	p.eventually("the second to expire", expired("lease is over"))
	if card := cardWith(t, s, "disk full"); strings.Contains(card.Text, "Expired") {
		t.Errorf("it is shown as %s", card.Text)
	}
	p.eventually("both threads to say so", func() bool {
		_, thread := cards(s.Messages("#alerts"))
		return len(thread) == 2 && strings.Contains(thread[0].Text, "Expired") && strings.Contains(thread[1].Text, "Expired")
	})
}

func TestAPersonWhomSendersMayMentionByNameMayBeMentionedByID(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure("permissions: {mention: ['@bob']}\n")
	p.start()
	byName, byID, other := firing("a", "disk full"), firing("b", "disk fuller"), firing("c", "disk fullest")
	byName["mention"], byID["mention"], other["mention"] = "bob", "U0BOB", "U0ANN"
	p.settle(p.mustPush(byName)...)
	p.eventually("Slack to say who bob is", func() bool { return strings.Contains(shown(cardWith(t, s, "disk full")), "U0BOB") })
	got := p.mustPush(byID, other)
	p.settle(got...)
	if len(got[0].Notes) != 0 || len(got[1].Notes) != 1 {
		t.Errorf("the notes are %q and %q", got[0].Notes, got[1].Notes)
	}
	if card := shown(cardWith(t, s, "disk fuller")); !strings.Contains(card, `\u003c@U0BOB\u003e`) {
		t.Errorf("the card is %s", card)
	}
}

func TestASendersMentionNotifiesOnlyWhereTheConfigurationSaysSo(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure("permissions: {mention: [here]}\n")
	p.start()
	here, channel := firing("a", "disk full"), firing("b", "disk fuller")
	here["mention"], channel["mention"] = "@here", "channel"
	got := p.mustPush(here, channel)
	p.settle(got...)
	if len(got[0].Notes) != 0 || len(got[1].Notes) != 1 || !strings.Contains(got[1].Notes[0], "permissions.mention") {
		t.Errorf("the notes are %q and %q", got[0].Notes, got[1].Notes)
	}
	if card := shown(cardWith(t, s, "disk full")); strings.Count(card, "here") != 2 || !strings.Contains(card, `\u003c!here\u003e`) { // blocks and text
		t.Errorf("the card is %s", card)
	}
	if card := shown(cardWith(t, s, "disk fuller")); strings.Contains(card, "!channel") {
		t.Errorf("the other card is %s", card)
	}
	for text, pings := range map[string]bool{"disk of Slack <!here>": true, "another of Slack <!channel>": false} {
		resp, err := p.client().http.Post("http://localhost/slack/webhook/alerts", "application/json", strings.NewReader(`{"text":"`+text+`"}`))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
		_ = resp.Body.Close()
		title, _, _ := strings.Cut(text, " <")
		until(t, s, "the card of "+title, func(now *playground.Snapshot) bool {
			top, _ := cards(now.Messages("#alerts"))
			return slices.ContainsFunc(top, func(m playground.Message) bool { return strings.Contains(m.Text, title) })
		})
		if card := shown(cardWith(t, s, title)); strings.Contains(card, `\u003c!here`) != pings || strings.Contains(card, "!channel") {
			t.Errorf("%s: the card is %s", text, card)
		}
	}
	p.mustPush(resolved(here))
	p.settle(p.mustPush(here)...)
	p.eventually("the reply that notifies", func() bool {
		_, thread := cards(s.Messages("#alerts"))
		return slices.ContainsFunc(thread, func(m playground.Message) bool {
			return strings.Contains(m.Text, "<!here>") && strings.Contains(m.Text, "Firing again")
		})
	})
}
