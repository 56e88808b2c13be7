package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of one alert, in characters unless said otherwise. The text is limited only
// by the size of a request (1 MiB) and continues in the thread.
const (
	MaxTitle  = 1000
	MaxKey    = 500
	MaxLabels = 200
	MaxLabel  = 4000
	MaxLinks  = 20
	MaxURL    = 2000
	// titleFromText is the longest title that is made from the text.
	titleFromText = 150
)

// Prepare checks the alert and fills in what the sender left out. now becomes
// AcceptedAt, and At if it is missing. The error is an *InputError.
//
// Defaults: status firing, severity error, title the text's first line, key a
// fingerprint of source, labels and title.
func (a *Alert) Prepare(now time.Time) error {
	a.trim()
	for _, check := range []func() *InputError{a.checkText, a.checkWords, a.checkSizes, a.checkLinks, a.checkChannel} {
		if err := check(); err != nil {
			return err
		}
	}
	if a.Title == "" {
		line, whole := firstLine(a.Text, titleFromText)
		a.Title = line
		if whole {
			a.Text = ""
		}
	}
	if a.Key == "" {
		a.Key = a.fingerprint()
	}
	if a.At.IsZero() {
		a.At = now
	}
	a.At = a.At.UTC().Truncate(time.Microsecond)
	a.AcceptedAt = now.UTC().Truncate(time.Microsecond)
	a.ID = NewID()
	return nil
}

func (a *Alert) trim() {
	a.Title = strings.Join(strings.Fields(a.Title), " ")
	a.Text = strings.TrimRight(a.Text, " \t\r\n")
	a.Key = strings.TrimSpace(a.Key)
	a.Source = strings.TrimSpace(a.Source)
	a.Severity = Severity(strings.ToLower(strings.TrimSpace(string(a.Severity))))
	a.Status = Status(strings.ToLower(strings.TrimSpace(string(a.Status))))
	if a.Severity == "" {
		a.Severity = Error
	}
	if a.Status == "" {
		a.Status = Firing
	}
}

func (a *Alert) checkText() *InputError {
	if a.Title == "" && strings.TrimSpace(a.Text) == "" {
		return &InputError{Message: "the alert has neither title nor text", Hint: `write at least {"title": "disk full on db-3"}`}
	}
	for _, f := range []struct{ name, value string }{
		{"title", a.Title}, {"text", a.Text}, {"key", a.Key}, {"source", a.Source}, {"channel", a.Channel},
		{"mention", a.Mention}, {"idempotency_key", a.IdempotencyKey},
	} {
		if !ValidText(f.value) {
			return notStorable(f.name, f.value)
		}
	}
	for k, v := range a.Labels {
		if !ValidText(k) || !ValidText(v) {
			return notStorable(fmt.Sprintf("labels[%q]", k), k+v)
		}
	}
	for i, l := range a.Links {
		if !ValidText(l.Label) || !ValidText(l.URL) {
			return notStorable(fmt.Sprintf("links[%d]", i), l.Label+l.URL)
		}
	}
	return nil
}

func notStorable(name, s string) *InputError {
	if !utf8.ValidString(s) {
		return &InputError{Message: name + " is not valid UTF-8", Hint: "send text encoded as UTF-8"}
	}
	return &InputError{Message: name + " contains a NUL character", Hint: `leave out \u0000`}
}

func (a *Alert) checkWords() *InputError {
	if !slices.Contains(Severities(), a.Severity) {
		return &InputError{
			Message: fmt.Sprintf("unknown severity %q", string(a.Severity)),
			Hint:    "write one of critical, error, warning, info" + nearest(string(a.Severity)),
		}
	}
	if a.Status != Firing && a.Status != Resolved {
		return &InputError{Message: fmt.Sprintf("unknown status %q", string(a.Status)), Hint: "write firing or resolved"}
	}
	return nil
}

// nearest suggests the severity that has this name in other tools.
func nearest(word string) string {
	if s := SeverityMeant(word); s != "" {
		return fmt.Sprintf(" (%s?)", s)
	}
	return ""
}

func (a *Alert) checkSizes() *InputError {
	for _, f := range []struct {
		name  string
		have  int
		limit int
		hint  string
	}{
		{"title", utf8.RuneCountInString(a.Title), MaxTitle, "put the details into text, which may be long"},
		{"key", utf8.RuneCountInString(a.Key), MaxKey, "use a short stable name, or leave it out"},
		{"idempotency_key", utf8.RuneCountInString(a.IdempotencyKey), MaxKey, "use a UUID"},
		{"source", utf8.RuneCountInString(a.Source), MaxKey, "use a short name"},
		{"channel", utf8.RuneCountInString(a.Channel), MaxKey, "write an id, #name, @user or an address"},
		{"mention", utf8.RuneCountInString(a.Mention), MaxKey, "use a short name"},
		{"number of labels", len(a.Labels), MaxLabels, "put the details into text, which may be long"},
		{"number of links", len(a.Links), MaxLinks, "put further links into text"},
		{"longest label", longestLabel(a.Labels), MaxLabel, "put the details into text, which may be long"},
	} {
		if f.have > f.limit {
			return &InputError{Message: fmt.Sprintf("%s is %d, more than %d", f.name, f.have, f.limit), Hint: f.hint}
		}
	}
	return nil
}

func longestLabel(labels map[string]string) int {
	longest := 0
	for k, v := range labels {
		longest = max(longest, utf8.RuneCountInString(k), utf8.RuneCountInString(v))
	}
	return longest
}

func (a *Alert) checkLinks() *InputError {
	for i, l := range a.Links {
		u, err := url.Parse(l.URL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || len(l.URL) > MaxURL {
			return &InputError{
				Message: fmt.Sprintf("links[%d] has no usable url", i),
				Hint:    "write a complete http:// or https:// address of at most 2,000 characters",
			}
		}
	}
	return nil
}

func (a *Alert) checkChannel() *InputError {
	if a.Channel == "" {
		return nil
	}
	name, err := ParseConversation(a.Channel)
	var bad *InputError
	if errors.As(err, &bad) {
		return bad
	}
	a.Channel = name
	return nil
}

// fingerprint is the key of an alert without one.
func (a *Alert) fingerprint() string {
	h := sha256.New()
	names := make([]string, 0, len(a.Labels))
	for k := range a.Labels {
		names = append(names, k)
	}
	sort.Strings(names)
	fmt.Fprintf(h, "%q", a.Source)
	for _, k := range names {
		fmt.Fprintf(h, "%q=%q", k, a.Labels[k])
	}
	fmt.Fprintf(h, "%q", a.Title)
	return "fp-" + hex.EncodeToString(h.Sum(nil)[:12])
}
