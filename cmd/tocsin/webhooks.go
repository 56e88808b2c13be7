package main

import (
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/config"
	"tocsin/ingest"
)

// webhooks are the paths of other tools, as the API serves them: those that Tocsin has,
// and those of the configuration.
// failed counts the expressions that fail.
func webhooks(cfg config.Ingest, failed *prometheus.CounterVec) ([]api.Webhook, error) {
	var all []api.Webhook
	for _, f := range ingest.Formats() {
		all = append(all, webhook(f, cfg.Secrets[f.Name]))
	}
	for _, w := range cfg.Webhooks {
		c, err := customWebhook(w, failed.WithLabelValues(w.Name).Inc)
		if err != nil {
			return nil, err
		}
		f := c.Format()
		f.Signed = ingest.Signature(w.Signature).Signed
		hook := webhook(f, w.Secret)
		hook.Custom = true
		all = append(all, hook)
	}
	return all, nil
}

func failedExpressions(metrics prometheus.Registerer) *prometheus.CounterVec {
	return promauto.With(metrics).NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_webhook_expressions_failed_total", Help: "Expressions of ingest.webhooks that failed on a request, by webhook.",
	}, []string{"webhook"})
}

func webhook(f ingest.Format, secret alert.Secret) api.Webhook {
	hook := api.Webhook{
		Name: f.Name, Tool: f.Tool, Path: f.Path, Answer: f.Answer,
		Read: func(body []byte, header http.Header) (alert.Intake, error) {
			return f.Read(ingest.Request{Body: body, Header: header})
		},
	}
	if f.ReadMessage != nil {
		hook.ReadMessage = func(body []byte, header http.Header) (alert.Intake, error) {
			return f.ReadMessage(ingest.Request{Body: body, Header: header})
		}
	}
	if secret.Reveal() != "" && f.Signed != nil {
		hook.Verify = func(body []byte, header http.Header) bool {
			return f.Signed(secret.Reveal(), ingest.Request{Body: body, Header: header})
		}
	}
	return hook
}

func customWebhook(w config.Webhook, onFailed func()) (*ingest.Custom, error) {
	expressions := make([]ingest.Expression, len(w.Expressions))
	for n, e := range w.Expressions {
		expressions[n] = ingest.Expression(e)
	}
	return ingest.NewCustom(w.Name, expressions, onFailed)
}

// expressions is what the configuration has to know of them.
func expressions() config.Expressions {
	e := config.Expressions{Check: func(expression config.Expression) (line, column int, message string) {
		err := ingest.CheckExpression(ingest.Expression(expression))
		var at *ingest.Mistake
		if errors.As(err, &at) {
			return at.Line, at.Column, at.Message
		}
		return 0, 0, ""
	}}
	for _, f := range ingest.Formats() {
		e.Taken = append(e.Taken, f.Name)
	}
	return e
}

func recognize(body []byte, header http.Header) string {
	return ingest.Recognize(ingest.Request{Body: body, Header: header})
}
