package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Limits of one alert, in characters unless said otherwise. The text is limited only
// by the size of a request (1 MiB) and continues in the thread.
const (
	MaxTitle  = 1000
	MaxKey    = 500
	MaxLabels = 200
	MaxLabel  = 4000
	// CardLabelName, CardLabel and CardLabelLink are how many characters, escaped, of the name
	// of a label, of its value, and of one that is an address, a card and Details show.
	CardLabelName = 60
	CardLabel     = 200
	CardLabelLink = 600
	MaxLinks      = 7 // a card has two as buttons, Details all
	MaxImages     = 5
	// MaxAnnotations limits the annotations that are kept with an alert, in bytes.
	MaxAnnotations = 64 << 10
	MaxURL         = 3000 // bytes: what Slack takes as the address of a button or an image
	// CardRoom is how many characters the title, the first page of the text, and the
	// addresses of links and images have together in a card.
	CardRoom = 4900
	// titleFromText is the longest title that is made from the text: a card's header has all
	// of it, so that the card does not repeat it above the text.
	titleFromText = 140
)

// Prepare repairs the alert, notes what it repaired, and fills in what the sender left
// out. now becomes AcceptedAt, and At if it is missing. The error is an *InputError: the
// alert says nothing, or it is Strict and would need a repair; or a *ForbiddenError: the
// Sender may not send it.
//
// Defaults: status firing, severity error, title the text's first line or the labels, key a
// fingerprint of source, labels and title, or of the whole text where that is the title;
// for a Message one of its own.
func (a *Alert) Prepare(now time.Time) error {
	if a.Refreshes && !a.EndsAt.IsZero() && !a.EndsAt.After(now) {
		a.Status, a.OnlyIfOpen, a.At, a.EndsAt = Resolved, true, a.EndsAt, time.Time{}
	}
	r := repair{Alert: a}
	r.texts()
	a.trim()
	if err := r.title(); err != nil {
		return err
	}
	sent := a.Labels
	r.words()
	r.format()
	r.links()
	r.images()
	r.conversation()
	r.sizes()
	r.annotations()
	r.moment(now)
	r.room()
	r.text()
	a.Notes = FewNotes(append(a.Notes, r.notes.All()...))
	if a.Strict && len(a.Notes) > 0 {
		return &InputError{Message: strings.Join(a.Notes, "; "), Hint: "without strict it would be repaired in this way"}
	}
	if err := a.Sender.permitAlert(a); err != nil {
		return err
	}
	a.fillIn(now, sent)
	return nil
}

func (a *Alert) trim() {
	a.Title = strings.Join(strings.Fields(a.Title), " ")
	a.Text = strings.TrimRight(strings.ReplaceAll(a.Text, "\r\n", "\n"), " \t\r\n")
	if !Visible(a.Title) {
		a.Title = ""
	}
	if !Visible(a.Text) {
		a.Text = ""
	}
	a.Key = strings.TrimSpace(a.Key)
	a.Source = strings.TrimSpace(a.Source)
	a.Severity = Severity(strings.TrimSpace(string(a.Severity)))
	a.Status = Status(strings.TrimSpace(string(a.Status)))
}

// fillIn adds what the sender left out, who sent these labels. Those that keep a word of
// the severity or the status are not in the fingerprint: a resolve has other words.
func (a *Alert) fillIn(now time.Time, sent map[string]string) {
	said := a.Title
	if a.Title == "" {
		line, whole := firstLine(a.Text, titleFromText)
		said, a.Title = a.Text, line
		if whole {
			a.Text = ""
		}
	}
	a.ID = NewID()
	switch {
	case a.Key == "" && a.Message != nil: // each is posted, whatever it says
		a.Key = "message/" + a.ID
	case a.Key == "":
		a.Key = fingerprint(a.Source, sent, said)
	}
	if a.At.IsZero() {
		a.At = now
	}
	a.At, a.EndsAt = a.At.UTC().Truncate(time.Microsecond), a.EndsAt.UTC().Truncate(time.Microsecond)
	a.AcceptedAt = now.UTC().Truncate(time.Microsecond)
	if a.Sender != nil {
		a.TokenName = a.Sender.Name
	}
}

const (
	fingerprintPrefix = "fp-"
	fingerprintBytes  = 12
)

// fingerprint is the key of an alert without one, which says this.
func fingerprint(source string, labels map[string]string, said string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", source)
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(h, "%q=%q", k, labels[k])
	}
	fmt.Fprintf(h, "%q", said)
	return fingerprintPrefix + hex.EncodeToString(h.Sum(nil)[:fingerprintBytes])
}

// isFingerprint reports whether a key is one that fingerprint makes.
func isFingerprint(key string) bool {
	digits, ok := strings.CutPrefix(key, fingerprintPrefix)
	if !ok || len(digits) != hex.EncodedLen(fingerprintBytes) {
		return false
	}
	_, err := hex.DecodeString(digits)
	return err == nil
}
