package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"tocsin/alert"
	"tocsin/render"
)

// deliveryEvent is the event_type in the metadata of our messages.
const deliveryEvent = "tocsin_delivery"

// updateLimit is how many characters of text chat.update takes (docs/slack.md §2.4).
const updateLimit = 4000

// Send makes one attempt at a delivery. Its error is an *alert.SendError.
func (b *Bot) Send(ctx context.Context, job alert.Job) (alert.Sent, error) {
	ctx = withTaken(ctx)
	job = b.resolveMentions(ctx, job)
	switch job.Kind {
	case alert.Post, alert.Digest:
		return b.post(ctx, job)
	case alert.Update:
		return b.update(ctx, job)
	case alert.Reply:
		return b.reply(ctx, job)
	case alert.List:
		return b.sendList(ctx, job)
	}
	return alert.Sent{}, &alert.SendError{Class: alert.ClassPayload, Code: "unknown_kind", Err: fmt.Errorf("a delivery can't be a %q", job.Kind)}
}

func (b *Bot) post(ctx context.Context, job alert.Job) (alert.Sent, error) {
	channel, err := b.address(ctx, job)
	if err != nil {
		return alert.Sent{}, err
	}
	args := messageArgs(card(job, ""))
	args["metadata"] = metadata(job)
	for _, i := range job.Incident.Images {
		if i.Fetch {
			b.images.want(i.URL) // it is likely to be here when its reply is due
		}
	}
	sent, err := b.write(ctx, target{channel: channel, where: job.Place()}, args)
	sent.Version = job.Incident.Version
	if err == nil {
		b.wantName(job.Place())
	}
	return sent, err
}

// address returns the channel argument of chat.postMessage for the job.
func (b *Bot) address(ctx context.Context, job alert.Job) (string, error) {
	if job.Known != "" {
		return job.Known, nil
	}
	return b.resolve(ctx, job.Place())
}

// reply posts a note in the card's thread, or at top level if the job says so.
func (b *Bot) reply(ctx context.Context, job alert.Job) (alert.Sent, error) {
	to, err := b.thread(ctx, job)
	if err != nil {
		return alert.Sent{}, err
	}
	if job.SharesFile() && job.Note.Topic == alert.TopicImage {
		return b.postImage(ctx, job, to)
	}
	if job.SharesFile() && job.Members != nil {
		return b.shareFile(ctx, job, to, func() (file, error) { return memberFile(ctx, job) })
	}
	if job.SharesFile() {
		return b.shareFile(ctx, job, to, func() (file, error) { return textFile(job), nil })
	}
	message := render.Note(job.Incident, *job.Note)
	if job.Members != nil {
		members, err := job.Members(ctx)
		if err != nil {
			return alert.Sent{}, listReadError(err)
		}
		message = render.Members(job.Incident, *job.Note, members)
	}
	if job.Plain {
		message = render.Message{Text: message.Text}
	}
	args := messageArgs(message.Below(smallPrint(job)...))
	args["metadata"] = metadata(job)
	if job.Note.Broadcasts() && to.thread != "" {
		args["reply_broadcast"] = "true"
	}
	return b.write(ctx, to, args)
}

// thread returns where a job's reply goes: to the card's thread, or to top level if
// the job says so.
func (b *Bot) thread(ctx context.Context, job alert.Job) (to target, err error) {
	if job.Note == nil || job.Card.TS == "" && !job.TopLevel {
		return to, &alert.SendError{Class: alert.ClassThread, Code: "no_card", Err: fmt.Errorf("there is no card in %s to reply to", job.Lane)}
	}
	to = target{channel: job.Card.Conversation, thread: job.Card.TS, where: job.Place()}
	if job.TopLevel {
		to.thread = ""
		to.channel, err = b.address(ctx, job)
	}
	return to, err
}

func (b *Bot) update(ctx context.Context, job alert.Job) (alert.Sent, error) {
	if job.Card.TS == "" {
		return alert.Sent{}, &alert.SendError{Class: alert.ClassGone, Code: "no_card", Err: fmt.Errorf("there is no card in %s to edit", job.Lane)}
	}
	listed, err := b.listPermalink(ctx, job)
	if err != nil {
		return alert.Sent{}, err
	}
	message := card(job, listed)
	message.Text = clip(message.Text, updateLimit)
	args := messageArgs(message)
	args["channel"], args["ts"] = job.Card.Conversation, job.Card.TS
	err = b.withJoin(ctx, job.Card.Conversation, job.Place(), func() error {
		return b.call(ctx, request{"chat.update", job.Place(), args}, nil)
	})
	if err != nil {
		return alert.Sent{}, err
	}
	return alert.Sent{Conversation: job.Card.Conversation, TS: job.Card.TS, Version: job.Incident.Version}, nil
}

// card renders the job's card or digest; listed is the permalink of a digest's list.
func card(job alert.Job, listed string) render.Message {
	switch {
	case job.Digest != nil && job.Plain:
		return render.PlainDigest(*job.Digest, listed, smallPrint(job)...)
	case job.Digest != nil:
		return render.Digest(*job.Digest, listed, smallPrint(job)...)
	case job.Plain:
		return render.PlainCard(job.Incident, job.Lane, smallPrint(job)...)
	}
	return render.Card(job.Incident, job.Lane, smallPrint(job)...)
}

// smallPrint returns the lines of small print for the job's message.
func smallPrint(job alert.Job) (lines []string) {
	if job.Via != "" && (!job.Kind.InThread() || job.TopLevel) {
		lines = append(lines, render.MeantFor(job.Lane, job.Refused))
	}
	if job.PossibleDuplicate {
		lines = append(lines, render.Twice)
	}
	return lines
}

// metadata lets Find recognise the message when Slack's answer was lost. The
// version is that of the incident it shows.
func metadata(job alert.Job) string {
	return asJSON(slack.SlackMetadata{
		EventType:    deliveryEvent,
		EventPayload: map[string]any{"delivery_id": job.ID, "version": job.Incident.Version},
	})
}

// target is where a message goes: channel is an id or a #name, where is the name
// that a person uses.
type target struct {
	channel, thread, where string
}

// messagePosted is the answer of chat.postMessage.
type messagePosted struct {
	reply
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

func (b *Bot) write(ctx context.Context, to target, args map[string]string) (alert.Sent, error) {
	args["channel"], args["thread_ts"] = to.channel, to.thread
	args["mrkdwn"] = cmp.Or(args["mrkdwn"], "false") // marks in the text are what somebody wrote
	var posted messagePosted
	err := b.withJoin(ctx, to.channel, to.where, func() error {
		posted = messagePosted{}
		return b.call(ctx, request{"chat.postMessage", to.where, args}, &posted)
	})
	if err != nil {
		return alert.Sent{}, err
	}
	if posted.TS == "" || posted.Channel == "" {
		return alert.Sent{}, &alert.SendError{Class: alert.ClassUnsure, Code: "bad_answer", Err: errors.New("slack said ok, but not where the message is")}
	}
	return alert.Sent{Conversation: posted.Channel, TS: posted.TS}, nil
}

// messageArgs returns a message's arguments for every method that writes one. Blocks
// and attachments of an earlier version are cleared if this one has none. Names and
// channels in the text do not become mentions, and no link is unfurled.
func messageArgs(m render.Message) map[string]string {
	blocks, attachments := m.Blocks, m.Attachments
	if blocks == nil {
		blocks = []slack.Block{}
	}
	if attachments == nil {
		attachments = []slack.Attachment{}
	}
	args := map[string]string{
		"text": m.Text, "blocks": asJSON(blocks), "attachments": asJSON(attachments),
		"parse": "none", "unfurl_links": "false", "unfurl_media": "false",
	}
	if m.Passed != nil {
		args["attachments"] = asJSON(m.Passed)
	}
	if m.Mrkdwn {
		args["mrkdwn"] = "true"
	}
	return args
}

// asJSON encodes an argument that is not text; all that we send can be encoded.
func asJSON(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}

// clip shortens escaped text to limit characters, never inside an entity or a
// <…> sequence.
func clip(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	cut := string([]rune(text)[:limit-1])
	if i := strings.LastIndexByte(cut, '&'); i >= 0 && !strings.Contains(cut[i:], ";") {
		cut = cut[:i]
	}
	if i := strings.LastIndexByte(cut, '<'); i >= 0 && !strings.Contains(cut[i:], ">") {
		cut = cut[:i]
	}
	return cut + "…"
}

// Announce reports dead letters in a conversation, in one line. Its error is an
// *alert.SendError.
func (b *Bot) Announce(ctx context.Context, lane string, g alert.UnreportedDeadLetters) error {
	channel, err := b.resolve(ctx, lane)
	if err != nil {
		return err
	}
	_, err = b.write(ctx, target{channel: channel, where: lane}, messageArgs(render.DeadLetters(g)))
	return err
}
