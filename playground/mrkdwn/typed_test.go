package mrkdwn

import "testing"

func TestTypedTextBecomesWhatSlacksClientSends(t *testing.T) {
	find := func(known string, id string) func(string) (string, bool) {
		return func(name string) (string, bool) { return id, name == known }
	}
	n := Names{User: find("ann", "U1"), Channel: find("ops", "C1"), Group: find("oncall", "S1")}
	for _, c := range []struct{ typed, message, command string }{
		{"help", "help", "help"},
		{"a < b & c > d", "a &lt; b &amp; c &gt; d", "a &lt; b &amp; c &gt; d"},
		{"@ann, look", "<@U1>, look", "<@U1|ann>, look"},
		{"ask @ann.", "ask <@U1>.", "ask <@U1|ann>."},
		{"@oncall: look", "<!subteam^S1>: look", "<!subteam^S1|@oncall>: look"},
		{"@annabel", "@annabel", "@annabel"},
		{"see #ops and #nowhere", "see <#C1|> and #nowhere", "see <#C1|ops> and #nowhere"},
		{"@here: down", "<!here>: down", "<!here>: down"},
		{"(https://example.com/a?b=1).", "(<https://example.com/a?b=1>).", "(<https://example.com/a?b=1>)."},
		{"nice :tada:", "nice :tada:", "nice :tada:"},
		{"mail me@ann", "mail me<@U1>", "mail me<@U1|ann>"},
	} {
		elements := Typed(c.typed, n)
		if got := MessageText(elements); got != c.message {
			t.Errorf("message %q became %q, want %q", c.typed, got, c.message)
		}
		if got := CommandText(elements); got != c.command {
			t.Errorf("command %q became %q, want %q", c.typed, got, c.command)
		}
	}
}
