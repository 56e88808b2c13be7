package alert_test

import (
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

func TestWordsAreNotFoundInFingerprints(t *testing.T) {
	made := alert.Alert{Title: "disk full"}
	if err := made.Prepare(time.Now()); err != nil {
		t.Fatal(err)
	}
	digits := made.Key[len(made.Key)-4:]
	for _, c := range []struct {
		key, word string
		found     bool
	}{
		{made.Key, digits, false},
		{made.Key, "disk", true},
		{made.Key, made.Key, true},
		{made.Key, strings.ToUpper(made.Key), true},
		{"fp-" + digits, digits, true}, // somebody's own key
		{"db/" + digits, digits, true},
	} {
		s := alert.Subject{Key: c.key, Title: made.Title}
		for _, f := range []alert.IncidentFilter{{}, {Beginnings: true}} {
			if f.Words = []string{c.word}; f.Selects(s) != c.found {
				t.Errorf("%q in the key %q: found %t, want %t (%+v)", c.word, c.key, !c.found, c.found, f)
			}
		}
	}
}
