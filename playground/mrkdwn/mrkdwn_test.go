package mrkdwn

import "testing"

func TestTextIsEscapedOnceAndLinked(t *testing.T) {
	find := func(known, id string) func(string) (string, bool) {
		return func(name string) (string, bool) { return id, name == known }
	}
	n := Names{User: find("ann", "U0ANN"), Channel: find("ops", "C0OPS"), Group: find("oncall", "S0PG1")}
	all := Mode{Links: true, Names: true}
	rows := []struct {
		text, want string
		mode       Mode
	}{
		{"plain", "plain", all},
		{"a & b", "a &amp; b", all},
		{"a &amp; b &lt;", "a &amp; b &lt;", all},
		{"1 < 2 > 0", "1 &lt; 2 &gt; 0", all},
		{"<@U0ANN> <#C0OPS> <!here> <https://x.test|x>", "<@U0ANN> <#C0OPS> <!here> <https://x.test|x>", all},
		{"(https://x.test/a).", "(<https://x.test/a>).", all},
		{"https://x.test?a=1&b=2", "<https://x.test?a=1&amp;b=2>", all},
		{"https://x.test", "https://x.test", Mode{}},
		{"@here, @nobody @ann.", "<!here>, @nobody <@U0ANN>.", all},
		{"#ops #none", "<#C0OPS|ops> #none", all},
		{"@oncall: look", "<!subteam^S0PG1>: look", all},
		{"mail@here.test", "mail@here.test", all},
		{"@here", "@here", Mode{Links: true}},
	}
	for _, row := range rows {
		got := Link(row.text, row.mode, n)
		if got != row.want {
			t.Errorf("%q became %q, want %q", row.text, got, row.want)
		}
		if again := Link(got, row.mode, n); again != got {
			t.Errorf("%q changed again, to %q", got, again)
		}
	}
}
