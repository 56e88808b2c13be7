package playground

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Kinds of faults. Any HTTP status from "100" to "599" is a kind too.
const (
	// FaultThrottle answers 429 as Slack does: with Retry-After and ratelimited in JSON, unless Body is set.
	FaultThrottle = "429"
	// FaultSlow does the work at once and answers after Delay.
	FaultSlow = "slow"
	// FaultLost does the work and closes the connection without an answer.
	FaultLost = "lost"
	// FaultTimeout does nothing and never answers.
	FaultTimeout = "timeout"
	// FaultError answers ok:false with Error and does nothing.
	FaultError = "error"
	// FaultStoredError does the work and answers ok:false with Error ("internal_error" when empty).
	FaultStoredError = "stored_error"
	// FaultRefuse resets the connection before the request is read.
	FaultRefuse = "refuse"
	// FaultRevoked answers token_revoked.
	FaultRevoked = "revoked"
	// FaultLag has conversations.history and conversations.replies leave out what is younger than Delay.
	FaultLag = "lag"
	// FaultBlock refuses a type of block everywhere, as if Slack did not know it; only Block counts.
	FaultBlock = "block"
)

// Bodies of the kinds that answer with an HTTP status.
const (
	// BodyHTML is a short page such as a proxy sends; it is what a status answers with when Body is empty.
	BodyHTML = "html"
	// BodyEmpty is no body at all.
	BodyEmpty = "empty"
	// BodyJSON is {"ok":false} with Error, or {"ok":true} and nothing else when Error is empty.
	BodyJSON = "json"
)

// Fault is one way in which the Web API misbehaves.
type Fault struct {
	// Kind is one of the Fault constants or an HTTP status, with which the call is answered without being done. After an informational
	// status (1xx except 101) the connection ends without a final one.
	Kind string `json:"kind"`
	// Method is a method's name, "upload" or "response_url"; empty means all.
	Method string `json:"method,omitempty"`
	// Channel is a channel's id or "#name"; empty means all calls, whether they are about a channel or not.
	Channel string `json:"channel,omitempty"`
	// Body is one of the Body constants, for an HTTP status.
	Body string `json:"body,omitempty"`
	// Error is Slack's code for the kinds that answer ok:false, and for BodyJSON.
	Error string `json:"error,omitempty"`
	// Block is the type that FaultBlock refuses, such as data_visualization.
	Block string `json:"block,omitempty"`
	// RetryAfter is the Retry-After header in seconds, for an HTTP status. Zero sends none, except for FaultThrottle without Body: 1.
	RetryAfter int `json:"retry_after,omitempty"`
	// Delay is for FaultSlow and FaultLag; one second when zero. In JSON it is in nanoseconds.
	Delay time.Duration `json:"delay,omitempty"`
	// Times is how many calls it hits before it is over; zero means until it is cleared.
	Times int `json:"times,omitempty"`
	// Percent is how many of a hundred matching calls it hits; zero means all.
	Percent int `json:"percent,omitempty"`
}

// faultBox holds the faults that are switched on, oldest first.
type faultBox struct {
	active []*Fault
	random *rand.Rand
}

func newFaultBox(seed uint64) faultBox {
	return faultBox{random: rand.New(rand.NewPCG(seed, 0x70c51))}
}

// SetFault switches a fault on, in addition to those that are on already. The oldest one that matches a call is applied. An unknown
// kind or a number out of range is an error.
func (s *Server) SetFault(f Fault) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("set fault: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Channel != "" {
		c := s.channelLocked(f.Channel)
		if c == nil {
			return fmt.Errorf("set fault: there is no channel %q", f.Channel)
		}
		f.Channel = c.ID
	}
	s.faults.active = append(s.faults.active, &f)
	s.recordLocked(Entry{Kind: KindFaults, Reason: f.Kind})
	return nil
}

// ClearFaults switches every fault off. Tokens revoked with Revoke stay revoked.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.active = nil
	s.recordLocked(Entry{Kind: KindFaults})
}

// Faults returns the faults that are on, with how many Times are left.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faultsLocked()
}

func (s *Server) faultsLocked() []Fault {
	out := []Fault{}
	for _, f := range s.faults.active {
		out = append(out, *f)
	}
	return out
}

func (f Fault) check() error {
	switch f.Kind {
	case FaultSlow, FaultLost, FaultTimeout, FaultStoredError, FaultRefuse, FaultRevoked, FaultLag:
	case FaultError:
		if f.Error == "" {
			return fmt.Errorf("kind %q needs the error code to answer", f.Kind)
		}
	case FaultBlock:
		return f.checkBlock()
	default:
		if f.httpStatus() == 0 {
			return fmt.Errorf("unknown kind %q", f.Kind)
		}
	}
	if err := f.checkBody(); err != nil {
		return err
	}
	return f.checkNumbers()
}

func (f Fault) checkBody() error {
	switch f.Body {
	case "":
		return nil
	case BodyHTML, BodyEmpty, BodyJSON:
		if f.httpStatus() != 0 {
			return nil
		}
		return fmt.Errorf("kind %q takes no body", f.Kind)
	}
	return fmt.Errorf("unknown body %q: want html, empty or json", f.Body)
}

func (f Fault) checkNumbers() error {
	if f.RetryAfter < 0 || f.Delay < 0 || f.Times < 0 || f.Percent < 0 || f.Percent > 100 {
		return fmt.Errorf("kind %q has a number out of range", f.Kind)
	}
	return nil
}

func (f Fault) checkBlock() error {
	if f.Block == "" || f != (Fault{Kind: f.Kind, Block: f.Block}) {
		return fmt.Errorf("kind %q needs the type of a block, and nothing else", f.Kind)
	}
	return nil
}

// httpStatus is the status that the fault answers with, or 0.
func (f Fault) httpStatus() int { return parseStatus(f.Kind) }

// parseStatus reads an HTTP status from 100 to 599; anything else is 0.
func parseStatus(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 || n > 599 {
		return 0
	}
	return n
}

// nextFaultLocked returns the fault for one call, if any, and counts it. With early set it returns only faults that reset the connection
// before the request is read, when neither channel nor body is known.
func (s *Server) nextFaultLocked(method, channel string, early bool) *Fault {
	for i, f := range s.faults.active {
		if f.Kind == FaultBlock || (f.Kind == FaultRefuse) != early || !f.matches(method, channel, early) {
			continue
		}
		if f.Percent > 0 && s.faults.random.IntN(100) >= f.Percent {
			continue
		}
		hit := *f
		if f.Times == 1 {
			s.faults.active = slices.Delete(s.faults.active, i, i+1)
			s.recordLocked(Entry{Kind: KindFaults, Reason: "over"})
		} else if f.Times > 1 {
			f.Times--
		}
		return &hit
	}
	return nil
}

func (f *Fault) matches(method, channel string, early bool) bool {
	if f.Method != "" && f.Method != method {
		return false
	}
	switch {
	case f.Kind == FaultRevoked && (method == "response_url" || method == "upload"):
		return false // these addresses are secrets themselves and ask for no token
	case f.Kind == FaultLag && method != "conversations.history" && method != "conversations.replies":
		return false
	}
	return f.Channel == "" || f.Channel == channel && !early
}

// abort closes a connection without an answer. With reset set the client sees a reset instead of an orderly end.
func abort(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if lingerer, ok := conn.(interface{ SetLinger(int) error }); ok && reset {
		_ = lingerer.SetLinger(0)
	}
	_ = conn.Close()
}
