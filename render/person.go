package render

import (
	"strings"

	"tocsin/alert"
)

// somebody replaces a person whose name is not known, in text where their id
// would ping them.
const somebody = "somebody"

// shown is a person as a mention, for which Slack shows the name. In a message's
// text or blocks it pings them, so it is for attachments and views only.
func shown(p alert.Person) string {
	if userID(p.ID) {
		return "<@" + p.ID + ">"
	}
	return called(p)
}

// called is a person by name, which pings nobody.
func called(p alert.Person) string {
	if name := oneLine(p.Name); visible(name) {
		return fit(name, maxLabelName)
	}
	if id := oneLine(p.ID); visible(id) && !userID(p.ID) {
		return fit(id, maxLabelName)
	}
	return somebody
}

func nameless(p alert.Person) bool { return userID(p.ID) && !visible(oneLine(p.Name)) }

func nobody(p alert.Person) bool { return !visible(oneLine(p.ID)) && !visible(oneLine(p.Name)) }

// by is " by ann", or empty when it was no person.
func by(p alert.Person, who func(alert.Person) string) string {
	if nobody(p) {
		return ""
	}
	return " by " + who(p)
}

func userID(s string) bool {
	return (strings.HasPrefix(s, "U") || strings.HasPrefix(s, "W")) && slackID(s)
}

func groupID(s string) bool { return strings.HasPrefix(s, "S") && slackID(s) }

// ping turns mentions, in alert.ParseMention's spelling, into Slack's: the only
// text of this package that notifies anybody. A name that bot could not resolve
// stays as it is written.
func ping(mentions []string) string {
	var all []string
	for _, m := range mentions[:min(len(mentions), alert.MostMentions)] {
		if one := pingOne(m); one != "" {
			all = append(all, one)
		}
	}
	return strings.Join(all, " ")
}

func pingOne(mention string) string {
	switch {
	case mention == "here", mention == "channel":
		return "<!" + mention + ">"
	case userID(mention):
		return "<@" + mention + ">"
	case groupID(mention):
		return "<!subteam^" + mention + ">"
	}
	if name := oneLine(mention); visible(name) {
		return fit(name, 40)
	}
	return ""
}

// mentioned is one mention in words that ping nobody; names has the names of ids.
func mentioned(mention string, names map[string]string) string {
	if name := oneLine(names[mention]); visible(name) {
		return fit(name, 200)
	}
	switch {
	case mention == "here":
		return "everybody who is active there"
	case mention == "channel":
		return "everybody there"
	case userID(mention):
		return somebody
	case groupID(mention):
		return "a user group"
	}
	return fit(oneLine(mention), 100)
}
