package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	f.StringArrayVar(&d.links, "link", nil, "add a button with a link as `LABEL=URL` or URL; may be repeated")
	f.StringVar(&a.Mention, "mention", "", "`NAME` of the person or team it concerns: notified if permissions.mention allows it")
	completeFlag(cmd, "severity", oneOf("critical", "error", "warning", "info"))
	completeFlag(cmd, "channel", c.completeConversation())
}

// build returns the alert that the flags describe. What is written in another way costs no
// alert: it is kept, and the notes say how.
func (d *alertFlags) build() alert.Alert {
	a := d.alert
	a.Notes = slices.Clone(a.Notes)
	for n, label := range d.labels {
		if strings.TrimSpace(label) == "" {
			a.Notes = append(a.Notes, fmt.Sprintf("--label %q dropped: it is empty", label))
			continue
		}
		name, value, ok := strings.Cut(label, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			name, value = fmt.Sprintf("label %d", n+1), label
			a.Notes = append(a.Notes, fmt.Sprintf("--label %q is not NAME=VALUE, such as host=db-3: kept as %q", label, name))
		}
		if old, given := a.Labels[name]; given && old != value {
			a.Notes = append(a.Notes, fmt.Sprintf("label %s is given twice: %q dropped", name, old))
		}
		setLabel(&a, name, value)
	}
	for _, link := range d.links { // a URL may contain more equals signs
		label, target, ok := strings.Cut(link, "=")
		if !ok || strings.Contains(label, "://") {
			label, target = "", link
		}
		a.Links = append(a.Links, alert.Link{Label: label, URL: target})
	}
	return a
}

// readLoosely adds a flag that read sets. A value that it can't read is kept as a label,
// as the HTTP API does.
func (d *alertFlags) readLoosely(f *pflag.FlagSet, name, usage string, read func(text string) error) {
	f.Func(name, usage, func(text string) error {
		if err := read(text); err != nil && strings.TrimSpace(text) != "" {
			setLabel(&d.alert, strings.ReplaceAll(name, "-", "_"), text)
			d.alert.Notes = append(d.alert.Notes, fmt.Sprintf("--%s dropped: %q is %s", name, text, err))
		}
		return nil
	})
}

func setLabel(a *alert.Alert, name, value string) {
	if a.Labels == nil {
		a.Labels = map[string]string{}
	}
	a.Labels[name] = value
}

// sayAll says what was repaired.
func (c *clientCmd) sayAll(notes []string) {
	for _, note := range notes {
		c.say(note)
	}
}
