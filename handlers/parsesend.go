package handlers

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// sendOrder is an alert that a person writes.
type sendOrder struct {
	channel  string
	severity alert.Severity
	text     string
	// unknown is a word behind "to" that begins the text, and would be the channel if it
	// were known.
	unknown string
}

// parseSend reads [to #channel:] [severity] text… or text… to #channel; channel and severity
// come in any order, and the text begins with the first word that is neither. known says
// whether a conversation exists, for a bare word behind "to".
func parseSend(p phrase, known func(conversation string) bool) (sendOrder, *alert.InputError) {
	var order sendOrder
	for n := 0; n < len(p.words); {
		severity, named := sendSeverity(p.words[n].key)
		to, after := addressee{}, 0
		if order.channel == "" {
			to, after = readAddressee(p, n)
		}
		switch {
		case after > 0 && (to.sure || known(to.conversation())):
			var bad *alert.InputError
			if order.channel, bad = parseChannel(to.word); bad != nil {
				return order, bad
			}
			n = after
		case order.severity == "" && named:
			order.severity = severity
			n++
		default:
			order.unknown = to.word
			order.text = order.takeEnd(p.from(n)).prose()
			return order, nil
		}
	}
	return order, &alert.InputError{Message: "there is nothing to send", Hint: "Write `send [#channel] [severity] text…`, for example `send #ops warning the disk is filling up`."}
}

// takeEnd takes "to #channel" off the end of a text, unless there is a channel already.
func (o *sendOrder) takeEnd(p phrase) phrase {
	last := len(p.words) - 1
	if last > 0 && strings.Trim(p.words[last].raw, ".!") == "" { // Slack's <#C…> ends before it
		last--
	}
	if o.channel != "" || last < 2 || p.words[last-1].key != "to" || !namesConversation(p.words[last].raw) {
		return p
	}
	channel, bad := parseChannel(p.words[last].raw)
	if bad != nil {
		return p
	}
	o.channel, o.unknown = channel, ""
	return p.until(last - 1)
}

// addressee is the conversation that somebody sends to, as it was written. One that is not
// sure is a bare word, which may also begin the text.
type addressee struct {
	word string
	sure bool
}

func (a addressee) conversation() string {
	name, _ := alert.ParseConversation(a.word)
	return name
}

// bare reports whether it is a channel's name without #, or an id.
func (a addressee) bare() bool { return bareChannel.MatchString(a.word) && a.conversation() != "" }

// readAddressee reads #ops, to #ops:, to ops:, to the ops channel, or not surely to ops, at
// the n-th word. after is the index of the word behind it, 0 for none.
func readAddressee(p phrase, n int) (to addressee, after int) {
	at, led := leadsTo(p, n)
	called := led && p.keyAt(at) == "channel" && at+1 < len(p.words)
	if called {
		at++
	}
	to, after = p.addressee(at, led)
	to.sure = to.sure || called
	begins := to.sure || at == n+1 && after < len(p.words)
	if namesConversation(to.word) || led && p.words[n].key == "to" && begins && to.bare() {
		return to, after
	}
	return addressee{}, 0
}

// addressee reads ops, #ops: or, if it is led to, ops channel: at a word.
func (p phrase) addressee(at int, led bool) (to addressee, after int) {
	to.word, after = p.words[at].raw, at+1
	called := led && p.keyAt(after) == "channel"
	if called {
		after++
	}
	to.sure = called || namesConversation(to.word) || strings.HasSuffix(p.raw(after-1), ":")
	if p.keyAt(after) == ":" { // Slack's <#C…> ends before it
		to.sure, after = true, after+1
	}
	return to, after
}

// keyAt is the key of a word, or empty behind the last one.
func (p phrase) keyAt(n int) string {
	if n < len(p.words) {
		return p.words[n].key
	}
	return ""
}

// leadsTo returns the index of the word behind a "to", "to the" or "in" at the n-th word,
// or n if there is none.
func leadsTo(p phrase, n int) (at int, led bool) {
	word := p.words[n]
	if n+1 == len(p.words) || word.key != "to" && word.key != "in" || !strings.HasPrefix(strings.ToLower(p.text[word.at:]), word.key) {
		return n, false
	}
	if n+2 < len(p.words) && p.words[n+1].key == "the" {
		return n + 2, true
	}
	return n + 1, true
}

var bareChannel = regexp.MustCompile(`^[\p{L}\p{N}_-]+$`)

// ReadAlert reads an alert as a person writes it behind send: to #ops: critical the disk
// is full. text is as Slack sends it (see Literal), and known is as in parseSend. unknown is the word of which it has denied that.
func ReadAlert(text string, known func(conversation string) bool) (a alert.Alert, unknown string, err error) {
	order, bad := parseSend(read(text), known)
	if bad != nil {
		return alert.Alert{}, "", bad
	}
	return alert.Alert{Channel: order.channel, Severity: order.severity, Text: order.text}, order.unknown, nil
}

// channelWord is a channel in a text that may be a program's: #4711 is none.
var channelWord = regexp.MustCompile(`^#[0-9]*[a-z_-][a-z0-9_-]*$`)

// NamesChannel reports whether a text of one line, which nobody typed into Slack, begins or
// ends with the channel that it is for: to #ops: rebooting; rebooting to #ops.
func NamesChannel(text string) bool {
	text = strings.TrimSpace(text)
	if strings.ContainsAny(text, "\r\n") {
		return false
	}
	order, bad := parseSend(read(Literal(text)), func(string) bool { return false })
	return bad == nil && channelWord.MatchString(order.channel)
}

// ReadTest reads the test alert that a person wants, as written behind test: #ops warning,
// or nothing.
func ReadTest(text string) (alert.Alert, error) {
	order, bad := parseTest(read(text).words)
	if bad != nil {
		return alert.Alert{}, bad
	}
	return order.alert(), nil
}

var shortSeverity = regexp.MustCompile(`^(crit|fatal|err|warn|(p|sev-?)[0-5])$`)

// sendSeverity reads the severities and their usual short forms. Other words that tools
// have for them, such as "page", "high" and "failed", may be of a sentence or a title.
func sendSeverity(word string) (s alert.Severity, ok bool) {
	if s = alert.Severity(word); slices.Contains(alert.Severities(), s) {
		return s, true
	}
	if shortSeverity.MatchString(word) {
		return alert.ParseSeverity(word)
	}
	return "", false
}

// namesConversation reports whether a word is a conversation and not the beginning of
// the text. A bare word in capitals is not an id here.
func namesConversation(word string) bool {
	return len(word) > 1 && (strings.HasPrefix(word, "#") || strings.HasPrefix(word, "<#") || strings.HasPrefix(word, "<@") || strings.HasPrefix(word, "@") || strings.HasPrefix(word, "<mailto:"))
}

const maxStats = 90 * 24 * time.Hour

// parseStats reads the time of statistics: 24h by default.
func parseStats(p phrase) (time.Duration, *alert.InputError) {
	words := slices.DeleteFunc(slices.Clone(p.words), func(w token) bool {
		return slices.Contains([]string{"for", "of", "in", "the", "last", "past"}, w.key)
	})
	usage := "Write `stats 24h` or `stats 7d`."
	if len(words) == 0 {
		return 24 * time.Hour, nil
	}
	d, n := duration(words)
	if named, ok := periods()[words[0].key]; ok {
		d, n = named, len(words)
	}
	switch {
	case n < len(words) && number.MatchString(words[0].key):
		return 0, &alert.InputError{Message: words[0].key + " of what?", Hint: usage}
	case n < len(words):
		return 0, &alert.InputError{Message: words[n].raw + " is not a duration", Hint: usage}
	case d < time.Hour || d > maxStats:
		return 0, &alert.InputError{Message: "the duration must be from one hour to 90 days", Hint: usage}
	}
	return d, nil
}

func periods() map[string]time.Duration {
	const day = 24 * time.Hour
	return map[string]time.Duration{"day": day, "today": day, "daily": day, "week": 7 * day, "weekly": 7 * day, "month": 30 * day, "monthly": 30 * day}
}
