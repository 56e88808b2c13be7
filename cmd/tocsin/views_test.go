package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
	"tocsin/render"
)

// view is one of render's golden files: a message, or a view.
type view struct {
	name        string
	Text        string
	Blocks      json.RawMessage
	Attachments json.RawMessage
	Type        string `json:"type"`
	raw         string
}

// goldenViews are all that render draws, with a picture that exists.
func goldenViews(t *testing.T, picture string) []view {
	t.Helper()
	files, err := filepath.Glob("../../render/testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("render has no golden files: %v", err)
	}
	var all []view
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw := strings.ReplaceAll(string(body), "F0CHART", picture)
		v := view{name: strings.TrimSuffix(filepath.Base(file), ".json"), raw: raw}
		if err := json.Unmarshal([]byte(raw), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// app calls the playground's Web API as the daemon would.
type app struct {
	t *testing.T
	s *playground.Server
}

// call fails the test with all that Slack has against the arguments.
func (a app) call(method string, args url.Values) map[string]any {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.s.APIURL()+method, strings.NewReader(args.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+a.s.BotToken())
	return a.answer(method, req)
}

func (a app) answer(what string, req *http.Request) map[string]any {
	a.t.Helper()
	client := &http.Client{Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err == nil && answer["ok"] != true {
		a.t.Fatalf("%s: Slack refuses it: %s", what, body)
	}
	return answer
}

// upload puts a picture into Slack and returns its id once it can be shown.
func (a app) upload(picture []byte) string {
	a.t.Helper()
	place := a.call("files.getUploadURLExternal", url.Values{"filename": {"chart.png"}, "length": {fmt.Sprint(len(picture))}})
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, fmt.Sprint(place["upload_url"]), bytes.NewReader(picture))
	if err != nil {
		a.t.Fatal(err)
	}
	a.answer("upload", req)
	id := fmt.Sprint(place["file_id"])
	a.call("files.completeUploadExternal", url.Values{"files": {`[{"id":"` + id + `","title":"chart"}]`}})
	return id
}

// show puts a view where it belongs.
func (a app) show(v view) {
	a.t.Helper()
	switch v.Type {
	case "home":
		a.call("views.publish", url.Values{"user_id": {a.userID()}, "view": {v.raw}})
	case "modal":
		// Nobody is there to answer the command, but it has a trigger.
		ctx, cancel := context.WithTimeout(a.t.Context(), patience)
		defer cancel()
		run, err := a.s.User("ann").Command(ctx, "#alerts", "/notify", "")
		if err != nil {
			a.t.Fatal(err)
		}
		a.call("views.open", url.Values{"trigger_id": {run.TriggerID}, "view": {v.raw}})
	default:
		args := url.Values{"channel": {"#alerts"}, "text": {v.Text}}
		if string(v.Blocks) != "null" {
			args.Set("blocks", string(v.Blocks))
		}
		if string(v.Attachments) != "null" {
			args.Set("attachments", string(v.Attachments))
		}
		a.call("chat.postMessage", args)
	}
}

func (a app) userID() string {
	for _, u := range a.s.Users() {
		if u.Name == "ann" {
			return u.ID
		}
	}
	return ""
}

// someStats have alerts in each hour of a day.
func someStats() alert.Stats {
	s := alert.Stats{From: time.Unix(1795392000, 0)}
	for n := range 24 {
		s.Buckets = append(s.Buckets, alert.Bucket{At: s.From.Add(time.Duration(n) * time.Hour), BySeverity: map[alert.Severity]int64{
			alert.Critical: int64(n % 8 / 6), alert.Error: int64(n * 5 % 7), alert.Warning: int64(n * 7 % 11), alert.Info: int64(n * 13 % 5),
		}})
	}
	s.Until = s.From.AddDate(0, 0, 1)
	return s
}

func TestThePlaygroundTakesEveryViewOfRender(t *testing.T) {
	t.Parallel()
	a := app{t: t, s: slack(t, playground.Options{Limits: playground.NoLimits(), FileScan: time.Nanosecond})}
	picture, err := render.Picture(someStats(), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range goldenViews(t, a.upload(picture)) {
		t.Run(v.name, func(t *testing.T) { app{t: t, s: a.s}.show(v) })
	}
}
