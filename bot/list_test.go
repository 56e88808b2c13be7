package bot

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// aDigest is the job of a digest of n incidents.
func aDigest(kind alert.Kind, n int) alert.Job {
	var tally alert.Tally
	var lines []alert.Line
	for i := range n {
		l := alert.Line{ID: fmt.Sprint("k", i), Severity: alert.Error, State: alert.Open, Title: fmt.Sprint("disk full on db-", i), Count: 1}
		lines = append(lines, l)
		tally.Add(l)
	}
	sum := tally.Summary()
	sum.Read = func(context.Context) ([]alert.Line, error) { return lines, nil }
	job := delivery(kind, "#alerts")
	job.Incident.State, job.Digest = alert.StateDigest, &sum
	return job
}

// inThread gives job the card that sent is.
func inThread(job alert.Job, sent alert.Sent, topic alert.Topic) alert.Job {
	job.Card = alert.Card{Lane: job.Lane, Conversation: sent.Conversation, TS: sent.TS}
	job.Note = &alert.Note{Topic: topic, Count: job.Digest.Total}
	return job
}

func TestADigestIsPostedListedAndLinked(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	digest := aDigest(alert.Digest, 100)
	sent := posted(t, b, digest)
	shown, _ := slack.Message("#alerts", sent.TS)
	if sent.Version != 3 || !strings.Contains(shown.Text, "100 incidents") || shown.Metadata == nil {
		t.Errorf("sent %+v, shown %+v", sent, shown)
	}
	if found, ok, err := b.Find(t.Context(), digest); err != nil || !ok || found != sent {
		t.Errorf("found %+v, %v, %v", found, ok, err)
	}
	text := inThread(aDigest(alert.List, 20), sent, alert.TopicList)
	listed := posted(t, b, text)
	if shown, _ = slack.Message("#alerts", listed.TS); shown.ThreadTS != sent.TS || !strings.Contains(shown.Text, "disk full on db-19") {
		t.Errorf("the list is %+v", shown)
	}
	if found, ok, err := b.Find(t.Context(), text); err != nil || !ok || found.TS != listed.TS {
		t.Errorf("found %+v, %v, %v", found, ok, err)
	}
	edit := inThread(aDigest(alert.Update, 100), sent, "")
	edit.Digest.Listed, edit.Digest.ListTS = true, listed.TS
	posted(t, b, edit)
	shown, _ = slack.Message("#alerts", sent.TS)
	if !strings.Contains(shown.Text, "|Complete list>") || !strings.Contains(shown.Text, "p"+strings.ReplaceAll(listed.TS, ".", "")) {
		t.Errorf("the link is missing in %s", shown.Text)
	}
}

func TestALongListIsAFileThatCanBeFoundAgain(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	sent := posted(t, b, aDigest(alert.Digest, 100))
	list := inThread(aDigest(alert.List, 100), sent, alert.TopicFile)
	if found, ok, err := b.Find(t.Context(), list); err != nil || ok {
		t.Errorf("found %+v before it was there: %v", found, err)
	}
	shared := posted(t, b, list)
	shown, ok := slack.Message("#alerts", shared.TS)
	if !ok || shown.ThreadTS != sent.TS || len(shown.Files) != 1 {
		t.Fatalf("shared %+v: %+v", shared, shown)
	}
	data, _ := slack.File(shown.Files[0].ID)
	if n := strings.Count(string(data), "disk full on db-"); n != 100 {
		t.Errorf("the file lists %d", n)
	}
	if found, ok, err := b.Find(t.Context(), list); err != nil || !ok || found != shared {
		t.Errorf("found %+v, %v, %v", found, ok, err)
	}
	list.PossibleDuplicate = true
	posted(t, b, list)
	all := slack.Messages("#alerts")
	if again := all[len(all)-1]; len(again.Files) != 1 || !strings.HasSuffix(again.Files[0].Title, " (possibly a duplicate)") {
		t.Errorf("sent again, it is %+v", again.Files)
	}
	other := inThread(aDigest(alert.List, 100), sent, alert.TopicFile)
	if found, ok, err := b.Find(t.Context(), other); err != nil || ok {
		t.Errorf("another list was found at %+v: %v", found, err)
	}
}

func TestWhereFilesAreForbiddenOnlyFilesAre(t *testing.T) {
	for what, fault := range map[string]playground.Fault{
		"no scope":      {Kind: playground.FaultError, Method: "files.getUploadURLExternal", Error: "missing_scope"},
		"no permission": {Kind: playground.FaultError, Method: "files.completeUploadExternal", Error: "no_permission"},
		"not a member":  {Kind: playground.FaultError, Method: "files.completeUploadExternal", Error: "not_in_channel"},
	} {
		t.Run(what, func(t *testing.T) {
			slack := startSlack(t, playground.Options{})
			b := newBot(t, slack, &logBook{})
			sent := posted(t, b, aDigest(alert.Digest, 100))
			if err := slack.SetFault(fault); err != nil {
				t.Fatal(err)
			}
			list := inThread(aDigest(alert.List, 100), sent, alert.TopicFile)
			_, err := b.Send(t.Context(), list)
			if e := sendErrorOf(t, err); e.Class != alert.ClassDestination {
				t.Errorf("got %+v", e)
			}
			list.Plain = true
			posted(t, b, list)
		})
	}
}

func TestAnUploadThatFailsIsTriedAgain(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	sent := posted(t, b, aDigest(alert.Digest, 100))
	for method, class := range map[string]alert.Class{
		"files.getUploadURLExternal": alert.ClassTransient, "upload": alert.ClassTransient, "files.completeUploadExternal": alert.ClassUnsure,
	} {
		if err := slack.SetFault(playground.Fault{Kind: "500", Method: method, Times: 1}); err != nil {
			t.Fatal(err)
		}
		_, err := b.Send(t.Context(), inThread(aDigest(alert.List, 100), sent, alert.TopicFile))
		if e := sendErrorOf(t, err); e.Class != class {
			t.Errorf("%s failed as %+v, want %s", method, e, class)
		}
	}
}

func TestOnlyAFewListsAreHeldInMemoryAtOnce(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	sent := posted(t, b, aDigest(alert.Digest, 100))
	entered, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range listsAtOnce {
		list := inThread(aDigest(alert.List, 100), sent, alert.TopicFile)
		read := list.Digest.Read
		list.Digest.Read = func(ctx context.Context) ([]alert.Line, error) {
			entered <- struct{}{}
			<-release
			return read(ctx)
		}
		all.Go(func() { posted(t, b, list) })
		<-entered
	}
	late := inThread(aDigest(alert.List, 100), sent, alert.TopicFile)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	late.Digest.Read = func(context.Context) ([]alert.Line, error) {
		t.Error("one more list was read")
		return nil, nil
	}
	_, err := b.Send(ctx, late)
	if e := sendErrorOf(t, err); e.Class != alert.ClassTransient {
		t.Errorf("one more list got %+v, want it to be tried again", e)
	}
	close(release)
	all.Wait()
	posted(t, b, inThread(aDigest(alert.List, 100), sent, alert.TopicFile))
}
