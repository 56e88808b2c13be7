package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"tocsin/alert"
)

// credential is a token that callers over TCP may send. Its named token is nil for the one
// that may do everything.
type credential struct {
	hash   [sha256.Size]byte
	named  *alert.Token
	budget *budget
}

func credentials(token alert.Secret, named []alert.Token) []*credential {
	var all []*credential
	if token != "" {
		all = append(all, &credential{hash: sha256.Sum256([]byte(token.Reveal()))})
	}
	for _, t := range named {
		all = append(all, &credential{hash: t.Hash, named: &t, budget: &budget{}})
	}
	return all
}

// keepBudgets lets tokens go on with what they have left, unless their rate has changed.
func keepBudgets(now, before []*credential) {
	for _, c := range now {
		for _, old := range before {
			if c.named != nil && old.named != nil && c.hash == old.hash && c.named.Rate == old.named.Rate {
				c.budget = old.budget
			}
		}
	}
}

// find returns the credential of a token, or nil. All of them are compared, so that the
// time it takes says nothing.
func (a *API) find(token string) (found *credential) {
	sum := sha256.Sum256([]byte(token))
	for _, c := range a.credentials {
		if subtle.ConstantTimeCompare(sum[:], c.hash[:]) == 1 {
			found = c
		}
	}
	return found
}

// caller is the context key of the credential that a request came with.
type caller struct{}

func withCaller(r *http.Request, c *credential) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), caller{}, c))
}

// callerOf returns the credential of a request; nil if none was needed.
func callerOf(r *http.Request) *credential {
	c, _ := r.Context().Value(caller{}).(*credential)
	return c
}

// token is the named token that a request came with, or nil.
func (c *credential) token() *alert.Token {
	if c == nil {
		return nil
	}
	return c.named
}

// powerFor is what a token must be for to make a request. Who may send an alert may ask
// what has become of it.
func (a *API) powerFor(r *http.Request) alert.Power {
	_, hook := a.hooks.Handler(r)
	switch {
	case hook != "", r.URL.Path == "/v1/alerts", strings.HasPrefix(r.URL.Path, "/v1/alerts/"):
		return alert.MaySend
	case strings.HasPrefix(r.URL.Path, "/v1/heartbeats/") && r.Method != http.MethodDelete: // a GET sends one, too
		return alert.MaySend
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		return alert.MayRead
	}
	return alert.MayAct
}

// sign adds to alerts who sends them, and counts them against the rate of its token.
func (a *API) sign(r *http.Request, alerts []alert.Alert) error {
	c := callerOf(r)
	token := c.token()
	if token == nil {
		return nil
	}
	if wait := c.budget.spend(token.Rate, len(alerts), a.opts.Now()); wait > 0 {
		return &rateError{httpError{
			http.StatusTooManyRequests, fmt.Sprintf("nothing was accepted: the token %s may send %s alerts", token.Name, token.Rate),
			fmt.Sprintf("send it again after Retry-After seconds, or change its option rate (listen.tokens, name: %s)", token.Name),
		}, wait}
	}
	for n := range alerts {
		alerts[n].Sender = token
	}
	return nil
}

// unsign gives the token of a request back what sign has taken for n alerts, because none
// was accepted.
func (a *API) unsign(r *http.Request, n int) {
	if c := callerOf(r); c.token() != nil {
		c.budget.giveBack(c.token().Rate, n)
	}
}

// budget is how many alerts a token may send now. It fills at the token's rate.
type budget struct {
	mu   sync.Mutex
	left float64
	at   time.Time // when left was right; zero for a full budget
}

// spend takes n alerts from the budget, or returns how long to wait. More alerts than the
// rate are taken from a full budget, which they overdraw: a batch is not split.
func (b *budget) spend(rate alert.Rate, n int, now time.Time) (wait time.Duration) {
	if rate.Alerts == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	most := float64(rate.Alerts)
	perSecond := most / rate.Per.Seconds()
	if b.at.IsZero() {
		b.left = most
	} else {
		b.left = min(most, b.left+max(0, now.Sub(b.at).Seconds())*perSecond)
	}
	b.at = now
	if lacking := min(float64(n), most) - b.left; lacking > 0 {
		return time.Duration(math.Ceil(lacking / perSecond * float64(time.Second)))
	}
	b.left -= float64(n)
	return 0
}

// giveBack undoes spend.
func (b *budget) giveBack(rate alert.Rate, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(float64(rate.Alerts), b.left+float64(n))
}
