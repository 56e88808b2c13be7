package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"tocsin/alert"
)

type queueListCmd struct {
	clientFlags
	State string `placeholder:"STATE" default:"dead,pending,sending" help:"dead, pending, sending, delivered, superseded, dropped, several with commas, or all (default: ${default})."`
	Lane  string `placeholder:"NAME" help:"Only those of this conversation."`
	Limit int    `default:"50" help:"At most so many (default: ${default})."`
	JSON  bool   `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (queueListCmd) Help() string {
	return `The latest come first.

Examples:
  tocsin queue list --state dead
  tocsin queue list --lane '#ops' --limit 500
  tocsin queue list --state dead --json | jq -r '.[].id' | xargs tocsin queue retry`
}

// deliveryPage is one answer of GET /v1/deliveries.
type deliveryPage struct {
	Deliveries []alert.Delivery `json:"deliveries"`
	Next       string           `json:"next"`
}

// Run lists deliveries.
func (c queueListCmd) Run(ctx context.Context, w world) error {
	list, more, err := c.list(ctx, w)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(w.stdout, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(w.stdout, "nothing: no delivery is "+strings.ReplaceAll(c.State, ",", " or "))
		return err
	}
	err = table(w.stdout, func(line func(cells ...any)) {
		line("ID", "STATE", "LANE", "INCIDENT", "KIND", "ATTEMPTS", "SINCE", "REASON")
		for _, d := range list {
			line(d.ID, d.State, d.Lane, d.Incident, d.Kind, d.Attempts, clock(since(d)), brief(d.Reason))
		}
	})
	if err == nil && more {
		_, err = fmt.Fprintf(w.stdout, "and more: --limit %d shows them\n", c.Limit*10)
	}
	return err
}

// since is when a delivery came into its state, or began to be owed.
func since(d alert.Delivery) time.Time {
	if !d.DoneAt.IsZero() {
		return d.DoneAt
	}
	return d.CreatedAt
}

// mostAsked is how many the daemon gives in one answer.
const mostAsked = 1000

// list asks page by page.
func (c queueListCmd) list(ctx context.Context, w world) (list []alert.Delivery, more bool, err error) {
	if c.Limit < 1 {
		return nil, false, &usageError{fmt.Errorf("--limit is %d: write a number from 1 up", c.Limit)}
	}
	list = []alert.Delivery{}
	for cursor := ""; len(list) < c.Limit; {
		q := url.Values{"state": {c.State}, "lane": {c.Lane}, "cursor": {cursor}, "limit": {strconv.Itoa(min(c.Limit-len(list), mostAsked))}}
		var p deliveryPage
		if err := c.ask(ctx, w, http.MethodGet, "/v1/deliveries?"+q.Encode(), &p); err != nil {
			return nil, false, err
		}
		list = append(list, p.Deliveries...)
		if cursor = p.Next; cursor == "" {
			return list, false, nil
		}
	}
	return list, true, nil
}

// brief is a reason on one line, without what could steer a terminal.
func brief(reason string) string {
	const most = 100
	runes := []rune(strings.Join(strings.Fields(strings.Map(visible, reason)), " "))
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}

func visible(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return -1
	}
	return r
}
