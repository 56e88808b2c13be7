package main

import (
	"net/http"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/config"
	"tocsin/ingest"
)

// webhooks are the paths of other tools, as the API serves them.
func webhooks(cfg config.Ingest) []api.Webhook {
	var all []api.Webhook
	for _, f := range ingest.Formats() {
		hook := api.Webhook{
			Name: f.Name, Tool: f.Tool, Path: f.Path, Answer: f.Answer,
			Read: func(body []byte, header http.Header) (alert.Intake, error) {
				return f.Read(ingest.Request{Body: body, Header: header})
			},
		}
		if secret := cfg.Secrets[f.Name].Reveal(); secret != "" && f.Signed != nil {
			hook.Verify = func(body []byte, header http.Header) bool {
				return f.Signed(secret, ingest.Request{Body: body, Header: header})
			}
		}
		all = append(all, hook)
	}
	return all
}

func recognize(body []byte, header http.Header) string {
	return ingest.Recognize(ingest.Request{Body: body, Header: header})
}
