package playground

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestTokensDecideWhoMayCall(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.s.Accept("xoxb-other")
	w.s.Accept("xoxb-taken-back")
	w.s.Revoke("xoxb-taken-back")
	formType := "application/x-www-form-urlencoded"
	rows := []struct{ name, method, kind, token, body, want string }{
		{"no token", "auth.test", formType, "", "", "not_authed"},
		{"unknown token", "auth.test", formType, "xoxb-nobody", "", "invalid_auth"},
		{"revoked token", "auth.test", formType, "xoxb-taken-back", "", "token_revoked"},
		{"accepted token", "auth.test", formType, "xoxb-other", "", ""},
		{"bot token", "auth.test", formType, w.s.BotToken(), "", ""},
		{"app token", "auth.test", formType, w.s.AppToken(), "", ""},
		{"token in a form", "auth.test", formType, "", "token=" + w.s.BotToken(), ""},
		{"token in JSON", "auth.test", "application/json; charset=utf-8", "", `{"token":"` + w.s.BotToken() + `"}`, "not_authed"},
		{"app token for a bot method", "chat.postMessage", formType, w.s.AppToken(), "channel=C0OPS&text=x", "not_allowed_token_type"},
		{"bot token for a socket", "apps.connections.open", formType, w.s.BotToken(), "", "not_allowed_token_type"},
		{"app token in the body", "apps.connections.open", formType, "", "token=" + w.s.AppToken(), "not_authed"},
		{"app token", "apps.connections.open", formType, w.s.AppToken(), "", ""},
		{"unknown method", "chat.shout", formType, w.s.BotToken(), "", "unknown_method"},
	}
	for _, row := range rows {
		t.Run(row.name+" "+row.method, func(t *testing.T) {
			r, err := w.do(w.request(row.method, row.kind, row.token, row.body))
			if err != nil || r.code() != row.want {
				t.Errorf("got %s, %v; want error %q", r.raw, err, row.want)
			}
		})
	}
}

func TestTokenInTheQueryIsNotTaken(t *testing.T) {
	w := newWebTest(t, NoLimits())
	res, err := w.client.Get(w.s.APIURL() + "auth.test?token=" + w.s.BotToken())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(body), "not_authed") {
		t.Errorf("got %s, %v", body, err)
	}
}

func TestBodiesFollowSlacksRules(t *testing.T) {
	w := newWebTest(t, NoLimits())
	rows := []struct{ name, method, kind, body, want string }{
		{"JSON", "chat.postMessage", "application/json; charset=utf-8", `{"channel":"C0OPS","text":"hi"}`, ""},
		{"JSON with blocks as an array", "chat.postMessage", "application/json; charset=utf-8", `{"channel":"C0OPS","blocks":[{"type":"divider"}]}`, ""},
		{"JSON with blocks as a string", "chat.postMessage", "application/json; charset=utf-8", `{"channel":"C0OPS","blocks":"[{\"type\":\"divider\"}]"}`, ""},
		{"broken JSON", "chat.postMessage", "application/json", `{"channel":`, "invalid_json"},
		{"JSON array", "chat.postMessage", "application/json", `[]`, "json_not_object"},
		{"JSON null", "chat.postMessage", "application/json", `null`, "json_not_object"},
		{"empty JSON body", "auth.test", "application/json", ``, ""},
		{"JSON for a form method", "users.info", "application/json; charset=utf-8", `{"user":"U0ANN"}`, "invalid_arguments"},
		{"JSON for getUploadURLExternal", "files.getUploadURLExternal", "application/json; charset=utf-8", `{"filename":"a","length":1}`, "invalid_arguments"},
		{"JSON for conversations.info", "conversations.info", "application/json; charset=utf-8", `{"channel":"C0OPS"}`, "invalid_arguments"},
		{"JSON for conversations.history", "conversations.history", "application/json; charset=utf-8", `{"channel":"C0OPS","limit":5}`, ""},
		{"no type", "chat.postMessage", "", `channel=C0OPS`, "missing_post_type"},
		{"no type, no body", "auth.test", "", ``, ""},
		{"plain text", "chat.postMessage", "text/plain", `channel=C0OPS`, "invalid_post_type"},
		{"bad form", "chat.postMessage", "application/x-www-form-urlencoded", `channel=%zz`, "invalid_form_data"},
		{"bad charset", "chat.postMessage", "application/json; charset=utf-16", `{}`, "invalid_charset"},
		{"bad multipart", "chat.postMessage", "multipart/form-data; boundary=x", `--y`, "invalid_form_data"},
		{"multipart", "chat.postMessage", "multipart/form-data; boundary=x",
			"--x\r\nContent-Disposition: form-data; name=\"channel\"\r\n\r\nC0OPS\r\n--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhi\r\n--x--\r\n", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r, err := w.do(w.request(row.method, row.kind, w.s.BotToken(), row.body))
			if err != nil || r.code() != row.want {
				t.Errorf("got %s, %v; want error %q", r.raw, err, row.want)
			}
		})
	}
}

func TestGetTakesArgumentsFromTheQuery(t *testing.T) {
	w := newWebTest(t, NoLimits())
	req, err := http.NewRequest(http.MethodGet, w.s.APIURL()+"users.info?"+url.Values{"user": {"U0ANN"}}.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.s.BotToken())
	if r, err := w.do(req); err != nil || r.str("user.name") != "ann" {
		t.Errorf("got %s, %v", r.raw, err)
	}
	open, err := http.NewRequest(http.MethodGet, w.s.APIURL()+"apps.connections.open", nil)
	if err != nil {
		t.Fatal(err)
	}
	open.Header.Set("Authorization", "Bearer "+w.s.AppToken())
	if r, err := w.do(open); err != nil || r.code() != "insecure_request" {
		t.Errorf("GET apps.connections.open: %s, %v", r.raw, err)
	}
}

func TestJSONWithoutCharsetIsTakenWithAWarning(t *testing.T) {
	w := newWebTest(t, NoLimits())
	r, err := w.do(w.request("chat.postMessage", "application/json", w.s.BotToken(), `{"channel":"C0OPS","text":"hi"}`))
	if err != nil || r.body["ok"] != true || r.str("warning") != "missing_charset" {
		t.Errorf("got %s, %v", r.raw, err)
	}
	if warnings, _ := r.at("response_metadata.warnings").([]any); len(warnings) != 1 {
		t.Errorf("response_metadata.warnings: %v", warnings)
	}
}

func TestScopesAreCheckedAndNamed(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.s.SetScopes([]string{"users:read", "channels:read", "channels:history", "im:write", "chat:write"})
	rows := []struct {
		method string
		args   form
		needed string
	}{
		{"files.getUploadURLExternal", form{"filename": "a", "length": "1"}, "files:write"},
		{"conversations.join", form{"channel": "C0RANDOM"}, "channels:join"},
		{"conversations.info", form{"channel": "D0ANN"}, "im:read"},
		{"conversations.history", form{"channel": "D0ANN"}, "im:history"},
		{"conversations.list", form{"types": "public_channel,private_channel"}, "groups:read"},
		{"conversations.open", form{"users": "U0ANN,U0BOB"}, "mpim:write"},
		{"users.lookupByEmail", form{"email": "ann@example.com"}, "users:read.email"},
	}
	w.ok("conversations.open", form{"users": "U0ANN"})
	for _, row := range rows {
		r := w.call(row.method, row.args)
		if r.code() != "missing_scope" || r.str("needed") != row.needed || !strings.Contains(r.str("provided"), "users:read") {
			t.Errorf("%s: %s, want %s needed", row.method, r.raw, row.needed)
		}
	}
	r := w.ok("auth.test", nil)
	if got := r.header.Get("X-OAuth-Scopes"); got != "users:read,channels:read,channels:history,im:write,chat:write" {
		t.Errorf("X-OAuth-Scopes: %q", got)
	}
	if got := w.call("chat.update", nil).header.Get("X-Accepted-OAuth-Scopes"); got != "chat:write" {
		t.Errorf("X-Accepted-OAuth-Scopes: %q", got)
	}
}

func TestAuthTestSaysWhoTheBotIs(t *testing.T) {
	w := newWebTest(t, NoLimits())
	r := w.ok("auth.test", nil)
	for path, want := range map[string]string{
		"team": "Tocsin Playground", "team_id": "T0PLAYGROUND", "user": "tocsin", "user_id": "U0TOCSIN", "bot_id": "B0TOCSIN", "url": w.s.URL() + "/",
	} {
		if r.str(path) != want {
			t.Errorf("%s is %q, want %q", path, r.str(path), want)
		}
	}
}

func TestTicketWorksOnceAndNotForLong(t *testing.T) {
	w := newWebTest(t, NoLimits())
	ticket := func() string {
		r, err := w.do(w.request("apps.connections.open", "application/json; charset=utf-8", w.s.AppToken(), ""))
		if err != nil || !strings.HasPrefix(r.str("url"), "ws://127.0.0.1:") {
			t.Fatalf("got %s, %v", r.raw, err)
		}
		u, err := url.Parse(r.str("url"))
		if err != nil {
			t.Fatal(err)
		}
		return u.Query().Get("ticket")
	}
	first := ticket()
	if got := []int{w.s.redeemTicket(first), w.s.redeemTicket(first), w.s.redeemTicket("")}; !slices.Equal(got, []int{101, 408, 404}) {
		t.Errorf("a ticket has to work exactly once, got %v", got)
	}
	late := ticket()
	w.clock.advance(ticketLife + 1)
	if got := w.s.redeemTicket(late); got != 408 {
		t.Errorf("a ticket after its life: %d", got)
	}
}

func TestCloseEndsCallsThatHang(t *testing.T) {
	w := newWebTest(t, NoLimits())
	if err := w.s.SetFault(Fault{Kind: FaultTimeout}); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := w.try("auth.test", nil)
		failed <- err
	}()
	if err := w.s.Wait(t.Context(), func(sn *Snapshot) bool { return sn.CallCount("auth.test") == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("a call that hung got an answer")
	}
	if err := w.s.Wait(t.Context(), func(*Snapshot) bool { return false }); err == nil || errors.Is(err, t.Context().Err()) {
		t.Errorf("Wait after Close: %v", err)
	}
}

func TestJournalKeepsArgumentsButNoToken(t *testing.T) {
	w := newWebTest(t, NoLimits())
	body := url.Values{"token": {w.s.BotToken()}, "channel": {"#ops"}, "text": {"hi"}}
	if _, err := w.do(w.request("chat.postMessage", "application/x-www-form-urlencoded", "", body.Encode())); err != nil {
		t.Fatal(err)
	}
	calls := w.s.Calls()
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	c := calls[0]
	if c.Method != "chat.postMessage" || c.Args["text"] != "hi" || c.Channel != "C0OPS" || c.Token != "bot" || c.Status != 200 || c.TS == "" {
		t.Errorf("call: %+v", c)
	}
	if len(c.Args) != 2 {
		t.Errorf("arguments: %v", c.Args)
	}
	kinds := []string{}
	for i, e := range w.s.Journal() {
		kinds = append(kinds, e.Kind)
		if e.Seq != int64(i)+1 {
			t.Errorf("entry %d has number %d", i, e.Seq)
		}
	}
	if !slices.Equal(kinds, []string{KindMessage, KindCall}) {
		t.Errorf("journal: %v", kinds)
	}
}
