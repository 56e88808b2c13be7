package config_test

import (
	"slices"
	"strings"
	"testing"
)

const before = `default_channel: "#alerts"
listen:
  tcp: 127.0.0.1:8126
  tokens:
    - {name: ci, token_file: /run/ci}
permissions: {ack: everyone}
times:
  - {name: night, time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}]}]}
routes:
  - {name: db, match: service="db", to: "#db", escalate: [{after: 10m, mention: "@ann"}]}
  - {name: web, match: service="web", to: "#web", mute: [night]}
ingest:
  github: {secret_file: /run/github}
  services:
    - {path: T00000000/B00000000/abcdefghijklmnop, channel: "#ops"}
`

func TestChangesAreNamedWithoutSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		old, now string   // in the file before
		files    []string // path, content
		want     []string
		restart  bool
	}{
		"nothing":                               {},
		"a comment":                             {old: "routes:\n", now: "# the teams\nroutes:\n"},
		"an option that has its default anyway": {old: "permissions: {ack: everyone}", now: ""},
		"a value":                               {old: "ack: everyone", now: `ack: ["@ann", "@bob"]`, want: []string{"permissions.ack: everyone → @ann, @bob"}},
		"a step of a route":                     {old: "after: 10m", now: "after: 5m", want: []string{"routes: db is changed"}},
		"times":                                 {old: `"22:00"`, now: `"21:00"`, want: []string{"times: night is changed"}},
		"a route more and less":                 {old: "name: db,", now: "name: database,", want: []string{"routes: database is new, db is gone"}},
		"a listener":                            {old: "tcp: 127.0.0.1:8126", now: "tcp: 127.0.0.1:8127", want: []string{"listen.tcp: 127.0.0.1:8126 → 127.0.0.1:8127"}, restart: true},
		"more for a digest":                     {now: "delivery: {digest_above: 9}\n" + before, old: before, want: []string{"delivery.digest_above: 5 → 9"}},
		"a sender's token":                      {files: []string{"/run/ci", "another-long-token-of-ci"}, want: []string{"listen.tokens: ci is changed"}},
		"a secret":                              {files: []string{"/run/github", "another secret"}, want: []string{"ingest.github.secret: another secret"}},
		"a path of a webhook":                   {old: "abcdefghijklmnop", now: "ponmlkjihgfedcba", want: []string{"ingest.services: #ops is changed"}},
		"a route less": {
			old: `  - {name: web, match: service="web", to: "#web", mute: [night]}` + "\n", now: "",
			want: []string{"routes: web is gone"},
		},
	} {
		files := map[string]string{etc: before, "/run/ci": "a-long-token-of-ci-itself", "/run/github": "secret"}
		was := load(t, environment{vars: map[string]string{"SLACK_CHANNEL_ID": ""}, files: files})
		files[etc] = strings.Replace(before, c.old, c.now, 1)
		if len(c.files) > 0 {
			files[c.files[0]] = c.files[1]
		}
		var got []string
		for _, change := range was.Changes(load(t, environment{vars: map[string]string{"SLACK_CHANNEL_ID": ""}, files: files})) {
			got = append(got, change.String())
			if change.Restart != c.restart {
				t.Errorf("%s: a restart is needed: %v", name, change.Restart)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: it changes %q, want %q", name, got, c.want)
		}
	}
}

func TestRoutesInAnotherOrderAreAChange(t *testing.T) {
	lines := strings.SplitAfter(before, "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "name: db") })
	was := load(t, environment{files: map[string]string{etc: before, "/run/ci": "a-long-token-of-ci-itself", "/run/github": "s"}})
	lines[at], lines[at+1] = lines[at+1], lines[at]
	now := load(t, environment{files: map[string]string{etc: strings.Join(lines, ""), "/run/ci": "a-long-token-of-ci-itself", "/run/github": "s"}})
	if got := was.Changes(now); len(got) != 1 || got[0].What != "in another order" {
		t.Errorf("it changes %v", got)
	}
}
