package engine

import (
	"time"

	"tocsin/alert"
)

// recheck is how often it is looked at whether a card still has to wait: another
// configuration may say otherwise.
const recheck = 24 * time.Hour

// holdOrPost posts a first card, or holds it until quiet hours and times end. It reports
// whether the card is muted, and why. What is muted is not pending: if it ends before it is
// shown, it never is.
func (d *draft) holdOrPost(en *entry) (why string, muted bool) {
	held, ok := d.planOf(en).Hold.At(d.now, en.Severity)
	if !ok {
		d.post(en)
		return "", false
	}
	until := held.Until.UTC()
	if !until.Equal(en.HeldUntil) && !(held.Endless && en.HeldUntil.After(d.now)) {
		d.addHistory(en, alert.Event{Verb: alert.VerbHold, Text: held.Why + " until " + held.Until.Format("Mon 15:04 MST")})
	}
	en.HeldUntil = until
	en.Waiting = en.Waiting || !held.Muted
	return held.Why, held.Muted
}

// nextLook is when an incident without a card is due next.
func (d *draft) nextLook(en *entry) time.Time {
	if next := d.now.Add(recheck); next.Before(en.HeldUntil) {
		return next
	}
	return en.HeldUntil
}
