package api_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/api"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func (e *engine) Act(_ context.Context, acts []alert.Act) ([]alert.Acted, error) {
	e.acts = append(e.acts, acts...)
	if acts[0].Incident != "k7f2" {
		return []alert.Acted{{Incident: alert.Incident{ID: acts[0].Incident}, Effect: alert.ActUnknown}}, e.err
	}
	effect := alert.ActDone
	if acts[0].Verb == alert.VerbResolve {
		effect = alert.ActAlready
	}
	return []alert.Acted{{Incident: alert.Incident{ID: "k7f2", AckedBy: acts[0].By}, Effect: effect}}, e.err
}

func (e *engine) Silence(_ context.Context, s alert.Silence) (alert.Silence, error) {
	if s.Matchers.Everything() {
		return s, &alert.InputError{Message: "these matchers match everything", Hint: "name a label"}
	}
	e.silenced = append(e.silenced, s)
	s.ID = "s-k7f2"
	return s, e.err
}

func (e *engine) Beat(_ context.Context, beats []alert.Beat) ([]alert.Heard, error) {
	heard := make([]alert.Heard, len(beats))
	for n, b := range beats {
		e.beats = append(e.beats, b)
		heard[n].Heartbeat, _ = alert.Expect(b.Name, b.Default.With(b.Terms), noon).Hear(b, noon)
	}
	return heard, e.err
}

func (e *engine) Forget(context.Context, string) (alert.Heartbeat, error) {
	return alert.Heartbeat{}, e.err
}

func (e *engine) Unsilence(_ context.Context, id string, by alert.Person) (alert.Silence, error) {
	if id != "s-k7f2" {
		return alert.Silence{}, fmt.Errorf("silence %s: %w", id, alert.ErrNotFound)
	}
	return alert.Silence{ID: id, EndedBy: by}, e.err
}

func (r *reader) Inhibits(context.Context, string) (int, error) { return 0, nil }

func (r *reader) History(_ context.Context, id string) ([]alert.Event, error) {
	return []alert.Event{{Incident: id, Verb: alert.VerbAck, By: alert.Person{ID: "U0ANN", Name: "ann"}, Text: "on it"}}, nil
}

func (r *reader) Count(_ context.Context, f alert.IncidentFilter) (int, error) {
	if strings.Contains(f.Matchers.String(), "nothing") {
		return 0, nil
	}
	return 17, nil
}

func (r *reader) Silences(_ context.Context, f alert.SilenceFilter) ([]alert.Silence, error) {
	r.asked = append(r.asked, fmt.Sprintf("silences at %d, %d", f.At.Hour(), f.Limit))
	return []alert.Silence{{ID: "s-k7f2", Why: "works", EndsAt: noon}}, nil
}

func (r *reader) GroupMembers(context.Context, string, int, int) ([]alert.GroupMember, error) {
	return nil, nil
}

func (r *reader) Heartbeats(context.Context) ([]alert.Heartbeat, error) { return nil, nil }

func (r *reader) Stats(_ context.Context, begins []time.Time) (alert.Stats, error) {
	r.asked = append(r.asked, fmt.Sprintf("stats from %s in %d", begins[0].Format(time.RFC3339), len(begins)-1))
	return alert.Stats{Alerts: 5}, nil
}

func TestIncidentsSilencesAndFiguresAreAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		target      string
		status      int
		asked, body string
	}{
		"all":                  {"/v1/incidents", 200, "[]  mine= 0 from 0", `"total":17}`},
		"by words":             {"/v1/incidents?q=disk+db-3&sort=latest&limit=1", 200, "[]  mine= 1 from 0 [disk db-3] latest", `"total":17}`},
		"too many words":       {"/v1/incidents?q=a+b+c+d+e+f+g+h+i+j+k", 400, "", `more than 10 words`},
		"an unknown order":     {"/v1/incidents?sort=age", 400, "", `write latest`},
		"mine, of nobody":      {"/v1/incidents?mine=", 400, "", "it is not known whose incidents mine are"},
		"some":                 {"/v1/incidents?match=team%3D%22web%22&match=severity!%3Dinfo&state=open,acked&mine=U0ANN&limit=5&offset=10", 200, `[open acked] team="web", severity!="info" mine=U0ANN 5 from 10`, `"id":"k7f2"`},
		"a bad matcher":        {"/v1/incidents?match=team", 400, "", `the operators are`},
		"a label like a field": {"/v1/incidents?match=sev%3Dnothing", 200, `[] sev="nothing" mine= 0 from 0`, `"total":0,"notes":["sev is a label; did you mean severity?"]}`},
		"a label that is used": {"/v1/incidents?match=sev%3Dcrit", 200, `[] sev="crit" mine= 0 from 0`, `"total":17}`},
		"an unknown state":     {"/v1/incidents?state=shut", 400, "", `write open, acked, resolved or all`},
		"a wrong offset":       {"/v1/incidents?offset=-1", 400, "", `from 0 to`},
		"one":                  {"/v1/incidents/k7f2", 200, "", `"history":[{"incident":"k7f2","at":"0001-01-01T00:00:00Z","verb":"ack","by":{"id":"U0ANN","name":"ann"},"text":"on it"}]`},
		"nobody":               {"/v1/incidents/zzzz", 404, "", `tocsin incidents`},
		"silences":             {"/v1/silences", 200, "silences at 12, 0", `{"silences":[{"id":"s-k7f2"`},
		"ended silences":       {"/v1/silences?state=all&limit=7", 200, "silences at 0, 7", `"s-k7f2"`},
		"unknown silences":     {"/v1/silences?state=old", 400, "", `write active or all`},
		"figures":              {"/v1/stats", 200, "stats from 2026-01-01T12:00:00Z in 24", `"alerts":5`},
		"figures of a week":    {"/v1/stats?window=7d", 200, "stats from 2025-12-27T00:00:00Z in 7", `"alerts":5`},
		"figures of days":      {"/v1/stats?window=7d&zone=Asia/Tokyo", 200, "stats from 2025-12-27T00:00:00+09:00 in 7", `"alerts":5`},
		"an unknown zone":      {"/v1/stats?zone=Mars", 400, "", `such as Europe/Berlin`},
		"the daemon's zone":    {"/v1/stats?zone=Local", 400, "", `such as Europe/Berlin`},
		"who is on call":       {"/v1/oncall", 200, "[acked]  mine= 1000 from 0", `{"routes":[{"route":"default","matchers":"","to":[""],"mention":[],"steps":[]}],"taken":[{"id":"k7f2"`},
		"figures of a year":    {"/v1/stats?window=365d", 400, "", `such as 24h or 7d`},
		"figures of a moment":  {"/v1/stats?window=soon", 400, "", `such as 24h or 7d`},
	} {
		t.Run(name, func(t *testing.T) {
			r := &reader{}
			got := httptest.NewRecorder()
			build(&engine{}, r).Handler().ServeHTTP(got, httptest.NewRequest(http.MethodGet, c.target, nil))
			body := got.Body.String()
			if asked := strings.Join(r.asked, "; "); got.Code != c.status || !strings.Contains(body, c.body) || asked != c.asked {
				t.Errorf("answered %d %s and asked for %q", got.Code, body, asked)
			}
			if got.Code/100 != 2 && !strings.Contains(body, `"hint":"`) {
				t.Errorf("the refusal has no hint: %s", body)
			}
		})
	}
}

func TestPeopleActOnIncidentsOverHTTP(t *testing.T) {
	for name, c := range map[string]struct {
		target, body string
		status       int
		act, answer  string
	}{
		"ack":                {"/v1/incidents/k7f2/ack", ``, 200, "ack k7f2 by the HTTP API", `"effect":"done"`},
		"ack by a name":      {"/v1/incidents/k7f2/ack", `{"by":"@ann","note":" on it "}`, 200, `ack k7f2 by ann: on it`, `"acked_by":{"name":"ann"}`},
		"ack by an id":       {"/v1/incidents/k7f2/ack", `{"by":{"id":"U0ANN","name":"ann"}}`, 200, "ack k7f2 by U0ANN|ann", `"U0ANN"`},
		"resolved already":   {"/v1/incidents/k7f2/resolve", `{}`, 200, "resolve k7f2 by the HTTP API", `"effect":"already"`},
		"unack":              {"/v1/incidents/k7f2/unack", `{"by":"bob"}`, 200, "unack k7f2 by U0BOB|bob", `"done"`},
		"reopen":             {"/v1/incidents/k7f2/reopen", `{"by":"nobody","note":"still full"}`, 200, "reopen k7f2 by nobody: still full", `"done"`},
		"assign to a name":   {"/v1/incidents/k7f2/assign", `{"to":"@bob"}`, 200, "assign k7f2 by the HTTP API to U0BOB|bob", `"done"`},
		"assign":             {"/v1/incidents/k7f2/assign", `{"to":"U0123456789","by":"bob"}`, 200, "assign k7f2 by U0BOB|bob to U0123456789", `"done"`},
		"note":               {"/v1/incidents/k7f2/note", `{"note":"raid"}`, 200, "note k7f2 by the HTTP API: raid", `"done"`},
		"nobody knows it":    {"/v1/incidents/zzzz/ack", ``, 404, "ack zzzz by the HTTP API", `GET /v1/incidents`},
		"an empty note":      {"/v1/incidents/k7f2/note", `{"note":" "}`, 400, "", `the note is empty`},
		"assign to a typo":   {"/v1/incidents/k7f2/assign", `{"to":"bbo"}`, 400, "", `{"error":"nobody in Slack is called bbo","hint":"did you mean @bob?"}`},
		"assign to no mail":  {"/v1/incidents/k7f2/assign", `{"to":"nobody@example.com"}`, 400, "", `nobody in Slack is called nobody@example.com","hint":"write a name or a mail`},
		"assign while away":  {"/v1/incidents/k7f2/assign", `{"to":"@away"}`, 200, "assign k7f2 by the HTTP API to away", `"notes":["it is not known who away is in Slack`},
		"assign to oneself":  {"/v1/incidents/k7f2/assign", `{"to":"cron","by":"cron"}`, 200, "assign k7f2 by cron to cron", `"done"`},
		"assign to nobody":   {"/v1/incidents/k7f2/assign", `{}`, 400, "", `the assignee is missing`},
		"assign to a place":  {"/v1/incidents/k7f2/assign", `{"to":"C0123456789"}`, 400, "", `which is not a person`},
		"an unknown field":   {"/v1/incidents/k7f2/ack", `{"nota":"x"}`, 400, "", `unknown field \"nota\"`},
		"no object":          {"/v1/incidents/k7f2/ack", `ann`, 400, "", `write one JSON object`},
		"two objects":        {"/v1/incidents/k7f2/ack", `{}{}`, 400, "", `something follows`},
		"a name that steers": {"/v1/incidents/k7f2/ack", `{"by":"ann\u202e"}`, 400, "", `by is not a person's name`},
		"an unknown verb":    {"/v1/incidents/k7f2/close", ``, 404, "", `/resolve`},
	} {
		t.Run(name, func(t *testing.T) {
			e := &engine{}
			got := post(t, e, "", c.target, c.body)
			act := ""
			for _, a := range e.acts {
				act = fmt.Sprintf("%s %s by %s", a.Verb, a.Incident, a.By)
				if a.To != (alert.Person{}) {
					act += " to " + a.To.String()
				}
				if a.Text != "" {
					act += ": " + a.Text
				}
			}
			if got.status != c.status || act != c.act || !strings.Contains(got.body, c.answer) {
				t.Errorf("answered %d %s and did %q", got.status, got.body, act)
			}
			if got.status/100 != 2 && got.Hint == "" {
				t.Errorf("the refusal has no hint: %s", got.body)
			}
		})
	}
}

func TestOverTCPTheClientSaysWhoItsUserIs(t *testing.T) {
	for said, want := range map[string]alert.Person{"bob": {ID: "U0BOB", Name: "bob"}, "deploy": {Name: "deploy"}, "": {Name: "the HTTP API"}, "x\u202ey": {Name: "the HTTP API"}} {
		e := &engine{}
		req := httptest.NewRequest(http.MethodPost, "/v1/incidents/k7f2/ack", nil)
		req.Header.Set("X-Tocsin-User", said)
		if got := ask(t, build(e, &reader{}).Handler(), req); got.status != http.StatusOK || e.acts[0].By != want {
			t.Errorf("%q: answered %d for %+v", said, got.status, e.acts)
		}
	}
}

func TestAnIdempotencyKeyNamesTheAct(t *testing.T) {
	e := &engine{}
	req := httptest.NewRequest(http.MethodPost, "/v1/incidents/k7f2/ack", nil)
	req.Header.Set("Idempotency-Key", "one")
	if got := ask(t, build(e, &reader{}).Handler(), req); got.status != http.StatusOK || e.acts[0].RequestID != "http:one" {
		t.Errorf("answered %d for %+v", got.status, e.acts)
	}
	req.Header.Set("Idempotency-Key", strings.Repeat("x", alert.MaxKey+1))
	if got := ask(t, build(e, &reader{}).Handler(), req); got.status != http.StatusBadRequest {
		t.Errorf("a key that is too long got %d", got.status)
	}
}

func TestSilencesBeginAndEndOverHTTP(t *testing.T) {
	for name, c := range map[string]struct {
		method, target, body string
		status               int
		silence, answer      string
	}{
		"for a time":            {"POST", "/v1/silences", `{"matchers":"{team=web}","for":"2h","why":" works "}`, 201, `team="web" until 14:00 by the HTTP API: works`, `"incidents":17`},
		"matchers in a list":    {"POST", "/v1/silences", `{"matchers":["team=web","severity=critical"],"for":"2h"}`, 201, `team="web", severity="critical" until 14:00 by the HTTP API: `, `"incidents":17`},
		"matchers of no kind":   {"POST", "/v1/silences", `{"matchers":7,"for":"2h"}`, 400, "", `the matchers are neither a text nor a list of texts`},
		"matchers of any kinds": {"POST", "/v1/silences", `{"matchers":["a=b",{}],"for":"2h"}`, 400, "", `the matchers are neither a text nor a list of texts`},
		"for days":              {"POST", "/v1/silences", `{"matchers":"team=web","for":"1d","by":"ann"}`, 201, `team="web" until 12:00 by ann: `, `"id":"s-k7f2"`},
		"until a time":          {"POST", "/v1/silences", `{"matchers":"team=web","ends_at":"2026-01-02T18:00:00Z"}`, 201, `team="web" until 18:00 by the HTTP API: `, `"ends_at":"2026-01-02T18:00:00Z"`},
		"planned":               {"POST", "/v1/silences", `{"matchers":"team=web","starts_at":"2026-01-02T18:00:00Z","for":"2h"}`, 201, `team="web" until 20:00 by the HTTP API: `, `"starts_at":"2026-01-02T18:00:00Z"`},
		"recurring":             {"POST", "/v1/silences", `{"matchers":"team=web","every":{"days":["sat"],"from":"02:00","until":"05:00"}}`, 201, `team="web" until 12:00 by the HTTP API: `, `"every":{"days":["saturday"],"from":"02:00","until":"05:00","zone":"UTC"}`},
		"all day":               {"POST", "/v1/silences", `{"matchers":"team=web","every":{"from":"22:00","until":"22:00"}}`, 400, "", `every begins and ends at the same time of day`},
		"on no day":             {"POST", "/v1/silences", `{"matchers":"team=web","every":{"days":["someday"],"from":"02:00","until":"05:00"}}`, 400, "", `someday is not a day`},
		"of everything":         {"POST", "/v1/silences", `{"matchers":"","for":"2h"}`, 400, "", `match everything`},
		"without matchers":      {"POST", "/v1/silences", `{"for":"2h"}`, 400, "", `match everything`},
		"a bad matcher":         {"POST", "/v1/silences", `{"matchers":"team","for":"2h"}`, 400, "", `is not a matcher`},
		"without an end":        {"POST", "/v1/silences", `{"matchers":"team=web"}`, 400, "", `either \"for\"`},
		"with two ends":         {"POST", "/v1/silences", `{"matchers":"team=web","for":"2h","ends_at":"2026-01-02T18:00:00Z"}`, 400, "", `either \"for\"`},
		"for ever":              {"POST", "/v1/silences", `{"matchers":"team=web","for":"ever"}`, 400, "", `write a duration`},
		"a bad time":            {"POST", "/v1/silences", `{"matchers":"team=web","ends_at":"soon"}`, 400, "", `can't be read`},
		"ended":                 {"DELETE", "/v1/silences/s-k7f2?by=U0ANN%7Cann", ``, 200, "", `"ended_by":{"id":"U0ANN","name":"ann"}`},
		"ended by nobody":       {"DELETE", "/v1/silences/s-k7f2", ``, 200, "", `"ended_by":{"name":"the HTTP API"}`},
		"unknown":               {"DELETE", "/v1/silences/s-zzzz", ``, 404, "", `tocsin silence list`},
	} {
		t.Run(name, func(t *testing.T) {
			e := &engine{}
			got := ask(t, build(e, &reader{}).Handler(), httptest.NewRequest(c.method, c.target, strings.NewReader(c.body)))
			silence := ""
			for _, s := range e.silenced {
				silence = fmt.Sprintf("%s until %s by %s: %s", s.Matchers, s.EndsAt.Format("15:04"), s.By, s.Why)
			}
			if got.status != c.status || silence != c.silence || !strings.Contains(got.body, c.answer) {
				t.Errorf("answered %d %s and began %q", got.status, got.body, silence)
			}
			if got.status/100 != 2 && got.Hint == "" {
				t.Errorf("the refusal has no hint: %s", got.body)
			}
		})
	}
}

func TestWhoCallsOverTheUnixSocketIsKnownByName(t *testing.T) {
	dir, err := os.MkdirTemp("", "tocsin-api-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is under the temporary directory
	e := &engine{}
	path := filepath.Join(dir, "s")
	l, err := api.ListenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	srv := api.Serve(build(e, &reader{}).Handler(), zap.NewNop())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
	for _, body := range []string{"", `{"by":"ann"}`} {
		req, err := http.NewRequest(http.MethodPost, "http://tocsin/v1/incidents/k7f2/ack", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Tocsin-User", "somebody-else")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // the acts tell
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serving ended with %v", err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if len(e.acts) != 2 || e.acts[0].By != (alert.Person{Name: me.Username}) || e.acts[1].By != (alert.Person{Name: "ann"}) {
		t.Errorf("the acts are %+v", e.acts)
	}
}
