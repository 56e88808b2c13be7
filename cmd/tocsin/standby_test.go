package main

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// Whatever a sender speaks, a standby answers as the active replica does.
func TestEverySenderIsAnsweredByAStandbyAsByTheActiveOne(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 2)
	standby := all[1]
	for _, r := range []struct{ path, body, shown string }{
		{"/v1/webhooks/alertmanager", `{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"ByAlertmanager"},"annotations":{"summary":"by a webhook"},"startsAt":"2026-11-28T10:00:00Z"}]}`, "by a webhook"},
		{"/v2/enqueue", `{"routing_key":"r","event_action":"trigger","dedup_key":"d","payload":{"summary":"by PagerDuty","source":"db","severity":"error"}}`, "by PagerDuty"},
		{"/api/v2/alerts", `[{"labels":{"alertname":"ByPrometheus"},"annotations":{"summary":"by Prometheus"}}]`, "by Prometheus"},
		{"/slack/webhook/alerts", `{"text":"by Slack's webhook"}`, "by Slack's webhook"},
	} {
		if got := standby.webhook(r.path, []byte(r.body)); got.status/100 != 2 {
			t.Errorf("%s is answered %d %s", r.path, got.status, got.body)
		}
		standby.eventually(r.shown, func() bool {
			return slices.ContainsFunc(s.Messages("#alerts"), func(m playground.Message) bool { return strings.Contains(m.Text, r.shown) })
		})
	}
	if got := standby.webhook("/v1/heartbeats/backup?every=1h", nil); got.status != http.StatusAccepted {
		t.Errorf("a heartbeat is answered %d %s", got.status, got.body)
	}
	all[0].eventually("the heartbeat at the active one", func() bool {
		var list struct{ Heartbeats []struct{ Name string } }
		return all[0].ask("/v1/heartbeats", &list) == nil && len(list.Heartbeats) == 1 && list.Heartbeats[0].Name == "backup"
	})
}

func TestAboveMaxPendingAStandbyAnswersAsTheActiveOneDoes(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	store := sharedStore(t)
	var all []*process
	for range 2 {
		p := prepare(t, s, map[string]string{"SLACK_BOT_TOKEN": "", "TOCSIN_STORE": store})
		p.configure("delivery:\n  max_pending: 2\n")
		p.start()
		all = append(all, p)
	}
	all[1].mustPush(firing("a", "a"), firing("b", "b"))
	var said [2]*answerError
	for n, p := range all { // a standby counts what is pending every few seconds
		p.eventually("a refusal", func() bool {
			_, err := p.push(firing("c", "c"))
			return errors.As(err, &said[n])
		})
	}
	if said[0].status != http.StatusTooManyRequests || said[0].Error() != said[1].Error() {
		t.Errorf("the active one answers %+v, the standby %+v", said[0], said[1])
	}
}

// Accepted means stored, whatever the active replica would answer.
func TestABatchThatAStandbyHasQueuedIsDecidedAlertByAlert(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 2)
	first, second := all[0], all[1]
	once := func(key, title string) map[string]any {
		return map[string]any{"key": title, "title": title, "idempotency_key": key}
	}
	first.mustPush(once("known", "zero"))
	release := nextActive(first)
	first.kill()
	var refused *answerError
	if _, err := second.push(firing("lost", "lost"), once("known", "other")); !errors.As(err, &refused) || refused.status != http.StatusConflict {
		t.Errorf("a key that the store knows is answered %v", err)
	}
	second.mustPush(once("new", "one"))
	second.mustPush(firing("two", "two"), once("new", "three"), inChannel(firing("four", "four"), "#nowhere"))
	release()
	active(t, all[1:])
	second.eventually("five accepted", func() bool { return second.ledger().Total.Accepted == 5 })
	for _, title := range []string{"zero", "one", "two", "three"} {
		cardOf(t, s, title)
	}
	if said := second.log.String(); !strings.Contains(said, "reuses an idempotency key") {
		t.Error("the log does not say that a key was reused")
	}
}

func TestDoctorAtAStandbyLooksAtAllThatAStandbyCanSee(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 2)
	sockets(t, s, 4)
	var found, atActive alert.Checkup
	for p, into := range map[*process]*alert.Checkup{all[0]: &atActive, all[1]: &found} {
		if err := p.ask("/v1/doctor", into); err != nil {
			t.Fatal(err)
		}
	}
	if found.Result != alert.CheckOK {
		t.Errorf("it finds %+v", found)
	}
	for _, name := range []string{"configuration", "bot token", "app token", "scopes", "clock", "socket mode", "conversation", "socket", "store", "replicas"} {
		if !slices.ContainsFunc(found.Checks, func(c alert.Check) bool { return c.Name == name }) {
			t.Errorf("it does not look at the %s: %+v", name, found.Checks)
		}
	}
	if slices.ContainsFunc(found.Checks, func(c alert.Check) bool { return c.Name == "store content" }) {
		t.Error("it says of the content of a store that it does not have that it is intact")
	}
	s.SetScopes(slices.DeleteFunc(playground.DefaultScopes(), func(scope string) bool { return scope == "chat:write" }))
	if err := all[1].ask("/v1/doctor", &found); err != nil || found.Result != alert.CheckError {
		t.Errorf("without chat:write it finds %+v, %v", found, err)
	}
}

// What keeps one replica alone from Slack takes it out of service. If it is all of them,
// those that are not active go on, because they accept.
func TestAStandbyWithoutSlackIsNotReadyUnlessNoReplicaHasIt(t *testing.T) {
	t.Parallel()
	const away = "http://127.0.0.1:1/api/"
	for name, c := range map[string]struct {
		first string
		ready bool
	}{"another one has it": {"", false}, "nobody has it": {away, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := slack(t, playground.Options{})
			store := sharedStore(t)
			first := prepare(t, s, map[string]string{"TOCSIN_STORE": store})
			if c.first != "" {
				first.env["SLACK_API_URL"] = c.first
			}
			first.start()
			second := prepare(t, s, map[string]string{"TOCSIN_STORE": store, "SLACK_API_URL": away})
			second.start()
			second.eventually("it says that it has no Slack", func() bool {
				h := second.readyz()
				said := h.Problems
				if c.ready {
					said = h.Notes
				}
				return h.Standby && h.Ready == c.ready && slices.ContainsFunc(said, func(p alert.Problem) bool { return p.Code == alert.ProblemConnection })
			})
			kind := map[bool]string{true: "tocsin_note", false: "tocsin_problem"}[c.ready]
			if metrics := second.metrics(); !strings.Contains(metrics, kind+`{problem="connection"} 1`) {
				t.Errorf("the metrics do not say so:\n%s", metrics)
			}
			said, _ := second.tocsin("status")
			if !strings.Contains(said, "authentication with Slack failed") || strings.Contains(said, "dead letters") || strings.Contains(said, "out of reach") {
				t.Errorf("tocsin status says\n%s", said)
			}
			second.mustPush(firing("a", "accepted all the same"))
		})
	}
}

func TestAnAlertThatAStandbyHasQueuedIsKnownByItsIDBeforeItIsDecided(t *testing.T) {
	t.Parallel()
	all := replicas(t, slack(t, playground.Options{}), 2)
	release := nextActive(all[0])
	all[0].kill()
	standby := all[1]
	queued := standby.mustPush(firing("a", "queued"))[0]
	var rec alert.Record
	if err := standby.ask("/v1/alerts/"+queued.ID, &rec); err != nil || queued.Effect != alert.EffectQueued || rec.ID != queued.ID || rec.Standing != alert.StandQueued {
		t.Errorf("of the alert with the receipt %+v it says %+v, %v", queued, rec, err)
	}
	var unknown *answerError
	if err := standby.ask("/v1/alerts/"+alert.NewID(), &rec); !errors.As(err, &unknown) || unknown.status != http.StatusNotFound {
		t.Errorf("of an alert that nobody has sent it says %+v, %v", rec, err)
	}
	checked := func(want bool) {
		t.Helper()
		if said, err := standby.tocsin("store", "check"); err != nil || strings.Contains(said, "queued for the active replica: 1 request") != want {
			t.Errorf("store check says %s, %v", said, err)
		}
	}
	checked(true)
	release()
	active(t, all[1:])
	standby.settle(queued)
	checked(false)
}
