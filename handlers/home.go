package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// Home requests the App Home of somebody who opened it. Run publishes it unless it is
// up to date.
func (h *Handlers) Home(_ context.Context, e bot.Home) error {
	if e.User == "" || e.Tab == "messages" {
		return nil
	}
	// Without a hash, Slack has no view, whatever the store says.
	h.homes.request(e.User, homeRequest{opened: true, force: e.Hash == ""})
	return nil
}

const (
	homeLimit = 30 * time.Second
	// homePauseMost is how long all Homes wait at most because Slack has asked for a
	// pause. Then it is asked again.
	homePauseMost = time.Minute
)

// Run publishes the requested App Homes, in order and at a pace that Slack allows
// the app, until ctx ends.
func (h *Handlers) Run(ctx context.Context) error {
	for {
		user, wanted, ok := h.homes.next(ctx)
		if !ok {
			return nil
		}
		again := h.serveHome(ctx, user, wanted)
		if again == 0 {
			continue
		}
		wanted.opened = false // or it would be ignored as just updated
		h.homes.request(user, wanted)
		if !sleep(ctx, again) {
			return nil
		}
	}
}

// serveHome updates one person's Home. again is the pause before another try; 0 if
// none is needed.
func (h *Handlers) serveHome(ctx context.Context, user string, wanted homeRequest) (again time.Duration) {
	limited, cancel := context.WithTimeout(ctx, homeLimit)
	defer cancel()
	err := h.showHome(limited, user, wanted)
	if err == nil || ctx.Err() != nil {
		return 0
	}
	var sent *alert.SendError
	if errors.As(err, &sent) && sent.Class == alert.ClassThrottled {
		again = min(max(sent.RetryAfter, time.Second), homePauseMost)
		h.opts.Log.Warn("Slack asked for a pause of App Homes", zap.String("user", user), zap.Duration("asked", sent.RetryAfter), zap.Duration("again_in", again))
		return again
	}
	if wanted.by.User == "" {
		h.opts.Log.Error("show the home", zap.String("user", user), zap.Error(err))
		return 0
	}
	wanted.by.Lost = true // Homes are not shown later by themselves
	if err := h.respond(limited, wanted.by, h.apology("I can't refresh the Home tab.", err)); err != nil {
		h.opts.Log.Warn("answer a person", zap.String("user", user), zap.Error(err))
	}
	return 0
}

// showHome publishes a person's Home unless it is up to date.
func (h *Handlers) showHome(ctx context.Context, user string, wanted homeRequest) error {
	outside, err := h.opts.Slack.Outside(ctx, user)
	if err != nil {
		return fmt.Errorf("look up a person's workspace: %w", err)
	}
	if _, ok := h.welcome(ctx, bot.Caller{User: user, Outside: outside}, "the Home tab"); !ok {
		return h.closedHome(ctx, user)
	}
	view, err := h.homeView(ctx, user)
	if err != nil {
		h.opts.Log.Error("read for the home", zap.String("user", user), zap.Error(err))
		h.homes.unread[user] = true
		return h.publish(ctx, user, h.unreadHome())
	}
	hash, err := hashOf(render.Home(view))
	if err != nil {
		return err
	}
	shown, err := h.opts.Store.HomeHash(ctx, user)
	if err != nil {
		return fmt.Errorf("read what the home shows: %w", err)
	}
	if shown == hash && !wanted.force && !h.homes.unread[user] {
		return nil
	}
	// The time in the footer differs each time, so it is not part of the hash.
	view.DrawnAt = h.opts.Now()
	if err := h.publish(ctx, user, view); err != nil {
		return fmt.Errorf("publish home: %w", err)
	}
	delete(h.homes.unread, user)
	if err := h.opts.Store.SetHomeHash(ctx, user, hash); err != nil {
		return fmt.Errorf("remember what the home shows: %w", err)
	}
	return nil
}

// closedHome publishes a Home that shows nothing.
func (h *Handlers) closedHome(ctx context.Context, user string) error {
	if err := h.homes.pace.Wait(ctx); err != nil {
		return fmt.Errorf("publish home: %w", err)
	}
	if _, err := h.opts.Slack.PublishHome(ctx, user, render.OutsiderHome(), ""); err != nil {
		return fmt.Errorf("publish home: %w", err)
	}
	return nil
}

func (h *Handlers) publish(ctx context.Context, user string, view render.HomeView) error {
	return h.charted(ctx, figures{view.Stats, view.Chart.Zone}, &h.charts.home, func(c render.Chart) error {
		if err := h.homes.pace.Wait(ctx); err != nil {
			return err
		}
		view.Chart = c
		_, err := h.opts.Slack.PublishHome(ctx, user, render.Home(view), "")
		return err
	})
}

// homeMine is how many of a person's own incidents are read for the Home.
const homeMine = 10

// homeOpen is how many incidents are read for the Home, which shows fewer.
const homeOpen = 50

func (h *Handlers) homeView(ctx context.Context, user string) (render.HomeView, error) {
	view := render.HomeView{Health: h.opts.Health(), Shell: h.shell(), Version: h.opts.Version, Now: h.opts.Now()}
	var err error
	if view.Open, err = h.opts.Store.Incidents(ctx, alert.IncidentFilter{States: unresolved(), Limit: homeOpen}); err != nil {
		return view, fmt.Errorf("read open incidents: %w", err)
	}
	if view.Counts, err = h.opts.Store.Tally(ctx, unresolved()...); err != nil {
		return view, fmt.Errorf("count open incidents: %w", err)
	}
	if view.Mine, err = h.opts.Store.Incidents(ctx, alert.IncidentFilter{States: unresolved(), Mine: user, Limit: homeMine}); err != nil {
		return view, fmt.Errorf("read a person's incidents: %w", err)
	}
	if view.Heartbeats, err = h.opts.Store.Heartbeats(ctx); err != nil {
		return view, fmt.Errorf("read heartbeats: %w", err)
	}
	if view.Silences, _, err = h.activeSilences(ctx); err != nil {
		return view, err
	}
	if view.Subscriptions, err = h.opts.Store.Subscriptions(ctx, user); err != nil {
		return view, fmt.Errorf("read subscriptions: %w", err)
	}
	if view.Stats, err = h.homes.lastDay(ctx, h.opts.Store); err != nil {
		return view, fmt.Errorf("read figures: %w", err)
	}
	// The hash must not depend on whether the chart becomes a picture.
	view.Chart = render.Chart{Native: true, Zone: h.zone(ctx, user)}
	return view, nil
}

// unreadHome is the Home while the store can't be read: it says so, and why.
func (h *Handlers) unreadHome() render.HomeView {
	return render.HomeView{Unread: true, Health: h.opts.Health(), Shell: h.shell(), Version: h.opts.Version, DrawnAt: h.opts.Now()}
}

// zone is a person's time zone, or UTC if it is unknown.
func (h *Handlers) zone(ctx context.Context, user string) *time.Location {
	zone, err := h.opts.Slack.Zone(ctx, user)
	if err != nil {
		h.opts.Log.Warn("look up a time zone", zap.String("user", user), zap.Error(err))
		return time.UTC
	}
	return zone
}

func hashOf(view render.HomeTab) (string, error) {
	body, err := json.Marshal(view)
	if err != nil {
		return "", fmt.Errorf("write home: %w", err)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}
