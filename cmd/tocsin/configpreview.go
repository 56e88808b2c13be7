package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/config"
	"tocsin/engine"
	"tocsin/ingest"
	"tocsin/render"
)

func newConfigPreview(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Show the cards that become of the alerts on standard input",
		Long: `Show the cards that become of the alerts on standard input, which are in the form of
POST /v1/alerts or, with --webhook, in that of another tool: what the templates of their
routes make of them, and why one fails. Only the configuration is read; nothing is sent, and
no daemon is needed. With --open the cards are on a web page, as they look in Slack.`,
		Example: `  tocsin config preview < alert.json
  tocsin config preview --webhook alertmanager --open < body.json`,
		Args: noArgs,
	}
	flags := configFlag(cmd)
	webhook := cmd.Flags().String("webhook", "", "`NAME` of the webhook whose body it is, such as alertmanager or prometheus")
	open := cmd.Flags().Bool("open", false, "show the cards on the page of tocsin demo until Ctrl-C")
	asJSON := cmd.Flags().Bool("json", false, "print as JSON, with the blocks of each card")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(w.input(flags()))
		if err != nil {
			return err
		}
		body, err := io.ReadAll(w.stdin)
		if err != nil {
			return fmt.Errorf("read the alerts: %w", err)
		}
		alerts, notes, err := alertsIn(cfg, body, *webhook)
		if err != nil {
			return err
		}
		shown, err := preview(cfg, alerts, notes)
		if err != nil {
			return err
		}
		if *open {
			return demoCmd{listen: demoAddress, api: "127.0.0.1:0", shown: alerts, routing: cfg.Routing}.run(cmd.Context(), w)
		}
		return w.print(*asJSON, shown, shown.text())
	}
	return cmd
}

// alertsIn reads alerts in the form of POST /v1/alerts, or of a webhook.
func alertsIn(cfg *config.Config, body []byte, webhook string) ([]alert.Alert, []string, error) {
	if webhook == "" {
		return api.Decode(body)
	}
	t, err := tryWebhook(cfg.Ingest, webhook, ingest.Request{Header: http.Header{}, Body: body})
	switch {
	case err != nil:
		return nil, nil, err
	case t.Problem != "":
		return nil, nil, fmt.Errorf("the body would be refused: %s", t.Problem)
	case len(t.Alerts) == 0:
		return nil, nil, errors.New("there is no alert in the body")
	}
	for n := range t.Alerts {
		t.Alerts[n].Notes = nil // they are in t.Notes
	}
	return t.Alerts, t.Notes, nil
}

// previewed are the cards of some alerts.
type previewed struct {
	Cards []previewedCard `json:"cards"`
	// Notes say what was repaired in the alerts.
	Notes []string `json:"notes"`
}

type previewedCard struct {
	alert.Incident
	// Thread is what its thread says apart from the text.
	Thread []string `json:"thread"`
	// Message is the card as Slack gets it.
	Message cardMessage `json:"message"`
}

// cardMessage is a message with the names that Slack has for its parts.
type cardMessage struct {
	Text        string `json:"text"`
	Blocks      any    `json:"blocks"`
	Attachments any    `json:"attachments,omitempty"`
}

func preview(cfg *config.Config, alerts []alert.Alert, notes []string) (previewed, error) {
	p := previewed{Cards: []previewedCard{}, Notes: append([]string{}, notes...)}
	change, repaired, err := engine.Preview(engine.Options{Routing: cfg.Routing, ImageHosts: cfg.Ingest.ImageHosts}, time.Now(), alerts)
	if err != nil {
		return p, err
	}
	for n, all := range repaired {
		for _, note := range all {
			p.Notes = append(p.Notes, fmt.Sprintf("alert %d: %s", n+1, note))
		}
	}
	for _, i := range change.Incidents {
		p.Cards = append(p.Cards, previewCard(change, i))
	}
	return p, nil
}

// previewCard is the first card of an incident of a change.
func previewCard(change alert.Change, i alert.Incident) previewedCard {
	c := previewedCard{Incident: i, Thread: []string{}}
	for _, d := range change.Deliveries {
		if d.Incident == i.ID && d.Kind == alert.Reply && d.Lane == i.Lanes[0] && !d.Note.SaysText() {
			c.Thread = append(c.Thread, render.Note(i, *d.Note).Text)
		}
	}
	if i.Unworded != "" && !i.HeldUntil.IsZero() { // the thread of a card that waits has nothing yet
		c.Thread = append(c.Thread, render.Note(i, alert.Note{Topic: alert.TopicTemplate, Text: i.Unworded}).Text)
	}
	if i.Group != nil {
		i.Group.Top = worstOf(change.Members, i.ID)
	}
	card := render.Card(i, i.Lanes[0])
	c.Message = cardMessage{card.Text, card.Blocks, card.Attachments}
	if card.Passed != nil {
		c.Message.Attachments = card.Passed
	}
	return c
}

// worstOf are the members of an incident that its card lists.
func worstOf(all []alert.GroupMember, incident string) []alert.GroupMember {
	own := slices.DeleteFunc(slices.Clone(all), func(m alert.GroupMember) bool { return m.Incident != incident })
	slices.SortStableFunc(own, func(a, b alert.GroupMember) int { return a.Rank() - b.Rank() })
	return own[:min(len(own), alert.CardMembers)]
}

func (p previewed) text() string {
	var parts []string
	for _, c := range p.Cards {
		all := [][2]string{
			{"route", c.Route}, {"to", strings.Join(c.Lanes, ", ")}, {"severity", string(c.Severity)}, {"title", c.Headline()}, {"sent as", c.SentTitle},
		}
		for _, f := range c.Fields {
			all = append(all, [2]string{"field", f.Name + ": " + oneCell.Replace(f.Value)})
		}
		text := fields(append(all, labelsAndLinks(c.Labels, c.Links)...))
		if c.Text != "" {
			text += "\n" + indented(c.Text)
		}
		for _, note := range c.Thread {
			text += "\nin the thread: " + note + "\n"
		}
		parts = append(parts, text)
	}
	for _, note := range p.Notes {
		parts = append(parts, "note: "+note+"\n")
	}
	return strings.Join(parts, "\n")
}
