package render

import (
	"encoding/json"
	"strings"
	"testing"

	"tocsin/alert"
)

func TestResolvingManyIsNeverThePrimaryButton(t *testing.T) {
	for verb, want := range map[alert.Verb]bool{alert.VerbAck: true, alert.VerbResolve: false} {
		drawn, err := json.Marshal(Choice(ChoiceView{Verb: verb, Total: 12, All: "{}"}).Blocks)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(drawn), `"primary"`); got != want {
			t.Errorf("%s: primary is %v", verb, got)
		}
	}
}
