package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/config"
	"tocsin/ingest"
)

func newConfigWebhook(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook NAME",
		Short: "Show what a webhook makes of the request on standard input",
		Long: `Show what a webhook makes of the body on standard input: the value of each expression of
ingest.webhooks, and the alerts. It works for the other webhooks too. Only the
configuration is read; nothing is sent, and no daemon is needed.`,
		Example: `  tocsin config webhook netbox < body.json
  tocsin config webhook netbox --header 'X-Event: created' --json < body.json`,
		Args: cobra.ExactArgs(1),
	}
	flags := configFlag(cmd)
	headers := cmd.Flags().StringArray("header", nil, "`NAME: VALUE` of a header of the request; may be repeated")
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		cfg, err := config.Load(w.input(flags()))
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

// triedWebhook is what a webhook makes of a request.
type triedWebhook struct {
	Webhook     string         `json:"webhook"`
	Expressions []ingest.Value `json:"expressions"`
	Alerts      []alert.Alert  `json:"alerts"`
	Notes       []string       `json:"notes"`
	// Problem is why the request is not understood; empty if it is.
	Problem string `json:"problem,omitempty"`
}

func tryWebhook(cfg config.Ingest, name string, r ingest.Request) (triedWebhook, error) {
	t := triedWebhook{Webhook: name, Expressions: []ingest.Value{}, Alerts: []alert.Alert{}, Notes: []string{}}
	in, err := t.read(cfg, r)
	if err != nil {
		return t, err
	}
	t.Notes = append(t.Notes, in.Notes...)
	for n := range in.Alerts {
		a := &in.Alerts[n]
		if err := a.Prepare(time.Now()); err != nil {
			return t, fmt.Errorf("alert %d would be refused: %w", n+1, err)
		}
		for _, note := range a.Notes {
			t.Notes = append(t.Notes, fmt.Sprintf("alert %d: %s", n+1, note))
		}
		t.Alerts = append(t.Alerts, *a)
	}
	return t, nil
}

// read reads the request. What is not understood is not an error but the Problem.
func (t *triedWebhook) read(cfg config.Ingest, r ingest.Request) (in alert.Intake, err error) {
	var known []string
	for _, f := range ingest.Formats() {
		if f.Name == t.Webhook {
			if in, err = f.Read(r); err != nil {
				t.Problem = err.Error()
			}
			return in, nil
		}
		known = append(known, f.Name)
	}
	for _, w := range cfg.Webhooks {
		if w.Name != t.Webhook {
			known = append(known, w.Name)
			continue
		}
		c, err := customWebhook(w, func() {})
		if err != nil {
			return in, err
		}
		in, values, err := c.Explain(r)
		t.Expressions = append(t.Expressions, values...)
		if err != nil {
			t.Problem = err.Error()
		}
		return in, nil
	}
	slices.Sort(known)
	return in, &usageError{fmt.Errorf("there is no webhook %s; the webhooks are %s", t.Webhook, strings.Join(known, ", "))}
}

func (t triedWebhook) text() string {
	var b strings.Builder
	b.WriteString(table(func(line func(cells ...any)) {
		for _, v := range t.Expressions {
			number, value := fmt.Sprint(v.Alert), oneCell.Replace(v.Value)
			if v.Alert == 0 {
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
	if t.Problem != "" {
		fmt.Fprintf(&b, "\nThe body is not understood: %s. It becomes an alert with the body as its text.\n", t.Problem)
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
