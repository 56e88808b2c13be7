package alert_test

import (
	"fmt"
	"slices"
	"testing"

	"tocsin/alert"
)

// parts writes each part as topic:from+count.
func parts(notes []alert.Note) (all []string) {
	for _, n := range notes {
		all = append(all, fmt.Sprintf("%s:%d+%d", n.Topic, n.From, n.Count))
	}
	return all
}

func TestOnlyAFileThatSlackRefusesIsSentAsText(t *testing.T) {
	refused, file := alert.Outcome{State: alert.Pending, Plain: true}, alert.Note{Topic: alert.TopicFile}
	for what, c := range map[string]struct {
		got, want bool
	}{
		"a refused file":    {refused.RefusesFile(alert.List, file), true},
		"refused text":      {refused.RefusesFile(alert.List, alert.Note{Topic: alert.TopicList}), false},
		"a refused card":    {refused.RefusesFile(alert.Digest, alert.Note{}), false},
		"a throttled file":  {alert.Outcome{State: alert.Pending}.RefusesFile(alert.List, file), false},
		"a file that is up": {alert.Outcome{State: alert.Delivered, Plain: true}.RefusesFile(alert.List, file), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", what, c.got)
		}
	}
}

func TestAListIsSplitIntoAllOfItsParts(t *testing.T) {
	sizes := func(n, size int) []int { return slices.Repeat([]int{size}, n) }
	const mb = 1 << 20
	for _, c := range []struct {
		what string
		got  []alert.Note
		want []string
	}{
		{"nothing", alert.ListNotes(nil), nil},
		{"one reply", alert.ListNotes(sizes(20, 10)), []string{"list:0+20"}},
		{"as many replies as allowed", alert.ListNotes(sizes(60, mb)), []string{"list:0+20", "list:20+20", "list:40+20"}},
		{"one file", alert.ListNotes(sizes(61, 10)), []string{"file:0+61"}},
		{"a file ends when it is full", alert.ListNotes(append(sizes(4, mb), sizes(60, 10)...)), []string{"file:0+4", "file:4+60"}},
		{"by the one that fills it", alert.ListNotes(append([]int{1, 9 * mb, 1}, sizes(60, 10)...)), []string{"file:0+2", "file:2+61"}},
		{"a large one alone", alert.ListNotes(append([]int{9 * mb}, sizes(60, 10)...)), []string{"file:0+1", "file:1+60"}},
		{"a file as text", alert.Note{Topic: alert.TopicFile, From: 50, Count: 210}.AsText(), []string{"list:50+100", "list:150+100", "list:250+10"}},
		{"an empty file as text", alert.Note{Topic: alert.TopicFile, From: 5}.AsText(), nil},
	} {
		if got := parts(c.got); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
}
