package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	templates "text/template/parse"
)

// templateFiles reads the files of templates.
func (im *importer) templateFiles(e treeEntry) {
	for _, pattern := range im.texts(e.value) {
		found := im.files(pattern)
		if len(found) == 0 {
			im.leave("", e.line, "templates: %s is not here; import where it is, or copy what is defined in it into title, text and fields", printable(pattern))
		}
		for _, content := range found {
			defined, err := templatesIn(content)
			if err != nil {
				im.leave("", e.line, "templates: %s: %s", printable(pattern), err)
			}
			maps.Copy(im.defined, defined)
		}
	}
}

// templatesIn are the templates that a text defines, by name, and the text itself by the
// empty name.
func templatesIn(text string) (map[string]*templates.Tree, error) {
	all := map[string]*templates.Tree{}
	root := templates.New("")
	root.Mode = templates.SkipFuncCheck
	_, err := root.Parse(text, "", "", all)
	return all, err
}

// definitions are the templates of the files that a text uses, as they are written.
func (im *importer) definitions(text string) string {
	trees, err := templatesIn(text)
	if err != nil || len(im.defined) == 0 {
		return ""
	}
	var b strings.Builder
	done := map[string]bool{}
	var define func(names []string)
	define = func(names []string) {
		for _, name := range names {
			tree := im.defined[name]
			if tree == nil || trees[name] != nil || done[name] {
				continue
			}
			done[name] = true
			define(usedIn(tree.Root))
			fmt.Fprintf(&b, "{{ define %q }}%s{{ end }}", name, tree.Root)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		define(usedIn(trees[name].Root))
	}
	return b.String()
}

// usedIn are the names of the templates that a list of nodes uses.
func usedIn(list *templates.ListNode) (names []string) {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *templates.TemplateNode:
			names = append(names, n.Name)
		case *templates.IfNode:
			names = append(append(names, usedIn(n.List)...), usedIn(n.ElseList)...)
		case *templates.RangeNode:
			names = append(append(names, usedIn(n.List)...), usedIn(n.ElseList)...)
		case *templates.WithNode:
			names = append(append(names, usedIn(n.List)...), usedIn(n.ElseList)...)
		}
	}
	return names
}
