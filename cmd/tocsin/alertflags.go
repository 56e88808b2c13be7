package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

// alertFlags describe an alert.
type alertFlags struct {
	alert  alert.Alert
	labels []string
	links  []string
}

// register adds the flags that all commands have which send alerts.
func (d *alertFlags) register(c *clientCmd, cmd *cobra.Command) {
	f, a := cmd.Flags(), &d.alert
	f.StringVarP(&a.Title, "title", "t", "", "`TITLE` of the alert (default: its first line)")
	f.StringVarP((*string)(&a.Severity), "severity", "s", "", "`SEVERITY` of the alert: critical, error, warning or info (default: error)")
	f.StringVarP(&a.Channel, "channel", "c", "", "conversation to send it to, by `NAME`: C…, #name, @user, user@mail\n(default: what the routes say)")
	f.StringVarP(&a.Key, "key", "k", "", "`KEY` of the incident: alerts with the same key share a card\n(default: made from source, labels and title)")
	f.StringVar(&a.Source, "source", "", "`NAME` of the sender")
	f.StringArrayVarP(&d.labels, "label", "l", nil, "add a label as `NAME=VALUE`; may be repeated")
	f.StringArrayVar(&d.links, "link", nil, "add a button with a link as `LABEL=URL`; may be repeated")
	f.StringVar(&a.Mention, "mention", "", "`NAME` of the person or team it concerns: notified if permissions.mention allows it")
	completeFlag(cmd, "severity", oneOf("critical", "error", "warning", "info"))
	completeFlag(cmd, "channel", c.completeConversation())
}

// build returns the alert that the flags describe.
func (d *alertFlags) build() (alert.Alert, error) {
	a := d.alert
	for _, label := range d.labels {
		name, value, ok := strings.Cut(label, "=")
		if !ok {
			return a, &usageError{fmt.Errorf("--label %s: write it as NAME=VALUE, for example --label host=db-3", label)}
		}
		if a.Labels == nil {
			a.Labels = map[string]string{}
		}
		a.Labels[name] = value
	}
	for _, link := range d.links { // a URL may contain more equals signs
		label, target, ok := strings.Cut(link, "=")
		if !ok {
			return a, &usageError{fmt.Errorf("--link %s: write it as LABEL=URL, for example --link Runbook=https://example.com/disk", link)}
		}
		a.Links = append(a.Links, alert.Link{Label: label, URL: target})
	}
	return a, nil
}
