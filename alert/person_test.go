package alert_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tocsin/alert"
)

func TestAPersonIsReadAsWritten(t *testing.T) {
	for text, p := range map[string]alert.Person{
		"":          {},
		"U0ANN":     {ID: "U0ANN"},
		"U0ANN|ann": {ID: "U0ANN", Name: "ann"},
		"ann":       {Name: "ann"},
		"DAVE":      {Name: "DAVE"},
		"|U0ANN":    {Name: "U0ANN"},
		"|a|b":      {Name: "a|b"},
		"B0T|":      {ID: "B0T"},
	} {
		if got := p.String(); got != text {
			t.Errorf("%+v is written %q, want %q", p, got, text)
		}
		if got := alert.ParsePerson(text); got != p {
			t.Errorf("%q is read as %+v, want %+v", text, got, p)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := alert.Person{ID: strings.ReplaceAll(rapid.String().Draw(t, "id"), "|", ""), Name: rapid.String().Draw(t, "name")}
		if got := alert.ParsePerson(p.String()); got != p {
			t.Fatalf("%+v is written %q and read as %+v", p, p, got)
		}
	})
}

func TestAPersonInJSONMayBeANameAlone(t *testing.T) {
	for text, want := range map[string]alert.Person{
		`{"id":"U1","name":"ann"}`: {ID: "U1", Name: "ann"},
		`"grafana"`:                {Name: "grafana"},
		`"CRON2"`:                  {Name: "CRON2"},
		`"U0ANN"`:                  {Name: "U0ANN"},
		`null`:                     {},
	} {
		got := alert.Person{}
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s is read as %+v, %v", text, got, err)
		}
	}
}

func TestPeopleAreTheSameByIDOrElseByName(t *testing.T) {
	ann, annNow, bob := alert.Person{ID: "U1", Name: "ann"}, alert.Person{ID: "U1", Name: "ann.b"}, alert.Person{ID: "U2", Name: "ann"}
	if !ann.Is(annNow) || ann.Is(bob) || ann.Is(alert.Person{Name: "ann"}) || !(alert.Person{Name: "root"}).Is(alert.Person{Name: "root"}) {
		t.Error("people are mistaken for each other")
	}
}

func TestIDsOfSilencesAscendAndAreNotThoseOfIncidents(t *testing.T) {
	last := ""
	for n := range 1000 {
		id := alert.NextSilenceID(last, 1+n%15)
		if !strings.HasPrefix(id, "s-") || len(id) != 6 || id <= last {
			t.Fatalf("after %q comes %q", last, id)
		}
		last = id
	}
}
