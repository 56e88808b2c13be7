package playground

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// upload announces a file, sends data and returns the file's id.
func (w *webTest) upload(name, data string) string {
	w.Helper()
	r := w.ok("files.getUploadURLExternal", form{"filename": name, "length": "5"})
	if got := w.send(r.str("upload_url"), "application/octet-stream", data); got.status != http.StatusOK || got.raw != "OK - 5" {
		w.Fatalf("upload: %d %s", got.status, got.raw)
	}
	return r.str("file_id")
}

func (w *webTest) send(url, kind, body string) response {
	w.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	r, err := w.do(req)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func TestAPictureCanBeShownOnceSlackHasLookedAtIt(t *testing.T) {
	w := newWebTest(t, NoLimits())
	id := w.upload("chart.png", "bytes")
	done := w.ok("files.completeUploadExternal", form{"files": `[{"id":"` + id + `"}]`})
	if files, _ := done.body["files"].([]any); dig(files, 0, "mimetype") != "" {
		t.Errorf("the type is known at once: %s", done.raw)
	}
	home := form{"user_id": "U0ANN", "view": `{"type":"home","blocks":[{"type":"image","alt_text":"a","slack_file":{"id":"` + id + `"}}]}`}
	if r := w.call("views.publish", home); r.code() != "invalid_arguments" || !strings.Contains(r.raw, "invalid slack file [json-pointer:/view/blocks/0/slack_file]") {
		t.Errorf("shown while Slack looks at it: %s", r.raw)
	}
	w.clock.advance(time.Second)
	if got := w.ok("files.info", form{"file": id}); got.str("file.mimetype") != "image/png" {
		t.Errorf("info: %s", got.raw)
	}
	w.ok("views.publish", home)
	w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "x", "blocks": `[{"type":"image","alt_text":"a","slack_file":{"url":"` + w.ok("files.info", form{"file": id}).str("file.url_private") + `"}}]`})
	text := w.upload("list.txt", "bytes")
	w.ok("files.completeUploadExternal", form{"files": `[{"id":"` + text + `"}]`})
	w.clock.advance(time.Second)
	if r := w.call("chat.postMessage", form{"channel": "C0OPS", "blocks": `[{"type":"image","alt_text":"a","slack_file":{"id":"` + text + `"}}]`}); r.code() != "invalid_blocks" {
		t.Errorf("a text shown as a picture: %s", r.raw)
	}
	if r := w.call("files.info", form{"file": "F00NOTHERE"}); r.code() != "file_not_found" {
		t.Errorf("info of no file: %s", r.raw)
	}
}

func TestUploadedFileIsSharedAndCanBeRead(t *testing.T) {
	w := newWebTest(t, NoLimits())
	parent := w.post("C0OPS", "parent")
	id := w.upload("../list.txt", "hello")
	w.ok("files.completeUploadExternal", form{
		"files": `[{"id":"` + id + `","title":"The list"}]`, "channel_id": "C0OPS", "thread_ts": parent, "initial_comment": "all of them",
	})
	shown := w.s.Messages("#ops")
	if len(shown) != 2 || shown[1].ThreadTS != parent || shown[1].Text != "all of them" || len(shown[1].Files) != 1 {
		t.Fatalf("messages: %+v", shown)
	}
	file := shown[1].Files[0]
	if file.Name != "list.txt" || file.Title != "The list" || file.Size != 5 {
		t.Errorf("file: %+v", file)
	}
	res, err := w.client.Get(file.URLPrivate)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("status %d, header %v", res.StatusCode, res.Header)
	}
	if data, ok := w.s.File(id); !ok || string(data) != "hello" {
		t.Errorf("data %q", data)
	}
}

func TestUploadOutcomes(t *testing.T) {
	each(t, "files.getUploadURLExternal", nil, []outcome{
		{"file", form{"filename": "a.txt", "length": "3"}, ""},
		{"no name", form{"length": "3"}, "invalid_arguments"},
		{"no length", form{"filename": "a.txt"}, "invalid_arguments"},
		{"empty", form{"filename": "a.txt", "length": "0"}, "invalid_arguments"},
		{"huge", form{"filename": "a.txt", "length": "99999999999"}, "file_upload_size_restricted"},
		{"long alt text", form{"filename": "a.txt", "length": "3", "alt_txt": strings.Repeat("x", 1001)}, "alt_txt_too_large"},
	})
	w := newWebTest(t, NoLimits())
	id := w.upload("a.txt", "hello")
	files := `[{"id":"` + id + `"}]`
	for _, row := range []outcome{
		{"not a member", form{"files": files, "channel_id": "C0RANDOM"}, "not_in_channel"},
		{"unknown channel", form{"files": files, "channel_id": "C0NONE"}, "channel_not_found"},
		{"archived", form{"files": files, "channels": "C0OPS,C0OLD"}, "is_archived"},
		{"unknown file", form{"files": `[{"id":"F0"}]`, "channel_id": "C0OPS"}, "file_not_found"},
		{"no files", form{"files": `[]`, "channel_id": "C0OPS"}, "invalid_arguments"},
		{"unknown thread", form{"files": files, "channel_id": "C0OPS", "thread_ts": "1.1"}, "thread_not_found"},
		{"too many channels", form{"files": files, "channels": strings.Repeat("C0OPS,", 101)}, "invalid_arguments"},
		{"two channels", form{"files": files, "channels": "C0OPS,C0ALERTS"}, ""},
		{"again", form{"files": files, "channel_id": "C0OPS"}, "file_not_found"},
	} {
		if r := w.call("files.completeUploadExternal", row.args); r.code() != row.want {
			t.Errorf("%s: %s", row.name, r.raw)
		}
	}
	if n := len(w.s.Messages("#ops")) + len(w.s.Messages("#alerts")); n != 2 {
		t.Errorf("%d messages", n)
	}
}

func TestUploadWithWrongBytesIsRefused(t *testing.T) {
	w := newWebTest(t, NoLimits())
	r := w.ok("files.getUploadURLExternal", form{"filename": "a.txt", "length": "5"})
	if got := w.send(r.str("upload_url"), "text/plain", "four"); got.status != http.StatusBadRequest {
		t.Errorf("short: %d %s", got.status, got.raw)
	}
	multipart := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--x--\r\n"
	if got := w.send(r.str("upload_url"), "multipart/form-data; boundary=x", multipart); got.raw != "OK - 5" {
		t.Errorf("multipart: %d %s", got.status, got.raw)
	}
	if got := w.send(w.s.URL()+"/upload/F0NONE", "text/plain", "x"); got.status != http.StatusNotFound {
		t.Errorf("unknown: %d", got.status)
	}
}
