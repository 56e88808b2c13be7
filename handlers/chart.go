package handlers

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/render"
)

// figures are the data of a chart, and the time zone of its labels.
type figures struct {
	stats alert.Stats
	zone  *time.Location
}

// charts remembers whether Slack accepts its native charts, which can differ between
// messages and the Home.
type charts struct {
	message, home atomic.Bool // set once Slack has refused a native chart
	pictures      pictures
}

// charted shows something with a chart: a picture in the colours of the cards, or if that
// can't be had a native one, whose colours are Slack's, or else none.
func (h *Handlers) charted(ctx context.Context, f figures, refuses *atomic.Bool, show func(c render.Chart) error) error {
	if done, err := h.pictured(ctx, f, show); done {
		return err
	}
	if !refuses.Load() {
		err := show(render.Chart{Native: true, Zone: f.zone})
		if !badView(err) {
			return err
		}
		h.opts.Log.Info("slack refused a native chart", zap.Error(err))
		refuses.Store(true)
	}
	return show(render.Chart{})
}

// pictured shows something with a picture; done is false if there is none, or Slack
// refuses it. Slack processes a new picture for a moment before a view may use it.
func (h *Handlers) pictured(ctx context.Context, f figures, show func(c render.Chart) error) (done bool, err error) {
	picture := h.picture(ctx, f)
	for _, pause := range []time.Duration{0, time.Second / 2, time.Second, 2 * time.Second} {
		if picture.File == "" || !sleep(ctx, pause) {
			return false, nil
		}
		if err = show(picture); !badView(err) {
			return true, err
		}
	}
	h.opts.Log.Info("slack refused a picture of a chart", zap.Error(err))
	return false, nil
}

// badView reports whether Slack refused the blocks of a view.
func badView(err error) bool {
	var sent *alert.SendError
	return errors.As(err, &sent) && sent.Class == alert.ClassPayload && strings.HasPrefix(sent.Code, "invalid_")
}

// picture uploads the chart as a picture. It returns no chart if that fails.
func (h *Handlers) picture(ctx context.Context, f figures) render.Chart {
	if f.stats.Alerts == 0 {
		return render.Chart{}
	}
	png, err := render.Picture(f.stats, f.zone)
	if err != nil {
		h.opts.Log.Warn("draw a chart", zap.Error(err))
		return render.Chart{}
	}
	id, err := h.charts.pictures.id(png, func() (string, error) {
		return h.opts.Slack.Upload(ctx, "alerts.png", render.PictureText(f.stats, f.zone), png)
	})
	if err != nil {
		h.opts.Log.Warn("upload a chart", zap.Error(err))
	}
	return render.Chart{File: id, Zone: f.zone}
}

// pictures remembers uploads, so that one picture is not uploaded for each person.
type pictures struct {
	mu  sync.Mutex
	ids map[[sha256.Size]byte]string
}

const maxPictures = 100

// id returns Slack's id of a picture. One request uploads it while others that need
// the same wait.
func (p *pictures) id(png []byte, upload func() (string, error)) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := sha256.Sum256(png)
	if id := p.ids[sum]; id != "" {
		return id, nil
	}
	id, err := upload()
	if err != nil {
		return "", err
	}
	if len(p.ids) >= maxPictures || p.ids == nil {
		p.ids = map[[sha256.Size]byte]string{}
	}
	p.ids[sum] = id
	return id, nil
}
