package bot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/slack-go/slack"

	"tocsin/alert"
	"tocsin/render"
)

// list puts a part of a digest's complete list into the digest's thread, as text
// or as a file.
func (b *Bot) list(ctx context.Context, job alert.Job) (alert.Sent, error) {
	to, err := b.thread(ctx, job)
	if err != nil {
		return alert.Sent{}, err
	}
	if job.Digest == nil || job.Digest.Read == nil || job.Note == nil {
		return alert.Sent{}, &alert.SendError{Class: alert.ClassPayload, Code: "no_list", Err: fmt.Errorf("a list of nothing")}
	}
	if sharesFile(job) {
		return b.share(ctx, job, to)
	}
	lines, err := job.Digest.Read(ctx)
	if err != nil {
		return alert.Sent{}, unread(err)
	}
	args := messageArgs(render.DigestList(lines, *job.Note).Below(asides(job)...))
	args["metadata"] = metadata(job)
	return b.write(ctx, to, args)
}

// unread says that a list could not be read from the store.
func unread(err error) error {
	return &alert.SendError{Class: alert.ClassTransient, Code: "list_unread", Err: err}
}

func sharesFile(job alert.Job) bool {
	return job.Kind == alert.List && job.Note != nil && job.Note.Topic == alert.TopicFile && !job.Plain
}

// fileName names the file of a list. A shared file has no metadata, so the name
// is what it is found by after an answer was lost.
func fileName(job alert.Job) string { return "tocsin-" + job.ID + ".txt" }

// share uploads the list and shares it in the thread, in the three steps of
// docs/slack.md §2.2. Only the last can show anything, so a doubt about the others
// is none. What forbids files forbids only them.
func (b *Bot) share(ctx context.Context, job alert.Job, to target) (alert.Sent, error) {
	content, title, done, err := b.draw(ctx, job)
	if err != nil {
		return alert.Sent{}, err
	}
	defer done()
	id, err := b.upload(ctx, job.Place(), file{name: fileName(job), content: content})
	if err != nil {
		return alert.Sent{}, onlyFiles(err)
	}
	to.where = job.Place()
	if err := b.complete(ctx, to, slack.FileSummary{ID: id, Title: title}); err != nil {
		return alert.Sent{}, onlyFiles(err)
	}
	// The answer does not say where the file is shown. It can be told without, so
	// that a look that fails is no failure.
	job.TopLevel = to.thread == ""
	if sent, found, err := b.find(ctx, job); err == nil && found {
		return sent, nil
	}
	return alert.Sent{Conversation: to.channel}, nil
}

// listsAtOnce is how many lists are drawn and uploaded at the same time, however
// many lanes have one: each may be some MB.
const listsAtOnce = 4

// draw makes the file of a list. Its caller calls done when it needs it no more.
func (b *Bot) draw(ctx context.Context, job alert.Job) (content []byte, title string, done func(), err error) {
	select {
	case b.lists <- struct{}{}:
		done = func() { <-b.lists }
	case <-ctx.Done():
		return nil, "", nil, unread(fmt.Errorf("wait for other lists: %w", ctx.Err()))
	}
	lines, err := job.Digest.Read(ctx)
	if err != nil {
		done()
		return nil, "", nil, unread(err)
	}
	return render.ListFile(lines, *job.Note), render.ListTitle(lines, *job.Note), done, nil
}

// Upload keeps a picture in Slack that is shared nowhere, for views to show by
// the id it returns; alt says in at most 1,000 characters what it shows. The
// error is an *alert.SendError.
func (b *Bot) Upload(ctx context.Context, name, alt string, content []byte) (id string, err error) {
	if id, err = b.upload(ctx, name, file{name: name, alt: alt, content: content}); err != nil {
		return "", onlyFiles(err)
	}
	if err := b.complete(ctx, target{where: name}, slack.FileSummary{ID: id, Title: name}); err != nil {
		return "", onlyFiles(err)
	}
	return id, nil
}

type file struct {
	name, alt string
	content   []byte
}

// complete makes a file of what was uploaded, and shares it if to says where.
func (b *Bot) complete(ctx context.Context, to target, f slack.FileSummary) error {
	args := map[string]string{"files": asJSON([]slack.FileSummary{f}), "channel_id": to.channel, "thread_ts": to.thread}
	return b.call(ctx, request{"files.completeUploadExternal", to.where, args}, nil)
}

// upload sends the bytes of a file that nobody sees yet, and returns its id.
func (b *Bot) upload(ctx context.Context, where string, f file) (string, error) {
	var to struct {
		reply
		UploadURL string `json:"upload_url"`
		FileID    string `json:"file_id"`
	}
	args := map[string]string{"filename": f.name, "length": strconv.Itoa(len(f.content)), "alt_txt": f.alt}
	if err := b.call(ctx, request{"files.getUploadURLExternal", where, args}, &to); err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.UploadURL, bytes.NewReader(f.content))
	if err != nil {
		return "", &alert.SendError{Class: alert.ClassTransient, Code: "bad_answer", Err: withoutURL(err)}
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	return to.FileID, b.send(req)
}

// send makes the request of an upload, which is answered in plain text.
func (b *Bot) send(req *http.Request) error {
	resp, err := b.http.Do(req)
	if err != nil {
		return &alert.SendError{Class: alert.ClassTransient, Code: "upload", Err: withoutURL(err)}
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.calls.WithLabelValues("upload", string(alert.ClassTransient)).Inc()
		return &alert.SendError{Class: alert.ClassTransient, Code: fmt.Sprintf("upload_http_%d", resp.StatusCode)}
	}
	b.calls.WithLabelValues("upload", "ok").Inc()
	return nil
}

// onlyFiles narrows a missing right from the whole app to its files.
func onlyFiles(err error) error {
	e, ok := errors.AsType[*alert.SendError](err)
	if !ok || e.Code != "access_denied" && e.Code != "no_permission" {
		return onlyHere(err)
	}
	narrowed := *e
	narrowed.Class = alert.ClassDestination
	return &narrowed
}

// listed is the permalink to the list of a digest that is being edited, or
// empty while there is none.
func (b *Bot) listed(ctx context.Context, job alert.Job) (string, error) {
	if job.Digest == nil || !job.Digest.Listed {
		return "", nil
	}
	ts := job.Digest.ListTS
	if ts == "" {
		ts = job.Card.TS
	}
	return b.permalink(ctx, job.Card.Conversation, ts, job.Place())
}
