package bot

import (
	"context"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// pair is a spelling and Slack's id for it.
type pair struct{ spelling, id string }

// learns has the bot pass on what it learns to a channel.
func learns(b *Bot) chan pair {
	learnt := make(chan pair, 100)
	b.opts.Learn = func(_ context.Context, spelling, id string) error {
		learnt <- pair{spelling, id}
		return nil
	}
	return learnt
}

func wantPair(t *testing.T, learnt chan pair, want pair) {
	t.Helper()
	select {
	case got := <-learnt:
		if got != want {
			t.Errorf("learnt %v, want %v", got, want)
		}
	case <-time.After(patience):
		t.Errorf("%v was not learnt", want)
	}
}

func TestWhatSlackSaysAboutNamesIsLearnt(t *testing.T) {
	var learnt chan pair
	s := connect(t, playground.Options{}, func(s *stage) { learnt = learns(s.bot) })
	s.live(2)
	const dm = "D0ANN"
	ann := s.slack.User("ann")
	for _, step := range []struct {
		name string
		do   func() error
		want pair
	}{
		{"a command", func() error { _, err := ann.Command(t.Context(), "#ops", "/notify", "help"); return err }, pair{"#ops", "C0OPS"}},
		{"a renamed channel", func() error { return s.slack.Rename("#ops", "operations") }, pair{"#operations", "C0OPS"}},
		{"a direct message", func() error { _, err := ann.DM("help"); return err }, pair{"U0ANN", dm}},
		{"an opened App Home", func() error { return ann.OpenHome() }, pair{"U0ANN", dm}},
		{"a person's name", func() error { _, err := s.bot.Person(t.Context(), "@Ann"); return err }, pair{"@ann", "U0ANN"}},
		{"a mail address", func() error { _, err := s.bot.Person(t.Context(), "bob@example.com"); return err }, pair{"bob@example.com", "U0BOB"}},
		{"a channel's name", func() error { _, err := s.bot.Members(t.Context(), "#alerts"); return err }, pair{"#alerts", "C0ALERTS"}},
		{"what is asked about a channel", func() error { return s.bot.Check(t.Context(), "C0OPS") }, pair{"#operations", "C0OPS"}},
		{"opened direct messages", func() error { _, err := s.bot.openDM(t.Context(), "U0ANN"); return err }, pair{"U0ANN", dm}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		wantPair(t, learnt, step.want)
	}
}

func TestNamesThatSlackHidesAndThoseOfOtherWorkspacesAreNotLearnt(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	b := newBot(t, slack, &logBook{})
	learnt := learns(b)
	if err := b.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	own := b.Identity().TeamID
	for _, c := range []Command{
		{Caller: Caller{Channel: "D0ANN", Team: own}, ChannelName: "directmessage"},
		{Caller: Caller{Channel: "C0SECRET", Team: own}, ChannelName: "privategroup"},
		{Caller: Caller{Channel: "G0MANY", Team: own}, ChannelName: "mpdm-ann--bob-1"},
		{Caller: Caller{Channel: "C0OPS", Team: "T0OTHER"}, ChannelName: "ops"},
		{Caller: Caller{Channel: "C0OPS", Team: own}},
	} {
		b.learnFromCommand(t.Context(), c)
	}
	b.learnDM(t.Context(), "U0ANN", "C0OPS")
	if len(learnt) > 0 {
		t.Errorf("learnt %v", <-learnt)
	}
}

func TestARenamedChannelIsRead(t *testing.T) {
	d, err := decodeEvent([]byte(`{"team_id":"T1","event":{"type":"group_rename","channel":{"id":"C0123","name":"operations","created":1360782804}}}`), Identity{})
	if err != nil || d.renamed == nil || *d.renamed != (namedChannel{"C0123", "operations"}) || d.team != "T1" {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := decodeEvent([]byte(`{"event":{"type":"channel_rename","channel":"C0123"}}`), Identity{}); err != nil {
		t.Error(err)
	}
}

func TestAnAliasThatIsNotKeptDelaysNobody(t *testing.T) {
	slack := startSlack(t, playground.Options{})
	book := &logBook{}
	b := newBot(t, slack, book)
	b.opts.Learn = func(context.Context, string, string) error { return alert.ErrUnavailable }
	if p, err := b.Person(t.Context(), "@ann"); err != nil || p.ID != "U0ANN" {
		t.Errorf("got %+v, %v", p, err)
	}
	book.await(t, "is not remembered", 1)
}
