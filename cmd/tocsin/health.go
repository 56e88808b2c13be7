package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
)

const (
	// statusEvery is how often the status line is brought up to date.
	statusEvery = 5 * time.Second
	// hungAfter is how long the store may not answer before the watchdog is not fed: a
	// restart makes no disk work, but clients get no answers meanwhile.
	hungAfter = 3 * time.Minute
)

// health is the state of the daemon. Everything that says whether it works asks here:
// /readyz, the Home tab, /notify status, metrics, the status line and tocsin status. It
// does not ask the store, which may hang.
func (d *daemon) health() alert.Health {
	now := time.Now()
	h := d.outbox.Health()
	s := d.slack.Status()
	h.Connections, h.ConnectedSince, h.UnknownConnections = s.Connections, s.Since, s.Unknown
	h.RequestsAt = d.requestsAt()
	h.Share(d.store.Cluster(), now)
	h.DeadLetters = d.store.DeadLetters()
	if s.LastErrorAt.After(h.LastErrorAt) {
		h.LastError, h.LastErrorAt = s.LastError, s.LastErrorAt
	}
	h.Problems = d.progress(now, s, h.Problems).Problems(now, d.latest.Load().Health)
	_, odd := d.tokens.problems()
	h.Notes = append(append(h.Notes, odd...), s.Notes...)
	h.Spooled = d.intake.waiting()
	h.Notes = append(h.Notes, d.intake.notes()...)
	if rejected := d.rejected.Load(); rejected != nil {
		h.Notes = append(h.Notes, *rejected)
	}
	h.Notes = append(h.Notes, d.certificates.problems()...)
	if h.DeadLetters > 0 {
		// It is not a problem, because it delays nothing else.
		h.Notes = append(h.Notes, alert.Problem{
			Code: alert.ProblemDeadLetters,
			What: counted(h.DeadLetters, "dead letter") + " waiting for a person", Fix: "tocsin queue list --state dead shows why; then retry or drop them with tocsin queue",
		})
	}
	h.Checks = h.Judged()
	return h
}

// requestsAt is where Slack's requests come; empty in Socket Mode.
func (d *daemon) requestsAt() string {
	if d.requests == nil {
		return ""
	}
	return d.requests.Addr().String()
}

// span is since when something has been true.
type span struct {
	mu    sync.Mutex
	since time.Time
}

// note notes whether it is true now, and returns since when; zero if it is not.
func (s *span) note(now bool, at time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !now:
		s.since = time.Time{}
	case s.since.IsZero():
		s.since = at
	}
	return s.since
}

// progress is what the parts report and what was measured of them. sending are the
// problems of the outbox.
func (d *daemon) progress(now time.Time, s bot.Status, sending []alert.Problem) alert.Progress {
	wrong, _ := d.tokens.problems()
	reported := slices.Concat(d.store.Problems(), d.lostSocket(), wrong, sending, s.Problems)
	if len(sending) == 0 {
		reported = append(reported, d.intro.problems()...)
	}
	n := d.store.Pending()
	if since := d.full.note(n >= d.latest.Load().Delivery.MaxPending, now); !since.IsZero() {
		reported = append(reported, alert.Problem{
			Code: alert.ProblemBacklog, Since: since,
			What: fmt.Sprintf("nothing is accepted: %d alerts wait for Slack", n), Fix: "find out why they are not delivered (tocsin queue), or raise delivery.max_pending",
		})
	}
	p := alert.Progress{Reported: reported, Connected: s.Usable, ConnectionError: s.LastError, Undelivered: d.outbox.Undelivered(now)}
	p.StoreRead, p.StoreWrite = d.store.Waiting()
	return p
}

// lostSocket is the problem that the Unix socket's file is not the one that was made: who
// connects by its path does not get here.
func (d *daemon) lostSocket() []alert.Problem {
	if d.socketFile == nil || d.stopping.Load() {
		return nil
	}
	path := d.cfg.Listen.Socket
	now, err := os.Stat(path)
	if err == nil && os.SameFile(now, d.socketFile) {
		return nil
	}
	what := "another file is in its place"
	if err != nil {
		what = err.Error()
	}
	return []alert.Problem{{
		Code: alert.ProblemListener, What: "clients can't connect to " + path + ": " + what,
		Fix: "find out what removed it, and restart the daemon (systemctl restart tocsin.socket tocsin), which makes it again",
	}}
}

// updateStatus has the store and what is counted in it looked at, and follows what health says.
func (d *daemon) updateStatus(ctx context.Context) error {
	return d.follow(ctx, d.health, func(ctx context.Context) {
		// The store remembers that it can't be used, which else only the next push would find out.
		if err := d.store.Ping(ctx); err != nil && !errors.Is(err, alert.ErrUnavailable) && ctx.Err() == nil {
			d.log.Warn("store not checked", zap.Error(err))
		} else if err == nil {
			d.countHeartbeats(ctx)
			d.countStored(ctx)
		}
	})
}

// follow keeps systemd's status line up to date, and logs when a problem begins and when it
// is over. It looks first.
func (d *daemon) follow(ctx context.Context, health func() alert.Health, look func(context.Context)) error {
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	last, known := "", map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		look(ctx)
		h := health()
		known = d.logProblems(known, h)
		if line := statusLine(h); line != last {
			last = line
			d.logNotify(d.notifier.Status(line))
		}
	}
}

// countHeartbeats brings the metric about heartbeats up to date. It stays as it is while
// the store can't be read, which health says.
func (d *daemon) countHeartbeats(ctx context.Context) {
	all, err := d.store.Heartbeats(ctx)
	if err != nil {
		return
	}
	count := alert.CountHeartbeats(all, time.Now())
	for _, status := range alert.HeartbeatStatuses() {
		d.heartbeats.WithLabelValues(string(status)).Set(float64(count[status]))
	}
}

// lanesCounted is how many lanes have metrics of their own: those with the most pending alerts.
const lanesCounted = 20

// countStored brings the metrics about what the store has up to date, as far as it can be
// read.
func (d *daemon) countStored(ctx context.Context) {
	l, err := d.store.Ledger(ctx)
	if err != nil {
		return
	}
	g := d.stored
	for standing, n := range map[string]int64{
		"pending": l.Total.Pending, "delivered": l.Total.Delivered, "folded": l.Total.Folded, "silenced": l.Total.Silenced, "dead": l.Total.Dead,
	} {
		g.ledger.WithLabelValues(standing).Set(float64(n))
	}
	slices.SortStableFunc(l.Lanes, func(a, b alert.LaneCounts) int { return cmp.Compare(b.Pending, a.Pending) })
	g.pending.Reset()
	g.oldest.Reset()
	for _, lane := range l.Lanes[:min(len(l.Lanes), lanesCounted)] {
		if lane.Pending == 0 {
			break
		}
		oldest, err := d.store.OldestDelivery(ctx, lane.Lane)
		if err != nil {
			return
		}
		g.pending.WithLabelValues(lane.Lane).Set(float64(lane.Pending))
		if !oldest.IsZero() {
			g.oldest.WithLabelValues(lane.Lane).Set(time.Since(oldest).Seconds())
		}
	}
	if n, err := d.store.CountUnhandled(ctx); err == nil {
		g.inbox.Set(float64(n))
	}
}

// logProblems logs which kinds of problems, and of notes about replicas, are new or over, and
// returns those there are.
func (d *daemon) logProblems(known map[string]bool, h alert.Health) map[string]bool {
	now := map[string]bool{}
	for _, p := range h.Notes {
		if p.Code != alert.ProblemReplicas && p.Code != alert.ProblemLeaderless {
			continue
		}
		if !known[p.Code] && !now[p.Code] {
			d.log.Warn(p.What, zap.String("problem", p.Code), zap.String("hint", p.Fix))
		}
		now[p.Code] = true
	}
	for _, p := range h.Problems {
		if !known[p.Code] && !now[p.Code] {
			d.log.Error("not ready", zap.String("problem", p.Code), zap.String("error", p.What), zap.String("hint", p.Fix))
		}
		now[p.Code] = true
	}
	for code := range known {
		if !now[code] {
			d.log.Info("a problem is over", zap.String("problem", code))
		}
	}
	return now
}

func statusLine(h alert.Health) string {
	line := fmt.Sprintf("%s, %d conversations waiting", h.Link(), h.Waiting)
	if h.Standby {
		line = standbyStatus + ", " + h.Link()
	}
	for _, p := range slices.Concat(h.Problems, h.Notes) {
		if p.Blocks || p.Code == alert.ProblemConfig || p.Code == alert.ProblemLeaderless || slices.Contains(alert.ProblemCodes(), p.Code) {
			line += "; " + p.What + ": " + p.Fix
		}
	}
	return line
}

// alive is what the watchdog's pings depend on: the store answers and the lanes
// make progress. Slack being unreachable is no reason for a restart, nor is a
// store that reports what is wrong with it: a restart frees no disk space.
func (d *daemon) alive() error {
	if err := d.store.Ping(context.Background()); err != nil && !errors.Is(err, alert.ErrUnavailable) {
		return err
	}
	now := time.Now()
	read, write := d.store.Waiting()
	for _, since := range []time.Time{read, write} {
		if !since.IsZero() && now.Sub(since) > hungAfter {
			return fmt.Errorf("the store has not answered for %v", now.Sub(since).Round(time.Second))
		}
	}
	return d.outbox.Moving(now)
}

// registerHealth exports which problems there are, how many alerts are pending, how many
// dead letters there are and how the heartbeats are.
func (d *daemon) registerHealth(reg prometheus.Registerer) {
	reg.MustRegister(problemGauges{d.health}, replicaGauges{d.health})
	auto := promauto.With(reg)
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tocsin_alerts_pending", Help: "Accepted alerts that are not delivered yet.",
	}, func() float64 { return float64(d.store.Pending()) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tocsin_dead_letters", Help: "Deliveries that were given up, until a person retries or drops them.",
	}, func() float64 { return float64(d.store.DeadLetters()) })
	gauges := func(name, help, label string) *prometheus.GaugeVec {
		return auto.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
	}
	d.heartbeats = gauges("tocsin_heartbeats", "Heartbeats by status, as they were in the last seconds.", "status")
	d.stored = storedGauges{
		ledger:  gauges("tocsin_ledger_alerts", "All alerts that were ever accepted, by where they stand (pending, delivered, folded, silenced, dead), as it was in the last seconds.", "standing"),
		pending: gauges("tocsin_lane_pending_alerts", "Pending alerts of the 20 conversations that have most, as they were in the last seconds.", "lane"),
		oldest:  gauges("tocsin_lane_oldest_seconds", "Age of the oldest unfinished delivery of the 20 conversations that have most pending alerts, as it was in the last seconds.", "lane"),
		inbox:   auto.NewGauge(prometheus.GaugeOpts{Name: "tocsin_inbox_envelopes", Help: "What people did in Slack and is not handled yet, as it was in the last seconds."}),
	}
}

// storedGauges are about what the store has.
type storedGauges struct {
	ledger, pending, oldest *prometheus.GaugeVec
	inbox                   prometheus.Gauge
}

// problemGauges count the problems of each kind.
type problemGauges struct{ health func() alert.Health }

var (
	problemDesc = prometheus.NewDesc("tocsin_problem", "Problems that keep the daemon from being ready, by kind; /readyz says what to do.", []string{"problem"}, nil)
	noteDesc    = prometheus.NewDesc("tocsin_note", "What a person has to look at and does not keep the daemon from being ready, by kind; /readyz says what to do.", []string{"problem"}, nil)
)

// Describe implements prometheus.Collector.
func (problemGauges) Describe(all chan<- *prometheus.Desc) {
	all <- problemDesc
	all <- noteDesc
}

// Collect implements prometheus.Collector.
func (g problemGauges) Collect(all chan<- prometheus.Metric) {
	h := g.health()
	collect := func(desc *prometheus.Desc, codes []string, problems []alert.Problem) {
		count := map[string]int{}
		for _, p := range problems {
			count[p.Code]++
		}
		for _, code := range codes {
			all <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(count[code]), code)
		}
	}
	collect(problemDesc, alert.ProblemCodes(), h.Problems)
	collect(noteDesc, alert.NoteCodes(), h.Notes)
}
