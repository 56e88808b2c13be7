package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// Where people are at work: nobody acknowledges what is in the one conversation, and the person
// with the oracle's name acknowledges all that is in the other.
const (
	unansweredLane = "#unanswered"
	clickedLane    = "#clicked"
	peopleRoutes   = `
  - name: unanswered
    match: 'team="unanswered"'
    to: ['#unanswered']
    escalate: [{after: 4s, mention: here}]
  - name: clicked
    match: 'team="clicked"'
    to: ['#clicked']`
)

// typist types commands, each as another person, and knows who has to be answered.
type typist struct {
	*oracle
	mu    sync.Mutex
	acked map[string]string // the person to the envelope
}

// peopleAtWork has people type, click and wait as long as alerts are sent, and waits for what
// has to come of it.
func (c *clusterOracle) peopleAtWork(ctx context.Context) (finish func()) {
	for _, lane := range []string{unansweredLane, clickedLane} {
		c.slack.AddChannel(playground.Channel{Name: strings.TrimPrefix(lane, "#"), IsMember: true})
	}
	c.typist = &typist{oracle: c.oracle, acked: map[string]string{}}
	c.watcher, c.clicker = newPusher(c.oracle, c.plan.pushers+c.plan.groupers), newPusher(c.oracle, c.plan.pushers+c.plan.groupers+1)
	c.pushers = append(c.pushers, c.watcher, c.clicker)
	var work sync.WaitGroup
	for _, step := range []func(context.Context) error{c.typist.step, c.open, c.click} {
		work.Go(func() {
			for c.working.Load() > 0 && !c.t.Failed() {
				if err := step(ctx); err != nil {
					c.t.Error(err)
					return
				}
			}
		})
	}
	return func() {
		work.Wait()
		c.awaited(ctx, "an answer to each command", func() bool { return len(c.typist.unanswered()) == 0 })
		c.awaited(ctx, "each escalation", func() bool { return len(c.notEscalatedOnce()) == 0 })
	}
}

// step types a command.
func (t *typist) step(ctx context.Context) error {
	_, err := t.asks("person", func(who *playground.Person) (*playground.Interaction, error) {
		run, err := who.Command(ctx, "alerts", "/notify", "show zzzz")
		if err != nil {
			return nil, err
		}
		return &run.Interaction, nil
	})
	pause(ctx, 500*time.Millisecond)
	return err
}

// asks has a new person do something that they get an answer to if it is acked.
func (t *typist) asks(name string, do func(who *playground.Person) (*playground.Interaction, error)) (acked bool, err error) {
	id := t.slack.AddUser(playground.User{Name: name + alert.NewID()})
	got, err := do(t.slack.User(id))
	if err != nil || !got.Acked {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.acked[id] = got.ID
	return true, nil
}

// answers are what the app has said to each person.
func (t *typist) answers() map[string][]playground.Entry {
	all := map[string][]playground.Entry{}
	for _, e := range t.slack.Journal() {
		person := e.User
		if e.Kind == playground.KindMessage {
			person = "U" + strings.TrimPrefix(e.Channel, "D") // of whom it is the direct conversation
		}
		if e.Message != nil && e.Message.User != "USLACKBOT" && t.acked[person] != "" {
			all[person] = append(all[person], e)
		}
	}
	return all
}

// unanswered are the commands without an answer, but for those that Slack refused each of
// three times.
func (t *typist) unanswered() (all []string) {
	answers := t.answers()
	t.mu.Lock()
	defer t.mu.Unlock()
	for person, envelope := range t.acked {
		if len(answers[person]) == 0 && !t.refused(envelope) {
			all = append(all, person+" of "+envelope)
		}
	}
	return all
}

func (t *typist) refused(envelope string) bool {
	return slices.ContainsFunc(t.all, func(d *process) bool {
		log := d.log.String()
		return strings.Contains(log, `"msg":"request from slack failed","envelope":"`+envelope) || strings.Contains(log, `"msg":"nobody could be told","envelope":"`+envelope)
	})
}

// answeredTwice are commands with several answers, although no fault was between these.
func (t *typist) answeredTwice() (all []string) {
	for person, answers := range t.answers() {
		for n := 1; n < len(answers); n++ {
			if !t.disturbed(answers[n-1].At, answers[n].At) {
				all = append(all, person+": "+asJSON(answers))
			}
		}
	}
	return all
}

// disturbed reports whether there was a fault between two moments.
func (t *typist) disturbed(from, to time.Time) bool {
	x := &exhibit{marks: t.marks}
	var faults bool
	for _, e := range t.slack.Journal() {
		if e.Kind == playground.KindFaults && e.At.Before(to) {
			if faults = e.Reason != ""; e.At.After(from) && faults {
				return true
			}
		}
	}
	return faults || x.outageBetween(from, to)
}

// awaited waits until ok is content.
func (c *clusterOracle) awaited(ctx context.Context, what string, ok func() bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, c.plan.patience)
	defer cancel()
	for !ok() {
		if !pause(ctx, 200*time.Millisecond) {
			c.t.Errorf("%s did not come in %s: unanswered are %v", what, c.plan.patience, c.typist.unanswered())
			return
		}
	}
}

// alert sends an alert of the team that a conversation belongs to.
func (c *clusterOracle) alert(ctx context.Context, p *pusher, lane string) (*story, error) {
	a := p.alert(p.fresh(), lane, alert.Firing)
	a.labels, a.words, a.severity = map[string]string{"team": strings.TrimPrefix(lane, "#")}, 0, alert.Error
	err := p.send(ctx, a)
	return p.stories[a.key], err
}

// open opens an incident that nobody acknowledges.
func (c *clusterOracle) open(ctx context.Context) error {
	s, err := c.alert(ctx, c.watcher, unansweredLane)
	if err != nil {
		return err
	}
	s.notes = append(s.notes, note{alert.TopicUnanswered, s.opened()})
	pause(ctx, 3*time.Second)
	return nil
}

// escalations are how often it was said that nobody has acknowledged each incident, by its key.
func (c *clusterOracle) escalations() map[string]int {
	all := map[string]int{}
	for _, m := range saying(c.slack.Messages(unansweredLane), "Nobody has acknowledged this") {
		for line := range strings.Lines(m.Text) {
			if found := shownKey.FindStringSubmatch(line); found != nil && strings.Contains(line, "Nobody has acknowledged this") {
				all[found[1]]++
			}
		}
	}
	return all
}

// click acknowledges an incident on its card, and does so again until it is acknowledged: a
// click that does not get into the inbox is answered with the word that nothing was changed.
func (c *clusterOracle) click(ctx context.Context) error {
	s, err := c.alert(ctx, c.clicker, clickedLane)
	for err == nil && !s.acked && pause(ctx, 200*time.Millisecond) {
		found := saying(c.slack.Messages(clickedLane), s.opened().title())
		if len(found) == 0 {
			continue
		}
		var acked bool
		acked, err = c.typist.asks("oracle", func(who *playground.Person) (*playground.Interaction, error) {
			return who.Click(ctx, playground.AtMessage(clickedLane, found[0].TS), "ack")
		})
		for began := time.Now(); acked && !s.acked && time.Since(began) < answerLimit && pause(ctx, 100*time.Millisecond); {
			if c.state(ctx, found[0]) == alert.Acked {
				s.person(alert.VerbAck, s.opened())
			}
		}
	}
	pause(ctx, 3*time.Second)
	return err
}

// state is that of the incident that a card shows, as far as a replica says it now.
func (c *clusterOracle) state(ctx context.Context, card playground.Message) alert.State {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	button := buttonValue.FindStringSubmatch(string(card.Attachments))
	var i alert.Incident
	if button == nil || c.clicker.client().call(ctx, http.MethodGet, incidentPath(button[1]), nil, &i) != nil {
		c.clicker.elsewhere()
	}
	return i.State
}

// peopleAreContent checks that each command has one answer, and that each incident that nobody
// acknowledged has escalated once.
func (c *clusterOracle) peopleAreContent() {
	for _, wrong := range append(c.typist.unanswered(), c.typist.answeredTwice()...) {
		c.t.Errorf("%s is not answered once", wrong)
	}
	for _, s := range c.notEscalatedOnce() {
		c.t.Errorf("%s escalated %d times\n%s", describe(s), c.escalations()[s.key], c.collect().lines(s.key))
	}
}

// notEscalatedOnce are the incidents that nobody acknowledged and that did not escalate once.
// Where a digest lists it, that may be all that people see of it.
func (c *clusterOracle) notEscalatedOnce() []*story {
	escalations, listed := c.escalations(), c.collect().listed
	return slices.DeleteFunc(slices.Clone(c.watcher.order), func(s *story) bool {
		n := escalations[s.key]
		return n == 1 || n == 0 && len(listed[s.key]) > 0
	})
}
