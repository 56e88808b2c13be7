package alert

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Power is a kind of request that a token may be for.
type Power string

// The powers: to send alerts, to read, and to acknowledge, silence and so on.
const (
	MaySend Power = "send"
	MayRead Power = "read"
	MayAct  Power = "act"
)

// Token is what a sender shows over TCP, and what it may do with it. The zero value of a
// list or of Rate restricts nothing.
type Token struct {
	// Name is shown on the cards of what was sent with it.
	Name string
	// Hash is the SHA-256 of the token, which itself is not kept.
	Hash [sha256.Size]byte
	// Channels are the conversations that an alert may name (see ParseConversation). They
	// do not restrict what routes do with an alert that names none.
	Channels []string
	// Sources are the sources that an alert may have; it has to have one.
	Sources    []string
	Severities []Severity
	Rate       Rate
	// May lists what it may be used for.
	May []Power
}

// Rate is how many alerts may come in a time. As many may come at once.
type Rate struct {
	Alerts int
	Per    time.Duration
}

var rateText = regexp.MustCompile(`^([1-9][0-9]{0,6})/(s|m|h)$`)

// ParseRate reads a rate, such as 10/s, 600/m or 1000/h.
func ParseRate(text string) (Rate, error) {
	m := rateText.FindStringSubmatch(text)
	if m == nil {
		return Rate{}, &InputError{Message: fmt.Sprintf("%q is not a rate", text), Hint: "write 10/s, 600/m or 1000/h"}
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return Rate{}, fmt.Errorf("read rate: %w", err)
	}
	return Rate{n, map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[m[2]]}, nil
}

// String is the rate as ParseRate reads it, in alerts per second, minute or hour.
func (r Rate) String() string {
	return fmt.Sprintf("%d/%s", r.Alerts, map[time.Duration]string{time.Second: "s", time.Minute: "m", time.Hour: "h"}[r.Per])
}

// ForbiddenError says what a token may not do, and which of its options would allow it.
type ForbiddenError struct {
	// Item is the alert's position in its batch from 1, or 0 for a single one.
	Item          int
	Message, Hint string
}

// Error is the message, in a batch with the item.
func (e *ForbiddenError) Error() string {
	return (&InputError{Item: e.Item, Message: e.Message}).Error()
}

// Permit returns a *ForbiddenError unless the token may be used for what. nil, which is no
// named token, may be used for everything.
func (t *Token) Permit(what Power) error {
	if t == nil || slices.Contains(t.May, what) {
		return nil
	}
	does := map[Power]string{MaySend: "send alerts", MayRead: "read", MayAct: "acknowledge, silence or change anything else"}[what]
	return t.forbid(does, fmt.Sprintf("add %s to its option may", what))
}

// permitAlert returns a *ForbiddenError unless an alert with these values may be sent.
func (t *Token) permitAlert(a *Alert) error {
	switch {
	case t == nil:
		return nil
	case a.Channel != "" && len(t.Channels) > 0 && !slices.Contains(t.Channels, a.Channel):
		return t.forbid("send to "+a.Channel, "add it to its option channels, as the sender writes it; an alert that names no channel goes by the routes")
	case len(t.Sources) > 0 && a.Source == "":
		return t.forbid("send alerts without a source", "have the sender say its source: "+strings.Join(t.Sources, ", "))
	case len(t.Sources) > 0 && !slices.Contains(t.Sources, a.Source):
		return t.forbid(fmt.Sprintf("send alerts of the source %.100q", a.Source), "add it to its option sources")
	case a.Status == Firing && len(t.Severities) > 0 && !slices.Contains(t.Severities, a.Severity):
		return t.forbid("send alerts that are "+string(a.Severity), "add it to its option severities")
	}
	return nil
}

func (t *Token) forbid(what, remedy string) error {
	return &ForbiddenError{Message: fmt.Sprintf("the token %s may not %s", t.Name, what), Hint: fmt.Sprintf("%s (listen.tokens, name: %s)", remedy, t.Name)}
}
