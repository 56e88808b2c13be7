package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/config"
	"tocsin/ingest"
)

func newConfigWebhook(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook NAME",
		Short: "Show what a webhook makes of the request on standard input",
		Long: `Show what the daemon would make of the body on standard input: the value of each expression
of ingest.webhooks, the alerts and the notes. It works for the other webhooks too. Only the
configuration is read; nothing is sent, and neither a daemon nor a signature is needed.`,
		Example: `  tocsin config webhook netbox < body.json
  tocsin config webhook netbox --header 'X-Event: created' --json < body.json`,
		Args: cobra.ExactArgs(1),
	}
	flags := configFlag(cmd)
	headers := cmd.Flags().StringArray("header", nil, "`NAME: VALUE` of a header of the request; may be repeated")
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		settings := flags()
		settings["default-channel"] = "#alerts" // one has to be there, but nothing here uses it
		cfg, err := config.Load(w.input(settings))
		if err != nil {
			return err
		}
		request, err := requestOf(w.stdin, *headers)
		if err != nil {
			return err
		}
		shown, err := tryWebhook(cfg.Ingest, args[0], request)
		if err != nil {
			return err
		}
		return w.print(*asJSON, shown, shown.text())
	}
	return cmd
}

func requestOf(body io.Reader, headers []string) (ingest.Request, error) {
	r := ingest.Request{Header: http.Header{}}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return r, &usageError{fmt.Errorf("--header %q: write it as NAME: VALUE", h)}
		}
		r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	var err error
	if r.Body, err = io.ReadAll(body); err != nil {
		return r, fmt.Errorf("read the body: %w", err)
	}
	return r, nil
}

// triedWebhook is what the daemon would make of a request for a webhook.
type triedWebhook struct {
	Webhook string `json:"webhook"`
	// Status is what the request would be answered with.
	Status      int            `json:"status"`
	Expressions []ingest.Value `json:"expressions"`
	Alerts      []alert.Alert  `json:"alerts"`
	// Acked are the keys of what the request acknowledges, Unacked of what it makes open again,
	// and Heartbeats the names of those that it sends.
	Acked      []string `json:"acked,omitempty"`
	Unacked    []string `json:"unacked,omitempty"`
	Heartbeats []string `json:"heartbeats,omitempty"`
	Notes      []string `json:"notes"`
	// Problem is why the request would be refused; empty if it is not.
	Problem string `json:"problem,omitempty"`
}

// tryWebhook passes a request through the daemon's own API, to an engine that keeps nothing.
// It needs no signature.
func tryWebhook(cfg config.Ingest, name string, r ingest.Request) (triedWebhook, error) {
	t := triedWebhook{Webhook: name, Expressions: []ingest.Value{}, Alerts: []alert.Alert{}, Notes: []string{}}
	hooks, err := webhooks(cfg, failedExpressions(prometheus.NewRegistry()))
	if err != nil {
		return t, err
	}
	var known []string
	path := ""
	for n := range hooks {
		hooks[n].Verify = nil
		known = append(known, hooks[n].Name)
		if hooks[n].Name == name {
			path = strings.ReplaceAll(hooks[n].Path, "{channel}", "alerts")
		}
	}
	if path == "" {
		slices.Sort(known)
		return t, &usageError{fmt.Errorf("there is no webhook %s; the webhooks are %s", name, strings.Join(known, ", "))}
	}
	if err := t.explain(cfg, hooks); err != nil {
		return t, err
	}
	var read alert.Intake // of the webhook that has understood it, whose answer may say less
	for n := range hooks {
		next := hooks[n].Read
		hooks[n].Read = func(body []byte, header http.Header) (in alert.Intake, err error) {
			in, err = next(body, header)
			read = in
			return in, err
		}
	}
	engine := &trialEngine{}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://tocsin"+path, bytes.NewReader(r.Body))
	if err != nil {
		return t, fmt.Errorf("make the request: %w", err)
	}
	request.Header = r.Header
	answer := trialAnswer{header: http.Header{}, status: http.StatusOK}
	api.New(api.Options{Engine: engine, Store: trialStore{}, Webhooks: hooks, Recognize: recognize}).Handler().ServeHTTP(&answer, request)
	t.Alerts, t.Heartbeats, t.Acked, t.Unacked = append(t.Alerts, engine.alerts...), engine.heartbeats, read.Acked, read.Unacked
	t.answered(answer, read.Notes)
	return t, nil
}

// explain has the expressions of the webhook shown, if it is one of the configuration.
func (t *triedWebhook) explain(cfg config.Ingest, hooks []api.Webhook) error {
	for _, w := range cfg.Webhooks {
		if w.Name != t.Webhook {
			continue
		}
		c, err := customWebhook(w, func() {})
		if err != nil {
			return err
		}
		n := slices.IndexFunc(hooks, func(h api.Webhook) bool { return h.Name == w.Name })
		hooks[n].Read = func(body []byte, header http.Header) (alert.Intake, error) {
			in, values, err := c.Explain(ingest.Request{Body: body, Header: header})
			t.Expressions = append(t.Expressions, values...)
			return in, err
		}
	}
	return nil
}

// answered takes from the answer what the alerts don't say. One in a tool's own words has
// no notes: then those of the reader and of the alerts count.
func (t *triedWebhook) answered(answer trialAnswer, noted []string) {
	t.Status = answer.status
	var said struct {
		Notes       []string
		Error, Hint string
	}
	isJSON := json.Unmarshal(answer.body.Bytes(), &said) == nil
	if t.Notes = append(t.Notes, said.Notes...); len(t.Notes) == 0 {
		t.Notes = append(t.Notes, noted...)
		for n, a := range t.Alerts {
			for _, note := range a.Notes {
				t.Notes = append(t.Notes, fmt.Sprintf("alert %d: %s", n+1, note))
			}
		}
	}
	switch {
	case answer.status < http.StatusBadRequest:
	case isJSON && said.Error != "":
		t.Problem = said.Error + " (" + said.Hint + ")"
	default:
		t.Problem = strings.TrimSpace(answer.body.String())
	}
}

// trialEngine keeps what it would accept.
type trialEngine struct {
	api.Engine
	alerts     []alert.Alert
	heartbeats []string
}

// Push prepares alerts as the engine does.
func (e *trialEngine) Push(_ context.Context, alerts []alert.Alert) ([]alert.Accepted, error) {
	receipts := make([]alert.Accepted, len(alerts))
	for n := range alerts {
		if err := alerts[n].Prepare(time.Now()); err != nil {
			return nil, err
		}
		receipts[n] = alert.Accepted{ID: alerts[n].ID, Key: alerts[n].Key, Notes: alerts[n].Notes}
	}
	e.alerts = append(e.alerts, alerts...)
	return receipts, nil
}

// Beat keeps the names.
func (e *trialEngine) Beat(_ context.Context, beats []alert.Beat) ([]alert.Heard, error) {
	heard := make([]alert.Heard, len(beats))
	for n, b := range beats {
		e.heartbeats = append(e.heartbeats, b.Name)
		heard[n].Name = b.Name
	}
	return heard, nil
}

// trialStore has nothing in it.
type trialStore struct{ api.Store }

func (trialStore) Incidents(context.Context, alert.IncidentFilter) ([]alert.Incident, error) {
	return nil, nil
}

// trialAnswer is an answer in memory.
type trialAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *trialAnswer) Header() http.Header         { return a.header }
func (a *trialAnswer) WriteHeader(status int)      { a.status = status }
func (a *trialAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (t triedWebhook) text() string {
	var b strings.Builder
	b.WriteString(table(func(line func(cells ...any)) {
		for _, v := range t.Expressions {
			number, value := fmt.Sprint(v.Item), oneCell.Replace(v.Value)
			if v.Item == 0 {
				number = ""
			}
			if v.Error != "" {
				value = "FAILED: " + oneCell.Replace(v.Error)
			}
			line(number, v.Field, oneCell.Replace(v.Expression), value)
		}
	}))
	for n, a := range t.Alerts {
		fmt.Fprintf(&b, "\nalert %d\n", n+1)
		b.WriteString(fields(shownFields(a)))
	}
	for _, key := range t.Acked {
		fmt.Fprintf(&b, "\nacknowledges what is open with the key %s\n", key)
	}
	for _, key := range t.Unacked {
		fmt.Fprintf(&b, "\nundoes the acknowledgement of what has the key %s\n", key)
	}
	for _, name := range t.Heartbeats {
		fmt.Fprintf(&b, "\nheartbeat %s\n", name)
	}
	switch {
	case t.Problem == "" && len(t.Alerts)+len(t.Acked)+len(t.Unacked)+len(t.Heartbeats) == 0:
		fmt.Fprintf(&b, "\nIt makes no alert, and would be answered with %d\n", t.Status)
	case t.Problem != "":
		fmt.Fprintf(&b, "\nIt would be refused with %d: %s\n", t.Status, t.Problem)
	}
	for _, note := range t.Notes {
		fmt.Fprintf(&b, "\nnote: %s\n", note)
	}
	return b.String()
}

func shownFields(a alert.Alert) [][2]string {
	all := [][2]string{
		{"status", string(a.Status)}, {"severity", string(a.Severity)}, {"title", a.Title}, {"text", a.Text}, {"format", string(a.Format)},
		{"key", a.Key}, {"channel", a.Channel}, {"mention", a.Mention}, {"at", a.At.UTC().Format(time.RFC3339)}, {"idempotency key", a.IdempotencyKey},
	}
	if a.ExpiresIn != 0 {
		all = append(all, [2]string{"expires in", a.ExpiresIn.String()})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		all = append(all, [2]string{"label " + name, a.Labels[name]})
	}
	for _, l := range a.Links {
		all = append(all, [2]string{"link " + l.Label, l.URL})
	}
	for _, i := range a.Images {
		all = append(all, [2]string{"image " + i.Alt, i.URL})
	}
	for n := range all {
		all[n][1] = oneCell.Replace(all[n][1])
	}
	return all
}
