package handlers

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tocsin/alert"
	"tocsin/bot"
)

// calm is how long after one look at a person's Home another opening of it is
// not worth a second look: Slack reports each change between the tabs.
const calm = 2 * time.Second

// homeRequest is why a person's Home is to be shown.
type homeRequest struct {
	opened bool       // they opened it
	empty  bool       // Slack shows no view
	force  bool       // whatever it shows
	by     bot.Caller // who is told when it can't be done, if anybody
}

// homes are the people who wait for their App Home, each once.
type homes struct {
	now   func() time.Time
	pace  *rate.Limiter // of publishes
	wake  chan struct{}
	stats lastDay

	mu      sync.Mutex
	waiting []string
	wanted  map[string]homeRequest
	looked  map[string]time.Time // when a person's Home was looked at last
}

func newHomes(now func() time.Time) *homes {
	return &homes{
		now: now, pace: rate.NewLimiter(rate.Every(time.Minute/(homesPerMinute-homesBurst)), homesBurst), wake: make(chan struct{}, 1),
		wanted: map[string]homeRequest{}, looked: map[string]time.Time{},
	}
}

// maxLooked bounds the memory for people who have left.
const maxLooked = 1000

// request asks for a person's Home. Many wishes while one waits are one.
func (h *homes) request(user string, w homeRequest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.opened && !w.empty && h.now().Sub(h.looked[user]) < calm {
		return
	}
	before, waits := h.wanted[user]
	if !waits {
		h.waiting = append(h.waiting, user)
	}
	w.empty, w.force = w.empty || before.empty, w.force || before.force
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
		for who, at := range h.looked {
			if now.Sub(at) > calm {
				delete(h.looked, who)
			}
		}
	}
	h.looked[user] = now
	return user, w, true
}

// Slack takes about 100 publishes a minute from the whole app, for all people
// together (docs/slack.md §3.2). In any minute there is the burst and what a
// minute adds.
const (
	homesPerMinute = 100
	homesBurst     = 20
)

// statsHold is how long the figures for the Home hold: they are the same for
// everybody, and a chart need not be of this second.
const statsHold = time.Minute

// lastDay keeps the figures of the last day for the Home.
type lastDay struct {
	stats alert.Stats
	until time.Time
}

// lastDay are the figures of the last 24 hours up to the end of this hour. It
// belongs to the goroutine of Run.
func (h *homes) lastDay(ctx context.Context, store Store) (alert.Stats, error) {
	now := h.now()
	if now.Before(h.stats.until) {
		return h.stats.stats, nil
	}
	till := now.Truncate(time.Hour).Add(time.Hour)
	stats, err := store.Stats(ctx, till.Add(-24*time.Hour), till, 24)
	if err != nil {
		return alert.Stats{}, err
	}
	h.stats = lastDay{stats: stats, until: now.Add(statsHold)}
	return stats, nil
}
