package alert_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tocsin/alert"
)

func TestTheShapeOfJSONIsThatOutsideOfItsTexts(t *testing.T) {
	for _, c := range []struct {
		body string
		want alert.JSONShape
	}{
		{``, alert.JSONShape{}},
		{`{"a":[1,{"b":2},"],[{,"],"c":1}`, alert.JSONShape{Depth: 3, Commas: 3, Outer: 1, Longest: 2, Widest: 2}},
		{`["\"[,", "\\", [], "\\\"[["]`, alert.JSONShape{Depth: 2, Commas: 3, Outer: 3, Longest: 3}},
		{`[{"a:":{"b":1,"c":2,"d":[{"e":1}],"f":":"}},{"g":1}]`, alert.JSONShape{Depth: 5, Commas: 4, Outer: 1, Longest: 3, Widest: 4}},
		{`"never closed [[[,`, alert.JSONShape{}},
		{`]]][[`, alert.JSONShape{}},
		{strings.Repeat("[", 1000), alert.JSONShape{Depth: alert.MaxJSONDepth + 1}},
	} {
		if got := alert.ShapeOf([]byte(c.body)); got != c.want {
			t.Errorf("%.40s has the shape %+v, want %+v", c.body, got, c.want)
		}
	}
}

func TestInhibitedMembersAreNotResolvedForThoseWhoReadAGroupAsJSON(t *testing.T) {
	g := alert.Group{Total: 3, Firing: map[alert.Severity]int{alert.Error: 1}, Inhibited: map[alert.Severity]int{alert.Warning: 2}, Withdrawn: 2}
	written, err := json.Marshal(g)
	var read alert.Group
	if err != nil || json.Unmarshal(written, &read) != nil || read.Over() != 0 || read.All() != 3 {
		t.Errorf("%s has %d members, of which %d are resolved; %v", written, read.All(), read.Over(), err)
	}
}
