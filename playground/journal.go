package playground

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Kinds of journal entries. Sockets, envelopes and people have kinds of their own.
const (
	KindCall           = "call"
	KindMessage        = "message"
	KindMessageChanged = "message_changed"
	KindMessageDeleted = "message_deleted"
	KindEphemeral      = "ephemeral"
	KindHome           = "home"
	KindModalOpen      = "modal_open"
	KindModalUpdate    = "modal_update"
	KindModalClose     = "modal_close"
	KindChannel        = "channel"
	KindPeople         = "people"
	KindFaults         = "faults"
	KindHook           = "response_url"
	KindUpload         = "upload"
)

// Entry is one thing that happened. Which fields are set depends on Kind.
type Entry struct {
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	// Call is set for KindCall, KindHook and KindUpload.
	Call *Call `json:"call,omitempty"`
	// Message is the message as it was shown at that moment (for a deletion: what was deleted).
	Message *Message `json:"message,omitempty"`
	View    *View    `json:"view,omitempty"`
	Channel string   `json:"channel,omitempty"`
	User    string   `json:"user,omitempty"`
	// Envelope, Event, Socket, Attempt, After, Cross, Reason and Payload belong to Socket Mode. After is how long an ack took; Cross marks
	// one that came on another socket than its envelope went out on.
	Envelope string          `json:"envelope,omitempty"`
	Event    string          `json:"event,omitempty"`
	After    time.Duration   `json:"after,omitempty"`
	Cross    bool            `json:"cross,omitempty"`
	Type     string          `json:"type,omitempty"`
	Socket   string          `json:"socket,omitempty"`
	Attempt  int             `json:"attempt,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Text     string          `json:"text,omitempty"`
	Payload  json.RawMessage `json:"payload,omitempty"`
}

// Call is one request to the Web API, to an upload URL ("upload") or to a response_url ("response_url").
type Call struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	// Args holds every argument but the token; a JSON argument is its JSON text.
	Args map[string]string `json:"args"`
	// Channel is the id of the conversation that the call was about, if any.
	Channel string `json:"channel,omitempty"`
	// Status is the HTTP status, 0 when no answer was sent.
	Status int `json:"status"`
	// Error is Slack's error code, empty for success. A call whose answer was lost keeps the outcome it had.
	Error      string          `json:"error,omitempty"`
	Answer     json.RawMessage `json:"answer,omitempty"`
	RetryAfter int             `json:"retry_after,omitempty"`
	// Token is "bot", "app", "none" or "unknown".
	Token string `json:"token"`
	// Fault is the kind of the fault that was applied, if any.
	Fault string `json:"fault,omitempty"`
	// TS is the message that the call posted, changed or deleted.
	TS string `json:"ts,omitempty"`
}

// journal is everything that happened, in order. wake is closed and replaced at each entry.
type journal struct {
	entries []Entry
	wake    chan struct{}
	counts  map[string]int
	// throttled counts the calls that went over a rate limit.
	throttled int
}

func newJournal() journal {
	return journal{wake: make(chan struct{}), counts: map[string]int{}}
}

// recordLocked gives e its number and time, appends it and wakes everybody who waits. It returns the entry's number.
func (s *Server) recordLocked(e Entry) int64 {
	e.Seq = int64(len(s.book.entries)) + 1
	e.At = s.now()
	s.book.entries = append(s.book.entries, e)
	s.book.counts[e.Kind]++
	if e.Call != nil && e.Kind == KindCall {
		s.book.counts["call "+e.Call.Method]++
		if e.Call.Status == http.StatusTooManyRequests && e.Call.Fault == "" {
			s.book.throttled++
		}
	}
	close(s.book.wake)
	s.book.wake = make(chan struct{})
	return e.Seq
}

// record is recordLocked for callers that do not hold mu.
func (s *Server) record(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recordLocked(e)
}

// since returns the entries after number seq and a channel that is closed at the next one. A subscriber keeps the last number it has
// seen and loops: entries, then wait.
func (s *Server) since(seq int64) ([]Entry, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(max(seq, 0), int64(len(s.book.entries)))
	return slices.Clone(s.book.entries[n:]), s.book.wake
}

// Journal returns everything that happened so far, in order.
func (s *Server) Journal() []Entry {
	entries, _ := s.since(0)
	return entries
}

// Calls returns every call of the Web API so far, in the order in which they were handled.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.callsLocked("")
}

// Throttled returns how many calls went over a rate limit and were answered with 429: none for a client that keeps to Slack's rates.
// Answers of a fault do not count.
func (s *Server) Throttled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.throttled
}

func (s *Server) callsLocked(method string) []Call {
	var calls []Call
	for _, e := range s.book.entries {
		if e.Kind == KindCall && (method == "" || e.Call.Method == method) {
			calls = append(calls, *e.Call)
		}
	}
	return calls
}

// Wait returns nil as soon as done reports true; done is asked at once and again after each journal entry. It runs with the
// playground's lock held, so it may use only the Snapshot. Wait returns an error when ctx ends or the playground is closed first.
func (s *Server) Wait(ctx context.Context, done func(*Snapshot) bool) error {
	for {
		ok, n, wake := s.ask(done)
		if ok {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return fmt.Errorf("wait for playground after %d journal entries: %w", n, ctx.Err())
		case <-s.done:
			return fmt.Errorf("wait for playground: it was closed after %d journal entries", n)
		}
	}
}

func (s *Server) ask(done func(*Snapshot) bool) (bool, int, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return done(&Snapshot{s: s}), len(s.book.entries), s.book.wake
}

// Snapshot is the playground at one instant, as a Wait condition sees it; it must not be kept.
type Snapshot struct{ s *Server }

// Messages returns what a channel (id, "#name" or "@person") shows, in order, replies included.
func (sn *Snapshot) Messages(channel string) []Message { return sn.s.messagesLocked(channel) }

// MessageCount returns how many messages a channel shows, without copying them.
func (sn *Snapshot) MessageCount(channel string) int {
	c := sn.s.channelLocked(channel)
	if c == nil {
		return 0
	}
	return len(c.messages)
}

// Ephemerals returns what only this person sees in a channel.
func (sn *Snapshot) Ephemerals(user, channel string) []Message {
	return sn.s.ephemeralsLocked(user, channel)
}

// Calls returns the calls of one method, or of all when it is empty.
func (sn *Snapshot) Calls(method string) []Call { return sn.s.callsLocked(method) }

// CallCount returns how many calls of one method there were.
func (sn *Snapshot) CallCount(method string) int { return sn.s.book.counts["call "+method] }

// Count returns how many journal entries of one kind there are.
func (sn *Snapshot) Count(kind string) int { return sn.s.book.counts[kind] }

// Journal returns all entries; the slice must not be changed.
func (sn *Snapshot) Journal() []Entry { return slices.Clip(sn.s.book.entries) }

// Home returns a person's Home tab, if one was published.
func (sn *Snapshot) Home(user string) (View, bool) { return sn.s.homeLocked(user) }

// Modal returns the view on top of a person's stack of modals, if one is open.
func (sn *Snapshot) Modal(user string) (View, bool) { return sn.s.modalLocked(user) }
