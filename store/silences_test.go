package store

import (
	"testing"

	"tocsin/alert"
)

func TestAStoredMatcherThatIsRefusedTodayIsReadAndMatchesNothing(t *testing.T) {
	stored, err := matchersText(alert.Matchers{{Name: "host", Op: "=~", Value: "("}})
	must(t, err)
	got, err := parseMatchers(stored)
	if err != nil || got.String() != `host=~"("` || got.Match(alert.Subject{Labels: map[string]string{"host": "("}}) {
		t.Errorf("read %s, %v", got, err)
	}
}
