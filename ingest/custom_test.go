package ingest

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/alert"
)

// custom is a webhook of these expressions: fields and sources in turns. failed counts
// those that fail.
func custom(t testing.TB, fieldsAndSources ...string) (c *Custom, failed *int) {
	t.Helper()
	var all []Expression
	for n := 0; n+1 < len(fieldsAndSources); n += 2 {
		field, name, _ := strings.Cut(fieldsAndSources[n], ".")
		all = append(all, Expression{field, name, fieldsAndSources[n+1]})
	}
	failed = new(int)
	c, err := NewCustom("mine", all, func() { *failed++ })
	if err != nil {
		t.Fatal(err)
	}
	return c, failed
}

func TestExpressionsMakeAlertsOfABody(t *testing.T) {
	c, failed := custom(t,
		"each", "body.items", "drop", `item.state == "test"`,
		"title", `item.name + " is at " + item.percent + "%"`, "text", "item.output",
		"severity", `item.percent > 95 ? "critical" : "warning"`, "status", `item.state != "ok"`,
		"key", "item.id", "channel", `"#" + item.team`, "labels", "item.tags", "labels.host", "item.host.name", "labels.none", "item.missing.deeper",
		"links", `[{label: "Graph", url: item.graph}, "https://example.com/b"]`, "images", "item.image",
		"at", "item.since", "expires_in", `"2h"`, "idempotency_key", `headers["x-delivery"]`)
	r := request([]byte(`{"items": [
		{"id": 12345678901234, "name": "disk", "percent": 97.5, "output": "full", "state": "bad", "team": "ops", "tags": {"a": 1, "b": true}, "host": {"name": "db-3"},
		 "graph": "https://example.com/a", "image": "https://example.com/i.png", "since": 1795867200},
		{"id": 2, "name": "test", "state": "test"},
		{"id": 3, "name": "cpu", "percent": 3, "state": "ok"}]}`))
	r.Header.Set("X-Delivery", "d1")
	in, err := c.Format().Read(r)
	if err != nil || len(in.Alerts) != 2 || *failed != 0 {
		t.Fatalf("%v, %d alerts, %d failures, %q", err, len(in.Alerts), *failed, in.Notes)
	}
	first, err := json.Marshal(in.Alerts[0])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"","source":"mine","key":"12345678901234","status":"firing","severity":"critical","title":"disk is at 97.5%","text":"full",` +
		`"labels":{"a":"1","b":"true","host":"db-3"},"links":[{"label":"Graph","url":"https://example.com/a"},{"label":"","url":"https://example.com/b"}],` +
		`"images":[{"url":"https://example.com/i.png"}],"channel":"#ops","at":"2026-11-28T12:00:00Z","idempotency_key":"mine/d1","accepted_at":"0001-01-01T00:00:00Z"}`
	if string(first) != want {
		t.Errorf("the first alert is\n%s, want\n%s", first, want)
	}
	if first := in.Alerts[0]; first.ExpiresIn != 2*time.Hour || first.OnlyIfOpen {
		t.Errorf("it expires in %s, and counts only if open: %v", first.ExpiresIn, first.OnlyIfOpen)
	}
	if last := in.Alerts[1]; last.Status != alert.Resolved || !last.OnlyIfOpen || last.Key != "3" || last.IdempotencyKey != "mine/d1/3" || last.Title != "cpu is at 3%" {
		t.Errorf("the last alert is %+v", last)
	}
	if !slices.Contains(in.Notes, "item 2 is dropped, as drop says") {
		t.Errorf("the notes are %q", in.Notes)
	}
}

func TestEveryKindOfBodyIsSeenByExpressions(t *testing.T) {
	for _, c := range []struct{ kind, body, title, want string }{
		{"application/json", `{"a":{"b":1}}`, "body.a.b", "1"},
		{"", ` [1,2]`, `join(body, "+")`, "1+2"},
		{"application/json", `"x"`, "body", "x"},
		{"application/x-www-form-urlencoded", "a=1&b=2&b=3", `body.a + body.b`, `1["2","3"]`},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nyes\r\n--x--\r\n", "body.a", "yes"},
		{"application/x-www-form-urlencoded", "payload=%7B%22a%22%3A7%7D", "fromJSON(body.payload).a", "7"},
		{"text/plain", "disk full\nrun df", `split(body, "\n")[0]`, "disk full"},
		{"text/plain", "x", `headers["content-type"] + headers["authorization"]`, "text/plain"},
		{"", `{"n":1e400,"f":1e21,"i":-0.5}`, `body.n + " " + body.f + " " + body.i`, "1e400 1e+21 -0.5"},
		{"", `{"l":["b","a","b",[1],[1]]}`, `uniq(body.l)`, `["b","a",[1]]`},
		{"", `{"none":[],"l":[{"x":1},{"x":[2]}],"s":"ab"}`, `"-" + body.none[0].x + body.none[-1] + body.l[99].x + body.l[-3] + body.zz[0] + body.zz[0][1].y + body?.zz[0] + body.l[body.zz ?? 5]`, "-"},
		{"", `{"l":[{"x":1},{"x":[2]}],"m":{"a":{"b":3}},"k":"a"}`, `"-" + body.l[0].x + body.l[-1].x[0] + body?.l[0]?.x + body.m[body.k].b + body.m["a"].b + {a: 4}[body.k] + (body.m["z"] ?? "")`, "-121334"},
		{"", `{"g":[{"x":[1,2]},{"x":[3]}]}`, `toJSON(flatten(map(body.g, .x)))`, `[1,2,3]`},
		{"", `{"g":[{"k":1,"v":"a"},{"k":2,"v":"b"}]}`, `filter(body.g, .k > 1)[0].v + len(concat(body.g, body.g)) + repeat("-", 2) + replace("a.b", ".", "")`, "b4--ab"},
		{"", `{"g":[{"k":1},{"k":2}]}`, `groupBy(body.g, string(.k))`, `{"1":[{"k":1}],"2":[{"k":2}]}`},
	} {
		hook, _ := custom(t, "title", c.title)
		r := request([]byte(c.body))
		r.Header.Set("Content-Type", c.kind)
		r.Header.Set("Authorization", "Bearer s3cret")
		in, err := hook.Format().Read(r)
		if err != nil || len(in.Alerts) != 1 || in.Alerts[0].Title != c.want || len(in.Notes) > 0 {
			t.Errorf("%s of %s: %v, %+v", c.title, c.body, err, in)
		}
	}
}

func TestAnExpressionThatFailsCostsItsFieldAloneAndTheRawBodyIsKept(t *testing.T) {
	c, failed := custom(t, "title", "body.title", "text", "body.count / body.title", "channel", `"#ops"`, "drop", "body.title")
	in, err := c.Format().Read(request([]byte(`{"title":"disk","count":1}`)))
	if err != nil || len(in.Alerts) != 1 || *failed != 2 || len(in.Notes) != 2 {
		t.Fatalf("%v, %+v, %d failures", err, in, *failed)
	}
	a := in.Alerts[0]
	if a.Title != "disk" || a.Channel != "#ops" || !strings.Contains(a.Text, "text is left out: ") || !strings.Contains(a.Text, "```\n{\"count\":1,\"title\":\"disk\"}\n```") {
		t.Errorf("it became %+v", a)
	}

	// Nothing is refused for saying nothing.
	c, _ = custom(t, "title", "body.absent", "key", "body.id", "status", "body.status")
	in, err = c.Format().Read(request([]byte(`{"id":7}`)))
	if err != nil || in.Alerts[0].Title != "A webhook of mine was not understood" || !strings.Contains(in.Alerts[0].Text, `{"id":7}`) {
		t.Errorf("%v, %+v", err, in)
	}
	each, _ := custom(t, "each", "body", "title", "item.absent")
	in, err = each.Format().Read(request([]byte(`[{"a":1},{"a":2},{"a":1}]`)))
	if err != nil || in.Alerts[0].Key == in.Alerts[1].Key || in.Alerts[0].Key != in.Alerts[2].Key {
		t.Errorf("what is not understood is one incident for each thing: %v, %+v", err, in)
	}
	in, err = c.Format().Read(request([]byte(`{"id":7,"status":"ok"}`)))
	if err != nil || in.Alerts[0].Text != "" || in.Alerts[0].Key != "7" {
		t.Errorf("a resolve needs only its key: %v, %+v", err, in)
	}

	form, _ := custom(t, "title", "body.subject", "text", "body.text", "labels", "body")
	in, err = form.Format().Read(request([]byte("<a/>")))
	if err != nil || in.Alerts[0].Title != "A webhook of mine was not understood" || !strings.Contains(in.Alerts[0].Text, "<a/>") {
		t.Errorf("labels alone are no alert: %v, %+v", err, in)
	}
	if in, err = form.Format().Read(request(content(t, "testdata/alertmanager-0.34.0-grouped.json"))); err == nil {
		t.Errorf("the body of a tool that is known became %+v", in)
	}

	c, failed = custom(t, "each", "body.items", "title", "item")
	for _, body := range []string{`{"items":7}`, `{}`, `{`, strings.Repeat("[", 200)} {
		if in, err := c.Format().Read(request([]byte(body))); err == nil {
			t.Errorf("%s became %+v", body, in)
		}
	}
	if *failed != 2 {
		t.Errorf("%d failures", *failed)
	}
	if in, err := c.Format().Read(request([]byte(`{"items":[]}`))); err != nil || len(in.Alerts) != 0 || len(in.Notes) != 1 {
		t.Errorf("%v, %+v", err, in)
	}
}

func TestWhatExpressionsDropOrRepairIsInTheNotes(t *testing.T) {
	c, _ := custom(t, "title", "body.title", "key", "body.key", "status", "body.status", "severity", "body.sev", "labels", "body.labels", "links", "body.links", "images", "body.images",
		"at", "body.at", "mention", "body.who")
	for _, one := range []struct {
		body  string
		notes []string
	}{
		{`{"status":"resolved"}`, []string{"item 1: it is resolved, but title, text and key are empty"}},
		{`{"status":"resolved","title":"x"}`, []string{"item 1: it is resolved and has no key: it resolves only what has the same title and labels, and no key either"}},
		{`{"title":"x","links":[5,"","/a",{"b":"c"},null,"https://example.com"],"images":true}`, []string{
			`item 1: links: "5" is not a web address: left out`, `item 1: links: "/a" is not a web address: left out`,
			`item 1: links: "c" is not a web address: left out`, `item 1: images: "true" is not a web address: left out`,
		}},
		{`{"title":"x","labels":5}`, []string{"item 1: labels is a number, and should be a map or a list: kept as the label tags"}},
		{`{"title":"x","labels":{"":"y"}}`, []string{`item 1: labels: "y" has no name: left out`}},
		{`{"title":"x","at":"when"}`, []string{`item 1: at is left out: "when" is not a time such as 2026-01-02T15:04:05Z, or seconds since 1970`}},
		{`hello`, []string{
			"item 1: title, key, status, severity, labels, links, images, at, mention are left out: body is a text, and has no members at 1:6",
			"item 1: title and text are empty",
		}},
		{`title=x&key=y`, nil},
		{`{"title":"x","labels":[{"a":"b"},{"name":"c","value":1}],"who":["ann","bob"]}`, nil},
	} {
		in, err := c.Format().Read(request([]byte(one.body)))
		if err != nil || len(in.Alerts) != 1 {
			t.Errorf("%s: %v, %+v", one.body, err, in)
			continue
		}
		slices.Sort(in.Notes)
		slices.Sort(one.notes)
		if !slices.Equal(in.Notes, one.notes) {
			t.Errorf("%s: the notes are %q, want %q", one.body, in.Notes, one.notes)
		}
		if a := in.Alerts[0]; a.Resolves() && a.Key == "" && a.Title != "x" {
			t.Errorf("%s is ignored: %+v", one.body, a)
		}
		switch a := in.Alerts[0]; {
		case strings.Contains(one.body, "who") && (a.Mention != "ann, bob" || a.Labels["a"] != "b" || a.Labels["c"] != "1"):
			t.Errorf("%s became %+v", one.body, a)
		case strings.Contains(one.body, "example.com") && len(a.Links) != 1:
			t.Errorf("%s has the links %v", one.body, a.Links)
		}
	}
	for _, empty := range []string{"", " \n"} {
		if in, err := c.Format().Read(request([]byte(empty))); err == nil || !strings.Contains(err.Error(), "the body is empty") {
			t.Errorf("%q: %v, %+v", empty, err, in)
		}
	}
}

func TestAnExpressionThatFailsSaysSoInWords(t *testing.T) {
	for source, want := range map[string]string{
		"body.n[0]": "body.n is a number, and has no members at 1:7", "body.n.x": "body.n is a number, and has no members at 1:8",
		"body.l[body.s]": `body.l is a list, and has no member "abc" at 1:7`, "body.l.x": `body.l is a list, and has no member "x" at 1:8`, `body.l["a b"]`: `body.l is a list, and has no member "a b" at 1:7`,
		"body.m[0]": "body.m is a map, and has no element 0: its members have names at 1:7", "body.m[body.l[0]]": "body.m is a map, and has no element 1: its members have names at 1:7",
		"body.s[0]": "body.s is a text, and has no elements: body.s[0:1] is its first character at 1:7", "body.s.x": "body.s is a text, and has no members at 1:8",
		`body.m["a b"].x[0]`: `body.m["a b"] is a text, and has no members at 1:15`, "map(body.l, #.x)": "# is a number, and has no members at 1:15", "body.l[0][0]": "body.l[0] is a number, and has no members at 1:10",
		"trim(body.s).x": "it is a text, and has no members at 1:14",
		`body.n > "a"`:   "a number > a text can't be worked out at 1:8", "body.zz > 1": "nil > a number can't be worked out at 1:9",
		"upper(body.n)": "it is a number, and has to be a text at 1:1", "body.n ? 1 : 2": "it is a number, and has to be true or false at 1:14",
		"len(body.n)": "len can't be used for a number at 1:1", "filter(body.s, #) ": "it is a number, and has to be true or false at 1:1",
	} {
		c, _ := custom(t, "title", source)
		_, values, err := c.Explain(request([]byte(`{"n":1,"s":"abc","l":[1],"m":{"a b":"x"}}`)))
		if err != nil || !strings.Contains(values[0].Error, want) {
			t.Errorf("%s: %v, %q, want %q", source, err, values[0].Error, want)
		}
	}
}

func TestExpressionsCanTakeNeitherAllMemoryNorAllTime(t *testing.T) {
	items := `{"items":[` + strings.Repeat(`"0123456789",`, 40_000) + `"x"]}`
	for _, source := range []string{
		`count(body.items, any(body.items, # == "none"))`,
		`all(body.items, all(body.items, all(body.items, true)))`,
		`toJSON(map(body.items, body))`, `string(map(body.items, body.items))`, `map(body.items, body)`, `uniq(map(body.items, body))`,
		`flatten(map(body.items, body.items))`, `join(body.items, toJSON(body))`, `replace(toJSON(body), "0", toJSON(body))`,
		`repeat(toJSON(body), 1000)`, `1..10000000`, `reduce(body.items, #acc + #acc, "x")`, `map(1..1000000, toJSON(body))`,
		`reduce(body.items, concat(#acc, #acc), body.items)`,
	} {
		c, failed := custom(t, "title", source)
		in, err := c.Format().Read(request([]byte(items)))
		if err != nil || len(in.Alerts) != 1 || *failed != 1 {
			t.Errorf("%s: %v, %d failures: %q", source, err, *failed, in.Notes)
		}
	}
}

func TestAMistakeInAnExpressionHasItsPlace(t *testing.T) {
	for _, c := range []struct {
		source       string
		line, column int
		message      string
	}{
		{"bdy.title", 1, 1, "unknown name bdy"},
		{"body.a +\n  nope(1)", 2, 3, "unknown name nope"},
		{`"a`, 1, 3, "literal not terminated"},
		{"body.a ? 1", 1, 10, "unexpected token"},
		{strings.Repeat("1+", 1000) + "1", 0, 0, "exceeds"},
		{strings.Repeat("(", 20_000), 1, 1, "longer than"},
		{"mean(body)", 1, 1, "unknown name mean"},
		{`"a" + int("x")`, 1, 7, "invalid"},
	} {
		var at *Mistake
		err := CheckExpression(Expression{"title", "", c.source})
		if !errors.As(err, &at) || !strings.Contains(at.Message, c.message) || c.line > 0 && (at.Line != c.line || at.Column != c.column) {
			t.Errorf("%.40s: %v", c.source, err)
		}
	}
}

func TestAnExpressionThatCanNeverBeItsFieldIsAMistake(t *testing.T) {
	for _, c := range []struct{ field, source, message string }{
		{"each", "5", "it is always a number, and each needs a list or a map"},
		{"each", `"x"`, "it is always a text"},
		{"each", "len(body)", "it is always a number"},
		{"each", "nil", "it is always nil"},
		{"drop", `"perhaps"`, "neither true nor false"},
		{"drop", "map(body, #)", "it is always a list"},
		{"title", "5", "it is always 5, and title needs a text: a text has quotes of its own"},
		{"title", "body.title or body.name", "it is always true or false"},
		{"title", "{a: body}", "it is always a map"},
		{"text", "1 + 2", "it is always 3"},
		{"text", `int("x")`, "invalid"},
		{"severity", "item.bad == 1", "it is always true or false"},
		{"severity", `"grue"`, `"grue" is not a severity`},
		{"labels", `"x"`, "it is always a text, and labels needs a map or a list"},
		{"links", "5", "it is always a number"},
		{"at", `"whenever"`, "not a time"},
		{"at", "body.a and true", "it is always true or false"},
		{"expires_in", `"soon"`, "not a duration"},
	} {
		var at *Mistake
		err := CheckExpression(Expression{c.field, "", c.source})
		if !errors.As(err, &at) || !strings.Contains(at.Message, c.message) || at.Line != 1 || at.Column != 1 {
			t.Errorf("%s: %s: %v", c.field, c.source, err)
		}
	}
	for _, c := range []Expression{
		{"each", "", "[1, 2]"}, {"each", "", "body"}, {"each", "", "body.a ?? [body]"}, {"drop", "", "false"}, {"drop", "", "body.n > 5"}, {"drop", "", `headers["x-test"]`},
		{"title", "", `"a disk"`}, {"title", "", "len(body.items)"}, {"title", "", "body.a ? 5 : body.b"}, {"text", "", "body.list | map(#.x)"}, {"text", "", "headers"},
		{"severity", "", "2"}, {"severity", "", `"critical"`}, {"status", "", "true"}, {"status", "", "body.a == 1"}, {"key", "", `"one"`}, {"key", "", "body.a * 2"},
		{"labels", "", "{a: 1}"}, {"labels", "", `["a"]`}, {"labels", "n", "5"}, {"links", "", `"https://example.com"`}, {"links", "", "[]"}, {"at", "", "now()"},
		{"at", "", `date("2026-11-28")`}, {"at", "", "body.t / 1000"}, {"expires_in", "", `"2h"`},
	} {
		if err := CheckExpression(c); err != nil {
			t.Errorf("%s: %s: %v", c.field(), c.Source, err)
		}
	}
}

func TestASignatureIsTakenAsTheToolWritesIt(t *testing.T) {
	body := []byte(`{"a":1}`)
	one, other := hmac.New(sha1.New, []byte("s")), hmac.New(sha256.New, []byte("s"))
	one.Write(body)
	other.Write(body)
	for _, c := range []struct {
		Signature
		proof string
	}{
		{Signature{"X-Sum", "sha1=", "sha1", "hex"}, "sha1=" + hex.EncodeToString(one.Sum(nil))},
		{Signature{"X-Sum", "", "sha256", "base64"}, base64.StdEncoding.EncodeToString(other.Sum(nil))},
		{Signature{"Authorization", "Bearer ", "none", ""}, "Bearer s"},
	} {
		r := Request{Body: body, Header: http.Header{}}
		r.Header.Set(c.Header, c.proof)
		if !c.Signed("s", r) {
			t.Errorf("%+v refuses %s", c.Signature, c.proof)
		}
		for _, wrong := range []string{"", c.Prefix, c.proof + "0", strings.ToUpper(c.proof) + "x", "%"} {
			if r.Header.Set(c.Header, wrong); c.Signed("s", r) {
				t.Errorf("%+v accepts %q", c.Signature, wrong)
			}
		}
		if r.Header.Set(c.Header, c.proof); c.Signed("t", r) {
			t.Errorf("%+v accepts another secret", c.Signature)
		}
	}
}

func TestNotesNameEveryMemberOfAWrongType(t *testing.T) {
	in, err := alertmanager().Read(request([]byte(`{"version":"4","status":7,"groupLabels":"x","alerts":[{"labels":{"alertname":"A"},"annotations":[1],"startsAt":{"x":1}},{"labels":{"alertname":"B"}},7]}`)))
	if err != nil || len(in.Alerts) != 2 {
		t.Fatalf("%v, %+v", err, in)
	}
	if want := []string{"alerts[2] is of an unexpected type, number: left out", "1 alerts without labels and annotations are left out"}; !slices.Equal(in.Notes, want) {
		t.Errorf("the notes are %q, want %q", in.Notes, want)
	}
	in, err = github().Read(request([]byte(`{"action":"completed","workflow_run":{"id":1,"status":"completed","conclusion":"failure","head_commit":"x","actor":7},"repository":[1],"sender":"ann"}`)))
	if err != nil || len(in.Notes) < 3 {
		t.Errorf("%v, %q", err, in.Notes)
	}
}

// FuzzExpressions holds that no expression and no body makes the process panic, or an
// alert that is refused.
func FuzzExpressions(f *testing.F) {
	f.Add(`item.a + body.b?.c ?? "x"`, []byte(`{"items":[{"a":1},2]}`))
	f.Add(`replace(string(body), "a", toJSON(headers))`, []byte("text"))
	f.Add(`let x = map(body, # + 1); x | filter(# > 1) | groupBy(#) | toJSON()`, []byte("[1,2.5,\"x\",null]"))
	f.Add(`sortBy(keys(body), #)[0] matches "^a" ? {a: 1..3} : uniq(flatten([body]))`, []byte(`{"b":1}`))
	f.Fuzz(func(t *testing.T, source string, body []byte) {
		for _, field := range []string{"title", "labels", "links", "drop", "at", "each"} {
			c, err := NewCustom("mine", []Expression{{field, "", source}, {"text", "", "item"}}, func() {})
			if err != nil {
				return
			}
			in, err := c.Format().Read(request(body))
			if err != nil {
				continue
			}
			for _, a := range in.Alerts {
				if err := a.Prepare(noon); err != nil {
					t.Fatalf("%s: %q of %q gave an alert that is refused: %v", field, source, body, err)
				}
			}
		}
	})
}

func BenchmarkExpressions(b *testing.B) {
	body, err := os.ReadFile("testdata/alertmanager-0.34.0-grouped.json")
	if err != nil {
		b.Fatal(err)
	}
	c, _ := custom(b, "each", "body.alerts", "title", `item.annotations.summary ?? item.labels.alertname`, "status", "item.status",
		"key", "item.fingerprint", "labels", "item.labels", "severity", "item.labels.severity")
	alerts := 0
	b.ReportAllocs()
	for b.Loop() {
		in, err := c.Format().Read(request(body))
		if err != nil {
			b.Fatal(err)
		}
		alerts += len(in.Alerts)
	}
	b.ReportMetric(float64(alerts)/b.Elapsed().Seconds(), "alerts/s")
}

// FuzzLabels holds that labels are read as encoding/json reads them.
func FuzzLabels(f *testing.F) {
	for _, value := range []string{
		`{}`, `{ }`, `{"a":"b" , "c" :"d"}`, `{"a":"\n\""}`, `{"a\"":"b\\"}`, `{"a":"b","a":"c"}`, `{"a":1, "b" : null ,"c":true }`, `{"a":{"b":"c"}}`, `[]`, `"x"`, `{"":""}`,
	} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !json.Valid(value) || !utf8.Valid(value) { // as every body is
			return
		}
		got, ok := readLabels(value)
		if !ok {
			return
		}
		var members map[string]text
		if err := json.Unmarshal(value, &members); err != nil {
			t.Fatal(err)
		}
		want := labels{}
		for name, said := range members {
			if name != "" {
				want[name] = string(said)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%q is read as %v, want %v", value, got, want)
		}
	})
}
