package store

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"tocsin/alert"
)

const (
	// keysCounted is how many keys are counted at the same time.
	keysCounted = 10_000
	// sampleSize is up to how many durations are kept; of more, a sample is.
	sampleSize = 100_000
	// noisiest is how many keys are reported, noisyCandidates how many are counted
	// again to find them.
	noisiest, noisyCandidates = 10, 100
)

const (
	countKeys = `SELECT key, count(*) FROM alerts WHERE n >= ? AND n < ? AND accepted_at >= ? AND accepted_at < ?
		AND status = {firing} AND key {oneof} GROUP BY key`
)

// keyCounts finds the most frequent keys in bounded memory: while there is no
// room for a new key, all lose one (Misra and Gries, 1982). So none that makes
// up more than 1/keysCounted of all is missed, and no count is too high.
type keyCounts struct {
	counts map[string]int64
	// lossy: some count is too low.
	lossy bool
	// first and last are the rows that were counted.
	first, last int64
}

func newKeyCounts() *keyCounts { return &keyCounts{counts: map[string]int64{}} }

func (k *keyCounts) see(n int64) {
	k.first, k.last = cmp.Or(k.first, n), n
}

func (k *keyCounts) add(key string) {
	if _, known := k.counts[key]; known || len(k.counts) < keysCounted {
		k.counts[key]++
		return
	}
	k.lossy = true
	for other := range k.counts {
		if k.counts[other]--; k.counts[other] == 0 {
			delete(k.counts, other)
		}
	}
}

// most are the most frequent keys, at most so many.
func (k *keyCounts) most(limit int) []string {
	keys := slices.SortedFunc(maps.Keys(k.counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(k.counts[b], k.counts[a]), cmp.Compare(a, b))
	})
	return keys[:min(limit, len(keys))]
}

// countAgain counts those keys exactly that may be the most frequent, if the
// first count could not.
func (s *survey) countAgain(ctx context.Context) error {
	if !s.keys.lossy {
		return nil
	}
	list, err := json.Marshal(s.keys.most(noisyCandidates))
	if err != nil {
		return err
	}
	clear(s.keys.counts)
	for from := s.keys.first; from <= s.keys.last; from += statsChunk {
		err := s.d.each(ctx, countKeys, func(r scanner) error {
			var key string
			var n int64
			err := r.Scan(&key, &n)
			s.keys.counts[key] += n
			return err
		}, from, min(from+statsChunk, s.keys.last+1), s.from, s.until, string(list))
		if err != nil {
			return err
		}
	}
	return nil
}

// name says which the noisiest keys are.
func (s *survey) name(ctx context.Context) error {
	keys := s.keys.most(noisiest)
	if len(keys) == 0 {
		return nil
	}
	incidents, err := s.d.latest(ctx, keys)
	if err != nil {
		return err
	}
	latest := map[string]alert.KeyCount{}
	for _, i := range incidents {
		latest[i.Key] = alert.KeyCount{Incident: i.ID, Title: i.Title}
	}
	for _, key := range keys {
		k := latest[key]
		k.Key, k.Alerts = key, s.keys.counts[key]
		s.Noisiest = append(s.Noisiest, k)
	}
	return err
}

// sample keeps durations in microseconds: all of them, or of very many as many
// as it has room for, each with the same chance.
type sample struct {
	values []int64
	seen   uint64
	random *rand.PCG
}

func (s *sample) add(v int64) {
	s.seen++
	if len(s.values) < sampleSize {
		s.values = append(s.values, v)
		return
	}
	if s.random == nil {
		s.random = rand.NewPCG(1, 2) // the same alerts have the same statistics
	}
	if at := s.random.Uint64() % s.seen; at < sampleSize {
		s.values[at] = v
	}
}

// at is the value below which so many of a hundred are, between two values if
// need be; zero when there is none.
func (s *sample) at(percent int) time.Duration {
	if len(s.values) == 0 {
		return 0
	}
	slices.Sort(s.values)
	rank := (len(s.values) - 1) * percent
	below, part := s.values[rank/100], int64(rank%100)
	above := s.values[min(rank/100+1, len(s.values)-1)]
	return time.Duration(below+(above-below)*part/100) * time.Microsecond
}
