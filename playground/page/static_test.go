package page

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// eachStatic calls check with every file of the page.
func eachStatic(t *testing.T, check func(name, text string)) {
	t.Helper()
	err := fs.WalkDir(files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := files.ReadFile(name)
		check(name, string(raw))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestThePageNeverTurnsDataIntoMarkup(t *testing.T) {
	risky := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\(|new Function|setAttribute\("(style|on)`)
	eachStatic(t, func(name, text string) {
		if found := risky.FindString(text); found != "" {
			t.Errorf("%s uses %s", name, found)
		}
		if inline := regexp.MustCompile(`<script>|<style|\sstyle=|\son[a-z]+="`).FindString(text); strings.HasSuffix(name, ".html") && inline != "" {
			t.Errorf("%s has inline code: %s", name, inline)
		}
	})
}

func TestThePageAsksNothingOfOtherServers(t *testing.T) {
	address := regexp.MustCompile(`["'(](https?:)?//[a-z][\w.-]+`)
	eachStatic(t, func(name, text string) {
		for _, found := range address.FindAllString(text, -1) {
			if !strings.Contains(found, "//www.w3.org") {
				t.Errorf("%s refers to %s", name, found)
			}
		}
	})
}

func TestEveryFileThePageRefersToIsThere(t *testing.T) {
	reference := regexp.MustCompile(`(?:from|import) "(\./[\w./-]+)"|(?:href|src)="(/static/[\w./-]+)"`)
	eachStatic(t, func(name, text string) {
		for _, found := range reference.FindAllStringSubmatch(text, -1) {
			file := strings.TrimPrefix(found[2], "/")
			if found[1] != "" {
				file = path.Join(path.Dir(name), found[1])
			}
			if _, err := fs.Stat(files, file); err != nil {
				t.Errorf("%s refers to %s, which is missing", name, file)
			}
		}
	})
}
