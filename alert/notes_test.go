package alert_test

import (
	"fmt"
	"slices"
	"testing"

	"tocsin/alert"
)

func TestNotesThatAreNotKeptAreCounted(t *testing.T) {
	var first, second alert.Notes
	for n := range 120 {
		first.Add("first %d", n)
		second.Add("second %d", n)
	}
	one := first.All()
	if len(one) != 50 || one[48] != "first 48" || one[49] != "and 71 more" {
		t.Errorf("of 120 notes remain %d: %q", len(one), one)
	}
	both := alert.FewNotes(slices.Concat(one, second.All(), []string{"and nothing more"}))
	if len(both) != 50 || both[48] != "first 48" || both[49] != "and 192 more" {
		t.Errorf("of 241 notes remain %d: %q", len(both), both)
	}
	var few alert.Notes
	for n := range 50 {
		few.Add("note %d", n)
	}
	if all := few.All(); len(all) != 50 || all[49] != "note 49" {
		t.Errorf("of 50 notes remain %q", all)
	}
}

func TestAnAlertThatNeedsManyRepairsHasFewNotes(t *testing.T) {
	a := alert.Alert{Title: "x"}
	for n := range 10_000 {
		a.Links = append(a.Links, alert.Link{Label: "x", URL: fmt.Sprintf("wiki/%d", n)})
	}
	a = prepared(t, a)
	if len(a.Notes) != 50 || a.Notes[49] != "and 9951 more" {
		t.Errorf("%d notes, the last is %q", len(a.Notes), a.Notes[len(a.Notes)-1])
	}
}
