package api_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tocsin/alert"
	"tocsin/api"
)

// contract is the description as it is served, to hold answers against.
type contract struct {
	schemas *jsonschema.Compiler
	Paths   map[string]map[string]struct {
		Parameters []struct{ Name, In string }
		Responses  map[string]struct{ Content map[string]any }
	}
}

func readContract(t *testing.T) contract {
	t.Helper()
	body := served(t, "")
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	c := contract{schemas: jsonschema.NewCompiler()}
	c.schemas.AssertFormat()
	if err := c.schemas.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// check holds an answer against what is described for its status.
func (c contract) check(t *testing.T, pattern string, got *httptest.ResponseRecorder) {
	t.Helper()
	method, path := described(pattern)
	method = strings.ToLower(method)
	kind, _, _ := strings.Cut(got.Header().Get("Content-Type"), ";")
	status := strconv.Itoa(got.Code)
	content := c.Paths[path][method].Responses[status].Content
	if len(content) == 0 && got.Body.Len() == 0 {
		return
	}
	if _, ok := content[kind]; !ok {
		t.Errorf("%s: an answer %s with %s is not described: %s", pattern, status, kind, got.Body)
		return
	}
	if kind != "application/json" {
		return
	}
	pointer := strings.NewReplacer("~", "~0", "/", "~1")
	schema, err := c.schemas.Compile(fmt.Sprintf("openapi.json#/paths/%s/%s/responses/%s/content/%s/schema",
		url.PathEscape(pointer.Replace(path)), method, status, url.PathEscape(pointer.Replace(kind))))
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	value, err := jsonschema.UnmarshalJSON(got.Body)
	if err != nil {
		t.Errorf("%s: the answer %s is not JSON: %v", pattern, status, err)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: the answer %s is not as described: %#v", pattern, status, err)
	}
}

// filled is a value of which every field is set.
func filled[T any]() (v T) {
	fill(reflect.ValueOf(&v).Elem(), 0)
	return v
}

func fill(v reflect.Value, depth int) {
	switch known, ok := v.Interface().(time.Time); {
	case ok && known.IsZero():
		v.Set(reflect.ValueOf(noon))
		return
	case words[v.Type()] != nil:
		v.Set(reflect.ValueOf(words[v.Type()][0]))
		return
	case v.Type() == reflect.TypeFor[alert.Matchers]():
		v.Set(reflect.ValueOf(alert.Matchers{{Name: "team", Op: "=", Value: "web"}}))
		return
	case depth > 6:
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for n := range v.NumField() {
			if f := v.Field(n); f.CanSet() {
				fill(f, depth+1)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	}
}

// replete is an engine and a store that answer with every field there is, or with err.
type replete struct{ err error }

func (r replete) Push(_ context.Context, alerts []alert.Alert) ([]alert.Accepted, error) {
	return slices.Repeat([]alert.Accepted{filled[alert.Accepted]()}, len(alerts)), r.err
}

func (r replete) Act(context.Context, []alert.Act) ([]alert.Acted, error) {
	return []alert.Acted{filled[alert.Acted]()}, r.err
}

func (r replete) Silence(context.Context, alert.Silence) (alert.Silence, error) {
	return filled[alert.Silence](), r.err
}

func (r replete) Beat(context.Context, []alert.Beat) ([]alert.Heard, error) {
	return []alert.Heard{filled[alert.Heard]()}, r.err
}

func (r replete) Forget(context.Context, string) (alert.Heartbeat, error) {
	return filled[alert.Heartbeat](), r.err
}

func (r replete) GroupMembers(context.Context, string, int, int) ([]alert.GroupMember, error) {
	return []alert.GroupMember{filled[alert.GroupMember]()}, r.err
}

func (r replete) Heartbeats(context.Context) ([]alert.Heartbeat, error) {
	return []alert.Heartbeat{filled[alert.Heartbeat]()}, r.err
}

func (r replete) Unsilence(context.Context, string, alert.Person) (alert.Silence, error) {
	return filled[alert.Silence](), r.err
}

func (r replete) Incidents(context.Context, alert.IncidentFilter) ([]alert.Incident, error) {
	return []alert.Incident{filled[alert.Incident]()}, r.err
}

func (r replete) Count(context.Context, alert.IncidentFilter) (int, error) { return 1, r.err }

func (r replete) Incident(context.Context, string) (alert.Incident, error) {
	return filled[alert.Incident](), r.err
}

func (r replete) Inhibits(context.Context, string) (int, error) { return 2, r.err }

func (r replete) History(context.Context, string) ([]alert.Event, error) {
	return []alert.Event{filled[alert.Event]()}, r.err
}

func (r replete) Silences(context.Context, alert.SilenceFilter) ([]alert.Silence, error) {
	return []alert.Silence{filled[alert.Silence]()}, r.err
}

func (r replete) Stats(context.Context, []time.Time) (alert.Stats, error) {
	return filled[alert.Stats](), r.err
}

func (r replete) Ledger(context.Context) (alert.Ledger, error) {
	return filled[alert.Ledger](), r.err
}

func (r replete) Await(context.Context, string) (alert.Record, error) {
	if r.err != nil {
		return alert.Record{}, r.err
	}
	return filled[alert.Record](), nil
}

func (r replete) Deliveries(context.Context, alert.DeliveryFilter) ([]alert.Delivery, error) {
	return []alert.Delivery{filled[alert.Delivery]()}, r.err
}

func (r replete) Delivery(context.Context, string) (alert.DeliveryDetail, error) {
	return filled[alert.DeliveryDetail](), r.err
}

func (r replete) Retry(context.Context, alert.DeadLetterSelector) (alert.RetryResult, error) {
	return filled[alert.RetryResult](), r.err
}

func (r replete) Drop(ctx context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error) {
	return r.Retry(ctx, l)
}

// request is a request over TCP to an API whose engine and store answer with err. Its token
// is the right one, unless it has another.
type request struct {
	target, body string
	kind         string
	origin       string
	token        string
	err          error
}

const rightToken = "s3cret"

// amSilenceBody is a silence as amtool posts it.
const amSilenceBody = `{"matchers":[{"name":"team","value":"web","isRegex":false}],"startsAt":"2026-01-02T12:00:00Z","endsAt":"2126-01-02T14:00:00Z","createdBy":"ann","comment":"move"}`

// usual are the requests that succeed, with every parameter that there is.
var usual = map[string]request{
	"POST /v1/alerts":                {target: "/v1/alerts?strict=false&title=a&severity=info&key=k&channel=ops&source=s&mention=ann", body: `{"title":"disk full"}`, kind: "application/json"},
	"PUT /v1/alerts":                 {target: "/v1/alerts?strict=false&title=a&severity=info&key=k&channel=ops&source=s&mention=ann", body: `{"title":"disk full"}`, kind: "application/json"},
	"POST /v1/webhooks/{name}":       {target: "/v1/webhooks/bell?strict=false&channel=ops&severity=info&mention=ann&token=" + rightToken, body: "ring disk"},
	"POST /v2/enqueue":               {target: "/v2/enqueue?strict=false&channel=ops&severity=info&mention=ann&token=" + rightToken, body: "ring disk"},
	"POST /slack/webhook/{channel}":  {target: "/slack/webhook/ops?as=card&strict=false&channel=ops&severity=info&mention=ann&token=" + rightToken, body: "ring disk"},
	"POST /services/{path...}":       {target: "/services/T0/B0/word?strict=false&channel=ops&severity=info&mention=ann&token=" + rightToken, body: "ring disk"},
	"POST /v1/heartbeats/{name}":     {target: "/v1/heartbeats/backup?every=5m&grace=1m&severity=error&channel=ops&token=" + rightToken},
	"PUT /v1/heartbeats/{name}":      {target: "/v1/heartbeats/backup?every=5m&grace=1m&severity=error&channel=ops&token=" + rightToken},
	"GET /v1/heartbeats/{name}":      {target: "/v1/heartbeats/backup?every=5m&grace=1m&severity=error&channel=ops&token=" + rightToken},
	"DELETE /v1/heartbeats/{name}":   {target: "/v1/heartbeats/backup"},
	"GET /v1/alerts/{id}":            {target: "/v1/alerts/x?wait=1s"},
	"GET /v1/incidents":              {target: "/v1/incidents?match=team%3Dweb&q=disk&state=open,acked&mine=U0ANN&sort=latest&limit=5&offset=5"},
	"GET /v1/silences":               {target: "/v1/silences?state=all&limit=5"},
	"GET /v1/deliveries":             {target: "/v1/deliveries?state=dead&lane=%23ops&limit=1&cursor=7"},
	"GET /v1/stats":                  {target: "/v1/stats?window=7d&zone=Asia/Tokyo"},
	"POST /api/v2/alerts":            {target: "/api/v2/alerts?strict=false&channel=ops&severity=info&mention=ann&token=" + rightToken, body: "ring disk"},
	"GET /api/v2/alerts":             {target: "/api/v2/alerts?filter=team!%3Dweb&active=true&silenced=true&inhibited=true&receiver=.*"},
	"GET /api/v2/alerts/groups":      {target: "/api/v2/alerts/groups?filter=team!%3Dweb&active=true&silenced=true&inhibited=true&receiver=.*"},
	"GET /api/v2/silences":           {target: "/api/v2/silences?filter=team!%3Dweb"},
	"POST /api/v2/silences":          {target: "/api/v2/silences", body: amSilenceBody},
	"GET /api/v2/silence/{id}":       {target: "/api/v2/silence/00000000-0000-0000-0000-000000000000"},
	"DELETE /api/v2/silence/{id}":    {target: "/api/v2/silence/00000000-0000-0000-0000-000000000000"},
	"POST /v1/incidents/{id}/assign": {target: "/v1/incidents/k7f2/assign", body: `{"to":"@ann"}`},
	"POST /v1/incidents/{id}/note":   {target: "/v1/incidents/k7f2/note", body: `{"by":{"id":"U0ANN"},"note":"look"}`},
	"POST /v1/silences":              {target: "/v1/silences", body: `{"matchers":"team=web","for":"2h","by":"ann"}`},
	"DELETE /v1/silences/{id}":       {target: "/v1/silences/s-k7f2?by=ann"},
	"POST /v1/deliveries/retry":      {target: "/v1/deliveries/retry?lane=%23ops&all=true"},
	"POST /v1/deliveries/drop":       {target: "/v1/deliveries/drop?lane=%23ops&all=true"},
}

// wrong are the requests that can't be understood, where a broken body does not do.
var wrong = map[string]request{
	"POST /v1/webhooks/{name}":      {target: "/v1/webhooks/bell?strict=1", body: "moo"},
	"POST /v2/enqueue":              {target: "/v2/enqueue", body: "moo"},
	"POST /slack/webhook/{channel}": {target: "/slack/webhook/ops", body: "moo"},
	"POST /services/{path...}":      {target: "/services/T0/B0/word", body: "moo"},
	"POST /v1/heartbeats/{name}":    {target: "/v1/heartbeats/backup?every=often"},
	"PUT /v1/heartbeats/{name}":     {target: "/v1/heartbeats/backup?every=often"},
	"GET /v1/heartbeats/{name}":     {target: "/v1/heartbeats/backup?every=often"},
	"GET /v1/alerts/{id}":           {target: "/v1/alerts/x?wait=ever"},
	"GET /v1/incidents":             {target: "/v1/incidents?sort=age"},
	"GET /v1/silences":              {target: "/v1/silences?state=old"},
	"GET /v1/deliveries":            {target: "/v1/deliveries?cursor=none"},
	"GET /v1/stats":                 {target: "/v1/stats?window=soon"},
	"DELETE /v1/silences/{id}":      {target: "/v1/silences/s-k7f2?by=C0123456789"},
	"POST /api/v2/alerts":           {target: "/api/v2/alerts", body: "moo"},
	"GET /api/v2/alerts":            {target: "/api/v2/alerts?filter=%7B%7B"},
	"GET /api/v2/alerts/groups":     {target: "/api/v2/alerts/groups?receiver=("},
	"GET /api/v2/silences":          {target: "/api/v2/silences?filter=%7B%7B"},
	"POST /v1/deliveries/retry":     {target: "/v1/deliveries/retry"},
	"POST /v1/deliveries/drop":      {target: "/v1/deliveries/drop"},
	"POST /v1/config/reload":        {target: "/v1/config/reload", err: &alert.InputError{Message: "read configuration: 1 mistake", Hint: "nothing has changed"}},
}

// nowhere are the requests for what is not there, where that is not the store's to say.
var nowhere = map[string]request{
	"POST /v1/webhooks/{name}": {target: "/v1/webhooks/whistle"},
	"POST /services/{path...}": {target: "/services/T0/B0/guess"},
	"POST /api/v2/silences":    {target: "/api/v2/silences", body: strings.Replace(amSilenceBody, "{", `{"id":"00000000-0000-0000-0000-000000000000",`, 1), err: alert.ErrNotFound},
}

// malformed are the requests that are not as Alertmanager's description says.
var malformed = map[string]request{
	"POST /api/v2/alerts":         {target: "/api/v2/alerts"},
	"POST /api/v2/silences":       {target: "/api/v2/silences"},
	"GET /api/v2/silence/{id}":    {target: "/api/v2/silence/x!"},
	"DELETE /api/v2/silence/{id}": {target: "/api/v2/silence/x!"},
}

// failures are the errors of engine and store that lead to a status.
var failures = map[int]error{
	http.StatusNotFound: alert.ErrNotFound, http.StatusConflict: &alert.ReusedKeyError{}, http.StatusTooManyRequests: alert.ErrBacklog,
	http.StatusInternalServerError: alert.ErrInternal, http.StatusServiceUnavailable: alert.ErrUnavailable,
}

// causing is a request of op that is answered with status.
func causing(op api.Operation, status int) request {
	_, path := described(op.Pattern)
	r := usual[op.Pattern]
	r.target = cmp.Or(r.target, strings.Replace(path, "{id}", "k7f2", 1))
	switch status {
	case op.Status:
	case http.StatusUnauthorized:
		r.target, _, _ = strings.Cut(r.target, "?")
		r.token = "guess"
	case http.StatusForbidden:
		r.origin = "https://evil.example"
	case http.StatusRequestEntityTooLarge:
		r.body = strings.Repeat("x", 8<<20+1)
	case http.StatusUnsupportedMediaType:
		r.kind = "image/png"
	case http.StatusBadRequest:
		r.body = "{"
		r = cmp.Or(wrong[op.Pattern], r)
	case http.StatusUnprocessableEntity:
		r = malformed[op.Pattern]
	case http.StatusNotFound:
		r.err = failures[status]
		r = cmp.Or(nowhere[op.Pattern], r)
	default:
		r.err = failures[status]
		if status == http.StatusConflict && strings.Contains(path, "/deliveries/") {
			r.err = alert.ErrNotDead
		}
		if status == http.StatusConflict && strings.Contains(path, "/heartbeats/") {
			r.err = alert.ErrConfigured
		}
	}
	return r
}

// contractOptions are an API with a webhook for each path that is described.
func contractOptions(r request) api.Options {
	read := hooks().Webhooks[0].Read
	daemon := replete{r.err}
	health := filled[alert.Health]()
	if r.err == nil {
		health.Problems = nil
	}
	return api.Options{
		Engine: daemon, Store: daemon, Token: rightToken, Now: func() time.Time { return noon }, Health: func() alert.Health { return health }, Doctor: func(context.Context) alert.Checkup { return alert.NewCheckup(health.Judged()) },
		Routing:  alert.Routing{Routes: []alert.Route{filled[alert.Route]()}, Default: "#ops"},
		Services: map[alert.Secret]string{"T0/B0/word": "#ops"},
		Reload:   func(context.Context) (api.Reloaded, error) { return filled[api.Reloaded](), r.err },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = w.Write([]byte("up 1\n"))
		}),
		Webhooks: []api.Webhook{
			{Name: "bell", Tool: "Bell", Path: "/v1/webhooks/bell", Read: read},
			{Name: "pagerduty", Tool: "PagerDuty", Path: "/v2/enqueue", Read: read, Answer: func(status int, _ []string, problem string) (int, string, string) {
				return status, "application/json", fmt.Sprintf(`{"status":"x","message":%q}`, problem)
			}},
			{Name: "prometheus", Tool: "Prometheus", Path: "/api/v2/alerts", Read: read, Answer: func(status int, _ []string, problem string) (int, string, string) {
				switch {
				case status == http.StatusAccepted:
					return http.StatusOK, "application/json", ""
				case r.body == "" && status == http.StatusBadRequest:
					return http.StatusUnprocessableEntity, "application/json", `{"code":602,"message":"x"}`
				}
				return status, "application/json", strconv.Quote(problem)
			}},
			{Name: "slack", Tool: "Slack", Path: "/slack/webhook/{channel}", Read: read, Answer: func(status int, _ []string, _ string) (int, string, string) {
				switch status {
				case http.StatusAccepted:
					status = http.StatusOK
				case http.StatusUnauthorized:
					status = http.StatusForbidden
				}
				return status, "text/plain", "x"
			}},
		},
	}
}

func TestEveryStatusThatIsDescribedIsAnsweredAsDescribed(t *testing.T) {
	c := readContract(t)
	for _, op := range api.Operations() {
		method, path := described(op.Pattern)
		for text := range c.Paths[path][strings.ToLower(method)].Responses {
			status, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			r := causing(op, status)
			req := httptest.NewRequest(method, "http://127.0.0.1:8126"+r.target, strings.NewReader(r.body))
			req.Header.Set("Content-Type", r.kind)
			req.Header.Set("Authorization", "Bearer "+cmp.Or(r.token, rightToken))
			if r.origin != "" {
				req.Header.Set("Origin", r.origin)
			}
			got := httptest.NewRecorder()
			api.New(contractOptions(r)).TCPHandler().ServeHTTP(got, req)
			if got.Code != status {
				t.Errorf("%s: %+v is answered with %d %s, want %d", op.Pattern, r, got.Code, got.Body, status)
				continue
			}
			c.check(t, op.Pattern, got)
		}
	}
}

// bare is a store whose incidents say little: one has no conversation, the other is a group without labels.
type bare struct{ replete }

func (bare) Incidents(context.Context, alert.IncidentFilter) ([]alert.Incident, error) {
	group := &alert.Group{Total: 1, Firing: map[alert.Severity]int{alert.Error: 1}}
	return []alert.Incident{{ID: "a", Key: "a"}, {ID: "b", Key: "b", Lanes: []string{"#ops"}, Group: group}}, nil
}

func (bare) GroupMembers(context.Context, string, int, int) ([]alert.GroupMember, error) {
	return []alert.GroupMember{{Status: alert.Firing}}, nil
}

func TestIncidentsThatSayLittleAreAnsweredAsDescribed(t *testing.T) {
	c, opts := readContract(t), contractOptions(request{})
	opts.Store = bare{}
	for _, path := range []string{"/api/v2/alerts", "/api/v2/alerts/groups"} {
		got := httptest.NewRecorder()
		api.New(opts).Handler().ServeHTTP(got, httptest.NewRequest(http.MethodGet, path, nil))
		c.check(t, "GET "+path, got)
	}
}

func TestTheRequestsThatAreTriedHaveEveryParameter(t *testing.T) {
	c := readContract(t)
	for _, op := range api.Operations() {
		method, path := described(op.Pattern)
		target, err := url.Parse(causing(op, op.Status).target)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Paths[path][strings.ToLower(method)].Parameters {
			if p.In == "query" && !target.Query().Has(p.Name) {
				t.Errorf("%s is not tried with the parameter %s", op.Pattern, p.Name)
			}
		}
	}
}

func TestEveryPathIsDescribedAndNoOther(t *testing.T) {
	c := readContract(t)
	described := map[string]bool{}
	for _, op := range api.Operations() {
		described[op.Pattern] = true
	}
	served := map[string]bool{}
	for _, pattern := range api.Patterns(contractOptions(request{})) {
		pattern = strings.Replace(pattern, "/v1/webhooks/bell", "/v1/webhooks/{name}", 1)
		if !strings.Contains(pattern, " ") { // answers that there is nothing
			continue
		}
		served[pattern] = true
		if !described[pattern] {
			t.Errorf("%s is not described: add it to Operations, then go test ./api -run Description -update", pattern)
		}
	}
	for pattern := range described {
		if !served[pattern] {
			t.Errorf("%s is described and not served", pattern)
		}
	}
	if len(c.Paths) == 0 {
		t.Error("nothing is described")
	}
}

func TestTheFieldsOfAnAlertThatAreDescribedAreThoseThatAreRead(t *testing.T) {
	var body any
	for _, op := range api.Operations() {
		if op.Pattern == "POST /v1/alerts" {
			body = op.Body
		}
	}
	typ := reflect.TypeOf(body)
	var names []string
	for n := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(n).Tag.Get("json"), ",")
		names = append(names, name)
	}
	e := &engine{}
	_, listed, _ := strings.Cut(post(t, e, "application/json", "/v1/alerts", "{").Hint, "the fields are ")
	want := strings.Fields(listed)
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("described are %v, and read are %v", names, want)
	}
}
