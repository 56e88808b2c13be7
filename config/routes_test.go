package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/config"
)

func matchers(t *testing.T, s string) alert.Matchers {
	t.Helper()
	ms, err := alert.ParseMatchers(s)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

func TestRoutesAreReadInTheirOrderAndBroughtToOneSpelling(t *testing.T) {
	c := load(t, environment{files: map[string]string{etc: `
delivery: {thread: all, broadcast: true, when_unsure: hold, reopen_within: 2h, info_expires_in: forever}
permissions: {mention: ["<!here>", "@DBA"]}
routes:
  - name: database
    match: [severity="critical", 'service=~"db-\\d+", env!=test']
    to: [DBA, "#dba", "<#C0123456789|alerts>"]
    mention: ["<!here>", "@DBA", S0123456789]
    continue: true
    escalate:
      - {after: 10m, mention: "@ann"}
      - {after: 1h30m, to: Ann@Example.com}
    remind: 4h
    quiet: {from: 22:00, until: 7:30, zone: Europe/Berlin, days: [Monday, tue, mon], below: err}
    thread: none
    broadcast: false
    when_unsure: resend
    reopen_within: 10m
    expires_in: 6h
    group_by: [alertname, cluster, alertname]
    group_wait: 0s
    group_interval: 10m
  - name: everything else
    expires_in: forever
    group_by: [...]
`}})
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := alert.Routing{
		Default: "C0123456789", Thread: alert.ThreadAll, Broadcast: true, HoldUnsure: true, ReopenWithin: 2 * time.Hour, Mentionable: []string{"here", "@dba"},
		Routes: []alert.Route{{
			Name: "database", Matchers: matchers(t, `severity="critical", service=~"db-\\d+", env!="test"`),
			To: []string{"#dba", "C0123456789"}, Mention: []string{"here", "@dba", "S0123456789"}, Continue: true,
			Escalate: []alert.Step{{After: 10 * time.Minute, Mention: []string{"@ann"}}, {After: 90 * time.Minute, To: []string{"ann@example.com"}}},
			Remind:   4 * time.Hour, Thread: alert.ThreadNone, Broadcast: &no, HoldUnsure: &no, ReopenWithin: 10 * time.Minute, ExpiresIn: 6 * time.Hour,
			GroupBy: []string{"alertname", "cluster"}, GroupWait: -1, GroupInterval: 10 * time.Minute,
			Quiet: &alert.Quiet{Hours: alert.Hours{
				From: 22 * time.Hour, To: 7*time.Hour + 30*time.Minute, Zone: berlin,
				Days: []time.Weekday{time.Monday, time.Tuesday}}, Below: alert.Error,
			},
		}, {Name: "everything else", ExpiresIn: -1, GroupBy: []string{alert.AllLabels}}},
	}
	if !reflect.DeepEqual(c.Routing, want) {
		t.Errorf("got  %+v\nwant %+v", c.Routing, want)
	}
	if got := origin(t, c, "routes"); got != "config "+etc+":4:1" {
		t.Errorf("routes come from %s", got)
	}
}

func TestQuietHoursMayEndAtMidnightAndLastAWeekend(t *testing.T) {
	c := load(t, environment{files: map[string]string{etc: `
routes:
  - name: evening
    match: team="a"
    quiet: {from: "18:00", until: "24:00", zone: UTC}
  - name: weekend
    quiet: {from: "00:00", until: "00:00", zone: UTC, days: [sat, sun]}
`}})
	evening, weekend := c.Routing.Routes[0].Hold(), c.Routing.Routes[1].Hold()
	saturday := time.Date(2026, 1, 3, 23, 0, 0, 0, time.UTC)
	midnight := saturday.Add(time.Hour)
	if held, quiet := evening.At(saturday, alert.Error); !quiet || !held.Until.Equal(midnight) {
		t.Errorf("the evening ends at %s, %t", held.Until, quiet)
	}
	if held, quiet := weekend.At(saturday, alert.Error); !quiet || !held.Until.Equal(midnight.AddDate(0, 0, 1)) {
		t.Errorf("the weekend ends at %s, %t", held.Until, quiet)
	}
	if _, quiet := weekend.At(midnight.AddDate(0, 0, 1), alert.Error); quiet {
		t.Error("Monday is quiet")
	}
}

func TestWithoutRoutesEverythingGoesToTheDefaultChannel(t *testing.T) {
	c := load(t, environment{files: map[string]string{etc: "routes:\n#  - name: web\n"}})
	want := alert.Routing{Default: "C0123456789", Thread: alert.ThreadImportant, ReopenWithin: 30 * time.Minute, InfoExpiresIn: time.Hour, Mentionable: []string{"nobody"}}
	if !reflect.DeepEqual(c.Routing, want) || origin(t, c, "routes") != "default" {
		t.Errorf("got %+v", c.Routing)
	}
	everyone := []string{"everyone"}
	if got := c.Permissions; !reflect.DeepEqual(got, config.Permissions{Ack: everyone, Silence: everyone, Send: everyone, Admin: []string{"nobody"}, External: []string{"nobody"}}) {
		t.Errorf("permitted are %+v", got)
	}
}

func TestPermissionsAreListsOfPeopleGroupsAndChannels(t *testing.T) {
	c := load(t, environment{files: map[string]string{etc: "permissions:\n  ack: ['@Ann', U0123456789, '#Ops', '#ops', S0123456789, C0123456789, Ann@Example.com]\n  silence: Nobody\n  send: '@ann'\n  admin: [S0123456789]\n  external: [T0OTHER1, E0ORG2, '@eve']\n"}})
	want := config.Permissions{
		Ack: []string{"@ann", "U0123456789", "#ops", "S0123456789", "C0123456789", "ann@example.com"}, Silence: []string{"nobody"}, Send: []string{"@ann"},
		Admin: []string{"S0123456789"}, External: []string{"T0OTHER1", "E0ORG2", "@eve"},
	}
	if !reflect.DeepEqual(c.Permissions, want) {
		t.Errorf("got %+v", c.Permissions)
	}
}

func TestGroupsBySeverityAreWarnedOf(t *testing.T) {
	c := load(t, environment{files: map[string]string{etc: "routes:\n  - name: split\n    match: team=\"a\"\n    group_by: [alertname, severity]\n  - name: whole\n    group_by: [alertname]\n"}})
	if len(c.Warnings) != 1 || c.Warnings[0].Where != etc+":4:15" || !strings.Contains(c.Warnings[0].Message, "another incident") {
		t.Errorf("warned %v", c.Warnings)
	}
}

func TestARouteNobodyReachesIsNoReasonToDistrustTheTokens(t *testing.T) {
	in := environment{files: map[string]string{etc: "routes:\n  - name: all\n  - name: never\n"}}.input()
	c, err := config.Load(in)
	if err != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, "never") {
		t.Fatalf("warned %v, %v", c.Warnings, err)
	}
	if now := in.Tokens(); len(now.Warnings) != 0 {
		t.Errorf("the tokens are said to be wrong: %v", now.Warnings)
	}
}

func TestWhatToolsNeedToPostIsReadFromTheFileAndTheEnvironment(t *testing.T) {
	c := load(t, environment{
		vars: map[string]string{"TOCSIN_GITLAB_SECRET": " from-env "},
		files: map[string]string{"/etc/tocsin/github_secret": "from-file\n", etc: `
ingest:
  github: {secret_file: /etc/tocsin/github_secret}
  gitlab: {secret: overridden}
  services:
    - path: https://hooks.slack.com/services/T0/B0/hunter2
      channel: ops
    - {path: T0/B0/hunter3, channel: "#dba"}
`},
	})
	if got := c.Ingest.Secrets; got["github"].Reveal() != "from-file" || got["gitlab"].Reveal() != "from-env" || len(got) != 2 {
		t.Errorf("the secrets are %v", got)
	}
	if got := c.Ingest.Services; got["T0/B0/hunter2"] != "#ops" || got["T0/B0/hunter3"] != "#dba" {
		t.Errorf("the services are %v", got)
	}
	shown := fmt.Sprintf("%v %+v %#v", *c, c.Settings(), c.Ingest)
	for _, secret := range []string{"hunter", "from-env", "from-file"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%s is shown: %s", secret, shown)
		}
	}
}
