package alert_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tocsin/alert"
)

// reply folds notes into one reply and returns what it says, with an empty string
// for a note that needs a reply of its own.
func reply(notes ...alert.Note) (said []string) {
	var waiting *alert.Note
	for _, n := range notes {
		if waiting == nil {
			waiting = &n
			continue
		}
		folded, ok := waiting.Fold(n)
		if !ok {
			return append(topics(waiting), "", string(n.Topic))
		}
		waiting = folded
	}
	return topics(waiting)
}

func topics(n *alert.Note) (all []string) {
	if n == nil {
		return nil
	}
	for _, one := range n.Notes() {
		if one.Topic == alert.TopicOthers {
			one.Text = fmt.Sprintf("(%d)", one.Count)
		}
		all = append(all, strings.TrimSpace(string(one.Topic)+" "+one.Text))
	}
	return all
}

func TestPendingNotesFoldIntoOneReply(t *testing.T) {
	note := func(topic alert.Topic, text ...string) alert.Note {
		return alert.Note{Topic: topic, Text: strings.Join(text, " "), By: alert.Person{Name: "ann"}}
	}
	resolved, reopened, refired := note(alert.TopicResolved), note(alert.TopicReopened), note(alert.TopicRefired)
	acked := reopened
	acked.To = alert.Person{Name: "ann"}
	pings := reopened
	pings.Mention = []string{"here"}
	crowd := note(alert.TopicAcked)
	crowd.Mention = slices.Repeat([]string{"U0ANN"}, alert.MostMentions)
	graver := reopened
	graver.Worse = true
	worse := func(s alert.Severity) alert.Note { return alert.Note{Topic: alert.TopicEscalated, Severity: s} }
	text := func(topic alert.Topic, text string) alert.Note {
		return alert.Note{Topic: topic, Text: text, Latest: topic == alert.TopicRefired}
	}
	a, b, c, d, e := text(alert.TopicFormer, "a"), text(alert.TopicRefired, "b"), text(alert.TopicRefired, "c"), text(alert.TopicReopened, "d"), text(alert.TopicRefired, "e")
	f, page := text(alert.TopicRefired, "f"), text(alert.TopicRefired, strings.Repeat("x", alert.PageSize))
	long := note(alert.TopicNote, strings.Repeat("x", alert.PageSize-300))
	for _, test := range []struct {
		what  string
		notes []alert.Note
		want  []string
	}{
		{"resolved and firing again is nothing", []alert.Note{resolved, reopened}, nil},
		{"firing again and resolved is nothing", []alert.Note{reopened, resolved}, nil},
		{"what is left is the last change", []alert.Note{resolved, reopened, resolved}, []string{"resolved"}},
		{"an acknowledgement that is void is said", []alert.Note{resolved, acked}, []string{"reopened"}},
		{"and not forgotten", []alert.Note{acked, resolved, reopened}, []string{"reopened"}},
		{"what fires again and is worse is said", []alert.Note{resolved, graver}, []string{"reopened"}},
		{"however often it flaps", []alert.Note{resolved, graver, resolved, reopened}, []string{"reopened"}},
		{"also when it resolves", []alert.Note{graver, resolved}, []string{"reopened", "resolved"}},
		{"who is mentioned is pinged", []alert.Note{resolved, pings}, []string{"reopened"}},
		{"firing again and again is said once", []alert.Note{refired, refired, refired}, []string{"refired"}},
		{"each note of a person is kept", []alert.Note{note(alert.TopicNote, "a"), refired, note(alert.TopicNote, "a"), refired}, []string{"note a", "note a", "refired"}},
		{"a note outlives what is undone", []alert.Note{resolved, note(alert.TopicNote, "a"), reopened}, []string{"note a"}},
		{"text is kept", []alert.Note{note(alert.TopicResolved, "ok"), reopened, note(alert.TopicResolved, "fine")}, []string{"resolved ok", "resolved fine"}},
		{"the same text is kept once", []alert.Note{note(alert.TopicResolved, "ok"), reopened, note(alert.TopicResolved, "ok")}, []string{"resolved ok"}},
		{"silences that overlap are one", []alert.Note{note(alert.TopicSilenced), note(alert.TopicSilenced), note(alert.TopicUnsilenced), note(alert.TopicSilenced, "c")}, []string{"silenced c"}},
		{"why somebody silenced it is kept", []alert.Note{note(alert.TopicSilenced, "a"), note(alert.TopicSilenced), note(alert.TopicUnsilenced), note(alert.TopicSilenced)}, []string{"silenced a", "silenced"}},
		{"the same reason is said once", []alert.Note{note(alert.TopicSilenced, "a"), note(alert.TopicSilenced, "a")}, []string{"silenced a"}},
		{"the worst is said", []alert.Note{worse(alert.Error), worse(alert.Critical)}, []string{"escalated"}},
		{"what was worse is not forgotten", []alert.Note{worse(alert.Critical), worse(alert.Error)}, []string{"escalated", "escalated"}},
		{"an escalation outlives its end", []alert.Note{worse(alert.Critical), refired, resolved}, []string{"escalated", "refired", "resolved"}},
		{"flapping replaces what it is about", []alert.Note{note(alert.TopicNote, "a"), refired, resolved, note(alert.TopicFlapping)}, []string{"note a", "flapping"}},
		{"what asks somebody stands alone", []alert.Note{refired, note(alert.TopicUnanswered)}, []string{"refired", "", "unanswered"}},
		{"nothing joins what asks somebody", []alert.Note{note(alert.TopicReminder), refired}, []string{"reminder", "", "refired"}},
		{"each text of an alert is said once", []alert.Note{a, b, c, b}, []string{"former a", "refired c", "refired b"}},
		{"also when it resolved meanwhile", []alert.Note{a, b, resolved, d}, []string{"former a", "refired b", "reopened d"}},
		{"of many texts the latest, and how many more", []alert.Note{a, b, c, d, e, f}, []string{"others (2)", "refired c", "reopened d", "refired e", "refired f"}},
		{"that something got worse outlives its text", []alert.Note{text(alert.TopicEscalated, "a"), b, c, d, e}, []string{"others (1)", "escalated", "refired b", "refired c", "reopened d", "refired e"}},
		{"two escalations have their texts", []alert.Note{text(alert.TopicEscalated, "a"), text(alert.TopicEscalated, "b")}, []string{"escalated a", "escalated b"}},
		{"a text as long as a page has room for none", []alert.Note{a, b, page}, []string{"others (2)", "refired " + page.Text}},
		{"nor has the next one", []alert.Note{page, page, b}, []string{"others (1)", "refired b"}},
		{"a page follows what it continues", []alert.Note{note(alert.TopicMore, "b"), refired}, []string{"more b", "", "refired"}},
		{"no mention is left out", []alert.Note{crowd, pings}, []string{"acked", "", "reopened"}},
		{"no text is cut", []alert.Note{long, note(alert.TopicNote, "a")}, []string{"note " + long.Text, "", "note"}},
	} {
		if said := reply(test.notes...); !slices.Equal(said, test.want) {
			t.Errorf("%s: %q, want %q", test.what, said, test.want)
		}
	}
}

func TestPendingNotesAboutMembersAreOneReplyAsLongAsAPageNamesThem(t *testing.T) {
	members := func(from, count, over, again int) alert.Note {
		return alert.Note{Topic: alert.TopicMembers, From: from, Count: count, Over: over, Again: again}
	}
	unnamed := members(10, 10, 0, 0)
	unnamed.More = 5
	counted := unnamed
	counted.Over = 1
	for _, c := range []struct {
		what          string
		waiting, next alert.Note
		want          alert.Note // empty for a reply of its own
	}{
		{"more of them", members(10, 3, 1, 0), members(13, 2, 2, 1), members(10, 5, 3, 1)},
		{"resolved ones", members(10, 3, 0, 0), members(13, 0, 2, 0), members(10, 3, 2, 0)},
		{"only numbers", members(10, 0, 1, 0), members(10, 0, 2, 3), members(10, 0, 3, 3)},
		{"a page", members(10, 0, 1, 0), members(10, alert.MembersPage, 0, 0), members(10, alert.MembersPage, 1, 0)},
		{"more than a page", members(10, 1, 0, 0), members(11, alert.MembersPage, 0, 0), alert.Note{}},
		{"after all of the group", members(0, 12, 0, 0), members(12, 1, 1, 0), alert.Note{}},
		{"named ones after some that are not", unnamed, members(25, 1, 0, 0), alert.Note{}},
		{"only numbers after some that are not named", unnamed, members(25, 0, 1, 0), counted},
		{"after something else", alert.Note{Topic: alert.TopicAcked}, members(10, 1, 0, 0), alert.Note{}},
		{"before something else", members(10, 1, 0, 0), alert.Note{Topic: alert.TopicResolved}, alert.Note{}},
	} {
		folded, ok := c.waiting.Fold(c.next)
		if ok != (c.want.Topic != "") || ok && !reflect.DeepEqual(*folded, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", c.what, folded, ok, c.want)
		}
	}
}

func TestAFoldedReplyIsAsLoudAsItsLoudestNote(t *testing.T) {
	quiet, loud := alert.Note{Topic: alert.TopicRefired}, alert.Note{Topic: alert.TopicAcked, Text: "on it", Mention: []string{"U0ANN"}, Broadcast: true}
	if quiet.Notifies() || quiet.MustSay() || quiet.Broadcasts() {
		t.Error("a quiet note is loud")
	}
	folded, ok := loud.Fold(quiet)
	if !ok || !folded.Notifies() || !folded.MustSay() || !folded.Broadcasts() {
		t.Errorf("%+v", folded)
	}
}

func TestALaterTextLeavesOfAnEarlierOneItsBeginning(t *testing.T) {
	long := strings.Repeat("so many words ", 100)
	for _, c := range []struct {
		what string
		n    alert.Note
		want []string // with what is cut marked
	}{
		{"a page", alert.Note{Topic: alert.TopicMore, Text: "page 2", Latest: true}, nil},
		{"a file", alert.Note{Topic: alert.TopicText, Text: long, Latest: true}, nil},
		{"a page of how it ended", alert.Note{Topic: alert.TopicMore, Text: "page 2"}, []string{"more page 2"}},
		{"a short text", alert.Note{Topic: alert.TopicRefired, Text: "short", Latest: true}, []string{"refired short"}},
		{"a person's words", alert.Note{Topic: alert.TopicNote, Text: long}, []string{"note " + strings.TrimSpace(long)}},
		{"a long text among others", alert.Note{Topic: alert.TopicAcked, Before: []alert.Note{{Topic: alert.TopicRefired, Text: long}}}, []string{"refired " + strings.TrimSpace(long[:14*21+3]) + "…", "acked"}},
	} {
		left, _ := c.n.Outdated()
		var got []string
		if left != nil {
			for k := range left.Before {
				if left.Before[k].Cut {
					left.Before[k].Text += "…"
				}
			}
			got = topics(left)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
