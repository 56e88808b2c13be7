package render

import (
	"strings"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

const queueRows = 12

// Queue lists deliveries that are pending or were given up, the latest first, each with
// a button that drops it. more says that there are others.
func Queue(all []alert.Delivery, more bool) Message {
	if len(all) == 0 {
		return answer("📭 Nothing is waiting, and nothing was given up.")
	}
	head := "📬 *Waiting or given up*"
	l := newLines(maxText)
	l.add(head)
	blocks := []slack.Block{section(head)}
	for _, d := range all[:min(len(all), queueRows)] {
		row := queueRow(d)
		l.add(row)
		blocks = append(blocks, section(row))
		if d.State != alert.Sending && d.ID != "" {
			blocks = append(blocks, slack.NewActionBlock("", drop(d)))
		}
	}
	if more || len(all) > queueRows {
		blocks = append(blocks, small("and others: `tocsin queue list` shows them in a shell"))
	}
	return Message{Text: said(l.text()), Blocks: blocks}
}

func queueRow(d alert.Delivery) string {
	state := map[alert.DeliveryState]string{alert.Dead: "☠️ given up", alert.Sending: "📨 being sent", alert.Pending: "⏳ waiting"}[d.State]
	parts := []string{state, string(d.Kind) + " for " + place(d.Lane), "since " + date(d.CreatedAt)}
	if d.Incident != "" && !strings.HasPrefix(d.Incident, "digest-") {
		parts = append(parts, quoted(orDash(d.Incident)))
	}
	row := strings.Join(parts, dot)
	if why := oneLine(d.Reason); visible(why) {
		row += "\n" + named(fit(why, 200), d.Lane)
	}
	return row
}

// drop is the button that drops a delivery, with a confirmation.
func drop(d alert.Delivery) *slack.ButtonBlockElement {
	ask := slack.NewConfirmationBlockObject(plain("Drop it?"), plain("It is not sent, and its alerts count as dead."), plain("Drop it"), plain("Keep it"))
	return valued(ActionDrop, "Drop", d.ID).WithConfirm(ask)
}

// Dropped says that a delivery is not sent any more.
func Dropped(r alert.RetryResult) Message {
	what := "Dropped: its alerts count as dead"
	if r.Alerts == 1 {
		what = "Dropped: its alert counts as dead"
	}
	return answer("🗑️ " + what + ", with the reason *dropped by a person*.")
}
