package engine

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// renew lets what is open follow rules that were not there when it was decided last.
func (e *Engine) renew(ctx context.Context) error {
	err := e.commit(ctx, alert.Query{Open: true}, func(now time.Time, snapshot alert.Snapshot) alert.Change {
		return decideRenewed(e.rules(), now, snapshot)
	})
	if errors.Is(err, alert.ErrInternal) {
		e.logPanic(err)
		e.opts.Log.Warn("open incidents follow the new configuration only when they change", zap.Error(err))
		err = nil
	}
	e.renewed = err != nil
	return err
}

// decideRenewed posts the cards that waited for hours or times in which they do not wait any
// more, and finds out when escalation, reminders and all else is due now.
func decideRenewed(r rules, now time.Time, snapshot alert.Snapshot) alert.Change {
	d := newDraft(r, now, snapshot)
	for _, en := range d.all {
		_, held := d.planOf(en).Hold.At(now, en.Severity)
		if en.unshown && !en.Hidden() && en.Group == nil && !held {
			d.processDue(en)
		} else if !d.nextDue(en).Equal(en.DueAt) {
			d.touch(en)
		}
	}
	d.finish()
	return d.change
}
