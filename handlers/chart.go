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

// figures are what a chart shows, and the zone its times are named in.
type figures struct {
	stats alert.Stats
	zone  *time.Location
}

// charts is how Slack takes charts: its own until it has refused one. Messages
// and the Home differ.
type charts struct {
	message, home atomic.Bool // set once Slack has refused a chart of its own
	pictures      pictures
}

// charted shows what has a chart: Slack's own, or where that is refused a
// picture, or none. Slack looks at a new picture for a moment before it lets
// anybody see it.
func (h *Handlers) charted(ctx context.Context, f figures, refuses *atomic.Bool, show func(c render.Chart) error) error {
	var err error
	if !refuses.Load() {
		if err = show(render.Chart{Native: true, Zone: f.zone}); !badView(err) {
			return err
		}
		h.opts.Log.Info("a chart of slack's own was refused, so it is tried as a picture", zap.Error(err))
	}
	picture := h.picture(ctx, f)
	for _, pause := range []time.Duration{0, time.Second / 2, time.Second, 2 * time.Second} {
		if picture.File == "" || !sleep(ctx, pause) {
			break
		}
		if err = show(picture); !badView(err) {
			break
		}
	}
	if picture.File == "" || badView(err) {
		err = show(render.Chart{})
	}
	if err == nil {
		refuses.Store(true)
	}
	return err
}

// badView tells that Slack refuses how something is drawn.
func badView(err error) bool {
	var sent *alert.SendError
	return errors.As(err, &sent) && sent.Class == alert.ClassPayload && strings.HasPrefix(sent.Code, "invalid_")
}

// picture is the chart as a picture that is uploaded; if that can't be done, none.
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

// pictures remembers what was uploaded, so that the same is not uploaded for
// each person.
type pictures struct {
	mu  sync.Mutex
	ids map[[sha256.Size]byte]string
}

// maxPictures is how many are remembered.
const maxPictures = 100

// id is Slack's name of a picture. It is uploaded by one person's request while
// others who want the same wait.
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
