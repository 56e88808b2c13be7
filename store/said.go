package store

import "tocsin/alert"

// mustBeSaid tells whether a delivery is a reply that no digest stands for. A
// digest shows the state of its incidents, but not what people write, what is
// asked of them, and that a silence hides something critical.
func mustBeSaid(d *alert.Delivery) bool {
	if d.Kind != alert.Reply || d.Note == nil {
		return false
	}
	if d.TopLevel || len(d.Note.Mention) > 0 {
		return true
	}
	switch d.Note.Topic {
	case alert.TopicNote, alert.TopicUnanswered, alert.TopicReminder, alert.TopicHidden:
		return true
	case alert.TopicAcked, alert.TopicAssigned:
		return d.Note.Text != ""
	}
	return false
}

// saidClause is mustBeSaid for the stored note, which is JSON: its topic comes
// first, then its text.
const saidClause = `(kind = 'reply' AND note <> '' AND (top_level <> 0 OR note LIKE '%"mention":[%'
	OR note LIKE '{"topic":"note"%' OR note LIKE '{"topic":"unanswered"%' OR note LIKE '{"topic":"reminder"%'
	OR note LIKE '{"topic":"hidden"%' OR note LIKE '{"topic":"acked","text":%' OR note LIKE '{"topic":"assigned","text":%'))`
