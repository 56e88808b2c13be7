package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/config"
	"tocsin/playground"
)

// startAlertmanager starts Debian's Alertmanager with a configuration beside the daemon and
// returns its address.
func startAlertmanager(t *testing.T, p *process, yaml string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t.Context(), "127.0.0.1:0")
	cmd := exec.CommandContext(t.Context(), debian(t, "prometheus-alertmanager"), "--config.file="+file, "--storage.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--cluster.listen-address=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	client := &http.Client{Timeout: patience}
	p.eventually("Alertmanager to be ready", func() bool {
		status, _, err := exchange(t, client, "GET", "http://"+address+"/-/ready", "")
		return err == nil && status == http.StatusOK
	})
	return "http://" + address
}

// exchange is what a server answers to a request with JSON.
func exchange(t testing.TB, client *http.Client, method, url, body string) (status int, answer string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(read)), err
}

// lacks says what of an answer of Alertmanager's another one lacks or has as something else.
func lacks(theirs, ours any) string {
	switch theirs := theirs.(type) {
	case map[string]any:
		has, ok := ours.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(theirs)) {
			value, found := has[name]
			if what := lacks(theirs[name], value); ok && found && what != "" {
				return name + ": " + what
			} else if !ok || !found {
				return fmt.Sprintf("no member %s in %v", name, ours)
			}
		}
		if code, ok := theirs["code"]; ok && code != has["code"] {
			return fmt.Sprintf("the code %v, not %v", has["code"], code)
		}
		return ""
	case []any:
		has, ok := ours.([]any)
		if !ok || len(has) != len(theirs) {
			return fmt.Sprintf("%v, not %v", ours, theirs)
		}
		for n := range theirs {
			if what := lacks(theirs[n], has[n]); what != "" {
				return what
			}
		}
		return ""
	}
	if t1, t2 := fmt.Sprintf("%T", theirs), fmt.Sprintf("%T", ours); t1 != t2 {
		return fmt.Sprintf("%s %v, not %s %v", t2, ours, t1, theirs)
	}
	return ""
}

// parsed is an answer, with the texts that are no JSON as they are.
func parsed(answer string) (v any) {
	if json.Unmarshal([]byte(answer), &v) != nil {
		return answer
	}
	return v
}

func TestBesideAlertmanagerEveryRequestIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.configure("routes:\n  - name: all\n    group_by: [alertname]\n    group_wait: 1s\n")
	p.start()
	theirs, client := startAlertmanager(t, p, "route: {receiver: '#alerts', group_by: [alertname]}\nreceivers: [{name: '#alerts'}]\n"), &http.Client{Timeout: patience}
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	soon, tomorrow, later := in(12*time.Hour), in(24*time.Hour), in(48*time.Hour)
	silence := func(members ...string) string {
		all := map[string]string{
			"startsAt": `"2026-01-01T00:00:00Z"`, "endsAt": `"` + tomorrow + `"`, "createdBy": `"ann"`, "comment": `"c"`,
			"matchers": `[{"name":"team","value":"db","isRegex":false}]`,
		}
		for pair := range slices.Chunk(members, 2) {
			if all[pair[0]] = pair[1]; pair[1] == "" {
				delete(all, pair[0])
			}
		}
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(all)) {
			parts = append(parts, `"`+name+`":`+all[name])
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	const (
		alerts, silences, nobody = "/api/v2/alerts", "/api/v2/silences", "/api/v2/silence/00000000-0000-0000-0000-000000000000"
		badOne                   = "an alert is not lost because of another one, nor because of what decorates it"
		badName                  = "names of labels may be any text, as in Alertmanager since 0.28"
		extension                = "filters can be written as in Tocsin, too"
	)
	// The latest silence's id, and when it begins, by address.
	made, begins := map[string]string{}, map[string]string{}
	for _, c := range []struct {
		method, path, body string
		// status is Tocsin's own where it differs for a reason; 0 where it doesn't.
		status int
		reason string
	}{
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"A","team":"web"},"annotations":{"summary":"s"},"generatorURL":"http://prometheus.example.com/g"}]`},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"C","team":"db","empty":""}}]`},
		{method: "POST", path: alerts, body: `[]`},
		{method: "POST", path: alerts, body: `null`},
		{method: "POST", path: alerts, body: ``},
		{method: "POST", path: alerts, body: `{}`},
		{method: "POST", path: alerts, body: `{`},
		{method: "POST", path: alerts, body: `"x"`},
		{method: "POST", path: alerts, body: `[{"labels":{}}]`},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":""}}]`},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"B"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]`},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"B"},"startsAt":"2026-01-01T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]`},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"B"},"startsAt":"","generatorURL":"","unknown":7,"endsAt":"2026-01-01T00:00:00Z"}]`},
		{method: "POST", path: alerts, body: `[{}]`, status: 400, reason: badOne},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"B"},"startsAt":"soon"}]`, status: 400, reason: badOne},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":5,"is":"over"},"endsAt":"2026-01-01T00:00:00Z"}]`, status: 200, reason: badOne},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"B"},"annotations":{"a":5},"endsAt":"2026-01-01T00:00:00Z"}]`, status: 200, reason: badOne},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"B"},"generatorURL":"nowhere","endsAt":"2026-01-01T00:00:00Z"}]`, status: 200, reason: badOne},
		{method: "POST", path: alerts, body: `[{"labels":{"1st-name":"B"},"endsAt":"2026-01-01T00:00:00Z"}]`, status: 200, reason: badName},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"B"},"annotations":{"a-b":"c"},"endsAt":"2026-01-01T00:00:00Z"}]`, status: 200, reason: badName},
		{method: "PUT", path: alerts, body: `[]`},
		{method: "DELETE", path: alerts},
		{method: "POST", path: "/api/v2/status"},

		{method: "GET", path: alerts},
		{method: "GET", path: alerts + "/groups"},
		{method: "GET", path: alerts + "?active=maybe"},
		{method: "GET", path: alerts + "?active="},
		{method: "GET", path: alerts + "?active=YES"},
		{method: "GET", path: alerts + "/groups?silenced=x&inhibited=x"},
		{method: "GET", path: alerts + "?filter=%7B%7B"},
		{method: "GET", path: alerts + "?filter="},
		{method: "GET", path: alerts + "?filter=a"},
		{method: "GET", path: alerts + "?filter=a%3D~("},
		{method: "GET", path: alerts + "?filter=team%3Dweb&filter=alertname%3DA"},
		{method: "GET", path: alerts + "?filter=%7Bteam%3D%22web%22,alertname%3DA%7D", status: 200, reason: extension},
		{method: "GET", path: alerts + "?filter=severity%3E%3Derror", status: 200, reason: extension},
		{method: "GET", path: alerts + "?receiver=("},
		{method: "GET", path: alerts + "/groups?receiver=("},
		{method: "GET", path: alerts + "?receiver=none"},
		{method: "GET", path: alerts + "?receiver=.alerts"},
		{method: "GET", path: "/api/v2/receivers"},
		{method: "GET", path: "/api/v2/status"},
		{method: "GET", path: "/api/v2/nope"},
		{method: "POST", path: "/api/v2/nope", body: `{}`},
		{method: "GET", path: "/api/v2/"},
		{method: "GET", path: "/-/healthy"},
		{method: "GET", path: "/-/ready", status: 200, reason: "it says what is ready"},

		{method: "GET", path: silences},
		{method: "GET", path: silences + "?filter=%7B%7B"},
		{method: "GET", path: nobody},
		{method: "GET", path: "/api/v2/silence/x"},
		{method: "DELETE", path: "/api/v2/silence/x"},
		{method: "DELETE", path: nobody, status: 404, reason: "it is not there, as Alertmanager says since 0.27"},
		{method: "POST", path: nobody, body: `{}`},
		{method: "GET", path: "/api/v2/silence/"},
		{method: "POST", path: silences},
		{method: "POST", path: silences, body: `{`},
		{method: "POST", path: silences, body: `[]`},
		{method: "POST", path: silences, body: `null`},
		{method: "POST", path: silences, body: `{}`},
		{method: "PUT", path: silences, body: `{}`},
		{method: "POST", path: silences, body: silence("comment", "")},
		{method: "POST", path: silences, body: silence("createdBy", "")},
		{method: "POST", path: silences, body: silence("startsAt", "")},
		{method: "POST", path: silences, body: silence("endsAt", "")},
		{method: "POST", path: silences, body: silence("matchers", "")},
		{method: "POST", path: silences, body: silence("matchers", "7")},
		{method: "POST", path: silences, body: silence("matchers", "[]")},
		{method: "POST", path: silences, body: silence("matchers", "[{}]")},
		{method: "POST", path: silences, body: silence("matchers", `[{"name":"a","value":"b"}]`)},
		{method: "POST", path: silences, body: silence("matchers", `[{"name":"a","isRegex":false}]`)},
		{method: "POST", path: silences, body: silence("matchers", `[{"name":"a","value":"","isRegex":false}]`)},
		{method: "POST", path: silences, body: silence("matchers", `[{"name":"a","value":"(","isRegex":true}]`)},
		{method: "POST", path: silences, body: silence("matchers", `[{"name":"a","value":".*","isRegex":true}]`)},
		{method: "POST", path: silences, body: silence("matchers", `[{"name":"a-b","value":"c","isRegex":false}]`), status: 200, reason: badName},
		{method: "POST", path: silences, body: silence("startsAt", `"x"`)},
		{method: "POST", path: silences, body: silence("endsAt", `"2026-01-02T00:00:00Z"`)},
		{method: "POST", path: silences, body: silence("startsAt", `"2126-01-02T00:00:00Z"`)},
		{method: "POST", path: silences, body: silence("id", `"x"`)},
		{method: "POST", path: silences, body: silence("comment", `""`, "createdBy", `""`, "matchers", `[{"name":"team","value":"ops","isRegex":false}]`)},
		{method: "POST", path: silences, body: silence()},
		{method: "GET", path: "/api/v2/silence/{id}"},
		{method: "POST", path: silences, body: silence("id", `"{id}"`, "startsAt", `"{startsAt}"`, "comment", `"longer"`, "createdBy", `"bob"`)},
		{method: "POST", path: silences, body: silence("id", `"{id}"`, "startsAt", `"{startsAt}"`, "endsAt", `"`+later+`"`)},
		{method: "POST", path: silences, body: silence("id", `"{id}"`, "startsAt", `"{startsAt}"`, "matchers", `[{"name":"team","value":"db|ops","isRegex":true}]`)},
		{method: "POST", path: silences, body: silence("id", `"{id}"`)},
		{method: "DELETE", path: "/api/v2/silence/{id}"},
		{method: "POST", path: silences, body: silence("startsAt", `"`+tomorrow+`"`, "endsAt", `"`+later+`"`)},
		{method: "GET", path: "/api/v2/silence/{id}"},
		{method: "POST", path: silences, body: silence("id", `"{id}"`, "startsAt", `"{startsAt}"`, "endsAt", `"`+later+`"`, "comment", `"soon"`)},
		{method: "POST", path: silences, body: silence("id", `"{id}"`, "startsAt", `"`+soon+`"`)},
		{method: "POST", path: silences, body: silence("id", `"{id}"`)},
		{method: "GET", path: silences + "?filter=team%3Dnone"},
		{method: "GET", path: alerts + "?filter=team%3Ddb"},
		{method: "GET", path: alerts + "?silenced=false"},
		{method: "DELETE", path: "/api/v2/silence/{id}"},
		{method: "DELETE", path: "/api/v2/silence/{id}"},
		{method: "GET", path: "/api/v2/silence/{id}"},
		{method: "POST", path: silences, body: silence("id", `"{id}"`)},

		// What has no end that can be read fires until resolve_timeout.
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"D"},"endsAt":""}]`},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"D"},"endsAt":1}]`, status: 200, reason: badOne},
		{method: "POST", path: alerts, body: `[{"labels":"x"}]`, status: 200, reason: badOne},
		{method: "POST", path: alerts, body: `[{"labels":{"alertname":"E"},"annotations":{"a":"` + strings.Repeat("x", 2<<20) + `"},"endsAt":"2026-01-01T00:00:00Z"}]`},
	} {
		// same reports whether the answer is about the silence that the latest one was about.
		ask := func(client *http.Client, to string) (status int, got any, same bool) {
			fill := strings.NewReplacer("{id}", made[to], "{startsAt}", begins[to])
			status, answer, err := exchange(t, client, c.method, to+fill.Replace(c.path), fill.Replace(c.body))
			if err != nil {
				t.Fatal(err)
			}
			had := made[to]
			if got, ok := parsed(answer).(map[string]any); ok && got["silenceID"] != nil {
				made[to] = fmt.Sprint(got["silenceID"])
			} else if ok && got["startsAt"] != nil {
				begins[to] = fmt.Sprint(got["startsAt"])
			}
			return status, parsed(answer), had == made[to]
		}
		if c.path == alerts+"/groups" { // it groups alerts after it has answered
			p.eventually("Alertmanager's groups", func() bool {
				_, groups, err := exchange(t, client, c.method, theirs+c.path, "")
				return err == nil && strings.Contains(groups, `"alertname":"A"`) && strings.Contains(groups, `"alertname":"C"`)
			})
		}
		want, their, theirSame := ask(client, theirs)
		status, our, ourSame := ask(p.client().http, "http://tocsin")
		what := lacks(their, our)
		if what == "" && theirSame != ourSame {
			what = fmt.Sprintf("the silence stays the same one: %v, not %v", ourSame, theirSame)
		}
		switch request := c.method + " " + c.path + " " + c.body; {
		case c.status != 0 && (status != c.status || want == status && what == ""):
			t.Errorf("%s is answered with %d %v, and by Alertmanager with %d %v; the difference should be that %s", request, status, our, want, their, c.reason)
		case c.status == 0 && (status != want || what != ""):
			t.Errorf("%s: %s: it is answered with %d %v, and by Alertmanager with %d %v", request, what, status, our, want, their)
		}
	}
}

// routesWithGroups is a configuration of Alertmanager's in which an alert is in several groups.
const routesWithGroups = `
route:
  receiver: "#alerts"
  group_by: [alertname]
  group_wait: 1s
  routes:
    - {receiver: "#oncall", matchers: [severity=critical], group_by: [cluster], continue: true}
    - {receiver: "#dba", matchers: [team=db], group_wait: 2s, continue: true}
    - {receiver: "#audit", matchers: [team=~"db|web"], continue: true}
    - {receiver: "#web", matchers: [team=web], group_by: [cluster, severity, source]}
receivers:
  - {name: "#alerts", slack_configs: [{channel: "#alerts", api_url: "http://127.0.0.1:1/"}]}
  - {name: "#oncall", slack_configs: [{channel: "#oncall", api_url: "http://127.0.0.1:1/"}]}
  - {name: "#dba", slack_configs: [{channel: "#dba", api_url: "http://127.0.0.1:1/"}]}
  - {name: "#audit", slack_configs: [{channel: "#audit", api_url: "http://127.0.0.1:1/"}]}
  - {name: "#web", slack_configs: [{channel: "#web", api_url: "http://127.0.0.1:1/"}]}
`

// groupsAt lists the groups that a server answers, one a line with its alerts, and each alert
// with its receivers and by how many silences it is hidden.
func groupsAt(t *testing.T, client *http.Client, address string) string {
	t.Helper()
	type amAlert struct {
		Labels    map[string]string
		Receivers []struct{ Name string }
		Status    struct{ SilencedBy []string }
	}
	type group struct {
		Labels   map[string]string
		Receiver struct{ Name string }
		Alerts   []amAlert
	}
	read := func(path string, into any) {
		if _, answer, err := exchange(t, client, "GET", address+path, ""); err != nil {
			t.Fatal(err)
		} else if err := json.Unmarshal([]byte(answer), into); err != nil {
			t.Fatalf("%s: %v in %s", path, err, answer)
		}
	}
	say := func(one amAlert) string {
		var to []string
		for _, r := range one.Receivers {
			to = append(to, r.Name)
		}
		slices.Sort(to)
		text := one.Labels["host"] + " to " + strings.Join(to, " ")
		if n := len(one.Status.SilencedBy); n > 0 {
			text += fmt.Sprintf(" (silenced by %d)", n)
		}
		return text
	}
	var groups []group
	var alerts []amAlert
	read("/api/v2/alerts/groups", &groups)
	read("/api/v2/alerts", &alerts)
	var lines []string
	for _, g := range groups {
		var hosts []string
		for _, one := range g.Alerts {
			hosts = append(hosts, say(one))
		}
		slices.Sort(hosts)
		lines = append(lines, fmt.Sprintf("%s %v: %s", g.Receiver.Name, g.Labels, strings.Join(hosts, ", ")))
	}
	for _, one := range alerts {
		lines = append(lines, "alert "+say(one))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestBesideAlertmanagerEachRouteHasItsOwnGroups(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	for _, name := range []string{"oncall", "dba", "audit", "web"} {
		s.AddChannel(playground.Channel{Name: name, IsMember: true})
	}
	p := prepare(t, s, nil)
	imported, err := config.ImportAlertmanager([]byte(routesWithGroups), func(string) []string { return nil })
	if err != nil {
		t.Fatal(err)
	}
	p.configure(imported.YAML)
	p.start()
	theirs, client := startAlertmanager(t, p, routesWithGroups), &http.Client{Timeout: patience}
	servers := map[string]*http.Client{theirs: client, "http://tocsin": p.client().http}
	send := func(path, body string) {
		t.Helper()
		for address, by := range servers {
			if status, answer, err := exchange(t, by, "POST", address+path, body); err != nil || status != http.StatusOK {
				t.Fatalf("%s answers %d %s, %v", address, status, answer, err)
			}
		}
	}
	post := func(ends string, hosts ...string) {
		t.Helper()
		var all []string
		for _, labels := range hosts {
			var pairs []string
			for _, pair := range strings.Fields(labels) {
				name, value, _ := strings.Cut(pair, "=")
				pairs = append(pairs, fmt.Sprintf("%q:%q", name, value))
			}
			all = append(all, fmt.Sprintf(`{"labels":{%s}%s}`, strings.Join(pairs, ","), ends))
		}
		send("/api/v2/alerts", "["+strings.Join(all, ",")+"]")
	}
	alike := func(when string) (groups string) {
		t.Helper()
		p.eventually("the same groups "+when, func() bool {
			groups = groupsAt(t, client, theirs)
			ours := groupsAt(t, p.client().http, "http://tocsin")
			if groups != ours {
				t.Logf("%s, Alertmanager has\n%s\nTocsin has\n%s", when, groups, ours)
			}
			return groups == ours
		})
		return groups
	}
	all := []string{
		"alertname=DiskFull severity=critical team=db cluster=eu host=db-1",
		"alertname=DiskFull severity=warning team=db cluster=eu host=db-2",
		"alertname=Slow severity=critical team=db cluster=eu host=db-3",
		"alertname=Slow severity=critical team=web cluster=eu host=web-1 source=cron",
		"alertname=Slow severity=warning team=web cluster=us host=web-2 source=cron",
		"alertname=DiskFull severity=critical team=db cluster=test host=db-4",
		"alertname=Down severity=critical team=ops cluster=us host=ops-1",
		"alertname=Down severity=warning team=ops cluster=us host=ops-2",
	}
	post("", all...)
	first := alike("at the start")
	if !strings.Contains(first, "#oncall map[cluster:eu]: db-1 to #audit #dba #oncall, db-3 to #audit #dba #oncall, web-1 to ") {
		t.Errorf("Alertmanager has the groups\n%s", first)
	}
	// Each group has a card where it belongs.
	for channel, want := range map[string]int{"#oncall": 3, "#dba": 2, "#audit": 2, "#web": 2, "#alerts": 1} {
		until(t, s, fmt.Sprintf("%d cards in %s", want, channel), func(v *playground.Snapshot) bool {
			top, _ := cards(v.Messages(channel))
			return len(top) == want
		})
	}
	for name, value := range map[string]string{"cluster": "eu", "team": "web"} {
		send("/api/v2/silences", fmt.Sprintf(`{"matchers":[{"name":%q,"value":%q,"isRegex":false}],"startsAt":"2026-01-01T00:00:00Z","endsAt":%q,"createdBy":"ann","comment":"c"}`,
			name, value, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	}
	if silenced := alike("under two silences"); !strings.Contains(silenced, "alert web-1 to #audit #oncall #web (silenced by 2)") {
		t.Errorf("Alertmanager has\n%s", silenced)
	}
	post(`,"endsAt":"`+time.Now().UTC().Format(time.RFC3339)+`"`, all[0], all[4], all[7])
	alike("when some have ended")
	p.kill()
	p.start()
	alike("after a restart")
	p.eventually("the ledger to settle", func() bool { return p.ledger().Total.Pending == 0 })
	if l := p.ledger().Total; l.Accepted != int64(len(all)+3) || l.Accepted != l.Delivered+l.Folded {
		t.Errorf("the ledger is %+v", l)
	}
}

const inhibitingAndAlone = `
route:
  receiver: "#alerts"
  group_by: [cluster]
  group_wait: 1s
  routes:
    - {receiver: "#web", matchers: [team=web], group_by: [...]}
inhibit_rules:
  - {source_matchers: [alertname=ClusterDown], target_matchers: [severity=warning], equal: [cluster]}
receivers:
  - {name: "#alerts", slack_configs: [{channel: "#alerts", api_url: "http://127.0.0.1:1/"}]}
  - {name: "#web", slack_configs: [{channel: "#web", api_url: "http://127.0.0.1:1/"}]}
`

// alertsAt is what a server answers about each alert, one a line.
func alertsAt(t *testing.T, client *http.Client, address string) string {
	t.Helper()
	var alerts []struct {
		Labels, Annotations   map[string]string
		Fingerprint, StartsAt string
		Status                struct {
			State                   string
			SilencedBy, InhibitedBy []string
		}
	}
	if _, answer, err := exchange(t, client, "GET", address+"/api/v2/alerts", ""); err != nil {
		t.Fatal(err)
	} else if err := json.Unmarshal([]byte(answer), &alerts); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	var lines []string
	for _, one := range alerts {
		lines = append(lines, fmt.Sprintf("%v %s %v since %s: %s, %d silences, inhibited by %v",
			one.Labels, one.Fingerprint, one.Annotations, one.StartsAt[:len("2026-01-02T15:04:05")], one.Status.State, len(one.Status.SilencedBy), one.Status.InhibitedBy))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestBesideAlertmanagerAnAlertSaysTheSame(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	s.AddChannel(playground.Channel{Name: "web", IsMember: true})
	p := prepare(t, s, nil)
	imported, err := config.ImportAlertmanager([]byte(inhibitingAndAlone), func(string) []string { return nil })
	if err != nil {
		t.Fatal(err)
	}
	p.configure(imported.YAML)
	p.start()
	theirs, client := startAlertmanager(t, p, inhibitingAndAlone), &http.Client{Timeout: patience}
	begin := time.Now().UTC().Add(-time.Hour)
	post := func(ago time.Duration, value string, all ...string) {
		t.Helper()
		var alerts []string
		for _, name := range all {
			alerts = append(alerts, fmt.Sprintf(`{"labels":{%s},"annotations":{"summary":"s","value":%q},"startsAt":%q,"generatorURL":"http://prometheus/g"}`,
				name, value, begin.Add(-ago).Format(time.RFC3339)))
		}
		for address, by := range map[string]*http.Client{theirs: client, "http://tocsin": p.client().http} {
			if status, answer, err := exchange(t, by, "POST", address+"/api/v2/alerts", "["+strings.Join(alerts, ",")+"]"); err != nil || status != http.StatusOK {
				t.Fatalf("%s answers %d %s, %v", address, status, answer, err)
			}
		}
	}
	silence := func(name, value string) {
		t.Helper()
		for address, by := range map[string]*http.Client{theirs: client, "http://tocsin": p.client().http} {
			body := fmt.Sprintf(`{"matchers":[{"name":%q,"value":%q,"isRegex":false}],"startsAt":"2026-01-01T00:00:00Z","endsAt":%q,"createdBy":"ann","comment":"c"}`,
				name, value, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
			if status, answer, err := exchange(t, by, "POST", address+"/api/v2/silences", body); err != nil || status != http.StatusOK {
				t.Fatalf("%s answers %d %s, %v", address, status, answer, err)
			}
		}
	}
	alike := func(when string, at func(t *testing.T, client *http.Client, address string) string, parts ...string) {
		t.Helper()
		p.eventually("the same "+when, func() bool {
			want, got := at(t, client, theirs), at(t, p.client().http, "http://tocsin")
			ready := !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(want, part) })
			if ready && want != got {
				t.Logf("%s, Alertmanager has\n%s\nTocsin has\n%s", when, want, got)
			}
			return ready && want == got
		})
	}
	down := `"alertname":"ClusterDown","cluster":"eu","severity":"critical"`
	slow := `"alertname":"Slow","cluster":"eu","severity":"warning"`
	web, other := `"alertname":"Slow","team":"web","host":"web-1","severity":"critical"`, `"alertname":"Slow","team":"web","host":"web-2","severity":"critical"`
	post(0, "1", down, slow, web, other)
	alike("at first", alertsAt, "suppressed, 0 silences, inhibited by [")
	alike("groups of all labels", groupsAt, "#web map[alertname:Slow host:web-1 severity:critical team:web]: web-1")
	silence("alertname", "Slow")
	alike("inhibited, and under a silence", alertsAt, "suppressed, 1 silences, inhibited by [")
	silence("cluster", "us")
	post(0, "1", strings.Replace(slow, "eu", "us", 1), strings.Replace(down, "eu", "us", 1))
	alike("silenced, and inhibited", alertsAt, "cluster:us severity:warning] ")
	post(time.Minute, "2", down, slow, web) // earlier, and with other annotations
	alike("repeated", alertsAt, "value:2] since "+begin.Add(-time.Minute).Format("2006-01-02T15:04:05"))
	post(-time.Minute, "3", slow, web) // later
	alike("repeated with a later beginning", alertsAt, "value:3] since "+begin.Add(-time.Minute).Format("2006-01-02T15:04:05"))
	p.kill()
	p.start()
	alike("after a restart", alertsAt)
}
