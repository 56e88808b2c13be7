package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tocsin/alert"
)

type queueShowCmd struct {
	clientFlags
	ID   string `arg:"" help:"Id of a delivery (see tocsin queue list)."`
	JSON bool   `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (queueShowCmd) Help() string {
	return `Example: tocsin queue show 01964f2e-7c1d-7f00-8000-0123456789ab`
}

// Run shows the delivery.
func (c queueShowCmd) Run(ctx context.Context, w world) error {
	var l alert.DeliveryDetail
	if err := c.ask(ctx, w, http.MethodGet, "/v1/deliveries/"+url.PathEscape(c.ID), &l); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(w.stdout, l)
	}
	return showLetter(w.stdout, l)
}

func showLetter(w io.Writer, l alert.DeliveryDetail) error {
	err := table(w, func(line func(cells ...any)) {
		for _, f := range letterFields(l) {
			if f[1] != "" {
				line(f[0]+":", strings.Map(visible, f[1]))
			}
		}
	})
	if err == nil && l.AlertCount > int64(len(l.Alerts)) {
		_, err = fmt.Fprintf(w, "\nThe first %d of its %d alerts:\n", len(l.Alerts), l.AlertCount)
	}
	for _, a := range l.Alerts {
		if err == nil {
			err = showRecord(w, a)
		}
	}
	return err
}

func letterFields(l alert.DeliveryDetail) [][2]string {
	fields := [][2]string{
		{"delivery", l.ID}, {"state", string(l.State)}, {"reason", brief(l.Reason)}, {"lane", l.Lane}, {"kind", string(l.Kind)},
		{"attempts", fmt.Sprint(l.Attempts)}, {"owed since", clock(l.CreatedAt)}, {"last attempt", clock(l.StartedAt)}, {"done", clock(l.DoneAt)},
	}
	if l.State == alert.Pending || l.State == alert.Sending {
		fields = append(fields, [2]string{"next attempt", clock(l.NextAt)})
	}
	if l.TS != "" {
		fields = append(fields, [2]string{"shown as", l.Conversation + " " + l.TS})
	}
	if l.PossibleDuplicate {
		fields = append(fields, [2]string{"note", "possibly shown twice"})
	}
	if l.Note != nil && l.Note.Text != "" {
		fields = append(fields, [2]string{"says", l.Note.Text})
	}
	if i := l.About; i != nil {
		fields = append(fields, [2]string{"incident", fmt.Sprintf("%s (%s, %s, fired %d×): %s", i.ID, i.State, i.Severity, i.Count, brief(i.Title))})
	}
	return append(fields, [2]string{"alerts", fmt.Sprint(l.AlertCount)})
}

// showRecord prints an alert in full.
func showRecord(w io.Writer, a alert.Record) error {
	err := table(w, func(line func(cells ...any)) {
		line()
		line("alert:", a.ID)
		line("stands:", strings.TrimSuffix(string(a.Standing)+", "+brief(a.Reason), ", "))
		line("accepted:", clock(a.AcceptedAt))
		line("key:", strings.Map(visible, a.Key))
		line("severity:", a.Severity)
		for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
			line("label:", strings.Map(visible, name+"="+a.Labels[name]))
		}
		for _, link := range a.Links {
			line("link:", strings.Map(visible, link.Label+" "+link.URL))
		}
		line("title:", strings.Map(visible, a.Title))
	})
	if err == nil && a.Text != "" {
		_, err = fmt.Fprintln(w, strings.Map(visible, a.Text))
	}
	return err
}
