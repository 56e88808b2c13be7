package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// find looks for a reply in its thread and then at top level, where Slack posts one whose
// thread is gone (docs/slack.md §2.3).
func (b *Bot) find(ctx context.Context, job alert.Job) (sent alert.Sent, found bool, err error) {
	if job.Kind.InThread() && !job.TopLevel && job.Card.TS != "" {
		sent, found, err = b.search(ctx, job, "conversations.replies", job.Card.Conversation)
		if found || err != nil && !isClass(err, alert.ClassThread) {
			return sent, found, err
		}
		return b.search(ctx, job, "conversations.history", job.Card.Conversation)
	}
	channel, err := b.conversationID(ctx, job)
	if err != nil {
		return sent, false, err
	}
	return b.search(ctx, job, "conversations.history", channel)
}

func isClass(err error, class alert.Class) bool {
	failed, ok := errors.AsType[*alert.SendError](err)
	return ok && failed.Class == class
}

// search looks for the job's message in a conversation, or in the thread of its card.
func (b *Bot) search(ctx context.Context, job alert.Job, method, channel string) (sent alert.Sent, found bool, err error) {
	r := request{method, job.Place(), map[string]string{
		"channel": channel, "oldest": b.searchFrom(job), "limit": strconv.Itoa(findLimit), "include_all_metadata": "true",
	}}
	if method == "conversations.replies" {
		r.args["ts"] = job.Card.TS
	}
	searched := 0
	err = pages(ctx, b, r, func(page messagePage) (bool, error) {
		searched++
		for _, raw := range page.Messages {
			if sent, found = match(job, raw); found {
				sent.Conversation = channel
				return true, nil
			}
		}
		switch {
		case page.Messages == nil:
			return false, badAnswer()
		case searched == findPages && page.Metadata.NextCursor != "":
			return false, &alert.SendError{Class: alert.ClassTransient, Code: "too_much_history",
				Err: fmt.Errorf("more than %d messages in %s since the attempt", findPages*findLimit, job.Place())}
		}
		return false, nil
	})
	return sent, found, err
}

// searchFrom returns the ts from which to search. If the clock was put back since the
// start, it is unknown or in the future; then only the newest pages are searched.
func (b *Bot) searchFrom(job alert.Job) string {
	if job.StartedAt.IsZero() || job.StartedAt.After(b.opts.Now()) {
		return ""
	}
	return slackTime(job.StartedAt.Add(-findMargin))
}

// messagePage is a page of a conversation or a thread.
type messagePage struct {
	reply
	Messages []json.RawMessage `json:"messages"`
}

// match says whether a message is the delivery. It skips messages that it can't
// read.
func match(job alert.Job, raw json.RawMessage) (alert.Sent, bool) {
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
	sent := alert.Sent{TS: m.TS}
	if job.SharesFile() && len(m.Files) > 0 {
		return sent, strings.HasPrefix(m.Files[0].Name, fileStem(job))
	}
	if m.Metadata.EventType != deliveryEvent || m.Metadata.EventPayload.DeliveryID != job.ID {
		return alert.Sent{}, false
	}
	if !job.Kind.InThread() {
		sent.Version = m.Metadata.EventPayload.Version
	}
	return sent, true
}

func slackTime(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}
