package main

import (
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

func TestIncidentsAreListedSinceTheyBeganHoweverLateTheyWereShown(t *testing.T) {
	began := time.Now().Add(-3*24*time.Hour - time.Minute)
	page := incidentPage{Total: 1, Incidents: []alert.Incident{{ID: "k7f2", State: alert.Open, FirstAt: began, OpenedAt: began.Add(8 * time.Hour)}}}
	if got := (screen{}).draw(page.text()); !strings.Contains(got, " 3d ") {
		t.Errorf("it is listed as\n%s", got)
	}
}

func TestAnIncidentIsSaidToBeShownOnlyWhereItIs(t *testing.T) {
	end := time.Date(2027, 1, 27, 9, 0, 0, 0, time.Local)
	lanes := []string{"#a", "#b"}
	card := []alert.Card{{Lane: "#a", Conversation: "C0A", TS: "1.2"}}
	for name, c := range map[string]struct {
		i          alert.Incident
		want, nots string
	}{
		"on its way":  {alert.Incident{State: alert.Open, Lanes: lanes, Cards: card}, "not yet in:", "shown in:    #b"},
		"held back":   {alert.Incident{State: alert.Open, Lanes: lanes, HeldUntil: end}, "held back:", "shown in"},
		"hidden":      {alert.Incident{State: alert.Open, Lanes: lanes, HeldUntil: end, Silence: "s-a", SilencedUntil: end}, "silenced:", "shown in"},
		"inhibited":   {alert.Incident{State: alert.Open, Lanes: lanes, HeldUntil: end, InhibitedBy: "k7f2"}, "by k7f2", "held back"},
		"shown once":  {alert.Incident{State: alert.StateResolved, Lanes: lanes, Cards: card, InhibitedBy: "k7f2"}, "shown in:", "never shown"},
		"never seen":  {alert.Incident{State: alert.StateResolved, Lanes: lanes, HeldUntil: end, InhibitedBy: "k7f2"}, "it ended while k7f2 hid it", "held back"},
		"never shown": {alert.Incident{State: alert.StateResolved, Lanes: lanes, HeldUntil: end, Silence: "s-a", SilencedUntil: end}, "never shown:", "held back"},
	} {
		if got := (incidentDetail{Incident: c.i}).text(); !strings.Contains(got, c.want) || strings.Contains(got, c.nots) {
			t.Errorf("%s: it is shown as\n%s", name, got)
		}
	}
}
