package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tocsin/playground"
)

// TestEachTextOfOneKeyCanBeRead: alerts with one key and different texts come faster than
// Slack takes them, so that replies merge and the card shows the latest only.
func TestEachTextOfOneKeyCanBeRead(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(p *process, alerts []map[string]any){
		"in one request":  func(p *process, alerts []map[string]any) { p.mustPush(alerts...) },
		"one by one":      func(p *process, alerts []map[string]any) { each(p, alerts) },
		"behind an other": func(p *process, alerts []map[string]any) { p.mustPush(others()...); each(p, alerts) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := slack(t, playground.Options{})
			p := prepare(t, s, nil)
			p.start()
			var alerts []map[string]any
			for n := range 12 {
				a := firing("k", "backup")
				a["text"] = fmt.Sprintf("volume-%02d is full", n)
				alerts = append(alerts, a)
			}
			send(p, alerts[:3])
			p.eventually("everything delivered", func() bool { return p.unfinished() == 0 })
			said := threadOf(t, s, "backup")
			if got := volumesIn(said, 3); !slices.Equal(got, []string{"volume-00", "volume-01", "volume-02"}) {
				t.Errorf("the thread has %q:\n%s", got, said)
			}
			each(p, alerts[3:])
			p.eventually("everything delivered", func() bool { return p.unfinished() == 0 })
			said = threadOf(t, s, "backup")
			if got := volumesIn(said, 12); len(got) < 12 && !strings.Contains(said, "said something else: `tocsin incidents show ") {
				t.Errorf("the thread has %q and does not say where the others are:\n%s", got, said)
			}
			history := p.command("show", "backup")
			if got := volumesIn(history, 12); len(got) != 12 {
				t.Errorf("the history has %q:\n%s", got, history)
			}
		})
	}
}

func each(p *process, alerts []map[string]any) {
	for _, a := range alerts {
		p.mustPush(a)
	}
}

func others() (all []map[string]any) {
	for n := range 3 {
		all = append(all, firing(fmt.Sprint("other-", n), "other"))
	}
	return all
}

// threadOf is what the thread of a card in #alerts says.
func threadOf(t *testing.T, s *playground.Server, title string) string {
	t.Helper()
	var said strings.Builder
	card := cardOf(t, s, title)
	_, thread := cards(s.Messages("#alerts"))
	for _, m := range thread {
		if m.ThreadTS == card.TS {
			said.WriteString(m.Text + "\n")
		}
	}
	return said.String()
}

// volumesIn are the volumes up to a number that a text names, in their order.
func volumesIn(text string, most int) (found []string) {
	for n := range most {
		name := fmt.Sprintf("volume-%02d", n)
		if at := strings.Index(text, name); at >= 0 {
			found, text = append(found, name), text[at:]
		}
	}
	return found
}
