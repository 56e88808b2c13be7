package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// repair mends what would keep an alert from being stored or shown, and notes it.
// Whatever says what happened is kept: if not in its place, then in the text.
type repair struct {
	*Alert
	// notes are those of the repair.
	notes Notes
	// before and after are what continues in the text, in front of it and behind it.
	before, after []string
}

func (r *repair) note(format string, args ...any) { r.notes.Add(format, args...) }

// moved adds a note about what only moved to another place: that is not a repair.
func (r *repair) moved(format string, args ...any) {
	if !r.Strict {
		r.note(format, args...)
	}
}

// texts mends the characters of all fields.
func (r *repair) texts() {
	for _, f := range []struct {
		name  string
		value *string
	}{
		{"title", &r.Title}, {"text", &r.Text}, {"key", &r.Key}, {"source", &r.Source}, {"channel", &r.Channel},
		{"mention", &r.Mention}, {"idempotency_key", &r.IdempotencyKey},
	} {
		*f.value = r.clean(f.name, *f.value)
	}
	r.Severity, r.Status = Severity(r.clean("severity", string(r.Severity))), Status(r.clean("status", string(r.Status)))
	r.Format = Format(r.clean("format", string(r.Format)))
	for _, f := range [][2]string{{"title", r.Title}, {"text", r.Text}} {
		if strings.ContainsFunc(f[1], Reorders) {
			r.moved("%s is shown without its characters that change the direction of writing", f[0])
		}
	}
	for n := range r.Links {
		if l := &r.Links[n]; !showable(l.Label) || !showable(l.URL) {
			l.Label, l.URL = r.clean(linkName(n), l.Label), r.clean(linkName(n), l.URL)
		}
	}
	for n := range r.Images {
		i := &r.Images[n]
		i.URL, i.Alt = r.clean("image", i.URL), r.clean("image", i.Alt)
	}
	if r.cleanLabels() {
		return
	}
	labels := make(map[string]string, len(r.Labels))
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		name := r.cleanName(k)
		labels[name] = r.clean("label "+name, r.Labels[k])
	}
	r.Labels = labels
}

// cleanLabels reports whether the labels need no repair.
func (r *repair) cleanLabels() bool {
	for k, v := range r.Labels {
		if !showable(k) || !showable(v) || strings.ContainsFunc(k, blankInName) {
			return false
		}
	}
	return true
}

// cleanName returns a label's name without what can't be stored, shown or written in a
// matcher.
func (r *repair) cleanName(name string) string {
	clean := r.clean("a label's name", name)
	if !strings.ContainsFunc(clean, blankInName) {
		return clean
	}
	r.note("the name of label %s repaired: characters that can't be seen are blanks", brief(clean))
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if blankInName(c) {
			return ' '
		}
		return c
	}, clean))
}

func blankInName(c rune) bool { return c == '\n' || c == '\t' || hidden(c) }

const byteOrderMark = "\ufeff"

// showable reports whether s can be stored and shown as it is.
func showable(s string) bool {
	if !ValidText(s) || strings.Contains(s, escape) || strings.Contains(s, byteOrderMark) {
		return false
	}
	const c1 = 0xc2 // the first byte of the one-character forms
	return strings.IndexByte(s, c1) < 0 || !strings.ContainsAny(s, terminalBegins)
}

// clean returns s without what can't be stored or shown.
func (r *repair) clean(name, s string) string {
	if showable(s) {
		return s
	}
	mend := func(to, what string) {
		if to != s {
			r.note("%s repaired: %s", name, what)
			s = to
		}
	}
	mend(strings.ToValidUTF8(s, "\ufffd"), "bytes that are not UTF-8 are shown as \ufffd")
	mend(strings.ReplaceAll(s, byteOrderMark, ""), "byte order marks are removed")
	mend(strings.ReplaceAll(s, "\x00", ""), "NUL characters are removed")
	mend(withoutTerminalCodes(s), "terminal control sequences are removed")
	return s
}

// title takes the key, or the labels, for the title of an alert that has neither title nor text.
// The error is an *InputError: there are none that say something.
func (r *repair) title() error {
	if r.Title != "" || r.Text != "" {
		return nil
	}
	switch named := titleOf(r.Labels); {
	case r.Key != "" && r.Resolves():
		r.Title = r.Key
	case named != "":
		r.Title = named
		r.note("the title is missing: the labels are taken for it")
	default:
		return &InputError{Message: "the alert has neither title nor text", Hint: `write at least {"title": "disk full on db-3"}`}
	}
	return nil
}

// titleOf is a title for an alert that has only labels: the alertname, as in Alertmanager,
// or all of them. It is empty if they say nothing.
func titleOf(labels map[string]string) string {
	if name := labels["alertname"]; Visible(name) {
		return name
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if Visible(labels[name]) {
			pairs = append(pairs, name+"="+labels[name])
		}
	}
	return strings.Join(strings.Fields(strings.Join(pairs, ", ")), " ")
}

// words understands the severity and the status in other tools' words. One that is
// unknown, or says more than ours, is kept as a label.
func (r *repair) words() {
	graded := GradedStatus(string(r.Status))
	fromLabel := Severity(strings.TrimSpace(r.Labels["severity"])) // as in Alertmanager, where it is only a label
	r.Severity = cmp.Or(r.Severity, fromLabel, graded, Error)
	if sent := string(r.Severity); !slices.Contains(Severities(), r.Severity) {
		severity, ok := ParseSeverity(sent)
		if !ok {
			severity = Error
		}
		if !ok || !severity.sameWord(sent) {
			r.keepWord("severity", sent, string(severity), ok)
		}
		r.Severity = severity
	}
	r.Status = cmp.Or(r.Status, Firing)
	if sent := string(r.Status); r.Status != Firing && r.Status != Resolved {
		status, ok := ParseStatus(sent)
		shown := graded != "" && graded == r.Severity && graded.sameWord(sent)
		if r.Status = status; !ok && !shown {
			r.keepWord("status", sent, string(status), false)
		}
	}
}

// keepWord keeps a word that was sent for a severity or a status as a label, under another
// name if the sender gave one of that name.
func (r *repair) keepWord(field, word, taken string, known bool) {
	label := field
	if given, found := r.Labels[field]; found && !strings.EqualFold(strings.TrimSpace(given), word) {
		label = "sent_" + field
	}
	r.keep(label, word)
	switch {
	case !known:
		r.note("%s %q is unknown: taken as %s, and kept as the label %s", field, brief(word), taken, label)
	case label != field:
		r.moved("%s %q is kept as the label %s", field, brief(word), label)
	}
}

// format reads how the text is written. Where that is unknown, it is shown as it is.
func (r *repair) format() {
	switch word := strings.ToLower(strings.TrimSpace(string(r.Format))); word {
	case "", "text", "plain", "plaintext":
		r.Format = ""
	case "markdown", "md":
		r.Format = FormatMarkdown
	case "mrkdwn", "slack":
		r.Format = FormatMrkdwn
	default:
		r.note("format %q is unknown: the text is shown as it is written; the formats are text, markdown and mrkdwn", brief(word))
		r.Format = ""
	}
}

// Resolves reports whether the status, also one in another tool's word, is resolved.
func (a *Alert) Resolves() bool {
	status, _ := ParseStatus(string(a.Status))
	return status == Resolved
}

// ParseStatus reads a status in the words of any tool, in any case. ok is false for an
// unknown word, which is taken as Firing.
func ParseStatus(word string) (s Status, ok bool) {
	word = strings.ToLower(strings.TrimSpace(word))
	if s = Status(word); s == Firing || s == Resolved {
		return s, true
	}
	if s, ok = statusWords[word]; ok {
		return s, true
	}
	return Firing, false
}

// GradedStatus is how bad a status says that it is, as Nagios' WARNING and CRITICAL do; empty
// for one that is only on or off, or a number.
func GradedStatus(word string) Severity {
	if _, known := ParseStatus(word); known || !strings.ContainsFunc(word, unicode.IsLetter) {
		return ""
	}
	s, _ := ParseSeverity(word)
	return s
}

// statusWords are made once: an alert is asked for its status often.
var statusWords = map[string]Status{
	"resolve": Resolved, "recovered": Resolved, "recovery": Resolved, "ok": Resolved, "up": Resolved, "closed": Resolved, "close": Resolved,
	"normal": Resolved, "inactive": Resolved, "success": Resolved, "done": Resolved,
	"clear": Resolved, "cleared": Resolved, "fixed": Resolved, "passed": Resolved, "succeeded": Resolved, "successful": Resolved,
	"healthy": Resolved, "recover": Resolved, "ended": Resolved, "solved": Resolved, "operational": Resolved, "deactivated": Resolved,
	"fire": Firing, "alerting": Firing, "alert": Firing, "active": Firing, "problem": Firing, "trigger": Firing, "triggered": Firing,
	"fired": Firing, "alarm": Firing, "open": Firing, "down": Firing, "failed": Firing, "failure": Firing, "error": Firing,
}

// keep adds a label unless the sender gave one of this name.
func (r *repair) keep(name, value string) {
	if _, taken := r.Labels[name]; taken {
		return
	}
	labels := maps.Clone(r.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[name] = value
	r.Labels = labels
}

// sizes shortens what is too long and continues it in the text.
func (r *repair) sizes() {
	if head, rest := cutRunes(r.Title, MaxTitle); rest != "" {
		r.Title = head
		r.before = append(r.before, "…"+rest)
		r.note("title shortened: it is longer than %d characters and continues in the text", MaxTitle)
	}
	for _, f := range []struct {
		name  string
		value *string
	}{{"key", &r.Key}, {"idempotency_key", &r.IdempotencyKey}, {"source", &r.Source}, {"mention", &r.Mention}} {
		if utf8.RuneCountInString(*f.value) > MaxKey {
			*f.value = shortKey(*f.value)
			r.note("%s shortened: it is longer than %d characters", f.name, MaxKey)
		}
	}
	r.labels()
}

// cutRunes cuts s to at most limit characters, the last of which is an ellipsis then.
func cutRunes(s string, limit int) (head, rest string) {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s, ""
	}
	n := 0
	for i := range s {
		if n++; n == limit {
			return s[:i] + "…", s[i:]
		}
	}
	return s, ""
}

// shortKey shortens a key in such a way that different keys stay different.
func shortKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	head, _ := cutRunes(key, MaxKey-25)
	return head + "-" + hex.EncodeToString(sum[:12])
}

func brief(name string) string {
	head, _ := cutRunes(name, 40)
	return head
}

// conversation reads the channel. An alert for one that can't be is routed as if it
// named none.
func (r *repair) conversation() {
	if r.Channel == "" {
		return
	}
	name, err := ParseConversation(r.Channel)
	if err != nil {
		r.keep("channel", r.Channel)
		r.note("channel dropped: %s", err)
	}
	r.Channel = name
}

const (
	// clockDifference is how much later than ours a sender's clock may be.
	clockDifference = time.Minute
	// oldestEvent is how long ago an event may have been; a clock that was never set is
	// older.
	oldestEvent = 10 * 365 * day
)

// moment drops a time at which it can't have happened.
func (r *repair) moment(now time.Time) {
	flaw := ""
	switch {
	case r.At.IsZero():
	case r.At.After(now.Add(clockDifference)):
		flaw = "in the future"
	case r.At.Before(now.Add(-oldestEvent)):
		flaw = "more than ten years ago"
	}
	if flaw != "" {
		r.note("at dropped: %s is %s", r.At.UTC().Format(time.RFC3339), flaw)
		r.At = time.Time{}
	}
}

// text puts what continues in the text there.
func (r *repair) text() { r.Text = r.wholeText() }

// wholeText is the text with what continues in it.
func (r *repair) wholeText() string {
	if len(r.before)+len(r.after) == 0 {
		return r.Text
	}
	parts := slices.Clone(r.before)
	if strings.TrimSpace(r.Text) != "" {
		parts = append(parts, r.Text)
	}
	if len(r.after) > 0 {
		parts = append(parts, strings.Join(r.after, "\n"))
	}
	return strings.Join(parts, "\n\n")
}
