package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"

	"tocsin/alert"
	"tocsin/api"
)

var update = flag.Bool("update", false, "write openapi.json and openapi.json.gz again")

const aboutAPI = `Tocsin takes alerts and delivers them to Slack: durably, in order and at Slack's pace.

The Unix socket needs no token. Over TCP a request needs the bearer token, unless none is configured; then requests that act are refused.`

// words are the values of a type.
var words = map[reflect.Type][]any{
	reflect.TypeFor[alert.Severity]():      anys(alert.Critical, alert.Error, alert.Warning, alert.Info),
	reflect.TypeFor[alert.Status]():        anys(alert.Firing, alert.Resolved),
	reflect.TypeFor[alert.Format]():        anys(alert.FormatMarkdown, alert.FormatMrkdwn),
	reflect.TypeFor[alert.State]():         anys(alert.Open, alert.Acked, alert.StateResolved, alert.StateDigest, alert.StateNotice),
	reflect.TypeFor[alert.DeliveryState](): anys(alert.DeliveryStates()...),
	reflect.TypeFor[alert.Kind]():          anys(alert.Post, alert.Update, alert.Reply, alert.Digest, alert.List),
	reflect.TypeFor[alert.Standing]():      anys(alert.StandQueued, alert.StandPending, alert.StandDelivered, alert.StandFolded, alert.StandSilenced, alert.StandDead),
	reflect.TypeFor[alert.Effect]():        anys(alert.EffectOpened, alert.EffectFolded, alert.EffectReopened, alert.EffectResolved, alert.EffectDuplicate, alert.EffectIgnored, alert.EffectRefreshed, alert.EffectQueued),
	reflect.TypeFor[alert.ActEffect]():     anys(alert.ActDone, alert.ActAlready, alert.ActNewer),
}

func anys[T any](all ...T) (list []any) {
	for _, one := range all {
		list = append(list, one)
	}
	return list
}

// describe builds the description from the types of the handlers.
func describe(t *testing.T) []byte {
	t.Helper()
	r := openapi31.NewReflector()
	r.DefaultOptions = append(r.DefaultOptions,
		jsonschema.InterceptDefName(func(_ reflect.Type, name string) string {
			switch name { // an answer and the receipt in it have one name
			case "ApiAccepted":
				return "Accepted"
			case "AlertAccepted":
				return "Receipt"
			}
			if ours, ok := strings.CutPrefix(name, "Api"); ok {
				return ours
			}
			return strings.TrimPrefix(name, "Alert")
		}),
		jsonschema.InterceptNullability(func(p jsonschema.InterceptNullabilityParams) {
			if p.NullAdded && p.Type.Kind() != reflect.Pointer { // lists and maps are never null
				p.Schema.RemoveType(jsonschema.Null)
			}
		}),
		jsonschema.InterceptSchema(schemaOf), jsonschema.InterceptProp(describeProperty))
	s := r.SpecEns()
	s.Info.WithTitle("Tocsin").WithVersion("1").WithDescription(aboutAPI).WithLicense(openapi31.License{Name: "Apache 2.0"})
	s.Servers = []openapi31.Server{{URL: "/"}}
	s.SetHTTPBearerTokenSecurity("bearer", "", "The value of TOCSIN_API_TOKEN, or a token of listen.tokens that may do this.")
	s.SetHTTPBasicSecurity("basic", "For webhooks: any user name, and the token as the password.")
	s.SetAPIKeySecurity("query", "token", openapi.InQuery, "For webhooks of tools that can do nothing else: the token in the address.")
	for _, op := range api.Operations() {
		if err := r.AddOperation(operation(t, r, op)); err != nil {
			t.Fatalf("%s: %v", op.Pattern, err)
		}
	}
	body, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(body, '\n')
}

// operation describes one operation.
func operation(t *testing.T, r *openapi31.Reflector, op api.Operation) openapi.OperationContext {
	t.Helper()
	method, path := described(op.Pattern)
	oc, err := r.NewOperationContext(method, path)
	if err != nil {
		t.Fatal(err)
	}
	oc.SetTags(op.Tag)
	oc.SetSummary(op.Summary)
	if op.Params != nil {
		oc.AddReqStructure(op.Params)
	}
	for _, kind := range bodyTypes(op) {
		oc.AddReqStructure(bodyOf(op.Body, kind), openapi.WithContentType(kind))
	}
	oc.AddRespStructure(op.Answer, withStatus(op.Status, op.Answer))
	failures, foreign := op.Errors, problemOf(op, http.StatusForbidden)
	if !api.NeedsNoToken(path) {
		if _, slack := op.Problems.(api.Written); !slack { // Slack's word for it comes with 403
			failures = append([]int{http.StatusUnauthorized}, failures...)
		}
		oc.AddSecurity("bearer")
		if strings.Contains(op.Pattern, "webhook") || strings.Contains(op.Pattern, "/services/") || path == "/v2/enqueue" || op.Pattern == "POST /api/v2/alerts" {
			oc.AddSecurity("basic")
			oc.AddSecurity("query")
		}
	}
	if api.NeedsNoToken(path) {
		foreign = api.Failure
	}
	oc.AddRespStructure(foreign, withStatus(http.StatusForbidden, foreign))
	for _, status := range failures {
		problem := problemOf(op, status)
		oc.AddRespStructure(problem, withStatus(status, problem))
	}
	return oc
}

// problemOf is the body of a failure with this status; nil for none.
func problemOf(op api.Operation, status int) any {
	if other, ok := op.Others[status]; ok {
		return other
	}
	if op.Problems == nil {
		return api.Failure
	}
	return op.Problems
}

// described returns the method and the path of a pattern, as OpenAPI writes them.
func described(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, strings.ReplaceAll(path, "...}", "}")
}

func bodyTypes(op api.Operation) []string {
	if op.Types == nil && op.Body != nil {
		return []string{"application/json"}
	}
	return op.Types
}

// bodyOf is what a request's body of this type is.
func bodyOf(body any, kind string) any {
	switch {
	case kind != "application/json":
		return api.Written("")
	case reflect.TypeOf(body).Kind() == reflect.Struct && reflect.TypeOf(body).Name() == "alertBody":
		list := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(body)), 0, 0).Interface()
		return jsonschema.OneOf(body, list)
	}
	return body
}

func withStatus(status int, body any) openapi.ContentOption {
	return func(cu *openapi.ContentUnit) {
		cu.HTTPStatus, cu.Description = status, http.StatusText(status)
		if _, text := body.(api.Written); text {
			cu.ContentType = "text/plain"
		}
	}
}

// schemaOf describes the types that write themselves, and those with few values.
func schemaOf(p jsonschema.InterceptSchemaParams) (stop bool, err error) {
	if !p.Value.IsValid() {
		return false, nil
	}
	typ := p.Value.Type()
	if typ == reflect.TypeFor[alert.Matchers]() {
		p.Schema.WithType(jsonschema.String.Type()).WithDescription("In a request also an array of such strings.").WithExamples(`team="web", severity>=warning`)
		return true, nil
	}
	if typ == reflect.TypeFor[*alert.Hours]() {
		text := jsonschema.String.ToSchemaOrBool()
		days := (&jsonschema.Schema{}).WithType(jsonschema.Array.Type()).WithItems(*(&jsonschema.Items{}).WithSchemaOrBool(text))
		p.Schema.WithType(jsonschema.Object.Type()).WithRequired("from", "until").WithProperties(map[string]jsonschema.SchemaOrBool{
			"days": days.ToSchemaOrBool(), "from": text, "until": text, "until_day": text, "zone": text,
		}).WithExamples(map[string]any{"days": []string{"saturday"}, "from": "02:00", "until": "05:00", "zone": "Europe/Berlin"})
		return true, nil
	}
	if all := words[typ]; all != nil && p.Processed {
		p.Schema.WithEnum(all...)
	}
	return false, nil
}

// describeProperty says which members of an answer are always there, and that a person in a
// request may be written as a name.
func describeProperty(p jsonschema.InterceptPropParams) error {
	if !p.Processed {
		return nil
	}
	oc, ok := openapi.OperationCtx(p.Context)
	if !ok {
		return nil
	}
	_, options, _ := strings.Cut(p.Field.Tag.Get("json"), ",")
	switch {
	case oc.IsProcessingResponse() && p.Field.Tag.Get("json") != "" && !strings.Contains(options, "omit") && !slices.Contains(p.ParentSchema.Required, p.Name):
		p.ParentSchema.Required = append(p.ParentSchema.Required, p.Name)
		if p.Field.Type.Kind() == reflect.Pointer {
			there := *p.PropertySchema
			*p.PropertySchema = *(&jsonschema.Schema{}).WithAnyOf(there.ToSchemaOrBool(), jsonschema.Null.ToSchemaOrBool())
		}
	case !oc.IsProcessingResponse() && p.Field.Type == reflect.TypeFor[alert.Person]():
		object := *p.PropertySchema
		name, person := jsonschema.String.ToSchemaOrBool(), object.ToSchemaOrBool()
		*p.PropertySchema = *(&jsonschema.Schema{}).WithAnyOf(name, person)
	}
	return nil
}

func TestTheDescriptionIsThatOfTheHandlers(t *testing.T) {
	now := describe(t)
	if *update {
		for name, content := range map[string][]byte{"openapi.json": now, "openapi.json.gz": zipped(t, now)} {
			if err := os.WriteFile(name, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	written, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written, now) || !bytes.Equal(served(t, ""), now) {
		t.Error("openapi.json is not that of the handlers: go test ./api -run Description -update")
	}
}

func zipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(content)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// served is the description as it is served to who accepts this encoding.
func served(t *testing.T, encoding string) []byte {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/v1/openapi.json", nil)
	req.Header.Set("Accept-Encoding", encoding)
	rec := httptest.NewRecorder()
	build(&engine{}, &reader{}).Handler().ServeHTTP(rec, req)
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json" || rec.Header().Get("Content-Encoding") != encoding {
		t.Fatalf("answered %d %s", rec.Code, rec.Header())
	}
	return rec.Body.Bytes()
}

func TestTheDescriptionIsSentCompressedToWhoAcceptsIt(t *testing.T) {
	small := served(t, "gzip")
	unzip, err := gzip.NewReader(bytes.NewReader(small))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(unzip)
	if err != nil || !bytes.Equal(whole, served(t, "")) {
		t.Errorf("%d bytes are %d without compression (%v), and not those that others are sent", len(small), len(whole), err)
	}
}
