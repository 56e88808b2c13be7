package playground

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestFreshWorkspaceHasItsPeopleAndChannels(t *testing.T) {
	w := newWebTest(t, NoLimits())
	var got []string
	for _, c := range w.s.Channels() {
		got = append(got, fmt.Sprintf("%s member=%t private=%t archived=%t", c.Name, c.IsMember, c.IsPrivate, c.IsArchived))
	}
	want := []string{
		"alerts member=true private=false archived=false", "ops member=true private=false archived=false", "random member=false private=false archived=false",
		"secret member=false private=true archived=false", "old member=true private=false archived=true",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("channels:\n%s", strings.Join(got, "\n"))
	}
	if users := w.s.Users(); len(users) != 4 || !users[0].IsBot || users[1].RealName != "Ann Field" {
		t.Errorf("users: %+v", users)
	}
	if !strings.HasPrefix(w.s.AppToken(), "xapp-") || !strings.HasPrefix(w.s.BotToken(), "xoxb-") || w.s.APIURL() != w.s.URL()+"/api/" {
		t.Error("tokens or addresses have the wrong form")
	}
}

func TestAddedChannelAndUserTakePart(t *testing.T) {
	w := newWebTest(t, NoLimits())
	channel := w.s.AddChannel(Channel{Name: "#db", IsMember: true})
	user := w.s.AddUser(User{Name: "dan"})
	w.ok("chat.postEphemeral", form{"channel": channel, "user": user, "text": "hi"})
	if got := w.s.Ephemerals("dan", "#db"); len(got) != 1 {
		t.Errorf("dan sees %+v", got)
	}
	if err := w.s.Rename("#db", "database"); err != nil {
		t.Fatal(err)
	}
	if ts := w.post("#database", "hi"); ts == "" || len(w.s.Messages(channel)) != 1 {
		t.Error("the channel's new name does not work")
	}
	if w.s.Messages("#db") != nil || w.s.Messages("@nobody") != nil || w.s.Ephemerals("nobody", "#ops") != nil {
		t.Error("names that do not exist show messages")
	}
}

func TestWaitEndsWithTheConditionOrTheContext(t *testing.T) {
	w := newWebTest(t, NoLimits())
	result := make(chan error, 1)
	go func() {
		result <- w.s.Wait(t.Context(), func(sn *Snapshot) bool {
			return sn.MessageCount("#ops") == 3 && len(sn.Messages("#ops")) == 3 && len(sn.Calls("chat.postMessage")) == 3 && sn.Count(KindMessage) == 3
		})
	}()
	for range 3 {
		w.post("#ops", "x")
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.s.Wait(ctx, func(*Snapshot) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := w.s.Wait(ctx, func(*Snapshot) bool { return true }); err != nil {
		t.Errorf("a condition that holds already: %v", err)
	}
}

func TestSubscriberSeesEachEntryOnce(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.post("#ops", "one")
	entries, wake := w.s.since(0)
	if len(entries) != 2 {
		t.Fatalf("%d entries", len(entries))
	}
	w.post("#ops", "two")
	<-wake
	more, _ := w.s.since(entries[1].Seq)
	if len(more) != 2 || more[0].Message.Text != "two" {
		t.Errorf("more: %+v", more)
	}
	if beyond, _ := w.s.since(99); len(beyond) != 0 {
		t.Errorf("beyond: %+v", beyond)
	}
}

func TestJournalShowsMessagesAsTheyWereAtThatMoment(t *testing.T) {
	w := newWebTest(t, NoLimits())
	ts := w.post("#ops", "first")
	w.ok("chat.update", form{"channel": "C0OPS", "ts": ts, "text": "second"})
	w.ok("chat.delete", form{"channel": "C0OPS", "ts": ts})
	var got []string
	for _, e := range w.s.Journal() {
		if e.Message != nil {
			got = append(got, e.Kind+" "+e.Message.Text)
		}
	}
	if want := "message first, message_changed second, message_deleted second"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %q", strings.Join(got, ", "), want)
	}
}

func TestConcurrentPostsKeepEveryMessageAndTheirOrder(t *testing.T) {
	w := newWebTest(t, NoLimits())
	channels := []string{"C0OPS", "C0ALERTS", "C0RANDOM"}
	var posters sync.WaitGroup
	for i := range 9 {
		posters.Go(func() {
			for j := range 20 {
				if _, err := w.try("chat.postMessage", form{"channel": channels[i%3], "text": fmt.Sprintf("%d %d", i, j)}); err != nil {
					t.Error(err)
				}
				w.s.Messages(channels[j%3])
				w.s.Journal()
			}
		})
	}
	if err := w.s.Wait(t.Context(), func(sn *Snapshot) bool { return sn.CallCount("chat.postMessage") == 180 }); err != nil {
		t.Fatal(err)
	}
	posters.Wait()
	for _, c := range channels {
		last, next := "", map[string]int{}
		for _, m := range w.s.Messages(c) {
			var who, n int
			if _, err := fmt.Sscanf(m.Text, "%d %d", &who, &n); err != nil {
				t.Fatal(err)
			}
			key := fmt.Sprint(who)
			if m.TS <= last || n != next[key] {
				t.Errorf("%s: %q with ts %s after %s", c, m.Text, m.TS, last)
			}
			last, next[key] = m.TS, n+1
		}
		if len(w.s.Messages(c)) != 60 {
			t.Errorf("%s: %d messages", c, len(w.s.Messages(c)))
		}
	}
}

func TestTakenPortIsOneClearError(t *testing.T) {
	w := newWebTest(t, NoLimits())
	_, err := New(Options{Listen: strings.TrimPrefix(w.s.URL(), "http://")})
	if err == nil || !strings.HasPrefix(err.Error(), "listen for playground: ") {
		t.Errorf("got %v", err)
	}
}

func TestCloseTwiceIsFine(t *testing.T) {
	w := newWebTest(t, NoLimits())
	if err := errors.Join(w.s.Close(), w.s.Close()); err != nil {
		t.Error(err)
	}
	res, err := w.client.Post(w.s.APIURL()+"auth.test", "text/plain", http.NoBody)
	if err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		t.Error("a closed playground answers")
	}
}
