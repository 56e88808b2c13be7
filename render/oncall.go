package render

import (
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// The most routes and incidents that OnCall lists.
const (
	maxRoutes = 15
	maxTaken  = 10
)

// OnCallView is what oncall says.
type OnCallView struct {
	Routing alert.Routing
	// Taken are incidents that somebody is working on. More says that there are
	// others.
	Taken []alert.Incident
	More  bool
	// Names are the names of the ids (U…, S…) in Routing: "ann", "@db-oncall: ann
	// and bob". Ids without a name are left to Slack to show, where that pings
	// nobody.
	Names map[string]string
	// Now is the time of the question, for quiet hours.
	Now time.Time
}

// OnCall says who is notified of which alerts, when others are notified, and who
// is working on what.
func OnCall(v OnCallView) Message {
	const head = "📟 *Who is notified of what*"
	text, seen := newLines(maxText), newLines(maxSection)
	text.add(head)
	text.addAll(routeLines(v, mentioned)...)
	seen.addAll(routeLines(v, known)...)
	bodies := []slack.Block{section(seen.text())}
	if len(v.Taken) > 0 {
		text.addAll(takenLines(v, called)...)
		bodies = append(bodies, section(strings.Join(takenLines(v, shown), "\n")))
	}
	return Message{
		Text:        said(text.text()),
		Blocks:      []slack.Block{section(head)},
		Attachments: barred(colourInfo, "Who is notified of what", bodies...),
	}
}

// routeLines are the first routes, and the default route as the last one.
func routeLines(v OnCallView, name func(mention string, names map[string]string) string) []string {
	who := func(mention string) string { return name(mention, v.Names) }
	all := v.Routing.Routes
	var lines []string
	for _, r := range all[:min(len(all), maxRoutes-1)] {
		lines = append(lines, routeLine(r, v, who))
	}
	lines = append(lines, routeLine(alert.Route{Name: alert.DefaultRoute, To: []string{v.Routing.Default}}, v, who))
	if hidden := len(all) + 1 - maxRoutes; hidden > 0 {
		lines = append(lines, "… and "+plural(hidden, "other route"))
	}
	return lines
}

func routeLine(r alert.Route, v OnCallView, who func(string) string) string {
	which := matchers(r.Matchers, 150)
	if r.Name == alert.DefaultRoute && len(r.Matchers) == 0 {
		which = "all other alerts"
		if len(v.Routing.Routes) == 0 {
			which = "all alerts"
		}
	}
	to := r.To
	if len(to) == 0 {
		to = []string{v.Routing.Default}
	}
	line := bold(orDash(oneLine(r.Name)), 60) + "  " + which + "\n→ " + targets(to, r.Mention, who)
	if steps := stepWords(r.Escalate, who); steps != "" {
		line += "\n⏰ " + steps
	}
	if held, ok := r.Hold().At(v.Now, alert.Info); ok && held.Muted {
		line += "\n🌙 " + fit(oneLine(held.Why), 150) + " until " + date(held.Until)
	} else if ok {
		line += "\n🌙 quiet until " + date(held.Until) + ", except for " + fit(oneLine(string(r.Quiet.Below)), 30) + " and worse"
	}
	return line
}

// stepWords say who else is notified while nobody acknowledges.
func stepWords(steps []alert.Step, who func(string) string) string {
	const most = 3
	var parts []string
	for _, step := range steps[:min(len(steps), most)] {
		parts = append(parts, "after "+span(step.After)+": "+targets(step.To, step.Mention, who))
	}
	if len(steps) > most {
		parts = append(parts, "and so on")
	}
	return strings.Join(parts, dot)
}

// known names whom a mention means, or leaves the id for Slack to show, where it
// pings nobody.
func known(mention string, names map[string]string) string {
	if names[mention] == "" && (userID(mention) || groupID(mention)) {
		return pingOne(mention)
	}
	return mentioned(mention, names)
}

// targets are conversations and who is mentioned there.
func targets(to, mention []string, who func(string) string) string {
	const most = 5
	var parts []string
	for _, lane := range to[:min(len(to), most)] {
		parts = append(parts, place(lane))
	}
	for _, m := range mention[:min(len(mention), most)] {
		if name := who(m); name != "" {
			parts = append(parts, name)
		}
	}
	if len(parts) == 0 {
		return "nobody else"
	}
	return strings.Join(parts, ", ")
}

func takenLines(v OnCallView, who func(alert.Person) string) []string {
	lines := []string{"✋ *Who is working on what*"}
	for _, i := range v.Taken[:min(len(v.Taken), maxTaken)] {
		lines = append(lines, "• "+who(i.Owner())+": "+sign(i)+" "+titleIn(i.Title, 120)+dot+quoted(orDash(i.ID)))
	}
	if v.More || len(v.Taken) > maxTaken {
		lines = append(lines, "… and others")
	}
	return lines
}
