package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

func TestWhatAStandbyHasQueuedIsShownOnceAndInOrderWhenTheActiveOneDies(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 2)
	first, second := all[0], all[1]
	if err := first.cmd.Process.Signal(syscall.SIGSTOP); err != nil { // so that it decides nothing
		t.Fatal(err)
	}
	var queued []alert.Accepted
	for _, title := range []string{"one", "two", "two", "three"} {
		one := firing(title, title)
		one["idempotency_key"] = title
		queued = append(queued, second.mustPush(one)...)
	}
	for _, receipt := range queued {
		if receipt.ID == "" || receipt.Effect != alert.EffectQueued {
			t.Errorf("without an active replica the receipt is %+v", receipt)
		}
	}
	first.kill()
	active(t, all[1:])
	second.settle(queued[0], queued[1], queued[3])
	var shown []string
	top, _ := cards(s.Messages("#alerts"))
	for _, m := range top {
		for _, title := range []string{"one", "two", "three"} {
			if strings.Contains(m.Text, title) {
				shown = append(shown, title)
			}
		}
	}
	if !slices.Equal(shown, []string{"one", "two", "three"}) {
		t.Errorf("the channel shows %q", shown)
	}
	if l := second.ledger(); l.Total.Accepted != 3 || l.Total.Pending != 0 {
		t.Errorf("the ledger is %+v", l.Total)
	}
}

func TestManySendersOfTwoStandbysGetTheirReceiptsInOrder(t *testing.T) {
	t.Parallel()
	const senders, each = 8, 20
	s := slack(t, playground.Options{Limits: playground.Limits{PostsPerMinute: 1 << 20, Tier3: 1 << 20}})
	channels := addChannels(s, senders)
	all := replicas(t, s, 3)
	standbys := all[1:]
	var sending sync.WaitGroup
	for n, ch := range channels {
		sending.Go(func() {
			p := standbys[n%len(standbys)]
			for k := range each {
				title := fmt.Sprintf("%s number %d.", ch, k)
				got, err := push(t.Context(), p.client(), []map[string]any{inChannel(firing(title, title), ch)})
				if err != nil || got[0].Effect != alert.EffectOpened || got[0].Incident == "" {
					t.Errorf("%s got %+v, %v", title, got, err)
					return
				}
			}
		})
	}
	sending.Wait()
	all[0].eventually("nothing pending", func() bool { return all[0].ledger().Total.Pending == 0 })
	if l := all[0].ledger(); l.Total.Accepted != senders*each {
		t.Errorf("%d alerts are accepted, %d were sent", l.Total.Accepted, senders*each)
	}
	for _, ch := range channels {
		if order := all[0].openedIn(ch); len(order) != each || !slices.IsSorted(order) {
			t.Errorf("in %s the alerts were decided as %v", ch, order)
		}
	}
}

// openedIn are the numbers in the titles of a channel's incidents, in the order they opened.
func (p *process) openedIn(channel string) (numbers []int) {
	p.t.Helper()
	var list struct{ Incidents []alert.Incident }
	if err := p.ask("/v1/incidents?sort=latest&limit=1000", &list); err != nil {
		p.t.Fatal(err)
	}
	for _, i := range slices.Backward(list.Incidents) {
		var n int
		if _, err := fmt.Sscanf(i.Title, channel+" number %d.", &n); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
