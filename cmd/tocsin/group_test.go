package main

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// groupedByCluster has alerts form groups, with times that a test can wait for.
const groupedByCluster = `
delivery: {digest_above: 100}
routes:
  - name: prometheus
    group_by: [alertname, cluster]
    group_wait: 1s
    group_interval: 1s
    mention: here
`

// full says that the disk of a host in a cluster is full.
func full(cluster, host, severity string) map[string]any {
	return map[string]any{
		"key": cluster + "/" + host, "title": "disk full on " + host, "severity": severity,
		"labels": map[string]string{"alertname": "DiskFull", "cluster": cluster, "host": host},
	}
}

func over(cluster, host string) map[string]any {
	a := full(cluster, host, "error")
	a["status"] = "resolved"
	return a
}

// wantGroup waits until the card of a group says all of this, and returns it.
func wantGroup(t *testing.T, s *playground.Server, cluster string, words ...string) (card playground.Message) {
	t.Helper()
	until(t, s, fmt.Sprintf("the group of %s to say %q", cluster, words), func(v *playground.Snapshot) bool {
		top, _ := cards(v.Messages("#alerts"))
		for _, m := range top {
			if !strings.Contains(m.Text, "DiskFull ("+cluster+")") {
				continue
			}
			card = m
			for _, word := range words {
				if !strings.Contains(m.Text, word) {
					return false
				}
			}
			return true
		}
		return false
	})
	return card
}

// wantInThread waits until a reply in the thread of a card says all of this.
func wantInThread(t *testing.T, s *playground.Server, card playground.Message, words ...string) {
	t.Helper()
	until(t, s, fmt.Sprintf("a reply that says %q", words), func(v *playground.Snapshot) bool {
		_, threads := cards(v.Messages("#alerts"))
		for _, m := range threads {
			says := m.ThreadTS == card.TS
			for _, word := range words {
				says = says && strings.Contains(shown(m), word)
			}
			if says {
				return true
			}
		}
		return false
	})
}

func TestSixtyAlertsInSixGroupsAreSixCards(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(groupedByCluster)
	p.start()
	var all []map[string]any
	var receipts []alert.Accepted
	for host := range 10 {
		for cluster := range 6 {
			all = append(all, full(fmt.Sprint("c", cluster), fmt.Sprint("db-", host), "error"))
		}
	}
	receipts = p.mustPush(all...)
	p.kill()
	p.start()
	p.settle(receipts...)
	card := wantGroup(t, s, "c0", "10 firing", "db-0", "db-9")
	top, _ := cards(s.Messages("#alerts"))
	if len(top) != 6 || !strings.Contains(shown(card), "!here") {
		t.Errorf("there are %d cards, one is %s", len(top), shown(card))
	}

	p.settle(p.mustPush(full("c0", "db-10", "warning"))...)
	wantGroup(t, s, "c0", "11 firing")
	wantInThread(t, s, card, "1 more", "disk full on db-10")
	p.settle(p.mustPush(full("c0", "db-11", "critical"))...)
	wantGroup(t, s, "c0", "Critical: ", "12 firing")
	wantInThread(t, s, card, "disk full on db-11", "!here")

	for host := range 11 {
		p.settle(p.mustPush(over("c0", fmt.Sprint("db-", host)))...)
	}
	wantGroup(t, s, "c0", "Critical: ", "1 firing, 11 resolved")
	p.kill()
	p.start()
	p.settle(p.mustPush(over("c0", "db-11"))...)
	wantGroup(t, s, "c0", "Resolved: ", "12 resolved")
	if l := p.ledger(); l.Total.Accepted != l.Total.Delivered+l.Total.Folded || l.Total.Accepted != 74 {
		t.Errorf("the ledger is %+v", l.Total)
	}

	// People act on the group.
	connected(t, s)
	card = wantGroup(t, s, "c1", "10 firing")
	press(t, s, "ann", card.TS, "ack")
	wantGroup(t, s, "c1", "Acknowledged", "10 firing")
	press(t, s, "ann", card.TS, "resolve")
	wantGroup(t, s, "c1", "Resolved: ", "10 resolved")
}
