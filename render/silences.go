package render

import (
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

const silenceRows = 20

// Silences lists what is silenced, until when, by whom and why, each with a button
// that ends it. more says that there are others.
func Silences(all []alert.Silence, more bool) Message {
	if len(all) == 0 {
		return answer("🔔 Nothing is silenced.", "`/notify silence service=\"db\" for 2h because we are moving it` would silence something.")
	}
	return silenceList("🔕 *Silences*", all, more)
}

// SilencesMeant asks which of the silences that somebody may mean is to end.
func SilencesMeant(meant []alert.Silence, more bool) Message {
	head := "🔕 *Which silence do you mean?* None was ended."
	if len(meant) == 1 {
		head = "🔕 *Do you mean this silence?* It was not ended."
	}
	return silenceList(head, meant, more)
}

func silenceList(head string, all []alert.Silence, more bool) Message {
	l := newLines(maxText)
	l.add(head)
	for _, s := range all {
		what, facts := silenceRow(s, called)
		l.add(strings.ReplaceAll(what, "\n", dot) + dot + facts)
	}
	return Message{Text: said(l.text()), Blocks: append([]slack.Block{section(head)}, silenceBlocks(all, more, silenceRows, called)...)}
}

func silenceBlocks(all []alert.Silence, more bool, most int, who func(alert.Person) string) []slack.Block {
	var blocks []slack.Block
	const each = 150 // the button and its question
	room := maxBlocks - 500
	for at, s := range all[:min(len(all), most)] {
		what, facts := silenceRow(s, who)
		if room -= size(what) + size(facts) + each; room < 0 {
			most = at
			break
		}
		blocks = append(blocks, slack.NewSectionBlock(plain(what), nil, expire(s, "End now")), small(facts))
	}
	switch hidden := len(all) - most; {
	case more:
		blocks = append(blocks, small("and others"))
	case hidden > 0:
		blocks = append(blocks, small("and "+plural(hidden, "other")))
	}
	return blocks
}

// silenceRow is what a silence hides and why, and its facts.
func silenceRow(s alert.Silence, who func(alert.Person) string) (what, facts string) {
	parts := []string{quoted(orDash(s.ID))}
	if times := strings.TrimSpace(silenceTimes(s)); times != "" {
		parts = append(parts, times)
	}
	if s.Every != nil && !s.NextAt.IsZero() {
		parts = append(parts, "next "+date(s.NextAt))
	}
	if !nobody(s.By) {
		parts = append(parts, "by "+who(s.By))
	}
	parts = append(parts, hidden(s))
	what = matchers(s.Matchers, 500)
	if why := oneLine(s.Why); visible(why) {
		what += "\n" + fit(why, MaxReason)
	}
	return what, strings.Join(parts, dot)
}

// silenceTimes says when a silence hides alerts, behind a blank.
func silenceTimes(s alert.Silence) (said string) {
	if s.Every != nil {
		said = " every " + s.Every.String()
	}
	if !s.StartsAt.IsZero() {
		said += " from " + date(s.StartsAt)
	}
	return said + until(s.EndsAt)
}

func hidden(s alert.Silence) string {
	if s.Hidden == 0 {
		return "nothing hidden so far"
	}
	return plural(s.Hidden, "alert") + " hidden"
}

// expire is the button that ends a silence, with a confirmation; nil without a valid id.
func expire(s alert.Silence, label string) *slack.Accessory {
	if !incidentID.MatchString(s.ID) {
		return nil
	}
	ask := slack.NewConfirmationBlockObject(plain("End this silence?"), plain("Alerts that it hides and that are still open are shown then."), plain("End it"), plain("Keep it"))
	return slack.NewAccessory(valued(ActionExpire, label, s.ID).WithConfirm(ask))
}

// NoticeOfSilence ends the value of a button in a message that is about its silence alone: once
// it has ended, SilenceOver takes the place of that message.
const NoticeOfSilence = " notice"

// endingNotice is expire in such a message.
func endingNotice(s alert.Silence) *slack.Accessory {
	end := expire(s, "End silence")
	if end != nil {
		end.ButtonElement.Value += NoticeOfSilence
	}
	return end
}

// SilenceOver tells everybody who saw a notice that its silence has ended, and by whom.
func SilenceOver(s alert.Silence) Message {
	by := ""
	if !nobody(s.EndedBy) {
		by = " by " + called(s.EndedBy)
	}
	m := answer("🔔 *A silence was ended" + by + "*: " + matchers(s.Matchers, 1000) + " (" + quoted(orDash(s.ID)) + ", " + hidden(s) + ").")
	m.Attachments = unnamed(s.EndedBy, alert.Person{})
	return m
}

// Silenced tells a person that their silence is active, with a button that ends it; n is
// how many open incidents it hides.
func Silenced(s alert.Silence, n int) Message { return nowSilenced("🔕 ", s, n) }

// AlreadySilenced is Silenced for one that there was already, which stays as it was.
func AlreadySilenced(s alert.Silence, n int) Message {
	return nowSilenced("🔕 Silenced already: ", s, n)
}

func nowSilenced(sign string, s alert.Silence, n int) Message {
	which := "alerts with " + matchers(s.Matchers, 1000)
	if len(s.Matchers) == 0 {
		which = "all alerts"
	}
	line := sign + quoted(orDash(s.ID)) + " silences " + which + silenceTimes(s)
	switch {
	case n > 0 && (s.Every != nil || !s.StartsAt.IsZero()):
		line += "; " + plural(n, "open incident") + " would match now."
	case n == 1:
		line += ", among them 1 open incident."
	case n > 1:
		line += ", among them " + plural(n, "open incident") + "."
	default:
		line += "; no open incident matches now."
		for _, m := range s.Matchers {
			if field := m.NearField(); field != "" {
				line += " " + quoted(fit(m.Name, maxLabelName)) + " is a label; did you mean " + quoted(field) + "?"
			}
		}
	}
	m := answer(line)
	if end := expire(s, "End now"); end != nil {
		m.Blocks = append(m.Blocks, slack.NewActionBlock("", end.ButtonElement))
	}
	return m
}

// silenceBegins reminds people that a silence begins, with a button that ends it and lines
// of small print.
func silenceBegins(b alert.Beginning, aside []string) Message {
	line := "🔕 *A silence begins* " + date(b.At) + ": " + matchersText(b.Matchers, 1000) + " will be hidden" + until(b.Until) + " (" + quoted(orDash(b.Silence))
	if !nobody(b.By) {
		line += " by " + called(b.By)
	}
	if why := oneLine(b.Why); visible(why) {
		line += ": " + fit(why, MaxReason)
	}
	m := answer(append([]string{line + ")"}, asides(aside)...)...)
	if end := endingNotice(alert.Silence{ID: b.Silence}); end != nil {
		m.Blocks = append(m.Blocks, slack.NewActionBlock("", end.ButtonElement))
	}
	m.Attachments = unnamed(b.By, alert.Person{})
	return m
}

// Unsilenced tells a person that a silence has ended.
func Unsilenced(s alert.Silence) Message {
	return answer("🔔 Ended: " + matchers(s.Matchers, 1000) + " (" + quoted(orDash(s.ID)) + ", " + hidden(s) + "). What is still open is shown now, unless another silence matches it.")
}

func until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " until " + date(t)
}
