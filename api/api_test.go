package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/api"
)

// engine accepts what is well-formed and keeps it; or it fails with err.
type engine struct {
	got      []alert.Alert
	acts     []alert.Act
	silenced []alert.Silence
	beats    []alert.Beat
	err      error
}

func (e *engine) Push(_ context.Context, alerts []alert.Alert) ([]alert.Accepted, error) {
	if e.err != nil {
		return nil, e.err
	}
	var receipts []alert.Accepted
	for i, a := range alerts {
		if err := a.Prepare(time.Unix(1767355200, 0)); err != nil {
			var bad *alert.InputError
			if errors.As(err, &bad) && len(alerts) > 1 {
				bad.Item = i + 1
			}
			return nil, err
		}
		e.got = append(e.got, a)
		receipts = append(receipts, alert.Accepted{ID: a.ID, Key: a.Key, Incident: "k7f2", Effect: alert.EffectOpened, Notes: a.Notes})
	}
	return receipts, nil
}

// reader knows the incident k7f2 and the silence s-k7f2, and notes what it is
// asked.
type reader struct {
	record alert.Record
	asked  []string
}

func (r *reader) Incidents(_ context.Context, f alert.IncidentFilter) ([]alert.Incident, error) {
	asked := fmt.Sprintf("%v %s mine=%s %d from %d", f.States, f.Matchers, f.Mine, f.Limit, f.Offset)
	if len(f.Words) > 0 {
		asked += fmt.Sprintf(" %v", f.Words)
	}
	if f.Latest {
		asked += " latest"
	}
	r.asked = append(r.asked, asked)
	return []alert.Incident{{ID: "k7f2", State: alert.Open, Title: fmt.Sprint(f.States, f.Limit)}}, nil
}

func (r *reader) Incident(_ context.Context, id string) (alert.Incident, error) {
	if id != "k7f2" {
		return alert.Incident{}, fmt.Errorf("incident %s: %w", id, alert.ErrNotFound)
	}
	return alert.Incident{ID: id}, nil
}

func (r *reader) Ledger(context.Context) (alert.Ledger, error) {
	return alert.Ledger{Total: alert.Counts{Accepted: 3, Pending: 1, Delivered: 2}}, nil
}

func (r *reader) Await(ctx context.Context, id string) (alert.Record, error) {
	if id != r.record.ID {
		return alert.Record{}, fmt.Errorf("alert %s: %w", id, alert.ErrNotFound)
	}
	if r.record.Standing == alert.StandPending {
		<-ctx.Done()
		return r.record, ctx.Err()
	}
	return r.record, nil
}

// knows is the whole store.
type knows struct {
	*reader
	*queue
}

// answer is what a caller gets.
type answer struct {
	status int
	body   string
	header http.Header
	Error  string           `json:"error"`
	Hint   string           `json:"hint"`
	Alerts []alert.Accepted `json:"alerts"`
	Notes  []string         `json:"notes"`
}

func ask(t *testing.T, h http.Handler, req *http.Request) answer {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	a := answer{status: rec.Code, body: rec.Body.String(), header: rec.Header()}
	if strings.HasPrefix(a.body, "{") {
		if err := json.Unmarshal([]byte(a.body), &a); err != nil {
			t.Fatalf("the answer is not JSON: %s", a.body)
		}
	}
	return a
}

func post(t *testing.T, e *engine, kind, target, body string) answer {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return ask(t, build(e, &reader{}).Handler(), req)
}

func TestACompressedBodyIsRead(t *testing.T) {
	packed := func(body string) string {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		if _, err := w.Write([]byte(body)); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		return buf.String()
	}
	for name, c := range map[string]struct {
		coding, body string
		want         int
	}{
		"gzip":     {"gzip", packed(`{"title":"disk full"}`), 202},
		"x-gzip":   {"X-GZIP", packed(`{"title":"disk full"}`), 202},
		"none":     {"identity", `{"title":"disk full"}`, 202},
		"not gzip": {"gzip", `{"title":"disk full"}`, 400},
		"cut":      {"gzip", packed(`{"title":"disk full"}`)[:20], 400},
		"another":  {"br", "x", 415},
		"a bomb":   {"gzip", packed(strings.Repeat(" ", 2<<20)), 413},
	} {
		e := &engine{}
		req := httptest.NewRequest(http.MethodPost, "/v1/alerts", strings.NewReader(c.body))
		req.Header.Set("Content-Encoding", c.coding)
		got := ask(t, build(e, &reader{}).Handler(), req)
		if got.status != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// onlyBob is Slack with one person, which can't be asked about @away.
func onlyBob(_ context.Context, spelling string) (alert.Person, error) {
	switch spelling {
	case "@bob":
	case "@bbo":
		return alert.Person{}, &alert.SendError{Class: alert.ClassDestination, Code: "users_not_found", Near: "@bob"}
	case "@away":
		return alert.Person{}, &alert.SendError{Class: alert.ClassTransient, Code: "timeout"}
	default:
		return alert.Person{}, &alert.SendError{Class: alert.ClassDestination, Code: "users_not_found"}
	}
	return alert.Person{ID: "U0BOB", Name: "bob"}, nil
}

func build(e *engine, r *reader) *api.API {
	return api.New(api.Options{Engine: e, Store: knows{r, &queue{}}, Person: onlyBob, Now: func() time.Time { return noon }, Health: func() alert.Health { return alert.Health{} }})
}

func TestAlertsAreTakenInEveryFormPeopleSendThem(t *testing.T) {
	for name, c := range map[string]struct {
		kind, target, body string
		want               []string // severity/title/text of each alert
	}{
		"object":           {"application/json", "/v1/alerts", `{"title":"a","severity":"critical"}`, []string{"critical/a/"}},
		"array":            {"application/json; charset=utf-8", "/v1/alerts", `[{"title":"a"},{"title":"b","text":"t"}]`, []string{"error/a/", "error/b/t"}},
		"lines":            {"application/x-ndjson", "/v1/alerts", "{\"title\":\"a\"}\n\n{\"title\":\"b\"}\r\n", []string{"error/a/", "error/b/"}},
		"text":             {"text/plain", "/v1/alerts?severity=warning&title=T", "disk full", []string{"warning/T/disk full"}},
		"curl -d text":     {"application/x-www-form-urlencoded", "/v1/alerts", "disk full on db-3 = 100 % & more", []string{"error/disk full on db-3 = 100 % & more/"}},
		"curl -d json":     {"application/x-www-form-urlencoded", "/v1/alerts", ` {"title":"a"}`, []string{"error/a/"}},
		"curl -d lines":    {"application/x-www-form-urlencoded", "/v1/alerts", "{\"title\":\"a\"}\n{\"title\":\"b\"}", []string{"error/a/", "error/b/"}},
		"lines as JSON":    {"application/json", "/v1/alerts", "{\"title\":\"a\"}\n\n{\"title\":\"b\"}\n", []string{"error/a/", "error/b/"}},
		"curl -d a log":    {"application/x-www-form-urlencoded", "/v1/alerts", "[WARN] {x} a=1&b=2", []string{"error/[WARN] {x} a=1&b=2/"}},
		"curl -d logfmt":   {"application/x-www-form-urlencoded", "/v1/alerts", `msg="disk full" level=error`, []string{`error/msg="disk full" level=error/`}},
		"curl -d braces":   {"application/x-www-form-urlencoded", "/v1/alerts", `{db-3} disk full`, []string{"error/{db-3} disk full/"}},
		"curl -d pairs":    {"application/x-www-form-urlencoded", "/v1/alerts", "status=500 & key=x failed", []string{"error/status=500 & key=x failed/"}},
		"curl -d fields":   {"application/x-www-form-urlencoded", "/v1/alerts", "title=C++ is 100% full&severity=warn&text=a=b", []string{"warning/C++ is 100% full/a=b"}},
		"a form":           {"application/x-www-form-urlencoded; charset=utf-8", "/v1/alerts?severity=info&title=no", "Title=a%26b&text=50%25+of%0Adisk", []string{"info/a&b/50% of\ndisk"}},
		"a form of texts":  {"application/x-www-form-urlencoded", "/v1/alerts", "text=a&text=b", []string{"error/a/a\nb"}},
		"no content type":  {"", "/v1/alerts", "plain", []string{"error/plain/"}},
		"text/json":        {"text/json; charset=utf-8", "/v1/alerts", `{"title":"disk full"}`, []string{"error/disk full/"}},
		"text that is {":   {"text/plain", "/v1/alerts", "{not json", []string{"error/{not json/"}},
		"title and text":   {"text/plain", "/v1/alerts", "first\nsecond", []string{"error/first/first\nsecond"}},
		"numbers as label": {"application/json", "/v1/alerts", `{"title":"a","labels":{"port":5432,"up":false}}`, []string{"error/a/"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &engine{}
			got := post(t, e, c.kind, c.target, c.body)
			if got.status != http.StatusAccepted || len(got.Alerts) != len(c.want) {
				t.Fatalf("answered %d %s", got.status, got.body)
			}
			for i, a := range e.got {
				if s := fmt.Sprintf("%s/%s/%s", a.Severity, a.Title, a.Text); s != c.want[i] {
					t.Errorf("alert %d is %q, want %q", i+1, s, c.want[i])
				}
				if got.Alerts[i].ID == "" || got.Alerts[i].Incident == "" {
					t.Errorf("receipt %d lacks its ids: %+v", i+1, got.Alerts[i])
				}
			}
		})
	}
}

func TestEveryFieldArrives(t *testing.T) {
	e := &engine{}
	post(t, e, "application/json", "/v1/alerts", `{"source":"cron","key":"k","status":"resolved","severity":"INFO","title":"t","text":"x",
		"labels":{"host":"db-3","port":1},"links":[{"label":"run","url":"https://example.com/r"}],"channel":"ops","mention":"ann",
		"at":1767355200.5,"idempotency_key":"i"}`)
	if len(e.got) != 1 {
		t.Fatal("it was not accepted")
	}
	a := e.got[0]
	if a.Source != "cron" || a.Key != "k" || a.Status != alert.Resolved || a.Severity != alert.Info || a.Labels["port"] != "1" ||
		a.Links[0].URL != "https://example.com/r" || a.Channel != "#ops" || a.Mention != "ann" || a.IdempotencyKey != "i" ||
		a.At.UnixMilli() != 1767355200500 {
		t.Errorf("it arrived as %+v", a)
	}
}

func TestABadRequestIsAnsweredWithWhatIsWrongAndARemedy(t *testing.T) {
	jsonKind, lines := "application/json", "application/x-ndjson"
	for name, c := range map[string]struct {
		kind, target, body string
		status             int
		want               string
	}{
		"empty":            {jsonKind, "/v1/alerts", "", 400, "body is empty"},
		"no form in parts": {"multipart/form-data; boundary=x", "/v1/alerts", "--y\r\n", 400, "not a form in parts"},
		"an empty object":  {jsonKind, "/v1/alerts", "{}", 400, "neither title nor text"},
		"empty labels":     {jsonKind, "/v1/alerts", `{"labels":{"host":" "}}`, 400, "neither title nor text"},
		"labels, strictly": {jsonKind, "/v1/alerts?strict=1", `{"labels":{"host":"db-3"}}`, 400, "the title is missing"},
		"empty text":       {"text/plain", "/v1/alerts", " \n", 400, "neither title nor text"},
		"no alerts":        {jsonKind, "/v1/alerts", "[]", 400, ""},
		"broken":           {jsonKind, "/v1/alerts", `{"title": "a",}`, 400, "broken JSON at byte 15"},
		"cut":              {jsonKind, "/v1/alerts", `{"title": "a"`, 400, "broken JSON at byte 13"},
		"two objects":      {jsonKind, "/v1/alerts", `{"title":"a"}{"title":"b"}`, 400, "something follows the JSON value at byte 1"},
		"string strictly":  {jsonKind, "/v1/alerts?strict=1", `["disk"]`, 400, "the JSON is a string"},
		"no object":        {jsonKind, "/v1/alerts", `5`, 400, "the JSON is a number"},
		"item of a batch":  {jsonKind, "/v1/alerts", `[{"title":"a"},{"title":""}]`, 400, "alert 2: "},
		"line of a batch":  {lines, "/v1/alerts", "{\"title\":\"a\"}\n\n{oops}", 400, "alert 2, line 3: broken JSON at byte 2"},
		"too long":         {"text/plain", "/v1/alerts", strings.Repeat("x", 1<<20+1), 413, "longer than 1048576 bytes"},
		"too many":         {lines, "/v1/alerts", strings.Repeat("{\"title\":\"a\"}\n", 10_001), 413, "10001 alerts, more than 10000"},
		"too many at once": {jsonKind, "/v1/alerts", "[" + strings.Repeat("{\"title\":\"a\"},", 10_000) + "{}]", 413, "10001 alerts, more than 10000"},
		"too deep":         {jsonKind, "/v1/alerts", `{"title":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + "}", 400, "nested deeper than 100"},
		"too many fields":  {jsonKind, "/v1/alerts", `{"title":"a"` + strings.Repeat(`,"a":1`, 5001) + "}", 400, "more than 5000 fields"},
		"too many values":  {jsonKind, "/v1/alerts", `[{"title":"a","b":[` + strings.Repeat("1,", 20_020) + "1]}]", 400, "too many values"},
		"strange type":     {"image/png", "/v1/alerts", "PNG", 415, "image/png"},
		"no text":          {"application/pdf", "/v1/alerts", "%PDF\x01", 415, "application/pdf"},
		"strange strict":   {jsonKind, "/v1/alerts?strict=maybe", `{"title":"a"}`, 400, `strict is "maybe"`},
		"broken strictly":  {jsonKind, "/v1/alerts?strict=1", `{"title":7,"severity":"banana","sevrity":"x"}`, 400, `"sevrity" is not a field of an alert: kept as a label; title is a number: taken as text; severity "banana" is unknown`},
		"message strictly": {jsonKind, "/v1/alerts?strict=1", `{"message":"m"}`, 400, `"message" is not a field of an alert: taken as text`},
		"curl -d broken":   {"application/x-www-form-urlencoded", "/v1/alerts", `{"title": "a",}`, 400, "broken JSON at byte 15"},
		"bytes strictly":   {"text/plain", "/v1/alerts?strict", "a\xff", 400, "bytes that are not UTF-8"},
		"no such path":     {jsonKind, "/v2/alerts", "{}", 404, "/v2/alerts"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &engine{}
			if name == "no alerts" {
				e.err = &alert.InputError{Message: "there is no alert in the request", Hint: "write one"}
			}
			got := post(t, e, c.kind, c.target, c.body)
			if got.status != c.status || !strings.Contains(got.Error, c.want) || got.Hint == "" {
				t.Errorf("answered %d %s, want %d with %q and a hint", got.status, got.body, c.status, c.want)
			}
			if len(e.got) > 0 && !strings.Contains(name, "batch") {
				t.Error("something was accepted")
			}
		})
	}
}

func TestAResolveInOtherWordsResolvesWhatFired(t *testing.T) {
	for fires, resolves := range map[string]string{
		`"state":"alerting","timestamp":1795748400`:              `"state":"ok","timestamp":1795748500`,
		`"state":"CRITICAL","output":"refused"`:                  `"state":"OK","output":"fine"`,
		`"resolved":false`:                                       `"resolved":true`,
		`"firing":"true"`:                                        `"firing":"false"`,
		`"event_action":"trigger"`:                               `"event_action":"resolve"`,
		`"alertTransition":"Triggered"`:                          `"alertTransition":"Recovered"`,
		`"type":"PROBLEM"`:                                       `"type":"RECOVERY"`,
		`"monitorCondition":"Fired","url":"https://e.example/1"`: `"monitorCondition":"Resolved","url":"https://e.example/2"`,
		`"NewStateValue":"ALARM"`:                                `"NewStateValue":"OK"`,
	} {
		e := &engine{}
		for _, said := range []string{fires, resolves} {
			if got := post(t, e, "application/json", "/v1/alerts", `{"title":"disk full",`+said+`}`); got.status != http.StatusAccepted {
				t.Fatalf("%s: answered %d %s", said, got.status, got.body)
			}
		}
		if e.got[0].Status != alert.Firing || e.got[1].Status != alert.Resolved || e.got[0].Key != e.got[1].Key {
			t.Errorf("%s is %s of %s, and %s is %s of %s", fires, e.got[0].Status, e.got[0].Key, resolves, e.got[1].Status, e.got[1].Key)
		}
	}
}

func TestWhatNtfysSendersSayInHeadersIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		header map[string]string
		want   string // severity/title/text/tags/links
	}{
		"all":                    {map[string]string{"Title": "disk", "Priority": "urgent", "Tags": "warning,db", "Click": "https://e.example/1", "Attach": "https://e.example/2"}, "critical/disk/full/warning,db/[{ https://e.example/1} { https://e.example/2}]"},
		"with X- and encoded":    {map[string]string{"X-Title": "=?utf-8?B?R2Vyw6R0?=", "X-Priority": "1"}, "info/Gerät/full//[]"},
		"the usual priority":     {map[string]string{"Priority": "default"}, "error/full///[]"},
		"a browser's priority":   {map[string]string{"Priority": "u=1, i"}, "error/full///[]"},
		"Outlook's X-Priority 3": {map[string]string{"X-Priority": "3"}, "error/full///[]"},
	} {
		e := &engine{}
		req := httptest.NewRequest(http.MethodPut, "/v1/alerts", strings.NewReader("full"))
		for name, value := range c.header {
			req.Header.Set(name, value)
		}
		if got := ask(t, build(e, &reader{}).Handler(), req); got.status != http.StatusAccepted {
			t.Fatalf("%s: answered %d %s", name, got.status, got.body)
		}
		a := e.got[0]
		if got := fmt.Sprintf("%s/%s/%s/%s/%v", a.Severity, a.Title, a.Text, a.Labels["tags"], a.Links); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestFormattingNeverCostsAnAlert(t *testing.T) {
	const jsonKind = "application/json"
	for name, c := range map[string]struct {
		kind, target, body string
		want               string // severity/title/text/labels/links
		notes              string
	}{
		"misspelt":            {jsonKind, "/v1/alerts", `{"title":"a","sevrity":"info"}`, "error/a//map[sevrity:info]/[]", `"sevrity" is not a field of an alert: kept as a label`},
		"wrong type":          {jsonKind, "/v1/alerts", `{"title":5,"severity":2}`, "error/5//map[severity:2]/[]", "title is a number: taken as text"},
		"a string":            {jsonKind, "/v1/alerts", `"disk full"`, "error/disk full//map[]/[]", "the JSON is a string: taken as text"},
		"nested text":         {jsonKind, "/v1/alerts", `{"title":"a","text":{"b": [1, 2]}}`, `error/a/{"b":[1,2]}/map[]/[]`, "text is an object: taken as text"},
		"nothing":             {jsonKind, "/v1/alerts", `{"title":"a","labels":null,"links":null,"at":null,"severity":null}`, "error/a//map[]/[]", ""},
		"another case":        {jsonKind, "/v1/alerts", `{"Title":"a","SEVERITY":"Warn"}`, "warning/a//map[]/[]", ""},
		"labels of a list":    {jsonKind, "/v1/alerts", `{"title":"a","labels":["x", 1]}`, `error/a//map[labels:["x",1]]/[]`, "labels is an array, and should be an object: kept as one label"},
		"a list of labels":    {jsonKind, "/v1/alerts", `{"title":"a","labels":["host=db-3","service=db"]}`, `error/a//map[host:db-3 service:db]/[]`, "labels is an array, and should be an object: read as name=value"},
		"labels as text":      {jsonKind, "/v1/alerts", `{"title":"a","labels":"host=db-3, service=db"}`, `error/a//map[host:db-3 service:db]/[]`, "labels is text, and should be an object: read as name=value"},
		"a label as text":     {jsonKind, "/v1/alerts", `{"title":"a","labels":"db-3"}`, `error/a//map[labels:db-3]/[]`, "labels is text, and should be an object: kept as one label"},
		"nested label":        {jsonKind, "/v1/alerts", `{"title":"a","labels":{"x":{"y": [1]},"n":null,"b":true,"f":1.50}}`, `error/a//map[b:true f:1.50 n: x:{"y":[1]}]/[]`, ""},
		"links as addresses":  {jsonKind, "/v1/alerts", `{"title":"a","links":["https://example.com/1",{"text":"two","href":"https://example.com/2"}]}`, "error/a//map[]/[{ https://example.com/1} {two https://example.com/2}]", ""},
		"one link":            {jsonKind, "/v1/alerts", `{"title":"a","links":{"label":"one","url":"https://example.com/1"}}`, "error/a//map[]/[{one https://example.com/1}]", ""},
		"one image":           {jsonKind, "/v1/alerts", `{"title":"a","images":{"src":"http://example.com/1.png"}}`, "error/a//map[]/[{Image http://example.com/1.png}]", "image http://example.com/1.png became a link"},
		"a number as image":   {jsonKind, "/v1/alerts", `{"title":"a","images":[7]}`, "error/a//map[image 1:7]/[]", "image 1 is a number: kept as a label"},
		"null among links":    {jsonKind, "/v1/alerts", `{"title":"a","links":[null]}`, "error/a//map[]/[]", "link 1 is null: dropped"},
		"a number as link":    {jsonKind, "/v1/alerts", `{"title":"a","links":[7]}`, "error/a//map[link 1:7]/[]", "link 1 is a number: kept as a label"},
		"partial links":       {jsonKind, "/v1/alerts", `{"title":"a","links":[{"label":"Visit","url":"https://"},{"label":"x","url":""},{"label":"Kuma","url":"https://kuma.example.com/29"}]}`, "error/a//map[]/[{Kuma https://kuma.example.com/29}]", "link 1 dropped: https:// has no host; link 2 dropped: it has no address"},
		"a time in words":     {jsonKind, "/v1/alerts", `{"title":"a","at":"yesterday"}`, "error/a//map[at:yesterday]/[]", `at dropped: "yesterday" is not a time`},
		"an expiry in words":  {jsonKind, "/v1/alerts", `{"title":"a","expires_in":"soon"}`, "error/a//map[expires_in:soon]/[]", `expires_in dropped: "soon" is not a duration`},
		"a switch in words":   {jsonKind, "/v1/alerts", `{"title":"a","only_if_open":"maybe"}`, "error/a//map[only_if_open:maybe]/[]", `only_if_open dropped: "maybe" is neither true nor false`},
		"an end in words":     {"text/plain", "/v1/alerts?ends_at=later", "a", "error/a//map[ends_at:later]/[]", `ends_at dropped: "later" is not a time`},
		"none":                {jsonKind, "/v1/alerts", `{"title":"InfoInhibitor","severity":"none"}`, "info/InfoInhibitor//map[severity:none]/[]", ""},
		"an indent":           {"text/plain", "/v1/alerts?title=t", "\n \r\n    at a.b\n  at c.d\n\n", "error/t/    at a.b\n  at c.d/map[]/[]", ""},
		"a list of mentions":  {"application/json", "/v1/alerts", `{"title":"a","mention":["@ann","<!here>"]}`, "error/a//map[]/[]", ""},
		"links by name":       {jsonKind, "/v1/alerts", `{"title":"a","links":{"Runbook":"https://e.example/r","Logs":{"href":"https://e.example/l"},"Wiki":["https://e.example/1"],"none":""}}`, "error/a//map[]/[{Logs https://e.example/l} {Runbook https://e.example/r} {Wiki https://e.example/1}]", ""},
		"a link by name":      {jsonKind, "/v1/alerts", `{"title":"a","links":[{"Runbook":"https://e.example/r"},{"title":"https://e.example/t"},{"name":"Logs","to":"https://e.example/l"}]}`, "error/a//map[]/[{Runbook https://e.example/r} {title https://e.example/t} {Logs https://e.example/l}]", ""},
		"two in one link":     {jsonKind, "/v1/alerts", `{"title":"a","links":{"title":"A","link":"https://e.example/a","dashboard":"https://e.example/b","rel":"x"}}`, "error/a//map[]/[{A https://e.example/a} {dashboard https://e.example/b}]", ""},
		"links in a text":     {jsonKind, "/v1/alerts", `{"title":"a","links":"https://e.example/a, https://e.example/b,https://e.example/c"}`, "error/a//map[]/[{ https://e.example/a} { https://e.example/b} { https://e.example/c}]", ""},
		"an address as label": {jsonKind, "/v1/alerts", `{"title":"a","links":[{"label":"https://e.example/1","url":"https://e.example/2"}]}`, "error/a//map[]/[{https://e.example/1 https://e.example/2}]", ""},
		"a label as address":  {jsonKind, "/v1/alerts", `{"title":"a","links":[{"label":"https://e.example/1","url":""}]}`, "error/a//map[]/[{ https://e.example/1}]", ""},
		"a name without link": {jsonKind, "/v1/alerts", `{"title":"a","links":{"Runbook":"see the wiki"}}`, "error/a/Runbook: see the wiki/map[]/[]", "link 1 moved into the text: see the wiki is not a complete web address"},
		"an empty address":    {jsonKind, "/v1/alerts", `{"title":"a","links":[""]}`, "error/a//map[]/[]", "link 1 dropped: it has no address"},
		"images by name":      {jsonKind, "/v1/alerts", `{"title":"a","images":{"Graph":"http://e.example/1.png"}}`, "error/a//map[]/[{Image http://e.example/1.png}]", "image http://e.example/1.png became a link"},
		"links in a form":     {"application/x-www-form-urlencoded", "/v1/alerts", "title=a&links=https%3A%2F%2Fe.example%2F1&links=https%3A%2F%2Fe.example%2F2&host=db-3", "error/a//map[host:db-3]/[{ https://e.example/1} { https://e.example/2}]", `"host" is not a field of an alert: kept as a label`},
		"a message":           {jsonKind, "/v1/alerts", `{"message":"m","Description":"d","host":"db-3"}`, "error/m//map[Description:d host:db-3]/[]", `"message" is not a field of an alert: taken as text; "Description"`},
		"a summary":           {jsonKind, "/v1/alerts", `{"Summary":"s","description":"d","text":" "}`, "error/s/d/map[]/[]", `"Summary" is not a field of an alert: taken as title; "description" is not a field of an alert: taken as text`},
		"a body":              {jsonKind, "/v1/alerts", `{"title":"a","body":{"x":1}}`, `error/a/{"x":1}/map[]/[]`, `"body" is not a field of an alert: taken as text; text is an object: taken as text`},
		"only an error":       {jsonKind, "/v1/alerts", `{"error":"e","name":"n"}`, "error/e//map[name:n]/[]", `"error" is not a field of an alert: taken as text`},
		"an error of a title": {jsonKind, "/v1/alerts", `{"title":"a","error":"e"}`, "error/a//map[error:e]/[]", `"error" is not a field of an alert: kept as a label`},
		"labels in a form":    {"application/x-www-form-urlencoded", "/v1/alerts", "title=a&labels=host%3Ddb-3%2Cservice%3D%22db%22&labels=path%3D%2Fa%2C+b%3Dc", "error/a//map[b:c host:db-3 path:/a service:db]/[]", ""},
		"a form in parts":     {"multipart/form-data; boundary=x", "/v1/alerts?severity=warn", "--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\na&b\r\n--x\r\nContent-Disposition: form-data; name=\"text\"; filename=\"log\"\r\nContent-Type: application/octet-stream\r\n\r\nfull\nof it\r\n--x\r\nContent-Disposition: form-data; name=\"labels\"\r\n\r\nhost=db-3\r\n--x--\r\n", "warning/a&b/full\nof it/map[host:db-3]/[]", ""},
		"a level":             {jsonKind, "/v1/alerts", `{"msg":"m","log.level":"FATAL","ts":"2026-01-02T03:04:05Z"}`, "critical/m//map[severity:FATAL]/[]", `"msg" is not a field of an alert: taken as text; "log.level" is not a field of an alert: taken as severity; "ts" is not a field of an alert: taken as at`},
		"a number as level":   {jsonKind, "/v1/alerts", `{"title":"a","priority":5}`, "error/a//map[priority:5]/[]", `"priority" is not a field of an alert: kept as a label`},
		"a normal priority":   {jsonKind, "/v1/alerts", `{"title":"a","priority":"normal"}`, "error/a//map[priority:normal]/[]", `"priority" is not a field of an alert: kept as a label`},
		"a state with level":  {jsonKind, "/v1/alerts", `{"title":"a","state":"WARNING"}`, "warning/a//map[]/[]", `"state" is not a field of an alert: taken as status`},
		"a status with level": {jsonKind, "/v1/alerts", `{"title":"a","status":"CRITICAL"}`, "critical/a//map[]/[]", ""},
		"level of the labels": {jsonKind, "/v1/alerts", `{"title":"a","priority":"low","labels":{"severity":"critical"}}`, "critical/a//map[priority:low severity:critical]/[]", `"priority" is not a field of an alert: kept as a label`},
		"a state of a land":   {jsonKind, "/v1/alerts", `{"title":"a","state":"Texas"}`, "error/a//map[state:Texas]/[]", `"state" is not a field of an alert: kept as a label`},
		"a url":               {jsonKind, "/v1/alerts", `{"title":"a","url":"https://e.example/1"}`, "error/a//map[]/[{ https://e.example/1}]", `"url" is not a field of an alert: taken as links`},
		"a relative url":      {jsonKind, "/v1/alerts", `{"title":"a","url":"job/1"}`, "error/a//map[url:job/1]/[]", `"url" is not a field of an alert: kept as a label`},
		"another message":     {jsonKind, "/v1/alerts", `{"full_message":"a long one","short_message":"short","host":"h"}`, "error/short//map[full_message:a long one host:h]/[]", `"short_message" is not a field of an alert: taken as text; "full_message" is not a field of an alert: kept as a label`},
		"an object in it":     {jsonKind, "/v1/alerts", `{"version":1,"data":{"attributes":{"title":"a","severity":"critical","version":2}}}`, "critical/a//map[attributes.version:2 version:1]/[]", `"data" is not a field of an alert: its members are read; "attributes" is not a field of an alert: its members are read`},
		"a list of alerts":    {jsonKind, "/v1/alerts", `{"host":"db-3","alerts":[{"title":"a","severity":"warn"},{"title":"b"}]}`, "warning/a//map[host:db-3]/[]", `alert 1: the alerts are those of "alerts"; alert 1: "host" is not a field of an alert: kept as a label; alert 2: the alerts are`},
		"a list as key":       {jsonKind, "/v1/alerts", `{"title":"a","fingerprint":["{{ default }}"]}`, `error/a//map[fingerprint:["{{ default }}"]]/[]`, `"fingerprint" is not a field of an alert: kept as a label`},
		"an object beside it": {jsonKind, "/v1/alerts", `{"title":"a","build":{"number":5,"scm":{"branch":"x"}}}`, `error/a//map[build.number:5 build.scm:{"branch":"x"}]/[]`, `"build" is not a field of an alert: kept as a label`},
		"a list beside it":    {jsonKind, "/v1/alerts", `{"title":"a","tags":["x","y"],"none":[]}`, "error/a//map[none:[] tags:x, y]/[]", `"none" is not a field of an alert: kept as a label; "tags" is not a field`},
		"lines beside it":     {jsonKind, "/v1/alerts", `{"msg":"boom","stack":"at a\n  at b\n","error":{"trace":"x\ny"}}`, "error/boom/error.trace:\nx\ny\n\nstack:\nat a\n  at b/map[]/[]", `"msg" is not a field of an alert: taken as text; "error" is not a field of an alert: kept as a label; "stack" is not a field of an alert: put into the text`},
		"a switch":            {jsonKind, "/v1/alerts", `{"title":"a","firing":true,"type":"link"}`, "error/a//map[type:link]/[]", `"firing" is not a field of an alert: taken as status; "type" is not a field of an alert: kept as a label`},
		"JSON twice":          {jsonKind, "/v1/alerts", `"{\"title\":\"a\",\"severity\":\"warn\"}"`, "warning/a//map[]/[]", "the JSON is a string with JSON in it: read as an alert"},
		"JSON as text":        {"text/plain; charset=UTF-8", "/v1/alerts", `{"Subject":"s","Message":"m"}`, "error/s/m/map[]/[]", `the body is JSON: read as an alert; "Subject" is not a field`},
		"JSON of a title":     {"text/plain", "/v1/alerts?title=T", `{"message":"m"}`, `error/T/{"message":"m"}/map[]/[]`, ""},
		"JSON of no alert":    {"text/plain", "/v1/alerts", `{"disk":97}`, `error/{"disk":97}//map[]/[]`, ""},
		"XML":                 {"application/xml", "/v1/alerts", "<alert>disk full</alert>", "error/<alert>disk full</alert>//map[]/[]", "the content type is application/xml: read as text"},
		"a form of anything":  {"application/x-www-form-urlencoded", "/v1/alerts", "monitor=my+site&details=HTTP%20500", "error/HTTP 500//map[monitor:my site]/[]", `"details" is not a field of an alert: taken as text`},
		"only lines":          {jsonKind, "/v1/alerts", `{"stack":"a\nb"}`, "error/a/a\nb/map[]/[]", `"stack" is not a field of an alert: put into the text`},
		"an encoded text":     {"application/x-www-form-urlencoded", "/v1/alerts", "disk+50%25+full+%26+more", "error/disk 50% full & more//map[]/[]", ""},
		"a file":              {"multipart/form-data; boundary=x", "/v1/alerts", "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.log\"\r\n\r\nfull\nof it\r\n--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x.png\"\r\n\r\nPNG\x1a\r\n--x--\r\n", "error/full/full\nof it/map[image:x.png, which is not text]/[]", `"image" is not a field of an alert: kept as a label`},
		"no type":             {"foo", "/v1/alerts", "disk full", "error/disk full//map[]/[]", ""},
		"a ruler":             {"text/plain", "/v1/alerts", "=======\ndisk full\n=======", "error/disk full/=======\ndisk full\n=======/map[]/[]", ""},
		"a ruler alone":       {"text/plain", "/v1/alerts", "!!!", "error/!!!//map[]/[]", ""},
		"a mail":              {"text/plain", "/v1/alerts", "From: root (Cron Daemon)\nSubject: =?utf-8?Q?f=C3=BCr?= backup\nX-Cron-Env: <HOME=/root>\n\ndisk full", "error/für backup/From: root (Cron Daemon)\nSubject: =?utf-8?Q?f=C3=BCr?= backup\nX-Cron-Env: <HOME=/root>\n\ndisk full/map[]/[]", ""},
		"no mail":             {"text/plain", "/v1/alerts", "disk full\nSubject: x\n\ny", "error/disk full/disk full\nSubject: x\n\ny/map[]/[]", ""},
		"only labels":         {jsonKind, "/v1/alerts", `{"labels":{"host":"db-3","alertname":"DiskFull"}}`, "error/DiskFull//map[alertname:DiskFull host:db-3]/[]", "the title is missing: the labels are taken for it"},
		"only other fields":   {jsonKind, "/v1/alerts", `{"zone":"eu","disk":97}`, "error/disk=97, zone=eu//map[disk:97 zone:eu]/[]", `"disk" is not a field of an alert: kept as a label; "zone" is not a field of an alert: kept as a label; the title is missing: the labels are taken for it`},
		"a message in a form": {"application/x-www-form-urlencoded", "/v1/alerts", "message=disk+full&host=db-3", "error/disk full//map[host:db-3]/[]", `"message" is not a field of an alert: taken as text`},
		"a message in a name": {"text/plain", "/v1/alerts?message=disk+full", "", "error/disk full//map[]/[]", `"message" is not a field of an alert: taken as text`},
		"no time":             {"application/json", "/v1/alerts", `{"title":"a","at":"","ends_at":" ","expires_in":""}`, "error/a//map[]/[]", ""},
		"no visible title":    {"application/json", "/v1/alerts", `{"title":"\u200b\u2060\u00ad","text":"disk full"}`, "error/disk full//map[]/[]", ""},
		"a query with JSON":   {"application/json", "/v1/alerts?severity=critical&title=T&x=1", `{"text":"a"}`, "critical/T/a/map[x:1]/[]", `"x" is not a field of an alert: kept as a label`},
		"a query of less":     {"application/json", "/v1/alerts?severity=critical&title=T&host=b", `{"title":"a","severity":"info","labels":{"host":"a"}}`, "info/a//map[host:a]/[]", `"host" is not a field of an alert: kept as a label`},
		"latin1 in a form":    {"application/x-www-form-urlencoded; charset=iso-8859-1", "/v1/alerts", "title=caf%E9&host=d%FCsseldorf+1", "error/café//map[host:düsseldorf 1]/[]", `"host" is not a field of an alert: kept as a label`},
		"windows in a form":   {"application/x-www-form-urlencoded; charset=windows-1252", "/v1/alerts", "title=5+%80%26more", "error/5 €&more//map[]/[]", ""},
		"Japanese in a form":  {"application/x-www-form-urlencoded; charset=shift_jis", "/v1/alerts", "title=%82%a0", "error/あ//map[]/[]", ""},
		"latin1 in a query":   {"text/plain; charset=iso-8859-1", "/v1/alerts?title=caf%E9&host=%C3%A9", "x", "error/café/x/map[host:é]/[]", `"host" is not a field of an alert: kept as a label`},
		"a percent in latin1": {"application/x-www-form-urlencoded; charset=iso-8859-1", "/v1/alerts", "rate %E9 50%", "error/rate %E9 50%//map[]/[]", ""},
		"latin1":              {"text/plain; charset=iso-8859-1", "/v1/alerts", "caf\xe9", "error/café//map[]/[]", ""},
		"windows":             {"text/plain; charset=CP1251", "/v1/alerts", "\xef\xf0", "error/пр//map[]/[]", ""},
		"UTF-16":              {"text/plain", "/v1/alerts", "\xff\xfea\x00b\x00", "error/ab//map[]/[]", ""},
		"Shift JIS":           {"text/plain; charset=Shift_JIS", "/v1/alerts", "\x8f\xe1\x8aQ", "error/障害//map[]/[]", ""},
		"Chinese":             {"text/plain; charset=gb2312", "/v1/alerts", "\xb4\xc5\xc5\xcc\xc2\xfa", "error/磁盘满//map[]/[]", ""},
		"latin9":              {"text/plain; charset=latin9", "/v1/alerts", "\xa4", "error/€//map[]/[]", ""},
		"UTF-8 as ASCII":      {"text/plain; charset=us-ascii", "/v1/alerts", "Gerät", "error/Gerät//map[]/[]", ""},
		"latin1 as ASCII":     {"text/plain; charset=us-ascii", "/v1/alerts", "caf\xe9", "error/caf\ufffd//map[]/[]", "bytes that are not UTF-8 are shown as \ufffd"},
		"code page 850":       {"text/plain; charset=cp850", "/v1/alerts", "Ger\x84t \xb5", "error/Gerät Á//map[]/[]", ""},
		"code page 437":       {"text/plain; charset=IBM437", "/v1/alerts", "Ger\x84t", "error/Gerät//map[]/[]", ""},
		"Russian":             {"text/plain; charset=koi8-r", "/v1/alerts", "\xd0\xd2", "error/пр//map[]/[]", ""},
		"JSON in latin1":      {"application/json; charset=latin1", "/v1/alerts", "{\"title\":\"caf\xe9\"}", "error/café//map[]/[]", ""},
		"no charset":          {"text/plain", "/v1/alerts", "abc\xffdef", "error/abc\ufffddef//map[]/[]", "bytes that are not UTF-8 are shown as \ufffd; send UTF-8, or name the charset in the content type"},
		"an unknown charset":  {"text/plain; charset=klingon", "/v1/alerts", "abc", "error/abc//map[]/[]", `the charset "klingon" is unknown: read as UTF-8`},
		"a byte order mark":   {jsonKind, "/v1/alerts", "\ufeff{\"title\":\"a\"}", "error/a//map[]/[]", ""},
		"NUL":                 {jsonKind, "/v1/alerts", `{"title":"a\u0000b"}`, "error/ab//map[]/[]", "title repaired: NUL characters are removed"},
		"NUL in text":         {"text/plain", "/v1/alerts", "a\x00b", "error/ab//map[]/[]", "NUL characters are removed"},
		"an unpaired half":    {jsonKind, "/v1/alerts", `{"title":"a\ud800b"}`, "error/a\ufffdb//map[]/[]", "half of a surrogate pair is shown as \ufffd"},
		"a strange parameter": {"text/plain", "/v1/alerts?sev=info&strict=0", "a", "error/a//map[sev:info]/[]", `"sev" is not a field of an alert: kept as a label`},
		"all parameters":      {"text/plain", "/v1/alerts?mention=ann&at=1767355200&idempotency_key=i", "a", "error/a//map[]/[]", ""},
		"bytes":               {"application/octet-stream", "/v1/alerts", "a", "error/a//map[]/[]", ""},
		"another JSON":        {"application/vnd.alert+json", "/v1/alerts", `{"title":"a"}`, "error/a//map[]/[]", ""},
		"markdown":            {"text/markdown", "/v1/alerts", "a", "error/a//map[]/[]", ""},
		"a batch":             {jsonKind, "/v1/alerts", `[{"title":"a"},{"title":"b","status":"broken"}]`, "error/a//map[]/[]", `alert 2: status "broken" is unknown: taken as firing`},
	} {
		t.Run(name, func(t *testing.T) {
			e := &engine{}
			got := post(t, e, c.kind, c.target, c.body)
			if got.status != http.StatusAccepted {
				t.Fatalf("answered %d %s", got.status, got.body)
			}
			a := e.got[0]
			if s := fmt.Sprintf("%s/%s/%s/%v/%v", a.Severity, a.Title, a.Text, a.Labels, a.Links); s != c.want {
				t.Errorf("it became %s, want %s", s, c.want)
			}
			if notes := strings.Join(got.Notes, "; "); !strings.HasPrefix(notes, c.notes) || (notes == "") != (c.notes == "") {
				t.Errorf("noted %q, want %q", notes, c.notes)
			}
		})
	}
}

func TestHowLongAnAlertLastsIsRead(t *testing.T) {
	const jsonKind = "application/json"
	end := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for body, want := range map[string]alert.Alert{
		`{"title":"a","expires_in":"1h30m"}`:                                   {ExpiresIn: 90 * time.Minute},
		`{"title":"a","expires_in":90}`:                                        {ExpiresIn: 90 * time.Second},
		`{"title":"a","expires_in":"forever"}`:                                 {ExpiresIn: -1},
		`{"title":"a","ends_at":"2026-01-02T15:04:05Z"}`:                       {EndsAt: end},
		`{"title":"a","ends_at":"0001-01-01T00:00:00Z","expires_in":"2 days"}`: {ExpiresIn: 48 * time.Hour},
	} {
		e := &engine{}
		got := post(t, e, jsonKind, "/v1/alerts", body)
		if got.status != http.StatusAccepted || e.got[0].ExpiresIn != want.ExpiresIn || !e.got[0].EndsAt.Equal(want.EndsAt) || len(got.Notes) > 0 {
			t.Errorf("%s is read as %s and %s: %d %q", body, e.got[0].ExpiresIn, e.got[0].EndsAt, got.status, got.Notes)
		}
	}
}

func TestAStoreThatCannotWriteIsAnsweredWith503AndWhenToTryAgain(t *testing.T) {
	for _, err := range []error{alert.ErrUnavailable, alert.ErrOverloaded, errors.New("boom")} {
		got := post(t, &engine{err: fmt.Errorf("commit alerts: %w", err)}, "text/plain", "/v1/alerts", "x")
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || got.Hint == "" {
			t.Errorf("%v: answered %d %s", err, got.status, got.body)
		}
	}
}

func TestABugIsAnsweredWith500AndNoPromiseForASecondTry(t *testing.T) {
	got := post(t, &engine{err: fmt.Errorf("accept: %w", alert.ErrInternal)}, "text/plain", "/v1/alerts", "x")
	if got.status != http.StatusInternalServerError || got.header.Get("Retry-After") != "" || got.Hint == "" {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}

func TestTheHeaderMakesABatchSafeToSendAgain(t *testing.T) {
	e := &engine{}
	req := httptest.NewRequest(http.MethodPost, "/v1/alerts", strings.NewReader(`[{"title":"a"},{"title":"b","idempotency_key":"own"},{"title":"c"}]`))
	req.Header.Set("Idempotency-Key", "once")
	ask(t, build(e, &reader{}).Handler(), req)
	var keys []string
	for _, a := range e.got {
		keys = append(keys, a.IdempotencyKey)
	}
	if want := "once own once/3"; strings.Join(keys, " ") != want {
		t.Errorf("the keys are %q, want %q", keys, want)
	}
}

func TestTheHeaderGivesAnIdempotencyKey(t *testing.T) {
	e := &engine{}
	req := httptest.NewRequest(http.MethodPost, "/v1/alerts", strings.NewReader(`{"title":"a"}`))
	req.Header.Set("Idempotency-Key", "once")
	ask(t, build(e, &reader{}).Handler(), req)
	if len(e.got) != 1 || e.got[0].IdempotencyKey != "once" {
		t.Errorf("accepted %+v", e.got)
	}
}

// Each try has waited longer, and is the same alert.
func TestAnAlertThatHasWaitedHappenedWhenItWasWritten(t *testing.T) {
	e := &engine{}
	for _, waited := range []string{"", "12s", "1h2m3s"} {
		req := httptest.NewRequest(http.MethodPost, "/v1/alerts", strings.NewReader(`{"title":"a","idempotency_key":"once"}`))
		req.Header.Set("X-Tocsin-Waited", waited)
		ask(t, build(e, &reader{}).Handler(), req)
	}
	for n, waited := range []time.Duration{0, 12 * time.Second, time.Hour + 2*time.Minute + 3*time.Second} {
		if got := e.got[n]; !got.At.Equal(noon.Add(-waited)) || got.Hash != e.got[0].Hash {
			t.Errorf("after %s it happened at %s and has the hash %d, at first %d", waited, got.At, got.Hash, e.got[0].Hash)
		}
	}
}

func TestAResolutionCanBeOnlyForWhatIsOpen(t *testing.T) {
	for target, body := range map[string]string{"/v1/alerts": `{"key":"a","status":"resolved","only_if_open":true}`, "/v1/alerts?key=a&status=resolved&only_if_open=1": "over"} {
		e := &engine{}
		if got := post(t, e, "", target, body); got.status != http.StatusAccepted || !e.got[0].OnlyIfOpen || len(got.Notes) > 0 {
			t.Errorf("%s %s: answered %d %s", target, body, got.status, got.body)
		}
	}
}

func TestAPendingAlertIsAnsweredAsPendingWhenTheWaitIsOver(t *testing.T) {
	r := &reader{record: alert.Record{Alert: alert.Alert{ID: "a1"}, Standing: alert.StandPending}}
	h := build(&engine{}, r).Handler()
	for path, want := range map[string]int{
		"/v1/alerts/a1": 200, "/v1/alerts/a1?wait=5ms": 200, "/v1/alerts/nope": 404, "/v1/alerts/a1?wait=3h": 400, "/v1/alerts/a1?wait=soon": 400,
	} {
		got := ask(t, h, httptest.NewRequest(http.MethodGet, path, nil))
		if got.status != want || want == 200 && !strings.Contains(got.body, `"standing":"pending"`) {
			t.Errorf("%s: answered %d %s", path, got.status, got.body)
		}
	}
}

func TestQuestionsAreAnswered(t *testing.T) {
	h := build(&engine{}, &reader{}).Handler()
	for path, want := range map[string]string{
		"/v1/incidents":                          `"k7f2"`,
		"/v1/incidents?state=open,acked&limit=5": "[open acked] 5",
		"/v1/incidents?state=broken":             `unknown state \"broken\"`,
		"/v1/incidents?limit=0":                  `limit is \"0\"`,
		"/v1/incidents/k7f2":                     `"id":"k7f2"`,
		"/v1/incidents/zzzz":                     `not found`,
		"/v1/ledger":                             `"lanes":[]`,
		"/healthz":                               `"ok":true`,
		"/readyz":                                `"ready":true`,
	} {
		if got := ask(t, h, httptest.NewRequest(http.MethodGet, path, nil)); !strings.Contains(got.body, want) {
			t.Errorf("%s: answered %d %s, want %s", path, got.status, got.body, want)
		}
	}
}

func TestNotReadySaysWhatToDo(t *testing.T) {
	health := alert.Health{Held: "invalid_auth", Problems: []alert.Problem{{What: "Slack refuses the bot token", Fix: "set SLACK_BOT_TOKEN"}}}
	h := api.New(api.Options{Engine: &engine{}, Store: knows{&reader{}, &queue{}}, Health: func() alert.Health { return health }, Token: "s3cret"}).TCPHandler()
	req := httptest.NewRequest(http.MethodGet, "http://monitor.example/readyz", nil)
	if got := ask(t, h, req); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "set SLACK_BOT_TOKEN") {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}

func TestOnlyWhoMayTalksOverTCP(t *testing.T) {
	for name, c := range map[string]struct {
		token  alert.Secret
		host   string
		header map[string]string
		want   int
	}{
		"loopback without a token":        {"", "127.0.0.1:8126", nil, 202},
		"localhost":                       {"", "localhost:8126", nil, 202},
		"IPv6 loopback":                   {"", "[::1]:8126", nil, 202},
		"a name that a page resolved":     {"", "evil.example", nil, 403},
		"a page of another origin":        {"", "127.0.0.1:8126", map[string]string{"Origin": "https://evil.example"}, 403},
		"a page without origin":           {"", "127.0.0.1:8126", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"a page of another local port":    {"", "127.0.0.1:8126", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"no token":                        {"s3cret", "127.0.0.1:8126", nil, 401},
		"wrong token":                     {"s3cret", "127.0.0.1:8126", map[string]string{"Authorization": "Bearer s3cre"}, 401},
		"right token":                     {"s3cret", "tocsin.example", map[string]string{"Authorization": "Bearer s3cret"}, 202},
		"right token from another origin": {"s3cret", "tocsin.example", map[string]string{"Authorization": "Bearer s3cret", "Origin": "null"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			h := api.New(api.Options{Engine: &engine{}, Store: knows{&reader{}, &queue{}}, Token: c.token}).TCPHandler()
			req := httptest.NewRequest(http.MethodPost, "http://"+c.host+"/v1/alerts", strings.NewReader("x"))
			req.Host = c.host
			for k, v := range c.header {
				req.Header.Set(k, v)
			}
			got := ask(t, h, req)
			if got.status != c.want {
				t.Errorf("answered %d %s, want %d", got.status, got.body, c.want)
			}
			if strings.Contains(got.body, "s3cret") {
				t.Error("the answer tells the token")
			}
		})
	}
}

func TestTheUnixSocketIsForItsGroupAndReplacesADeadOnes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "tocsin.sock")
	dead, err := net.Listen("unix", filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	leftover := dead.Addr().String()
	if err := errors.Join(dead.Close(), os.MkdirAll(filepath.Dir(path), 0o700), os.Rename(leftover, path)); err != nil {
		t.Fatal(err)
	}
	l, err := api.ListenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode is %v (%v), want 0660", info.Mode(), err)
	}
	srv := api.Serve(build(&engine{}, &reader{}).Handler(), zap.NewNop())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	c := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
	resp, err := c.Post("http://tocsin/v1/alerts", "text/plain", strings.NewReader("disk full"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("answered %s", resp.Status)
	}
	if _, err := api.ListenUnix(t.Context(), path); err == nil || !strings.Contains(err.Error(), "running daemon uses "+path) {
		t.Errorf("a second daemon got %v", err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serving ended with %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's file is still there: %v", err)
	}
}

// A daemon that hangs does not accept, so that further callers are turned away
// by the kernel. Its socket is its own even so.
func TestTheSocketOfABusyDaemonIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.sock")
	busy, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(busy) }()
	if err := errors.Join(syscall.Bind(busy, &syscall.SockaddrUnix{Name: path}), syscall.Listen(busy, 0)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		var waiting net.Conn
		if waiting, err = net.Dial("unix", path); err == nil {
			t.Cleanup(func() { _ = waiting.Close() })
		}
	}
	if _, err := api.ListenUnix(t.Context(), path); err == nil || !strings.Contains(err.Error(), "a daemon may be using "+path) {
		t.Errorf("listening answered %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the busy daemon's socket is gone: %v", err)
	}
}

func TestANoteIsShortHoweverLongWhatItIsAbout(t *testing.T) {
	long := strings.Repeat("1h", 20_000)
	for _, body := range []string{
		`{"title":"x","expires_in":"` + long + `"}`, `{"title":"x","at":"` + long + `"}`, `{"title":"x","only_if_open":"` + long + `"}`,
		`{"title":"x","channel":"#` + long + `"}`, `{"title":"x","severity":"` + long + `"}`, `{"title":"x","format":"` + long + `"}`,
		`{"title":"x","mention":"` + long + `"}`, `{"title":"x","` + long + `":1}`, `{"title":"x","links":["` + long + `"]}`,
		`{"title":"x","labels":{"` + long + `":"a"}}`, `{"title":"x","labels":{"a":"` + long + `"}}`, `{"title":"x","images":["` + long + `"]}`,
	} {
		got := post(t, &engine{}, "application/json", "/v1/alerts", body)
		said := strings.Join(got.Notes, "; ")
		if got.status != http.StatusAccepted || len(said) == 0 && !strings.Contains(body, "mention") || len(said) > 500 {
			t.Errorf("%.40s… is answered with %d and notes of %d bytes", body, got.status, len(said))
		}
	}
}

func TestClosingTwiceLeavesTheNextDaemonsSocketAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.sock")
	first, err := api.ListenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := api.ListenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = next.Close() }()
	_ = first.Close() // what it answers does not matter
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the next daemon's socket is gone: %v", err)
	}
}

func TestAFileInTheSocketsPlaceIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ListenUnix(t.Context(), path); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Error("the file was touched")
	}
}

func TestATakenPortIsSaidPlainly(t *testing.T) {
	l, err := api.ListenTCP(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, err = api.ListenTCP(t.Context(), l.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "the port is in use") || !strings.Contains(err.Error(), "TOCSIN_LISTEN") {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeNeverPanicsAndAcceptsOnlyGoodAlerts(f *testing.F) {
	for _, s := range []string{`{"title":"a"}`, `[{"title":"a"}]`, "plain", "{\"title\":\"a\"}\n{\"title\":\"b\"}", `{"at":1e99,"labels":{"a":null}}`, "\xff"} {
		for _, kind := range []string{"application/json", "application/x-ndjson", "text/plain", ""} {
			f.Add(kind, s)
		}
	}
	f.Fuzz(func(t *testing.T, kind, body string) {
		e := &engine{}
		got := post(t, e, kind, "/v1/alerts", body)
		if got.status == http.StatusAccepted && len(e.got) == 0 && len(strings.TrimSpace(body)) == 0 {
			t.Errorf("nothing was accepted as something: %q", body)
		}
		if got.status >= 500 {
			t.Errorf("%q was answered with %d", body, got.status)
		}
	})
}
