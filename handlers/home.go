package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"tocsin/bot"
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

// Home publishes the App Home when somebody opens it, unless it shows the same
// already.
func (h *Handlers) Home(ctx context.Context, e bot.Home) error {
	if e.User == "" || e.Tab == "messages" {
		return nil
	}
	v := h.homes.visit(e.User)
	v.mu.Lock()
	defer v.mu.Unlock()
	now := h.opts.Now()
	if now.Sub(v.last) < calm {
		return nil
	}
	view, hash, err := h.drawHome(ctx)
	if err != nil {
		return err
	}
	shown, err := h.opts.Homes.HomeHash(ctx, e.User)
	if err != nil {
		return fmt.Errorf("read what the home shows: %w", err)
	}
	// Slack names no hash when it has no view: whatever we remember, nothing is
	// shown.
	if shown == hash && e.Hash != "" {
		v.last = now
		return nil
	}
	return h.publishHome(ctx, e.User, v, published{view: view, hash: hash})
}

// refreshHome publishes a person's Home whatever it shows.
func (h *Handlers) refreshHome(ctx context.Context, user string) error {
	v := h.homes.visit(user)
	v.mu.Lock()
	defer v.mu.Unlock()
	view, hash, err := h.drawHome(ctx)
	if err != nil {
		return err
	}
	return h.publishHome(ctx, user, v, published{view: view, hash: hash})
}

type published struct {
	view render.HomeView
	hash string
}

// publishHome needs v to be locked.
func (h *Handlers) publishHome(ctx context.Context, user string, v *visit, p published) error {
	// The time at its foot would make every view a new one, so it is no part of
	// the hash.
	p.view.DrawnAt = h.opts.Now()
	err := h.patiently(ctx, func() error {
		_, err := h.opts.Slack.PublishHome(ctx, user, render.Home(p.view), "")
		return err
	})
	if err != nil {
		return fmt.Errorf("publish home: %w", err)
	}
	v.last = h.opts.Now()
	if err := h.opts.Homes.SetHomeHash(ctx, user, p.hash); err != nil {
		return fmt.Errorf("remember what the home shows: %w", err)
	}
	return nil
}

func (h *Handlers) drawHome(ctx context.Context) (render.HomeView, string, error) {
	view, err := h.homeView(ctx)
	if err != nil {
		return view, "", err
	}
	hash, err := hashOf(render.Home(view))
	return view, hash, err
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
