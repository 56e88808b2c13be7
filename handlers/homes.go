package handlers

import (
	"context"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tocsin/alert"
	"tocsin/bot"
)

// homeDebounce is how long after an update of a person's Home another opening is ignored:
// Slack reports every switch between the tabs.
const homeDebounce = 2 * time.Second

type homeRequest struct {
	opened bool       // the person opened it
	force  bool       // even if it is up to date
	by     bot.Caller // who gets an answer if it fails; empty for nobody
}

// homes is the queue of people whose App Home is to be updated, each once.
type homes struct {
	now  func() time.Time
	pace *rate.Limiter // of publishes
	wake chan struct{}

	stats      alert.Stats // of the last day, until statsUntil
	statsUntil time.Time

	// unread are the people whose Home was last published while the store could not be
	// read. Only the goroutine of Run uses it.
	unread map[string]bool

	mu      sync.Mutex
	waiting []string
	wanted  map[string]homeRequest
	looked  map[string]time.Time // when a person's Home was updated last
}

func newHomes(now func() time.Time) *homes {
	return &homes{
		now: now, pace: rate.NewLimiter(rate.Every(time.Minute/(homesPerMinute-homesBurst)), homesBurst), wake: make(chan struct{}, 1),
		wanted: map[string]homeRequest{}, looked: map[string]time.Time{}, unread: map[string]bool{},
	}
}

const maxLooked = 1000

// request queues an update of a person's Home. Requests that wait are merged.
func (h *homes) request(user string, w homeRequest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.opened && !w.force && h.now().Sub(h.looked[user]) < homeDebounce {
		return
	}
	before, waits := h.wanted[user]
	if !waits {
		h.waiting = append(h.waiting, user)
	}
	w.force = w.force || before.force
	if w.by.User == "" {
		w.by = before.by
	}
	h.wanted[user] = w
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// next waits for the next person; ok is false once ctx has ended.
func (h *homes) next(ctx context.Context) (user string, w homeRequest, ok bool) {
	for {
		if user, w, ok = h.pop(); ok {
			return user, w, true
		}
		select {
		case <-h.wake:
		case <-ctx.Done():
			return "", homeRequest{}, false
		}
	}
}

func (h *homes) pop() (string, homeRequest, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		return "", homeRequest{}, false
	}
	user := h.waiting[0]
	w := h.wanted[user]
	h.waiting = h.waiting[1:]
	delete(h.wanted, user)
	now := h.now()
	if len(h.looked) >= maxLooked {
		maps.DeleteFunc(h.looked, func(_ string, at time.Time) bool { return now.Sub(at) > homeDebounce })
	}
	h.looked[user] = now
	return user, w, true
}

// Slack allows about 100 publishes a minute for the whole app, for all people
// together (docs/slack.md §3.2). A minute has at most the burst and the steady rate.
const (
	homesPerMinute = 100
	homesBurst     = 20
)

// statsHold is how long the statistics for the Home are reused: they are the same for
// everybody and need not be of this second.
const statsHold = time.Minute

// lastDay returns the statistics of the last 24 hours up to the end of this hour. Only
// the goroutine of Run may call it.
func (h *homes) lastDay(ctx context.Context, store Store) (alert.Stats, error) {
	now := h.now()
	if now.Before(h.statsUntil) {
		return h.stats, nil
	}
	until := now.Truncate(time.Hour).Add(time.Hour)
	stats, err := store.Stats(ctx, alert.Parts(24*time.Hour, until))
	if err != nil {
		return alert.Stats{}, err
	}
	h.stats, h.statsUntil = stats, now.Add(statsHold)
	return stats, nil
}
