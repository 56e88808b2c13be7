package alert_test

import (
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
