package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"tocsin/alert"
	"tocsin/api"
)

// hooks are three tools: bell sends "ring NAME" a line and knows an acknowledgement,
// gong the same but signed, and horn answers in words of its own.
func hooks() api.Options {
	read := func(word string) func([]byte, http.Header) (alert.Intake, error) {
		return func(body []byte, _ http.Header) (in alert.Intake, err error) {
			if len(body) == 0 {
				return in, errors.New("it is empty")
			}
			for line := range strings.Lines(string(body)) {
				verb, name, _ := strings.Cut(strings.TrimSpace(line), " ")
				switch verb {
				case word:
					in.Alerts = append(in.Alerts, alert.Alert{Key: name, Title: name})
				case "ack":
					in.Acked, in.By = append(in.Acked, name), alert.Person{Name: "bell"}
				case "unack":
					in.Unacked = append(in.Unacked, name)
				case "quiet":
					in.Notes = append(in.Notes, name+" is no alert")
				default:
					return alert.Intake{}, errors.New("it does not " + word)
				}
			}
			return in, nil
		}
	}
	return api.Options{
		Webhooks: []api.Webhook{
			{Name: "bell", Tool: "Bell", Path: "/v1/webhooks/bell", Read: read("ring")},
			{Name: "gong", Tool: "Gong", Path: "/v1/webhooks/gong", Read: read("beat"), Verify: func(body []byte, h http.Header) bool {
				return h.Get("Signature") == fmt.Sprint(len(body))
			}},
			{Name: "horn", Tool: "Horn", Path: "/horn/{channel}", Read: read("blow"), Answer: func(status int, keys []string, problem string) (int, string, string) {
				return status, "text/plain", strings.Join(keys, ",") + problem
			}},
		},
		Recognize: func(body []byte, _ http.Header) string {
			for word, name := range map[string]string{"ring": "bell", "beat": "gong"} {
				if strings.Contains(string(body), word) {
					return name
				}
			}
			return ""
		},
	}
}

// send posts to a webhook over TCP, where token is needed if it is not empty.
func send(t *testing.T, e *engine, token alert.Secret, target, body string, header ...string) answer {
	t.Helper()
	opts := hooks()
	opts.Engine, opts.Store, opts.Token = e, knows{&reader{}, &queue{}}, token
	req := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8126"+target, strings.NewReader(body))
	for n := 0; n < len(header); n += 2 {
		req.Header.Set(header[n], header[n+1])
	}
	return ask(t, api.New(opts).TCPHandler(), req)
}

func TestAWebhooksAlertsAreAcceptedWithWhatItsAddressAdds(t *testing.T) {
	e := &engine{}
	got := send(t, e, "", "/v1/webhooks/bell?channel=%23ops&severity=warning&mention=ann", "ring a\nring b", "Idempotency-Key", "once")
	if got.status != http.StatusAccepted || len(e.got) != 2 || len(got.Alerts) != 2 {
		t.Fatalf("answered %d %s", got.status, got.body)
	}
	if a := e.got[1]; a.Key != "b" || a.Channel != "#ops" || a.Severity != alert.Warning || a.Mention != "ann" || a.IdempotencyKey != "once/2" {
		t.Errorf("it became %+v", a)
	}
}

func TestABodyThatAsksForNothingIsAnsweredWithWhy(t *testing.T) {
	e := &engine{}
	got := send(t, e, "", "/v1/webhooks/bell", "quiet ping")
	if got.status != http.StatusAccepted || !strings.Contains(got.body, `"accepted":0`) || strings.Join(got.Notes, "") != "ping is no alert" || len(e.got) > 0 {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}

func TestOfCountlessNotesTheAnswerHasTheFirstAndHowManyMoreThereAre(t *testing.T) {
	bells := strings.TrimSuffix(strings.Repeat("quiet x\n", 1000), "\n")
	strange := strings.Repeat(`{"title":"disk","severity":"banana"},`, 999) + `{"title":"disk","severity":"banana"}`
	links := `{"title":"disk","links":[` + strings.Repeat(`{"url":"javascript:1"},`, 999) + `{"url":"javascript:1"}]}`
	for target, body := range map[string]string{"/v1/webhooks/bell": bells, "/v1/alerts": "[" + strange + "]", "/v1/alerts?key=x": links} {
		got := send(t, &engine{}, "", target, body, "Content-Type", "application/json")
		if got.status != http.StatusAccepted || len(got.Notes) != 50 || got.Notes[49] != "and 951 more" {
			t.Errorf("%s: %d with %d notes: %.200q", target, got.status, len(got.Notes), got.Notes)
		}
	}
}

func TestAnAcknowledgementInAToolAcknowledgesTheIncidents(t *testing.T) {
	e := &engine{}
	got := send(t, e, "s3cret", "/v1/webhooks/bell?token=s3cret", "ack disk")
	if got.status != http.StatusAccepted || len(e.acts) != 1 || e.acts[0].Verb != alert.VerbAck || e.acts[0].Incident != "k7f2" || e.acts[0].By.Name != "bell" {
		t.Errorf("answered %d %s and did %+v", got.status, got.body, e.acts)
	}
	e = &engine{}
	got = send(t, e, "s3cret", "/v1/webhooks/bell?token=s3cret", "unack disk\nring disk")
	if got.status != http.StatusAccepted || len(e.acts) != 1 || e.acts[0].Verb != alert.VerbUnack || len(e.got) != 1 || !strings.Contains(got.body, `"unacked":["disk"]`) {
		t.Errorf("undoing it is answered %d %s and did %+v", got.status, got.body, e.acts)
	}
}

func TestABodyThatIsNotUnderstoodBecomesAnAlertUnlessStrict(t *testing.T) {
	const body = "toot *x*\n```\n<b>"
	e := &engine{}
	got := send(t, e, "", "/v1/webhooks/bell", body)
	if got.status != http.StatusAccepted || !strings.Contains(strings.Join(got.Notes, ""), "not understood as one from Bell: it does not ring; kept as text") {
		t.Fatalf("answered %d %s", got.status, got.body)
	}
	if a := e.got[0]; a.Text != "````\n"+body+"\n````" || !strings.Contains(a.Title, "Bell") || a.Source != "bell" {
		t.Errorf("it became %+v", a)
	}
	for target, want := range map[string]string{"/v1/webhooks/bell?strict=1": "it does not ring", "/v1/webhooks/bell?strict=maybe": "strict is"} {
		if got := send(t, &engine{}, "", target, body); got.status != http.StatusBadRequest || !strings.Contains(got.Error, want) {
			t.Errorf("%s: answered %d %s", target, got.status, got.body)
		}
	}
	if got := send(t, &engine{}, "", "/v1/webhooks/bell", ""); got.status != http.StatusBadRequest {
		t.Errorf("an empty body: answered %d %s", got.status, got.body)
	}
}

func TestABodyOfAnotherToolIsReadAsThatAndSaysWhereItBelongs(t *testing.T) {
	for _, target := range []string{"/v1/webhooks/gong", "/horn/ops"} {
		e := &engine{}
		got := send(t, e, "", target, "ring x", "Signature", "6")
		if got.status != http.StatusAccepted || len(e.got) != 1 || e.got[0].Key != "x" {
			t.Errorf("%s: answered %d %s", target, got.status, got.body)
		}
	}
	for _, body := range []string{`{"title": "a", "ring": "x"}`, `{"ring"`} { // which bell doesn't read in this test
		if got := send(t, &engine{}, "", "/v1/alerts", body, "Content-Type", "application/json"); strings.Contains(got.body, "looks like") {
			t.Errorf("%s: answered %s", body, got.body)
		}
	}
	got := send(t, &engine{}, "", "/v1/webhooks/gong", "ring x", "Signature", "6")
	if !strings.Contains(strings.Join(got.Notes, ""), "this looks like Bell: use /v1/webhooks/bell") {
		t.Errorf("the notes are %q", got.Notes)
	}
	got = send(t, &engine{}, "", "/v1/webhooks/gong?strict", "ring x", "Signature", "6")
	if got.status != http.StatusBadRequest || got.Error != "this looks like Bell" || got.Hint != "use /v1/webhooks/bell" {
		t.Errorf("strictly: answered %d %s", got.status, got.body)
	}
}

func TestAnUnknownWebhookListsTheKnownOnes(t *testing.T) {
	got := send(t, &engine{}, "", "/v1/webhooks/drum", "boom")
	if got.status != http.StatusNotFound || !strings.Contains(got.Error, "drum") || !strings.Contains(got.Hint, "bell, gong;") {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}

func TestAToolIsAnsweredInItsOwnWordsAndPostsIntoItsChannel(t *testing.T) {
	e := &engine{}
	if got := send(t, e, "", "/horn/ops", "blow x\nblow y"); got.status != http.StatusAccepted || got.body != "x,y" || e.got[0].Channel != "#ops" {
		t.Errorf("answered %d %q for %+v", got.status, got.body, e.got)
	}
	if got := send(t, &engine{}, "", "/horn/ops", "toot"); got.status != http.StatusBadRequest || !strings.Contains(got.body, "it does not blow") {
		t.Errorf("answered %d %q", got.status, got.body)
	}
	for target, want := range map[string]string{
		"/horn/ops":                   "the token is missing or wrong",
		"/horn/x/y":                   "the token is missing or wrong",
		"/services/T0/B":              "the token is missing or wrong",
		"/horn/ops?token=s3cret":      "it does not blow",
		"/services/T0/B?token=s3cret": "no_service",
	} {
		if got := send(t, &engine{}, "s3cret", target, "toot"); got.body != want || got.header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s: answered %d %q, want %q", target, got.status, got.body, want)
		}
	}
	if got := send(t, &engine{}, "s3cret", "/horn/x/y", "toot", "Authorization", "Bearer s3cret"); got.status != http.StatusNotFound || got.header.Get("Content-Type") != "text/plain" {
		t.Errorf("a path that is not there: answered %d %q", got.status, got.body)
	}
	if got := send(t, &engine{err: alert.ErrBacklog}, "", "/horn/ops", "blow x"); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("answered %d %q", got.status, got.body)
	}
}

func TestAWebhookTakesTheTokenInEveryFormAndASignatureInItsPlace(t *testing.T) {
	const token = "s3cret"
	for name, c := range map[string]struct {
		target string
		header []string
		want   int
	}{
		"bearer":              {"/v1/webhooks/bell", []string{"Authorization", "Bearer s3cret"}, 202},
		"password":            {"/v1/webhooks/bell", []string{"Authorization", "Basic eDpzM2NyZXQ="}, 202},
		"address":             {"/v1/webhooks/bell?token=s3cret", nil, 202},
		"another path":        {"/horn/ops?token=s3cret", nil, 400}, // it gets as far as the reader
		"none":                {"/v1/webhooks/bell", nil, 401},
		"wrong":               {"/v1/webhooks/bell?token=s3cre", nil, 401},
		"wrong password":      {"/v1/webhooks/bell", []string{"Authorization", "Basic eDp4"}, 401},
		"unknown webhook":     {"/v1/webhooks/drum", nil, 401},
		"not for alerts":      {"/v1/alerts?token=s3cret", nil, 401},
		"signature":           {"/v1/webhooks/gong", []string{"Signature", "6"}, 202},
		"wrong signature":     {"/v1/webhooks/gong", []string{"Signature", "7"}, 401},
		"token, no signature": {"/v1/webhooks/gong?token=s3cret", nil, 401},

		"another's path, no signature":    {"/v1/webhooks/bell?token=s3cret", []string{"Gong", ""}, 401},
		"another's path, wrong signature": {"/v1/webhooks/bell?token=s3cret", []string{"Gong", "", "Signature", "7"}, 401},
		"another's path, signature":       {"/v1/webhooks/bell?token=s3cret", []string{"Gong", "", "Signature", "6"}, 202},
		"as an alert, no signature":       {"/v1/alerts", []string{"Gong", "", "Authorization", "Bearer s3cret", "Content-Type", "application/json"}, 401},
		"as an alert, signature":          {"/v1/alerts", []string{"Gong", "", "Authorization", "Bearer s3cret", "Content-Type", "application/json", "Signature", "6"}, 202},
	} {
		body := "ring x"
		if strings.Contains(c.target, "horn") {
			body = "toot"
		}
		if slices.Contains(c.header, "Gong") {
			body = "beat x"
		}
		got := send(t, &engine{}, token, c.target, body, c.header...)
		if got.status != c.want {
			t.Errorf("%s: answered %d %s, want %d", name, got.status, got.body, c.want)
		}
		if c.want == 401 && strings.Contains(got.body, token) {
			t.Errorf("%s: the answer tells the token", name)
		}
	}
}

func TestRefusedRequestsAreLoggedOnceAMinuteAndWithoutTheToken(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	opts := hooks()
	opts.Engine, opts.Store, opts.Token, opts.Log = &engine{}, knows{&reader{}, &queue{}}, "s3cret", zap.New(core)
	now := noon
	opts.Now = func() time.Time { return now }
	h := api.New(opts).TCPHandler()
	for n := range 10 {
		target := []string{"/v1/webhooks/bell?token=hunter2", "/v1/webhooks/gong"}[n%2]
		ask(t, h, httptest.NewRequest(http.MethodPost, "http://tocsin.example"+target, strings.NewReader("ring x")))
	}
	if logs.Len() != 1 {
		t.Errorf("it logged %d lines", logs.Len())
	}
	now = now.Add(time.Minute)
	ask(t, h, httptest.NewRequest(http.MethodPost, "http://tocsin.example/v1/webhooks/bell?token=hunter2", strings.NewReader("ring x")))
	if logs.Len() != 2 {
		t.Errorf("it logged %d lines a minute later", logs.Len())
	}
	now = now.Add(time.Minute)
	ask(t, h, httptest.NewRequest(http.MethodPost, "http://tocsin.example/services/T0/B0/hunter2", strings.NewReader("ring x")))
	if logs.Len() != 3 {
		t.Errorf("it logged %d lines another minute later", logs.Len())
	}
	for _, line := range logs.All() {
		if strings.Contains(fmt.Sprint(line.Message, line.ContextMap()), "hunter2") {
			t.Errorf("it logged the token or a secret path: %v", line)
		}
	}
}
