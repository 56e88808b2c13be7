package alert

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
)

// ContentHash is a hash of what the sender wrote, apart from the idempotency key. It is
// never 0. What is empty does not count, so that it stays the same when alerts get new
// fields.
func (a *Alert) ContentHash() int64 {
	b := make([]byte, 0, 256+len(a.Text))
	field := func(name, value string) {
		if value == "" {
			return
		}
		for _, s := range [...]string{name, value} {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	field("source", a.Source)
	field("key", a.Key)
	field("status", string(a.Status))
	field("severity", string(a.Severity))
	field("title", a.Title)
	field("text", a.Text)
	field("format", string(a.Format))
	field("channel", a.Channel)
	field("mention", a.Mention)
	if !a.At.IsZero() {
		field("at", a.At.UTC().String())
	}
	if !a.EndsAt.IsZero() {
		field("ends_at", a.EndsAt.UTC().String())
	}
	if a.ExpiresIn != 0 {
		field("expires_in", a.ExpiresIn.String())
	}
	if a.OnlyIfOpen {
		field("only_if_open", "true")
	}
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		field("label "+name, "="+a.Labels[name])
	}
	for _, l := range a.Links {
		field("link "+l.Label, "="+l.URL)
	}
	for _, i := range a.Images {
		field("image "+i.Alt, "="+i.URL)
	}
	if m := a.Message; m != nil {
		field("message", m.Text)
		for _, part := range slices.Concat(m.Blocks, m.Attachments) {
			field("part", string(part))
		}
	}
	sum := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(sum[:8]) | 1)
}
