package api

import (
	"context"
	"net/http"
)

// Reload has the daemon read its configuration again. The error is an *alert.InputError if
// that is wrong, and then nothing has changed.
type Reload func(ctx context.Context) (Reloaded, error)

// Reloaded is what reading the configuration again has changed.
type Reloaded struct {
	// File is the file that was read; empty if there is none.
	File string `json:"file"`
	// Changed are the options that are different now.
	Changed []ChangedOption `json:"changed"`
	// Restart are those that a restart would change.
	Restart []ChangedOption `json:"restart"`
	// Warnings are mistakes that change nothing else.
	Warnings []string `json:"warnings,omitempty"`
}

// ChangedOption is an option, and what is different about it, without secrets.
type ChangedOption struct {
	Option string `json:"option"`
	What   string `json:"what"`
}

func (a *API) reload(r *http.Request) (any, error) {
	return a.opts.Reload(r.Context())
}
