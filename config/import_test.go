package config_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
	"tocsin/config"
)

func TestAlertmanagersConfigurationBecomesTocsins(t *testing.T) {
	files, err := filepath.Glob("testdata/import/*.yml")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			made, err := config.ImportAlertmanager(content, filesOfTemplates)
			if err != nil {
				t.Fatal(err)
			}
			loadImported(t, made)
			got := made.YAML + "---\n"
			for _, l := range made.Left {
				got += fmt.Sprintf("%d: %s\n", l.Line, l.What)
			}
			compareGolden(t, file, got)
		})
	}
}

// filesOfTemplates are the files that the examples name.
func filesOfTemplates(pattern string) []string {
	if pattern != "own/*.tmpl" {
		return nil
	}
	return []string{`{{ define "own.title" }}[{{ template "own.state" . }}] {{ .CommonLabels.alertname }}{{ end }}
{{ define "own.state" -}} {{ .Status | toUpper }} {{- end }}{{ define "own.unused" }}{{ nosuch }}{{ end }}`}
}

func loadImported(t testing.TB, made config.Imported) *config.Config {
	t.Helper()
	in := environment{files: map[string]string{etc: made.YAML}, vars: map[string]string{"SLACK_CHANNEL_ID": ""}}.input()
	c, err := config.Load(in)
	if err != nil {
		t.Fatalf("%v in\n%s", err, made.YAML)
	}
	return c
}

func TestWhatIsNoConfigurationOfAlertmanagersIsRefusedWithTheReason(t *testing.T) {
	for content, want := range map[string]string{
		"":                                  "there is no route",
		"a: [":                              "is not YAML",
		"- a\n- b":                          "there is no route",
		"default_channel: '#a'\nroutes: []": "there is no route",
		"route: {receiver: a}":              "no receiver",
		"route: &a\n  routes: [*a]\n":       "no receiver",
		"route: &a {<<: *a, receiver: x}\n": "no receiver",
		strings.Repeat("# long\n", 200_000): "larger than 1 MiB",
		"route: {receiver: a, routes: [" + strings.Repeat("{continue: true, routes: [{match: {a: b}}, {}]}, ", 40) + "]}\nreceivers: [{name: a}]": "more than 1000 routes",
	} {
		if _, err := config.ImportAlertmanager([]byte(content), filesOfTemplates); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", content, err, want)
		}
	}
}

// node is a route of Alertmanager's, for the test.
type node struct {
	receiver string
	matchers map[string]string // label to a regular expression of single letters, as in a|b
	cont     bool
	groupBy  []string // inherited if empty
	routes   []*node
}

// yaml writes the node with this indentation.
func (n *node) yaml(indent string) string {
	text := fmt.Sprintf("receiver: %q\n", n.receiver)
	if len(n.matchers) > 0 {
		text += indent + "matchers:\n"
	}
	for _, label := range slices.Sorted(maps.Keys(n.matchers)) {
		text += fmt.Sprintf("%s  - %s=~%q\n", indent, label, n.matchers[label])
	}
	text += fmt.Sprintf("%scontinue: %t\n", indent, n.cont)
	if len(n.groupBy) > 0 {
		text += fmt.Sprintf("%sgroup_by: [%s]\n", indent, strings.Join(n.groupBy, ", "))
	}
	if len(n.routes) > 0 {
		text += indent + "routes:\n"
	}
	for _, child := range n.routes {
		text += indent + "  - " + child.yaml(indent+"    ")
	}
	return text
}

// receivers are where Alertmanager sends alerts with these labels, each with by which labels
// they are grouped there.
func (n *node) receivers(labels map[string]string, groupBy []string) (all []string) {
	if len(n.groupBy) > 0 {
		groupBy = n.groupBy
	}
	for label, values := range n.matchers {
		if !slices.Contains(strings.Split(values, "|"), labels[label]) {
			return nil
		}
	}
	for _, child := range n.routes {
		found := child.receivers(labels, groupBy)
		all = append(all, found...)
		if len(found) > 0 && !child.cont {
			break
		}
	}
	if len(all) == 0 {
		all = []string{fmt.Sprint("#", n.receiver, " by ", strings.ReplaceAll(fmt.Sprint(groupBy), "severity", "labels.severity"))}
	}
	return all
}

func drawNode(t *rapid.T, depth int) *node {
	n := &node{receiver: rapid.SampledFrom([]string{"ra", "rb", "rc", "rd", "null"}).Draw(t, "receiver"), cont: rapid.Bool().Draw(t, "continue"), matchers: map[string]string{}}
	n.groupBy = rapid.SampledFrom([][]string{nil, {"x"}, {"severity"}, {"severity", "x"}, {"..."}}).Draw(t, "group by")
	for _, label := range []string{"x", "severity"} {
		values := rapid.SampledFrom(map[string][]string{
			"x": {"", "", "a", "b", "a|b", "b|c"}, "severity": {"", "", "critical", "critical|error", "page", "page|ticket"},
		}[label]).Draw(t, label)
		if values != "" {
			n.matchers[label] = values
		}
	}
	if depth > 0 {
		for range rapid.IntRange(0, 3).Draw(t, "children") {
			n.routes = append(n.routes, drawNode(t, depth-1))
		}
	}
	return n
}

func TestImportedRoutesSendWhereAlertmanagersDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := drawNode(t, 2)
		root.matchers, root.receiver, root.groupBy = nil, "ra", []string{"x"}
		content := "route:\n  " + root.yaml("  ") + "receivers:\n  - name: \"null\"\n"
		for _, r := range []string{"ra", "rb", "rc", "rd"} {
			content += fmt.Sprintf("  - {name: %s, slack_configs: [{channel: '#%s'}]}\n", r, r)
		}
		made, err := config.ImportAlertmanager([]byte(content), filesOfTemplates)
		if err != nil {
			t.Skip(err) // too many combinations
		}
		in := environment{files: map[string]string{etc: made.YAML}, vars: map[string]string{"SLACK_CHANNEL_ID": ""}}.input()
		c, err := config.Load(in)
		if err != nil {
			t.Fatalf("%v in\n%s", err, made.YAML)
		}
		for _, x := range []string{"a", "b", "c", ""} {
			for _, severity := range []string{"critical", "error", "warning"} {
				a := alert.Alert{Title: "t", Severity: alert.Severity(severity), Labels: map[string]string{"x": x}}
				if err := a.Prepare(time.Now()); err != nil {
					t.Fatal(err)
				}
				var want []string
				for _, r := range root.receivers(map[string]string{"x": x, "severity": severity}, nil) {
					if !strings.HasPrefix(r, "#null ") {
						want = append(want, strings.ReplaceAll(r, " by [...]", ""))
					}
				}
				if len(want) == 0 { // dropped: in a route that shows nothing
					if route := c.Routing.Routes[c.Routing.Plan(a.Subject()).Matched[0]]; len(route.Mute) == 0 {
						t.Fatalf("x=%q severity=%s is not dropped, by\n%s\nfrom\n%s", x, severity, made.YAML, content)
					}
					continue
				}
				var got []string
				for _, plan := range c.Routing.Plans(a.Subject()) {
					for _, lane := range plan.Lanes() {
						if plan.Group.Groups() {
							lane = fmt.Sprint(lane, " by ", plan.Group.By)
						}
						got = append(got, lane)
					}
				}
				slices.Sort(want)
				slices.Sort(got)
				want = slices.CompactFunc(want, func(x, y string) bool { return x == y && !strings.Contains(x, " by ") })
				if !slices.Equal(got, want) {
					t.Fatalf("x=%q severity=%s goes to %v, want %v, by\n%s\nfrom\n%s", x, severity, got, want, made.YAML, content)
				}
			}
		}
	})
}
