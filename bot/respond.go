package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/slack-go/slack"

	"tocsin/alert"
	"tocsin/render"
)

// Caller is who asked for something, and where to answer. A slash command has these
// fields by these names.
type Caller struct {
	User    string `json:"user_id"`    // U…
	Name    string `json:"user_name"`  // empty where Slack does not say it
	Channel string `json:"channel_id"` // C… or D…; empty in the App Home
	Thread  string `json:"thread_ts"`  // empty outside a thread
	Team    string `json:"team_id"`
	// Outside is the team of a person from another workspace; empty for our own people.
	Outside string `json:"-"`
	// Lost is set if the request is not in the inbox, so that nobody does it later.
	Lost bool `json:"-"`
	// ResponseURL takes up to 5 answers within 30 minutes (docs/slack.md §2.5).
	ResponseURL alert.Secret `json:"response_url"`
}

// Respond sends a person an answer that only they see: by the response_url, else
// as an ephemeral message, else as a direct message. The error joins those of all
// attempts. When Slack refuses the message itself, there is no further attempt.
func (b *Bot) Respond(ctx context.Context, to Caller, m render.Message) error {
	var errs []error
	if to.ResponseURL != "" {
		err := b.respond(ctx, to.ResponseURL, m, false)
		if err == nil || isPayloadError(err) {
			return err
		}
		errs = append(errs, err)
	}
	if to.Channel != "" && to.User != "" {
		err := b.postEphemeral(ctx, to, m)
		if err == nil || isPayloadError(err) {
			return err
		}
		errs = append(errs, err)
	}
	if to.User == "" {
		return errors.Join(append(errs, errors.New("answer a person: no user is named"))...)
	}
	if _, err := b.PostMessage(ctx, to.User, "", m); err != nil {
		return errors.Join(append(errs, err)...)
	}
	return nil
}

// isPayloadError says whether Slack refused the message itself.
func isPayloadError(err error) bool {
	e, ok := errors.AsType[*alert.SendError](err)
	return ok && e.Class == alert.ClassPayload
}

// Replace replaces the message that was clicked, by its response_url. If that
// fails, it sends m as Respond does.
func (b *Bot) Replace(ctx context.Context, to Caller, m render.Message) error {
	if to.ResponseURL != "" {
		if err := b.respond(ctx, to.ResponseURL, m, true); err == nil || isPayloadError(err) {
			return err
		}
		to.ResponseURL = ""
	}
	return b.Respond(ctx, to, m)
}

// responseURL is the method's name in metrics.
const responseURL = "response_url"

var errorCode = regexp.MustCompile(`^[a-z]+(_[a-z0-9]+)+$`)

// respond posts to a response_url, which takes no token.
func (b *Bot) respond(ctx context.Context, url alert.Secret, m render.Message, replace bool) error {
	body, err := json.Marshal(struct {
		ResponseType string             `json:"response_type"`
		Text         string             `json:"text"`
		Blocks       []slack.Block      `json:"blocks,omitempty"`
		Attachments  []slack.Attachment `json:"attachments,omitempty"`
		Replace      bool               `json:"replace_original"`
	}{"ephemeral", m.Text, m.Blocks, m.Attachments, replace})
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url.Reveal(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("use response_url: %w", withoutURL(err))
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	x := &exchange{bot: b, request: request{method: responseURL, where: "the answer"}, reply: &reply{}}
	x.send(req)
	x.decode(x.reply)
	text := string(bytes.TrimSpace(x.body))
	if x.status == http.StatusOK && text == "ok" {
		x.reply.OK = true
	}
	// Unlike the Web API it refuses with an HTTP status, and the body may be just
	// the error code.
	if x.reply.Error == "" && errorCode.MatchString(text) {
		x.reply.Error = text
	}
	if x.status >= 400 && x.status < 500 && x.status != http.StatusTooManyRequests && x.reply.Error != "" {
		x.status = http.StatusOK
	}
	return x.result(x.failure())
}

func (b *Bot) postEphemeral(ctx context.Context, to Caller, m render.Message) error {
	args := messageArgs(m)
	args["channel"], args["user"], args["thread_ts"] = to.Channel, to.User, to.Thread
	return b.call(ctx, request{"chat.postEphemeral", to.Channel, args}, nil)
}

// PostMessage posts to a conversation, or to a person by their U… id, and returns
// the message's ts. thread is the ts of the parent to reply to, or empty. The error
// is an *alert.SendError.
func (b *Bot) PostMessage(ctx context.Context, channel, thread string, m render.Message) (ts string, err error) {
	sent, err := b.write(ctx, target{channel: channel, thread: thread, where: channel}, messageArgs(m))
	return sent.TS, err
}

// PublishHome publishes a person's App Home and returns Slack's hash of it. If
// hash is not that of the view they see, the error wraps ErrStale; an empty hash
// overwrites any view.
func (b *Bot) PublishHome(ctx context.Context, user string, view slack.HomeTabViewRequest, hash string) (string, error) {
	var published struct {
		reply
		View struct {
			Hash string `json:"hash"`
		} `json:"view"`
	}
	args := map[string]string{"user_id": user, "view": asJSON(view), "hash": hash}
	err := b.call(ctx, request{"views.publish", user, args}, &published)
	return published.View.Hash, err
}

// OpenView opens a dialog for the person whose click created the trigger. A
// trigger works once and for three seconds; after that the error wraps ErrStale.
func (b *Bot) OpenView(ctx context.Context, trigger string, view slack.ModalViewRequest) error {
	args := map[string]string{"trigger_id": trigger, "view": asJSON(view)}
	return b.call(ctx, request{method: "views.open", args: args}, nil)
}

// UpdateView replaces the view of an open dialog. If the view is not the one with
// hash any more, the error wraps ErrStale.
func (b *Bot) UpdateView(ctx context.Context, id, hash string, view slack.ModalViewRequest) error {
	args := map[string]string{"view_id": id, "hash": hash, "view": asJSON(view)}
	return b.call(ctx, request{method: "views.update", args: args}, nil)
}

// Permalink returns the address under which people see a message.
func (b *Bot) Permalink(ctx context.Context, channel, ts string) (string, error) {
	return b.permalink(ctx, channel, ts, channel)
}

func (b *Bot) permalink(ctx context.Context, channel, ts, where string) (string, error) {
	var found struct {
		reply
		Permalink string `json:"permalink"`
	}
	err := b.call(ctx, request{"chat.getPermalink", where, map[string]string{"channel": channel, "message_ts": ts}}, &found)
	return found.Permalink, err
}
