package render

import (
	"fmt"
	"strings"

	"tocsin/alert"
)

// Acted tells a person what became of what they wanted done with incidents.
func Acted(acted []alert.Acted, verb alert.Verb) Message {
	if len(acted) == 0 {
		return answer("That was no incident's id.", "Write one or more, such as `k7f2`; they stand on the cards.")
	}
	l := newLines(maxSection - len("… and 100000 others"))
	for at, a := range acted {
		before := len(l.all)
		if l.add(actedLine(a, verb)); len(l.all) == before {
			l.all = append(l.all, "… and "+plural(len(acted)-at, "other"))
			break
		}
	}
	return answer(l.text())
}

func actedLine(a alert.Acted, verb alert.Verb) string {
	name := quoted(orDash(a.Incident.ID))
	switch a.Effect {
	case alert.ActUnknown:
		return "❓ I know no incident " + name + ". Perhaps it is old and forgotten; `/notify list all` shows those I know."
	case alert.ActAlready:
		return alreadyLine(a.Incident, name, verb)
	}
	name += " " + bold(title(a.Incident.Title), 150)
	switch verb {
	case alert.VerbAck:
		return "✋ You acknowledged " + name + "."
	case alert.VerbResolve:
		return "✅ You resolved " + name + "."
	case alert.VerbAssign:
		return "👤 " + name + " is with " + called(a.Incident.Assignee) + " now."
	case alert.VerbNote:
		return "💬 Your note is in the thread of " + name + "."
	}
	return "☑️ Done: " + name + "."
}

// alreadyLine says who was faster.
func alreadyLine(i alert.Incident, name string, verb alert.Verb) string {
	name += " " + bold(title(i.Title), 150)
	switch {
	case i.State == alert.StateResolved:
		return "✅ " + name + " is resolved already" + by(i.ResolvedBy, called) + when(i.ResolvedAt) + "."
	case verb == alert.VerbAssign:
		return "👤 " + name + " is with " + called(i.Assignee) + " already."
	case i.State == alert.Acked:
		return "✋ " + name + " is acknowledged already" + by(i.AckedBy, called) + when(i.AckedAt) + "."
	}
	return "☑️ " + name + " was so already."
}

// Denied tells a person politely that they may not do what they wanted ("silence
// alerts"); may are those who may, in Slack's ids (U…, S…, C…) or names.
func Denied(what string, may []string) Message {
	line := "🔒 Sorry, you may not " + fit(literal(oneLine(what)), 200) + " here."
	if len(may) == 0 {
		return answer(line, "Ask whoever looks after Tocsin: the key `permissions` in its configuration says who may.")
	}
	const most = 20
	var parts []string
	for _, m := range may[:min(len(may), most)] {
		if channelID(m) {
			parts = append(parts, "everybody in "+place(m))
			continue
		}
		if one := known(m, nil); one != "" {
			parts = append(parts, one)
		}
	}
	m := answer(line, "Ask one of those who may.")
	if len(parts) > 0 {
		m.Attachments = hushed(strings.Join(parts, ", "))
	}
	return m
}

// ShortID tells a person an incident's id so that it can be copied.
func ShortID(id string) Message {
	return answer("Its id is " + quoted(orDash(id)) + ", for example for `/notify show`.")
}

// Sent tells a person what became of an alert that they sent by a command.
func Sent(r TestReport) Message {
	r.What = "alert"
	return TestResult(r)
}

// Subscribed tells a person that alerts which match come as direct messages
// from now on.
func Subscribed(s alert.Subscription) Message {
	return answer("📬 From now on you get alerts with "+matchers(s.Matchers, 1000)+" as direct messages.", "`/notify unsubscribe` ends that.")
}

// Unsubscribed tells a person how many subscriptions they had and now have no more.
func Unsubscribed(n int) Message {
	if n == 0 {
		return answer("You had no subscriptions, so nothing has changed.")
	}
	return answer(fmt.Sprintf("📭 Done: %s ended. You get no direct messages about alerts any more.", plural(n, "subscription")))
}

// Subscriptions lists what a person has asked to get as direct messages.
func Subscriptions(list []alert.Subscription) Message {
	lines := subscriptionLines(list)
	return answer(append([]string{"📬 *Your subscriptions*"}, lines...)...)
}

// subscriptionLines are within half a section.
func subscriptionLines(list []alert.Subscription) []string {
	if len(list) == 0 {
		return []string{"You get no alerts as direct messages. For example, `/notify subscribe service=\"db\"` brings you those of one service."}
	}
	l := newLines(maxSection / 2)
	for at, s := range list {
		before := len(l.all)
		if l.add("• " + matchers(s.Matchers, 300)); len(l.all) == before {
			l.all = append(l.all, "… and "+plural(len(list)-at, "other"))
			break
		}
	}
	return l.all
}

// matchers are written as code, so that they can be copied.
func matchers(ms alert.Matchers, budget int) string {
	text := oneLine(ms.String())
	if !visible(text) {
		return "everything"
	}
	return "`" + fit(strings.ReplaceAll(text, "`", "ˋ"), budget) + "`"
}
