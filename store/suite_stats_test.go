package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

// day fills a store with alerts over 1,000 s, and returns what it holds.
func day(t *testing.T, d *DB, n int, key func(int) string) (alerts []alert.Record, incidents []alert.Incident) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	c := alert.Change{}
	for k := range n {
		second := 1000 * k / n
		i := incident(fmt.Sprintf("i%06d", k), "#db", 1)
		i.Key, i.FirstAt, i.OpenedAt = key(k), at(second), at(second)
		if k%3 == 0 {
			i.State, i.AckedAt = alert.Acked, at(second+random.IntN(500))
		}
		if k%5 == 0 {
			i.State, i.ResolvedAt = alert.StateResolved, at(second+random.IntN(500))
		}
		r := record(i, "")
		r.Key, r.AcceptedAt, r.Severity = i.Key, at(second), alert.Severities()[random.IntN(4)]
		if k%7 == 0 {
			i.BeganAt = at(second - 3000)
		}
		if k%10 == 0 {
			i.EndedAt = i.ResolvedAt.Add(-time.Duration(random.IntN(500)) * time.Second)
		}
		if k%13 == 0 && !i.ResolvedAt.IsZero() {
			i.OpenedAt = at(second + random.IntN(500))
		}
		if k%11 == 0 {
			r.Status = alert.Resolved
		}
		c.Alerts, c.Incidents = append(c.Alerts, r), append(c.Incidents, i)
	}
	commit(t, d, c)
	return c.Alerts, c.Incidents
}

// median is the middle of durations, said plainly.
func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	if len(all) == 0 {
		return 0
	}
	return (all[len(all)/2] + all[(len(all)-1)/2]) / 2
}

// took is how long it was until end from when the incident began or was last shown again.
func took(i alert.Incident, end time.Time) time.Duration {
	if i.OpenedAt.After(i.FirstAt) && !end.Before(i.OpenedAt) {
		return end.Sub(i.OpenedAt)
	}
	return max(end.Sub(i.Began()), 0)
}

func testStats(t *testing.T, d *DB) {
	alerts, incidents := day(t, d, 700, func(k int) string { return fmt.Sprint("key-", min(k%40, 17)) })
	flooded(t, d, alert.Info, 8)
	claimDigest(t, d, 10, alert.Digest) // which is no incident
	for _, window := range [][2]int{{-100, 2000}, {100, 900}, {500, 501}, {2000, 3000}, {300, 300}} {
		from, until := at(window[0]), at(window[1])
		want := alert.Stats{From: from, Until: until, BySeverity: map[alert.Severity]int64{}}
		within := func(at time.Time) bool { return !at.Before(from) && at.Before(until) }
		if within(at(0)) {
			want.Alerts, want.Incidents, want.BySeverity[alert.Info] = 8, 8, 8
		}
		for _, a := range alerts {
			if within(a.AcceptedAt) && a.Status == alert.Firing {
				want.Alerts++
				want.BySeverity[a.Severity]++
			}
		}
		var toAck, toResolve []time.Duration
		for _, i := range incidents {
			if !within(i.FirstAt) {
				continue
			}
			want.Incidents++
			if !i.AckedAt.IsZero() {
				toAck = append(toAck, took(i, i.AckedAt))
			}
			if !i.ResolvedAt.IsZero() {
				end := i.ResolvedAt
				if !i.EndedAt.IsZero() {
					end = i.EndedAt
				}
				toResolve = append(toResolve, took(i, end))
			}
		}
		want.ToAck, want.ToResolve = median(toAck), median(toResolve)
		got, err := d.Stats(t.Context(), []time.Time{from, until})
		must(t, err)
		want.Noisiest, want.Buckets = got.Noisiest, got.Buckets
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v:\ngot  %+v\nwant %+v", window, got, want)
		}
	}
}

func testStatsBuckets(t *testing.T, d *DB) {
	alerts, _ := day(t, d, 700, func(int) string { return "a" })
	for _, parts := range []int{1, 7, 24} {
		from, until := at(-3), at(1003)
		begins := []time.Time{from}
		for n := 1; n < parts; n++ { // of different lengths, as days are
			begins = append(begins, at(n*n))
		}
		got, err := d.Stats(t.Context(), append(begins, until))
		must(t, err)
		var sum int64
		for n, b := range got.Buckets {
			end := until
			if n+1 < parts {
				end = got.Buckets[n+1].At
			}
			want := map[alert.Severity]int64{}
			for _, a := range alerts {
				if a.Status == alert.Firing && !a.AcceptedAt.Before(b.At) && a.AcceptedAt.Before(end) {
					want[a.Severity]++
					sum++
				}
			}
			if !reflect.DeepEqual(b.BySeverity, want) {
				t.Errorf("part %d of %d has %v, want %v", n, parts, b.BySeverity, want)
			}
		}
		if len(got.Buckets) != parts || !got.Buckets[0].At.Equal(from) || sum != got.Alerts {
			t.Errorf("%d parts from %v hold %d of %d", len(got.Buckets), got.Buckets[0].At, sum, got.Alerts)
		}
	}
}

func testStatsNoisiest(t *testing.T, d *DB) {
	const loud = 15
	day(t, d, keysCounted+5000, func(k int) string {
		if k%100 < loud {
			return fmt.Sprintf("loud-%02d", min(k%100, k/100%(k%100+1)))
		}
		return fmt.Sprint("quiet-", k)
	})
	got, err := d.Stats(t.Context(), []time.Time{at(0), at(2000)})
	must(t, err)
	var want []alert.KeyCount
	must(t, d.each(t.Context(), `SELECT a.key, max(i.id), count(*) AS n FROM alerts a JOIN incidents i ON i.key = a.key AND i.n = a.incident
		WHERE a.status = {firing} GROUP BY a.key ORDER BY n DESC, a.key LIMIT 10`, func(s scanner) error {
		var k alert.KeyCount
		err := s.Scan(&k.Key, &k.Incident, &k.Alerts)
		want = append(want, k)
		return err
	}))
	must(t, d.each(t.Context(), `SELECT max(id) FROM incidents WHERE key = ?`, func(s scanner) error { return s.Scan(&want[0].Incident) }, want[0].Key))
	for n, k := range got.Noisiest {
		if k.Key != want[n].Key || k.Alerts != want[n].Alerts || k.Title != "disk full" {
			t.Errorf("number %d is %+v, want %+v", n, k, want[n])
		}
	}
	if len(got.Noisiest) != 10 || got.Noisiest[0].Incident != want[0].Incident {
		t.Errorf("the noisiest are %+v", got.Noisiest)
	}
}

func testStatsLatency(t *testing.T, d *DB) {
	for n := range 101 {
		i := incident(fmt.Sprintf("i%03d", n), "#db", 1)
		commit(t, d, fire(i))
		finish(t, d, claim(t, d, "#db", at(0)), alert.Delivered, at(n))
	}
	commit(t, d, fire(incident("waits", "#db", 1)))
	die(t, d, fire(incident("dead", "#dead", 1)), 5)
	hide(t, d, incident("hidden", "#db", 1), "s-a")
	got, err := d.Stats(t.Context(), []time.Time{at(-1), at(1)})
	must(t, err)
	if got.Alerts != 104 || got.Latency != 50*time.Second || got.LatencyMost != 99*time.Second {
		t.Errorf("of %d the median is %v, the 99th percentile %v", got.Alerts, got.Latency, got.LatencyMost)
	}
}

func TestStatsWaitTheirTurn(t *testing.T) {
	d := openTemp(t)
	d.surveying <- struct{}{}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Stats(ended, []time.Time{at(0), at(1)})
	mustBe(t, err, context.Canceled)
	<-d.surveying
	_, err = d.Stats(t.Context(), []time.Time{at(0), at(1)})
	must(t, err)
}

func TestASampleIsLikeTheWhole(t *testing.T) {
	var s sample
	for n := range int64(10 * sampleSize) {
		s.add(n)
	}
	whole := 10 * sampleSize * time.Microsecond
	if got := s.at(50); got < whole*49/100 || got > whole*51/100 || len(s.values) != sampleSize {
		t.Errorf("the median of %v is %v, of %d values", whole, got, len(s.values))
	}
}
