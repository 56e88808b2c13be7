package render

import (
	"fmt"
	"strings"

	"tocsin/alert"
)

// Acted tells a person the result of their action on incidents.
func Acted(acted []alert.Acted, verb alert.Verb) Message {
	if len(acted) == 0 {
		return answer("That is not an incident's id.", "Write one or more, such as `k7f2`; each card shows its id.")
	}
	if len(acted) > maxActed {
		return answer(manyActed(acted, verb)...)
	}
	l := newLines(maxSection - len("… and 100000 others"))
	for at, a := range acted {
		if !l.add(actedLine(a, verb)) {
			l.all = append(l.all, "… and "+plural(len(acted)-at, "other"))
			break
		}
	}
	return answer(l.text())
}

// maxActed is how many incidents an answer names; of more it tells the number.
const maxActed = 10

// manyActed tells the result of an action on many incidents by numbers.
func manyActed(acted []alert.Acted, verb alert.Verb) []string {
	counts := map[alert.ActEffect]int{}
	var to alert.Person
	for _, a := range acted {
		counts[a.Effect]++
		if a.Effect == alert.ActDone {
			to = a.Incident.Assignee
		}
	}
	var lines []string
	if done := plural(counts[alert.ActDone], "incident"); counts[alert.ActDone] > 0 {
		lines = append(lines, manyLine(verb, done, to))
	}
	if n := len(acted) - counts[alert.ActDone] - counts[alert.ActUnknown]; n > 0 {
		lines = append(lines, "☑️ "+plural(n, "incident")+" needed no change.")
	}
	if n := counts[alert.ActUnknown]; n > 0 {
		lines = append(lines, "❓ "+plural(n, "incident")+" could not be found.")
	}
	return lines
}

func manyLine(verb alert.Verb, incidents string, to alert.Person) string {
	switch verb {
	case alert.VerbAck:
		return "✋ You acknowledged " + incidents + "."
	case alert.VerbResolve:
		return "✅ You resolved " + incidents + "."
	case alert.VerbAssign:
		return "👤 " + incidents + " are assigned to " + called(to) + " now."
	case alert.VerbNote:
		return "💬 Your note is in the threads of " + incidents + "."
	case alert.VerbUnack:
		return "↩️ " + incidents + " are no longer acknowledged."
	case alert.VerbReopen:
		return "↩️ " + incidents + " are open again."
	}
	return "☑️ Done: " + incidents + "."
}

func actedLine(a alert.Acted, verb alert.Verb) string {
	name := quoted(orDash(a.Incident.ID))
	switch a.Effect {
	case alert.ActUnknown:
		return "❓ There is no incident " + name + ". It may be old and deleted; `/notify list all` shows the ones there are."
	case alert.ActAlready:
		return alreadyLine(a.Incident, name, verb)
	case alert.ActNewer:
		return "🔁 It has fired again since, as " + name + " " + bold(title(a.Incident.Title), 150) + ", so it was not reopened."
	}
	name += " " + bold(title(a.Incident.Title), 150)
	switch verb {
	case alert.VerbAck:
		return "✋ You acknowledged " + name + "."
	case alert.VerbResolve:
		return "✅ You resolved " + name + "."
	case alert.VerbAssign:
		return "👤 " + name + " is assigned to " + called(a.Incident.Assignee) + " now."
	case alert.VerbNote:
		return "💬 Your note is in the thread of " + name + "."
	case alert.VerbUnack:
		return "↩️ " + name + " is no longer acknowledged."
	case alert.VerbReopen:
		return "↩️ " + name + " is open again" + stillAcked(a.Incident) + "."
	}
	return "☑️ Done: " + name + "."
}

func alreadyLine(i alert.Incident, name string, verb alert.Verb) string {
	name += " " + bold(title(i.Title), 150)
	switch {
	case verb == alert.VerbReopen:
		return "☑️ " + name + " is open already."
	case verb == alert.VerbUnack && i.State == alert.Open:
		return "☑️ " + name + " is not acknowledged."
	case i.State == alert.StateResolved:
		return "✅ " + name + " was already resolved" + by(i.ResolvedBy, called) + when(i.ResolvedAt) + "."
	case verb == alert.VerbAssign:
		return "👤 " + name + " is already assigned to " + called(i.Assignee) + "."
	case i.State == alert.Acked:
		return "✋ " + name + " was already acknowledged" + by(i.AckedBy, called) + when(i.AckedAt) + "."
	}
	return "☑️ " + name + " needed no change."
}

// AllAlready says that several incidents are as a verb would leave them.
func AllAlready(verb alert.Verb, n int) Message {
	state := map[alert.Verb]string{alert.VerbAck: "acknowledged", alert.VerbUnack: "open", alert.VerbReopen: "open", alert.VerbResolve: "resolved"}[verb]
	return answer(fmt.Sprintf("☑️ All %d that match are already %s.", n, state))
}

// stillAcked says who has acknowledged an incident that was reopened.
func stillAcked(i alert.Incident) string {
	if i.State != alert.Acked {
		return ""
	}
	return ", acknowledged" + by(i.AckedBy, called) + " as before"
}

const outsiderLine = "🔒 Sorry, I only work for people of the workspace that runs me."

// Outsider tells a person from another workspace that they can't use the app.
func Outsider() Message {
	return answer(outsiderLine, "Ask somebody there; `permissions.external` in my configuration says who else may.")
}

// OutsiderHome is the Home tab of a person from another workspace.
func OutsiderHome() HomeTab { return homeTab(section(outsiderLine)) }

// Denied tells a person that they may not do something ("silence alerts"); may
// lists who may, as Slack's ids (U…, S…, C…) or names.
func Denied(what string, may []string) Message {
	line := "🔒 Sorry, you may not " + fit(oneLine(what), 200) + " here."
	if len(may) == 0 {
		return answer(line, "Ask whoever runs Tocsin: `permissions` in its configuration says who may.")
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
	m := answer(line, "Ask somebody who may.")
	if len(parts) > 0 {
		m.Attachments = namesWithoutPing(strings.Join(parts, ", "))
	}
	return m
}

// Subscribed tells a person that they will get matching alerts as direct
// messages.
func Subscribed(s alert.Subscription) Message {
	return answer("📬 From now on you get alerts with "+matchers(s.Matchers, 1000)+" as direct messages.", "`/notify unsubscribe` ends that.")
}

// Unsubscribed tells a person how many subscriptions have ended.
func Unsubscribed(n int) Message {
	if n == 0 {
		return answer("You had no subscriptions, so nothing has changed.")
	}
	return answer(fmt.Sprintf("📭 Done: %s ended. You get no direct messages about alerts any more.", plural(n, "subscription")))
}

// Subscriptions lists what a person has asked to get as direct messages.
func Subscriptions(list []alert.Subscription) Message {
	return answer(append([]string{"📬 *Your subscriptions*"}, subscriptionLines(list)...)...)
}

// subscriptionLines fit into half a section.
func subscriptionLines(list []alert.Subscription) []string {
	if len(list) == 0 {
		return []string{"You get no alerts as direct messages. For example, `/notify subscribe service=\"db\"` sends you those of one service."}
	}
	l := newLines(maxSection / 2)
	for at, s := range list {
		if !l.add("• " + matchers(s.Matchers, 300)) {
			l.all = append(l.all, "… and "+plural(len(list)-at, "other"))
			break
		}
	}
	return l.all
}

// matchers are written as code, so that they can be copied.
func matchers(ms alert.Matchers, budget int) string { return matchersText(ms.String(), budget) }

func matchersText(text string, budget int) string {
	text = oneLine(text)
	if !visible(text) {
		return "everything"
	}
	return "`" + fit(text, budget) + "`"
}
