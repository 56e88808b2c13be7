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
	// findMargin is how much earlier than the attempt to look, for clocks that differ.
	findMargin = 60 * time.Second
	// findPages times findLimit messages are looked through at most.
	findPages = 5
	findLimit = 100
)

// Find looks in the conversation for a delivery whose answer was lost, by its
// metadata, from a minute before the attempt on (docs/slack.md §4.2). It needs the
// history scope and membership; the error is an *alert.SendError and means that
// it could not look. An update is never looked for: doing it again is harmless.
func (b *Bot) Find(ctx context.Context, job alert.Job) (alert.Sent, bool, error) {
	if job.Kind == alert.Update {
		return alert.Sent{}, false, nil
	}
	sent, found, err := b.find(ctx, job)
	return sent, found, onlyHere(err)
}

func (b *Bot) find(ctx context.Context, job alert.Job) (alert.Sent, bool, error) {
	look := lookup{job: job, oldest: b.since(job)}
	if job.Kind.InThread() && !job.TopLevel && job.Card.TS != "" {
		look.channel, look.thread = job.Card.Conversation, job.Card.TS
	} else {
		channel, err := b.conversation(ctx, job)
		if err != nil {
			return alert.Sent{}, false, err
		}
		look.channel = channel
	}
	for range findPages {
		sent, found, err := b.page(ctx, &look)
		if err != nil || found || look.cursor == "" {
			return sent, found, err
		}
	}
	return alert.Sent{}, false, &alert.SendError{Class: alert.ClassTransient, Code: "too_much_history",
		Err: fmt.Errorf("more than %d messages in %s since the attempt", findPages*findLimit, job.Place())}
}

// since is from where on to look. An attempt that is still to come was started
// by a clock that was put back since and tells nothing: then the newest pages
// have to do.
func (b *Bot) since(job alert.Job) string {
	if job.StartedAt.After(b.opts.Now()) {
		return ""
	}
	return slackTime(job.StartedAt.Add(-findMargin))
}

// lookup is how far a search has come.
type lookup struct {
	job             alert.Job
	channel, thread string
	oldest, cursor  string
}

// page reads one page of the conversation or thread and moves the cursor on.
func (b *Bot) page(ctx context.Context, look *lookup) (alert.Sent, bool, error) {
	page, err := b.history(ctx, look)
	if err != nil {
		return alert.Sent{}, false, err
	}
	look.cursor = page.Metadata.NextCursor
	for _, raw := range page.Messages {
		if sent, ok := look.match(raw); ok {
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

func (b *Bot) history(ctx context.Context, look *lookup) (page messagePage, err error) {
	r := request{"conversations.history", look.job.Place(), map[string]string{
		"channel": look.channel, "ts": look.thread, "oldest": look.oldest, "cursor": look.cursor,
		"limit": strconv.Itoa(findLimit), "include_all_metadata": "true",
	}}
	if look.thread != "" {
		r.method = "conversations.replies"
	}
	err = b.call(ctx, r, &page)
	if err == nil && page.Messages == nil {
		err = badAnswer()
	}
	return page, err
}

// match says whether one message is the delivery. Messages of other shapes are
// passed over.
func (l *lookup) match(raw json.RawMessage) (alert.Sent, bool) {
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
	sent := alert.Sent{Conversation: l.channel, TS: m.TS}
	if sharesFile(l.job) {
		return sent, len(m.Files) > 0 && m.Files[0].Name == fileName(l.job)
	}
	if m.Metadata.EventType != deliveryEvent || m.Metadata.EventPayload.DeliveryID != l.job.ID {
		return alert.Sent{}, false
	}
	if !l.job.Kind.InThread() {
		sent.Version = m.Metadata.EventPayload.Version
	}
	return sent, true
}

// slackTime writes a time as Slack writes a ts.
func slackTime(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}
