package ingest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"tocsin/alert"
)

// FuzzMrkdwn compares how mrkdwn is read with the expressions that say what it is, which take
// ten times as long.
func FuzzMrkdwn(f *testing.F) {
	const code = "(?s:```.*?```)|`[^`\n]+`"
	inMrkdwn := regexp.MustCompile(code + `|<([^<>\n]*)>`)
	inBold := regexp.MustCompile(`(` + code + `)|(^|[\s(])\*([^\s*](?:[^*\n]*[^\s*])?)\*\B`)
	for _, s := range []string{
		"", "*a*", "*a*b", "a *b* (*c*) *d *", "`*a*` *b*", "``` *a* ``` *b*", "````*a*```", "*a\n*b*", "<a|b> <@U1> `<c>`", "<a `x> y`",
		"<https://example.com|x *y* z>", "**", "* *", "*`a* b`", "``a``", "```a ` <b> ` ```", "<<a>>", "<a\n>", "*é*é", "`a\n`<b>`",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "")
		var want, got slackMessage
		linked := inMrkdwn.ReplaceAllStringFunc(s, func(found string) string {
			if found[0] == '`' {
				return found
			}
			said, _ := want.reference(found)
			return said
		})
		if said := got.plain(s); said != unescape(inBold.ReplaceAllString(linked, "$1$2$3")) || len(got.links) != len(want.links) || !slices.Equal(got.mentions, want.mentions) {
			t.Errorf("%q is read as %q with %d links, want %q with %d", s, said, len(got.links), unescape(inBold.ReplaceAllString(linked, "$1$2$3")), len(want.links))
		}
	})
}

func TestALinkOfSlackWithoutALabelIsCalledAfterItsHostOnACard(t *testing.T) {
	in, err := readSlack(request([]byte(`{"attachments":[{"title":"Disk","title_link":"http://g.example/rule","text":"<http://g.example/silence> <http://d.example|Board>"}]}`)))
	want := []alert.Link{{Label: "Open", URL: "http://g.example/rule"}, {URL: "http://g.example/silence"}, {Label: "Board", URL: "http://d.example"}}
	if err != nil || !slices.Equal(in.Alerts[0].Links, want) {
		t.Errorf("%v, %+v, want the links %+v", err, in, want)
	}
}
