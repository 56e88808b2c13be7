package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestEveryTestThatThePromisesNameExists(t *testing.T) {
	var tests strings.Builder
	for _, file := range sources(t) {
		if strings.HasSuffix(file, "_test.go") {
			tests.WriteString(read(t, file))
		}
	}
	names := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(read(t, "../../docs/promises.md"), -1)
	if len(names) < 40 {
		t.Errorf("docs/promises.md names %d tests", len(names))
	}
	for _, name := range names {
		if !strings.Contains(tests.String(), "func "+name+"(t *testing.T)") {
			t.Errorf("docs/promises.md names %s, and there is no such test", name)
		}
	}
}

func TestEveryLinkInTheDocumentationResolves(t *testing.T) {
	links := regexp.MustCompile(`\]\(([^()\s]+)\)|(?:src|srcset|href)="([^"]+)"`)
	checked := 0
	for _, doc := range documents(t) {
		for _, m := range links.FindAllStringSubmatch(withoutCode(read(t, doc)), -1) {
			target, err := url.Parse(m[1] + m[2])
			if err != nil || target.IsAbs() {
				continue
			}
			checked++
			file := doc
			if target.Path != "" {
				file = filepath.Join(filepath.Dir(doc), target.Path)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s: %v", doc, target, err)
			} else if target.Fragment != "" && !slices.Contains(headings(read(t, file)), target.Fragment) {
				t.Errorf("%s links to %s, and there is no such heading", doc, target)
			}
		}
	}
	if checked < 30 {
		t.Errorf("found %d relative links", checked)
	}
}

func TestTheShellLinesInTheDocumentationAreForAnyShell(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$")
	checked := 0
	for _, shell := range [][]string{{"sh", "-n"}, {"dash", "-n"}, {"busybox", "sh", "-n"}} {
		if _, err := exec.LookPath(shell[0]); err != nil {
			continue // sh is everywhere
		}
		for _, doc := range documents(t) {
			for _, block := range blocks.FindAllStringSubmatch(read(t, doc), -1) {
				checked++
				cmd := exec.CommandContext(t.Context(), shell[0], shell[1:]...)
				cmd.Stdin = strings.NewReader(block[1])
				if said, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s, for %s: %s in\n%s", doc, shell[0], said, block[1])
				}
			}
		}
	}
	if checked < 20 {
		t.Errorf("found %d blocks", checked)
	}
}

func TestTheReadmeSetsUpTheServiceInTwoLines(t *testing.T) {
	readme := read(t, "../../README.md")
	if !strings.Contains(readme, "```sh\nsudo apt install ./dist/tocsin_*.deb\nsudo tocsin init\n```") {
		t.Error("README.md does not set it up with apt install and tocsin init")
	}
	if words := len(strings.Fields(readme)); words > 1300 {
		t.Errorf("README.md has %d words", words)
	}
}

func TestEverySectionOfSlackThatTheCodeCitesExists(t *testing.T) {
	sections := regexp.MustCompile(`(?m)^#+ (\d+(?:\.\d+)?)\.? `).FindAllStringSubmatch(read(t, "../../docs/slack.md"), -1)
	var known []string
	for _, s := range sections {
		known = append(known, s[1])
	}
	cited := regexp.MustCompile(`docs/slack\.md[\s/]+§(\d+(?:\.\d+)?)((?:, §\d+(?:\.\d+)?)*)`)
	for _, file := range sources(t) {
		for _, m := range cited.FindAllStringSubmatch(read(t, file), -1) {
			for _, section := range append(strings.Split(m[2], ", §"), m[1]) {
				if section != "" && !slices.Contains(known, section) {
					t.Errorf("%s cites §%s of docs/slack.md, and there is no such section", file, section)
				}
			}
		}
	}
}

func TestTheTableOfPackagesInTheDesignIsTheOneThatIsTested(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| \\d \\| `([^`]+)` \\| .* \\| ([^|]+) \\|$").FindAllStringSubmatch(read(t, "../../docs/design.md"), -1)
	inTable := map[string]string{}
	for _, row := range rows {
		inTable[row[1]] = row[2]
	}
	for name, may := range allowed {
		if strings.HasPrefix(name, "playground/") || strings.HasPrefix(name, "store/") {
			continue // the row of the package above it speaks of it too
		}
		var others []string
		for _, other := range may {
			if !strings.HasPrefix(other, name+"/") {
				others = append(others, other)
			}
		}
		want := strings.Join(others, ", ")
		switch len(others) {
		case 0:
			want = "none"
		case len(rows) - 1:
			want = "all"
		}
		if inTable[name] != want {
			t.Errorf("docs/design.md says that %s may import %q, and the table of the test says %q", name, inTable[name], want)
		}
	}
}

func TestSlackGoIsDescribedInTheVersionThatIsUsed(t *testing.T) {
	used := regexp.MustCompile(`slack-go/slack (v\S+)`).FindStringSubmatch(read(t, "../../go.mod"))
	if used == nil || !strings.Contains(read(t, "../../docs/slack-go.md"), "at "+used[1]+".") {
		t.Errorf("docs/slack-go.md is not about the version in go.mod, %q", used)
	}
}

// documents are the Markdown files for people.
func documents(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(all, walk(t, "../../docs", ".md")...)
}

// sources are the Go files of the repository.
func sources(t *testing.T) []string {
	t.Helper()
	return walk(t, "../..", ".go")
}

func walk(t *testing.T, dir, suffix string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, suffix) {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// withoutCode leaves out code blocks, in which nothing is a link or a heading.
func withoutCode(markdown string) string {
	return regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(markdown, "")
}

// headings are the anchors that GitHub gives a document's headings: lower case,
// without punctuation, with hyphens for spaces.
func headings(markdown string) []string {
	var anchors []string
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.+)$`).FindAllStringSubmatch(withoutCode(markdown), -1) {
		anchors = append(anchors, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return anchors
}
