package playground

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func FuzzDecodeRequest(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", "channel=C0OPS&text=a%20b&token=x")
	f.Add("application/json; charset=utf-8", `{"channel":"C0OPS","blocks":[{}],"n":1,"none":null,"token":"x"}`)
	f.Add("application/json", `[`)
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequest(http.MethodPost, "/api/chat.postMessage", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		req, err := decodeRequest(r)
		if err == nil && req.args == nil {
			t.Error("no arguments and no error")
		}
		if _, leaked := req.args["token"]; leaked {
			t.Error("the token is among the arguments")
		}
	})
}

func FuzzMessageContent(f *testing.F) {
	f.Add("hi <@U0ANN> https://x.test &", `[{"type":"divider"}]`, `[{"text":"a","blocks":[]}]`, `{"event_type":"a","event_payload":{}}`)
	f.Add("<", "[]", "[null]", "{}")
	s := &Server{ws: newWorkspace("t", "T0PLAYGROUND", newManualClock().now())}
	f.Fuzz(func(t *testing.T, text, blocks, attachments, metadata string) {
		a := args{"text": text, "blocks": blocks, "attachments": attachments, "metadata": metadata}
		if _, err := s.contentLocked(a, maxPostText); err != nil && err.Code == "" {
			t.Error("an error without a code")
		}
	})
}
