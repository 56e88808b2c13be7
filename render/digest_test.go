package render

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/alert"
)

func digests() map[string]alert.Summary {
	var flood, over, wild, left alert.Tally
	for n := range 2000 {
		l := alert.Line{
			ID: fmt.Sprintf("k%d", n), Severity: alert.Severities()[1+n%3], State: alert.Open, Title: fmt.Sprintf("disk full on db-%d", n),
			Labels: map[string]string{"host": fmt.Sprint("db-", n), "service": []string{"postgres", "web"}[n%7/4]}, Count: 1 + n%2, FirstAt: at("14:05:10"), LastAt: at("14:06:00"),
		}
		l.Own = n%50 == 0
		if n%50 < 2 {
			l.State = alert.Acked
		}
		l.Mention = []string{"S0DBOPS", []string{"here", "@carol"}[n%2]}
		flood.Add(l)
		l.State, l.Own = alert.StateResolved, false
		over.Add(l)
		l.Title, l.Severity = strings.Repeat("<!channel> *b* `c` & ", 50), "odd & <new>"
		l.ID, l.Labels = "", map[string]string{"<!here>": strings.Repeat("&", 100), "*x*": fmt.Sprint(n % 2)}
		wild.Add(l)
		l.Own = true
		left.Add(l)
	}
	listed, plain := flood.Summary(), flood.Summary()
	listed.ListTS, listed.ID = "1.2", "m2m2"
	return map[string]alert.Summary{"flood": plain, "listed": listed, "over": over.Summary(), "wild": wild.Summary(), "left": left.Summary(), "empty": {}}
}

func TestDigestsLookAsTheGoldenFiles(t *testing.T) {
	for name, s := range digests() {
		t.Run(name, func(t *testing.T) {
			link := ""
			if s.ListTS != "" {
				link = "https://acme.slack.com/archives/C0OPS/p1700000000000100?thread_ts=1700000000.000000&cid=C0OPS"
			}
			m := Digest(s, link)
			wantValid(t, "digest", checkMessage(m, "<!subteam^S0DBOPS>", "<!here>"))
			wantValid(t, "plain digest", checkMessage(PlainDigest(s, link), "<!subteam^S0DBOPS>", "<!here>"))
			golden(t, "digest "+name, m)
		})
	}
}

func someLines(n int, title string) (lines []alert.Line) {
	for i := range n {
		lines = append(lines, alert.Line{
			ID: fmt.Sprintf("k%d", i), Severity: alert.Critical, State: alert.StateResolved, Title: title, Count: 1 + i, FirstAt: at("14:05:10"), LastAt: at("14:06:00"),
			Text: "a line\n\x1banother", Source: "prometheus", Labels: map[string]string{"host": "db-3"}, Own: true,
			Links: []alert.Link{{Label: "Runbook", URL: "https://wiki/disk"}},
		})
	}
	return lines
}

func TestAPartOfTheListFitsWhateverTheTitles(t *testing.T) {
	for _, title := range []string{"disk full", strings.Repeat("&<>", 400), strings.Repeat("👩‍🚒", 300), ""} {
		m := DigestList(someLines(alert.ListPage, title), alert.Note{Topic: alert.TopicList, From: 20, Count: alert.ListPage})
		wantValid(t, "list", checkMessage(m))
		if n := strings.Count(m.Text, "\n"); n != alert.ListPage {
			t.Errorf("%d lines, want one for each", n)
		}
		long := DigestList(someLines(alert.ListLongPage, title), alert.Note{Topic: alert.TopicList})
		if n := utf8.RuneCountInString(long.Text); n > 40_000 {
			t.Errorf("a long part has %d characters, which Slack would cut", n)
		}
	}
}

func TestTheListAsAFileLooksAsTheGoldenFile(t *testing.T) {
	got := string(ListFile(someLines(3, "disk <full> & *bold*"), alert.Note{Topic: alert.TopicFile, From: 40, Count: 3}))
	path := filepath.Join("testdata", "list-file.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("got\n%s\nwant\n%s\n%v", got, want, err)
	}
}
