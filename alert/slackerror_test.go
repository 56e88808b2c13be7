package alert

import (
	"regexp"
	"strings"
	"testing"
)

func TestEachSlackErrorThatAPersonCanMendHasAHint(t *testing.T) {
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	for code, e := range slackErrors {
		if (e.Class == ClassAuth || e.Class == ClassDestination) == (e.Hint == "") && code != "not_enabled" && e.Class != ClassThrottled {
			t.Errorf("%s, class %s: hint %q", code, e.Class, e.Hint)
		}
		for _, found := range placeholder.FindAllString(e.Hint, -1) {
			if !strings.Contains("{where} {bot} {scope}", found) {
				t.Errorf("%s: nobody fills in %s", code, found)
			}
		}
		if e.Clause != "" && e.Class != ClassDestination {
			t.Errorf("%s is about a conversation and has the class %s", code, e.Class)
		}
	}
}

func TestASlackErrorThatIsNotInTheTableIsUnknown(t *testing.T) {
	for code, want := range map[string]Class{"moon_phase": ClassUnknown, "": ClassUnknown, "slack_connect_blocked": ClassDestination, "is_archived": ClassDestination} {
		if got := ExplainSlackError(code); got.Class != want {
			t.Errorf("%s: %+v", code, got)
		}
	}
}
