package playground

import (
	"math"
	"time"
)

// Limits are Slack's rate limits. A zero field means Slack's documented number. Off switches all of them off.
type Limits struct {
	Off bool
	// PostsPerSecond and PostBurst hold for chat.postMessage in one channel: 1/s with a burst of 4.
	PostsPerSecond float64
	PostBurst      int
	// PostsPerMinute holds for chat.postMessage in the whole workspace: 600.
	PostsPerMinute int
	// Tier1 to Tier4 and Special are calls of one method within a minute: 1, 20, 50, 100 and 600.
	Tier1, Tier2, Tier3, Tier4, Special int
	// StrictHistory gives conversations.history and conversations.replies one call a minute and 15 messages, as Slack does for
	// commercially distributed apps outside its Marketplace.
	StrictHistory bool
}

// NoLimits is for tests that are not about rate limits.
func NoLimits() Limits { return Limits{Off: true} }

func (l Limits) withDefaults() Limits {
	l.PostsPerSecond = orDefault(l.PostsPerSecond, 1)
	l.PostBurst = orDefault(l.PostBurst, 4)
	l.PostsPerMinute = orDefault(l.PostsPerMinute, 600)
	l.Tier1 = orDefault(l.Tier1, 1)
	l.Tier2 = orDefault(l.Tier2, 20)
	l.Tier3 = orDefault(l.Tier3, 50)
	l.Tier4 = orDefault(l.Tier4, 100)
	l.Special = orDefault(l.Special, 600)
	return l
}

// tier is a class of methods that share a rate.
type tier int

const (
	tierNone tier = iota
	tier1
	tier2
	tier3
	tier4
	tierSpecial
)

func (l Limits) perMinute(t tier) int {
	switch t {
	case tier1:
		return l.Tier1
	case tier2:
		return l.Tier2
	case tier3:
		return l.Tier3
	case tier4:
		return l.Tier4
	case tierSpecial:
		return l.Special
	default:
		return 0
	}
}

// limiter counts calls: minute windows per method, and a bucket per channel for posts.
type limiter struct {
	limits  Limits
	windows map[string]*window
	buckets map[string]*bucket
}

type window struct {
	start time.Time
	used  int
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter(l Limits) limiter {
	return limiter{limits: l, windows: map[string]*window{}, buckets: map[string]*bucket{}}
}

// allowMethod counts a call of a method and returns 0, or the seconds to wait when its minute is used up.
func (l *limiter) allowMethod(method string, t tier, now time.Time) int {
	if l.limits.StrictHistory && (method == "conversations.history" || method == "conversations.replies") {
		t = tier1
	}
	return l.allowWindow(method, l.limits.perMinute(t), now)
}

// allowPost counts a post into a channel and returns 0, or the seconds to wait.
func (l *limiter) allowPost(channel string, now time.Time) int {
	if l.limits.Off {
		return 0
	}
	b := l.buckets[channel]
	if b == nil {
		b = &bucket{tokens: float64(l.limits.PostBurst), at: now}
		l.buckets[channel] = b
	}
	b.tokens = min(b.tokens+now.Sub(b.at).Seconds()*l.limits.PostsPerSecond, float64(l.limits.PostBurst))
	b.at = now
	// A client that waits exactly Retry-After must not be refused for a rounding error.
	if b.tokens < 1-1e-6 {
		return max(1, int(math.Ceil((1-b.tokens)/l.limits.PostsPerSecond)))
	}
	if wait := l.allowWindow("chat.postMessage", l.limits.PostsPerMinute, now); wait > 0 {
		return wait
	}
	b.tokens--
	return 0
}

func (l *limiter) allowWindow(key string, budget int, now time.Time) int {
	if l.limits.Off || budget <= 0 {
		return 0
	}
	w := l.windows[key]
	if w == nil || now.Sub(w.start) >= time.Minute {
		w = &window{start: now}
		l.windows[key] = w
	}
	if w.used >= budget {
		return max(1, int(math.Ceil((time.Minute - now.Sub(w.start)).Seconds())))
	}
	w.used++
	return 0
}
