package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"tocsin/render"
)

// calm is how long after one look at a person's Home another opening of it is
// not worth a second look: Slack reports each change between the tabs.
const calm = 2 * time.Second

// homes keeps one person's publishing in order and calm.
type homes struct {
	now func() time.Time

	mu     sync.Mutex
	visits map[string]*visit
}

type visit struct {
	mu   sync.Mutex // held while the Home is drawn and published
	last time.Time  // guarded by mu
	used time.Time  // guarded by homes.mu
}

func newHomes(now func() time.Time) *homes {
	return &homes{now: now, visits: map[string]*visit{}}
}

// maxVisits bounds the memory for people who have left.
const maxVisits = 1000

func (h *homes) visit(user string) *visit {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.visits) >= maxVisits {
		for who, v := range h.visits {
			if now.Sub(v.used) > time.Minute {
				delete(h.visits, who)
			}
		}
	}
	v := h.visits[user]
	if v == nil {
		v = &visit{}
		h.visits[user] = v
	}
	v.used = now
	return v
}

// showHome publishes a person's Home unless it shows the same already. With
// anew it is published in any case.
func (h *Handlers) showHome(ctx context.Context, user string, anew bool) error {
	v := h.homes.visit(user)
	v.mu.Lock()
	defer v.mu.Unlock()
	now := h.opts.Now()
	if !anew && now.Sub(v.last) < calm {
		return nil
	}
	view, err := h.homeView(ctx)
	if err != nil {
		return err
	}
	hash, err := hashOf(render.Home(view))
	if err != nil {
		return err
	}
	if !anew {
		shown, err := h.opts.Homes.HomeHash(ctx, user)
		if err != nil {
			return fmt.Errorf("read what the home shows: %w", err)
		}
		if shown == hash {
			v.last = now
			return nil
		}
	}
	// The time at its foot would make every view a new one, so it is no part of
	// the hash.
	view.DrawnAt = now
	if _, err := h.opts.Slack.PublishHome(ctx, user, render.Home(view), ""); err != nil {
		return fmt.Errorf("publish home: %w", err)
	}
	v.last = now
	if err := h.opts.Homes.SetHomeHash(ctx, user, hash); err != nil {
		return fmt.Errorf("remember what the home shows: %w", err)
	}
	return nil
}

func (h *Handlers) homeView(ctx context.Context) (render.HomeView, error) {
	open, more, err := h.open(ctx)
	if err != nil {
		return render.HomeView{}, err
	}
	return render.HomeView{Open: open, More: more, Health: h.opts.Health(), Shell: h.shell(), Version: h.opts.Version}, nil
}

func hashOf(view render.HomeTab) (string, error) {
	body, err := json.Marshal(view)
	if err != nil {
		return "", fmt.Errorf("write home: %w", err)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}
