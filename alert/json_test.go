package alert_test

import (
	"strings"
	"testing"

	"tocsin/alert"
)

func TestTheShapeOfJSONIsThatOutsideOfItsTexts(t *testing.T) {
	for _, c := range []struct {
		body          string
		depth, commas int
	}{
		{``, 0, 0},
		{`{"a":[1,{"b":2},"],[{,"]}`, 3, 2},
		{`["\"[,", "\\", [], "\\\"[["]`, 2, 3},
		{`"never closed [[[,`, 0, 0},
		{`]]][[`, 0, 0},
		{`[[` + strings.Repeat("[,", 1000), alert.MaxJSONDepth + 1, alert.MaxJSONDepth - 2},
	} {
		if depth, commas := alert.JSONShape([]byte(c.body)); depth != c.depth || commas != c.commas {
			t.Errorf("%.40s has depth %d and %d commas, want %d and %d", c.body, depth, commas, c.depth, c.commas)
		}
	}
}
