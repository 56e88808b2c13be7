package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"tocsin/alert"
)

const (
	// findMargin is how long before the attempt the search begins: clocks differ.
	findMargin = 60 * time.Second
	// A search covers at most findPages times findLimit messages.
	findPages = 5
	findLimit = 100
)

// Find searches the conversation for a delivery whose answer was lost, by its
// metadata, from a minute before the attempt (docs/slack.md §4.2). It needs the
// history scope and membership. The error is an *alert.SendError and means that the
// search failed. It does not search for an update, which can safely be repeated.
func (b *Bot) Find(ctx context.Context, job alert.Job) (alert.Sent, bool, error) {
	if job.Kind == alert.Update {
		return alert.Sent{}, false, nil
	}
	sent, found, err := b.find(ctx, job)
	return sent, found, asDestinationError(err)
}

func (b *Bot) find(ctx context.Context, job alert.Job) (alert.Sent, bool, error) {
	s := search{job: job, oldest: b.searchFrom(job)}
	if job.Kind.InThread() && !job.TopLevel && job.Card.TS != "" {
		s.channel, s.thread = job.Card.Conversation, job.Card.TS
	} else {
		channel, err := b.conversationID(ctx, job)
		if err != nil {
			return alert.Sent{}, false, err
		}
		s.channel = channel
	}
	for range findPages {
		sent, found, err := b.searchPage(ctx, &s)
		if err != nil || found || s.cursor == "" {
			return sent, found, err
		}
	}
	return alert.Sent{}, false, &alert.SendError{Class: alert.ClassTransient, Code: "too_much_history",
		Err: fmt.Errorf("more than %d messages in %s since the attempt", findPages*findLimit, job.Place())}
}

// searchFrom returns the ts from which to search. A start in the future means that
// the clock was set back since; then only the newest pages are searched.
func (b *Bot) searchFrom(job alert.Job) string {
	if job.StartedAt.After(b.opts.Now()) {
		return ""
	}
	return slackTime(job.StartedAt.Add(-findMargin))
}

// search is a search and how far it has come.
type search struct {
	job             alert.Job
	channel, thread string
	oldest, cursor  string
}

// searchPage searches one page of the conversation or thread and moves the cursor.
func (b *Bot) searchPage(ctx context.Context, s *search) (alert.Sent, bool, error) {
	page, err := b.history(ctx, s)
	if err != nil {
		return alert.Sent{}, false, err
	}
	s.cursor = page.Metadata.NextCursor
	for _, raw := range page.Messages {
		if sent, ok := s.match(raw); ok {
			return sent, true, nil
		}
	}
	return alert.Sent{}, false, nil
}

// messagePage is a page of a conversation or a thread.
type messagePage struct {
	reply
	Messages []json.RawMessage `json:"messages"`
}

func (b *Bot) history(ctx context.Context, s *search) (page messagePage, err error) {
	r := request{"conversations.history", s.job.Place(), map[string]string{
		"channel": s.channel, "ts": s.thread, "oldest": s.oldest, "cursor": s.cursor,
		"limit": strconv.Itoa(findLimit), "include_all_metadata": "true",
	}}
	if s.thread != "" {
		r.method = "conversations.replies"
	}
	err = b.call(ctx, r, &page)
	if err == nil && page.Messages == nil {
		err = badAnswer()
	}
	return page, err
}

// match says whether a message is the delivery. It skips messages that it can't
// read.
func (s *search) match(raw json.RawMessage) (alert.Sent, bool) {
	var m struct {
		TS    string `json:"ts"`
		Files []struct {
			Name string `json:"name"`
		} `json:"files"`
		Metadata struct {
			EventType    string `json:"event_type"`
			EventPayload struct {
				DeliveryID string `json:"delivery_id"`
				Version    int64  `json:"version"`
			} `json:"event_payload"`
		} `json:"metadata"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return alert.Sent{}, false
	}
	sent := alert.Sent{Conversation: s.channel, TS: m.TS}
	if sharesFile(s.job) {
		return sent, len(m.Files) > 0 && m.Files[0].Name == fileName(s.job)
	}
	if m.Metadata.EventType != deliveryEvent || m.Metadata.EventPayload.DeliveryID != s.job.ID {
		return alert.Sent{}, false
	}
	if !s.job.Kind.InThread() {
		sent.Version = m.Metadata.EventPayload.Version
	}
	return sent, true
}

// slackTime formats a time as a ts.
func slackTime(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}
