package handlers

import (
	"testing"

	"tocsin/alert"
)

func TestASilenceOfADigestMatchesAllThatItListsAndSuggestsNothingThatMatchesSome(t *testing.T) {
	of := func(key string, labels map[string]string) alert.Incident {
		return alert.Incident{Key: key, Labels: labels}
	}
	for _, c := range []struct {
		listed []alert.Incident
		want   string
	}{
		{[]alert.Incident{of("a", map[string]string{"service": "db", "host": "1"}), of("b", map[string]string{"service": "db", "host": "2"})}, `service="db"`},
		{[]alert.Incident{of("a.b", map[string]string{"service": "db"}), of("c", map[string]string{"service": "db"}), of("d", nil)}, `key=~"a\\.b|c|d"`},
		{nil, ""},
	} {
		got := shared(c.listed)
		if got.String() != c.want {
			t.Errorf("suggested %s, want %s", got, c.want)
		}
		for _, i := range c.listed {
			if !got.Match(i.Subject()) {
				t.Errorf("%s does not match %s", got, i.Key)
			}
		}
	}
}
