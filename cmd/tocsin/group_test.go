package main

import (
	"fmt"
	"net/http"
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

// seesModal waits until ann's dialog says all of this.
func seesModal(t *testing.T, s *playground.Server, words ...string) {
	t.Helper()
	until(t, s, fmt.Sprintf("a dialog that says %q", words), func(v *playground.Snapshot) bool {
		view, open := v.Modal("ann")
		for _, word := range words {
			open = open && strings.Contains(asJSON(view), word)
		}
		return open
	})
}

func TestTheMembersOfAGroupAreSeenEverywhere(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(groupedByCluster)
	p.start()
	connected(t, s)
	var all []map[string]any
	for host := range 30 {
		all = append(all, full("eu", fmt.Sprintf("db-%02d", host), "error"))
	}
	id := p.mustPush(all...)[0].Incident
	p.mustPush(over("eu", "db-07"))
	p.mustPush(full("us", "db-00", "warning"))
	card := wantGroup(t, s, "eu", "29 firing, 1 resolved")
	wantInThread(t, s, card, "All of the group", "disk full on db-00", "disk full on db-19")
	wantInThread(t, s, card, "disk full on db-29")

	// Details has pages, worst first.
	if _, err := s.User("ann").Choose(t.Context(), playground.AtMessage("#alerts", card.TS), "details:"+id); err != nil {
		t.Fatal(err)
	}
	seesModal(t, s, "Alerts 1 to 20 of 30")
	if _, err := s.User("ann").Click(t.Context(), playground.AtModal(), "members:older"); err != nil {
		t.Fatal(err)
	}
	seesModal(t, s, "Alerts 21 to 30 of 30", "disk full on db-07")

	var detail incidentDetail
	if err := p.ask("/v1/incidents/"+id+"?members=25", &detail); err != nil || len(detail.Members) != 25 || detail.MoreMembers != 5 || detail.Members[0].Key != "eu/db-00" {
		t.Errorf("the API answers %d members and %d more, %v", len(detail.Members), detail.MoreMembers, err)
	}
	if text := p.command("incidents", "show", id); !strings.Contains(text, "DiskFull (eu): 29 firing, 1 resolved") || !strings.Contains(text, "disk full on db-29") {
		t.Errorf("the shell shows %s", text)
	}

	var alerts []struct{ Fingerprint string }
	if err := p.ask("/api/v2/alerts", &alerts); err != nil || len(alerts) != 30 {
		t.Errorf("Alertmanager's API has %d alerts, %v", len(alerts), err)
	}
	var groups []struct {
		Labels map[string]string
		Alerts []struct{ Fingerprint string }
	}
	if err := p.ask("/api/v2/alerts/groups", &groups); err != nil || len(groups) != 2 || groups[0].Labels["cluster"] != "eu" || len(groups[0].Alerts) != 29 {
		t.Errorf("Alertmanager's API has the groups %+v, %v", groups, err)
	}

	// Lists and silences find it by a member. Whoever acts, acts on all of it.
	if text := p.command("incidents", "host=db-29"); !strings.Contains(text, id) {
		t.Errorf("the list by a member is %s", text)
	}
	if text := p.command("incidents", "host=db-07"); strings.Contains(text, id) {
		t.Errorf("the list by a member that is over is %s", text)
	}
	if text, status := p.tryCommand("resolve", "host=db-29"); status == 0 || !strings.Contains(text, id+" is a group of which only some alerts match") {
		t.Errorf("resolving one member ends with %d and says %s", status, text)
	}
	types(t, s, "ann", "resolve host=db-29")
	privately(t, s, "ann", id+"` is a group of which only some alerts match")
	if text := p.command("silence", "host=db-29", "--for", "1h"); !strings.Contains(text, "1 open incident") {
		t.Errorf("silencing a member says %s", text)
	}
}

func TestAnAcknowledgementByTheKeyOfOneAlertAcknowledgesItsGroup(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(groupedByCluster)
	p.start()
	p.mustPush(full("eu", "db-00", "error"), full("eu", "db-01", "error"))
	card := wantGroup(t, s, "eu", "2 firing")
	if got := p.webhook("/v2/enqueue", []byte(`{"event_action":"acknowledge","dedup_key":"eu/db-01"}`)); got.status != http.StatusAccepted {
		t.Fatalf("answered %d %s", got.status, got.body)
	}
	showing(t, s, card.TS, "Acknowledged")
}

func TestAnAlertWhoseLabelsChangeLeavesTheCardOfItsGroup(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(groupedByCluster)
	p.start()
	connected(t, s)
	moved := func(host string) map[string]any {
		a := full("us", host, "error")
		a["key"] = "eu/" + host
		return a
	}
	first := p.mustPush(full("eu", "db-1", "error"), full("eu", "db-2", "error"))
	wantGroup(t, s, "eu", "2 firing")
	second := p.mustPush(moved("db-1"))
	wantGroup(t, s, "eu", "1 firing, 1 resolved")
	third := p.mustPush(moved("db-2"))
	wantGroup(t, s, "us", "2 firing")
	card := wantGroup(t, s, "eu", "2 resolved")
	wantInThread(t, s, card, "moved to "+third[0].Incident)
	p.settle(append(first, append(second, third...)...)...)
	var open struct{ Incidents []alert.Incident }
	if err := p.ask("/v1/incidents?state=open,acked", &open); err != nil || len(open.Incidents) != 1 || open.Incidents[0].ID != third[0].Incident {
		t.Errorf("open are %+v, %v", open.Incidents, err)
	}
}

func TestAGroupOfTenThousandHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure(groupedByCluster)
	p.start()
	const many, batch = 10_050, 150
	var last []alert.Accepted
	for from := 0; from < many; from += batch {
		var all []map[string]any
		for host := range batch {
			all = append(all, full("eu", fmt.Sprint("db-", from+host), "error"))
		}
		last = p.mustPush(all...)
		if from == many/2/batch*batch {
			p.settle(p.mustPush(inChannel(firing("web", "web is slow"), "#ops"))...)
		}
	}
	p.settle(last...)
	card := wantGroup(t, s, "eu", "10050 firing")
	if top, _ := cards(s.Messages("#ops")); len(top) == 0 {
		t.Error("the other conversation has no card")
	}
	id := last[0].Incident
	var detail incidentDetail
	if err := p.ask("/v1/incidents/"+id+"?members=10000", &detail); err != nil || len(detail.Members) != 10_000 || detail.MoreMembers != 50 {
		t.Errorf("the API lists %d members and %d more, %v", len(detail.Members), detail.MoreMembers, err)
	}
	connected(t, s)
	press(t, s, "ann", card.TS, "resolve")
	wantGroup(t, s, "eu", "10050 resolved")
	if l := p.ledger().Total; l.Accepted != l.Delivered+l.Folded || l.Accepted != many+1 {
		t.Errorf("the ledger is %+v", l)
	}
}
