package bot

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/slack-go/slack"

	"tocsin/alert"
	"tocsin/render"
)

// sendList posts a part of a digest's complete list in the digest's thread, as text
// or as a file.
func (b *Bot) sendList(ctx context.Context, job alert.Job) (alert.Sent, error) {
	to, err := b.thread(ctx, job)
	if err != nil {
		return alert.Sent{}, err
	}
	if job.Digest == nil || job.Digest.Read == nil || job.Note == nil {
		return alert.Sent{}, &alert.SendError{Class: alert.ClassPayload, Code: "no_list", Err: errors.New("the delivery has no list")}
	}
	if job.SharesFile() {
		return b.shareFile(ctx, job, to, func() (file, error) { return listFile(ctx, job) })
	}
	lines, err := job.Digest.Read(ctx)
	if err != nil {
		return alert.Sent{}, listReadError(err)
	}
	args := messageArgs(render.DigestList(lines, *job.Note).Below(smallPrint(job)...))
	args["metadata"] = metadata(job)
	return b.write(ctx, to, args)
}

func listReadError(err error) error {
	return &alert.SendError{Class: alert.ClassTransient, Code: "list_unread", Err: err}
}

// fileName is the name of the file that a job shares, if it is text.
func fileName(job alert.Job) string { return fileStem(job) + "txt" }

// fileStem begins the name of the file that a job shares. A shared file has no metadata, so
// after a lost answer it is found by its name.
func fileStem(job alert.Job) string { return "tocsin-" + job.ID + "." }

// listFile is a part of a digest's list as a file.
func listFile(ctx context.Context, job alert.Job) (file, error) {
	lines, err := job.Digest.Read(ctx)
	return file{name: fileName(job), title: render.ListTitle(lines, *job.Note), content: render.ListFile(lines, *job.Note)}, err
}

// memberFile is a list of members of a group as a file. Its message says what is new.
func memberFile(ctx context.Context, job alert.Job) (file, error) {
	members, err := job.Members(ctx)
	said := render.Note(job.Incident, *job.Note).Below(smallPrint(job)...)
	return file{name: fileName(job), title: render.MembersTitle(*job.Note), comment: said.Text, content: render.MembersFile(job.Incident, *job.Note, members)}, err
}

// textFile is a long text as a file. Its message says what it is.
func textFile(job alert.Job) file {
	said := render.TextFile(job.Incident, *job.Note)
	return file{name: fileName(job), title: said.Title, comment: said.Message.Below(smallPrint(job)...).Text, content: said.Content}
}

// shareFile uploads what read returns and shares it in the thread, in the three steps of
// docs/slack.md §2.2. Only the last step shows anything, so the others can safely
// be repeated.
func (b *Bot) shareFile(ctx context.Context, job alert.Job, to target, read func() (file, error)) (alert.Sent, error) {
	select {
	case b.listSlots <- struct{}{}:
		defer func() { <-b.listSlots }()
	case <-ctx.Done():
		return alert.Sent{}, listReadError(fmt.Errorf("wait for other lists: %w", ctx.Err()))
	}
	f, err := read()
	if err != nil {
		return alert.Sent{}, listReadError(err)
	}
	if job.PossibleDuplicate {
		f.title += render.FileTwice
	}
	if _, err := b.addFile(ctx, to, f); err != nil {
		return alert.Sent{}, err
	}
	// The answer lacks the ts of the message. The delivery is complete without it,
	// so a failed search is not an error.
	job.TopLevel = to.thread == ""
	if sent, found, err := b.find(ctx, job); err == nil && found {
		return sent, nil
	}
	return alert.Sent{Conversation: to.channel}, nil
}

// listsAtOnce is how many lists are rendered and uploaded at the same time; each
// may take some MB.
const listsAtOnce = 4

// Upload uploads a picture without sharing it, and returns the id by which views
// show it. alt describes it in at most 1,000 characters. The error is an
// *alert.SendError.
func (b *Bot) Upload(ctx context.Context, name, alt string, content []byte) (id string, err error) {
	return b.addFile(ctx, target{where: name}, file{name: name, title: name, alt: alt, content: content})
}

// file is what is uploaded. comment is the message with which it is shared.
type file struct {
	name, title, alt, comment string
	content                   []byte
}

// addFile uploads a file, and shares it if to names a channel. An app without the
// permission for files can still post, so that is an error of the destination.
func (b *Bot) addFile(ctx context.Context, to target, f file) (id string, err error) {
	id, err = b.upload(ctx, to.where, f)
	if err == nil {
		err = b.completeUpload(ctx, to, slack.FileSummary{ID: id, Title: f.title}, f.comment)
	}
	return id, asDestinationError(err, "access_denied", "no_permission")
}

// completeUpload turns an upload into a file, and shares it if to names a channel.
func (b *Bot) completeUpload(ctx context.Context, to target, f slack.FileSummary, comment string) error {
	args := map[string]string{"files": asJSON([]slack.FileSummary{f}), "channel_id": to.channel, "thread_ts": to.thread, "initial_comment": comment}
	return b.call(ctx, request{"files.completeUploadExternal", to.where, args}, nil)
}

// upload sends the bytes of a file and returns its id; nobody sees it yet.
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

// send sends the bytes; the answer is plain text.
func (b *Bot) send(req *http.Request) error {
	resp, err := b.do(req)
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

// listPermalink returns the permalink of a digest's list, or an empty string if
// there is none yet.
func (b *Bot) listPermalink(ctx context.Context, job alert.Job) (string, error) {
	if job.Digest == nil || !job.Digest.Listed {
		return "", nil
	}
	return b.permalink(ctx, job.Card.Conversation, cmp.Or(job.Digest.ListTS, job.Card.TS), job.Place())
}
