package config

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// tree reads another tool's YAML, in which there may be anchors.
type tree struct {
	anchors map[string]ast.Node
	// below is how many lines of another file are above the first.
	below int
}

// treeEntry is a name with a value.
type treeEntry struct {
	name  string
	line  int
	value ast.Node
}

// maxAliases is how many aliases may lead to each other, as those of a circle do.
const maxAliases = 20

func newTree(file *ast.File) (*tree, ast.Node) {
	t := &tree{anchors: map[string]ast.Node{}}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(t, doc.Body)
			return t, doc.Body
		}
	}
	return t, nil
}

// Visit remembers anchors.
func (t *tree) Visit(node ast.Node) ast.Visitor {
	if a, ok := node.(*ast.AnchorNode); ok {
		t.anchors[a.Name.GetToken().Value] = a.Value
	}
	return t
}

// value is a node without its anchor, alias and tag.
func (t *tree) value(node ast.Node) ast.Node {
	for range maxAliases {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.AliasNode:
			node = t.anchors[n.Value.GetToken().Value]
		case *ast.TagNode:
			node = n.Value
		default:
			return node
		}
	}
	return nil
}

func (t *tree) line(node ast.Node) int {
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return t.below + 1
	}
	return t.below + node.GetToken().Position.Line
}

// entries are the names and values of a group. What is merged into it comes last.
func (t *tree) entries(node ast.Node) []treeEntry { return t.entriesWithin(node, 0) }

func (t *tree) entriesWithin(node ast.Node, depth int) (all []treeEntry) {
	var values []*ast.MappingValueNode
	switch n := t.value(node).(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	}
	var merged []treeEntry
	for _, v := range values {
		if _, merge := v.Key.(*ast.MergeKeyNode); merge {
			if depth < maxAliases {
				merged = append(merged, t.entriesWithin(v.Value, depth+1)...)
			}
			continue
		}
		all = append(all, treeEntry{keyText(v.Key), t.line(v.Key), t.value(v.Value)})
	}
	for _, m := range merged {
		if _, has := find(all, m.name); !has {
			all = append(all, m)
		}
	}
	return all
}

func find(all []treeEntry, name string) (treeEntry, bool) {
	for _, e := range all {
		if e.name == name {
			return e, true
		}
	}
	return treeEntry{}, false
}

// items are the values of a list, or the one value in place of a list.
func (t *tree) items(node ast.Node) (all []ast.Node) {
	switch n := t.value(node).(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		for _, item := range n.Values {
			all = append(all, t.value(item))
		}
		return all
	default:
		return []ast.Node{n}
	}
}

// text is a value that is not a list or a group.
func (t *tree) text(node ast.Node) string {
	switch n := t.value(node).(type) {
	case nil, *ast.NullNode, *ast.SequenceNode, *ast.MappingNode, *ast.MappingValueNode:
		return ""
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	default:
		return n.GetToken().Value
	}
}

func (t *tree) texts(node ast.Node) (all []string) {
	for _, item := range t.items(node) {
		all = append(all, t.text(item))
	}
	return all
}

// inSecret returns the file that a Secret of Kubernetes holds under this name, as that of the
// Prometheus operator, and how many lines are above it.
func (t *tree) inSecret(root ast.Node, names ...string) (content string, above int, ok bool) {
	top := t.entries(root)
	kind, _ := find(top, "kind")
	if t.text(kind.value) != "Secret" {
		return "", 0, false
	}
	for _, place := range []string{"stringData", "data"} {
		group, _ := find(top, place)
		for _, name := range names {
			e, has := find(t.entries(group.value), name)
			if !has {
				continue
			}
			if place == "stringData" {
				return t.text(e.value), e.line, true
			}
			plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(t.text(e.value)), ""))
			return string(plain), 0, err == nil
		}
	}
	return "", 0, false
}

// yamlText writes a text as a value that is read again as it is. Lines below the first are
// indented.
func yamlText(s, indent string) string {
	s = strings.TrimRight(s, "\n")
	switch {
	case plainYAML.MatchString(s) && !notTextYAML.MatchString(s):
		return s
	case !strings.ContainsFunc(s, notInBlock):
		if !strings.Contains(s, "\n") {
			return "'" + strings.ReplaceAll(s, "'", "''") + "'"
		}
		if !strings.HasPrefix(s, " ") && !strings.HasPrefix(s, "\n") {
			lines := strings.Split(s, "\n")
			for n, line := range lines {
				if line != "" {
					lines[n] = indent + line
				}
			}
			return "|-\n" + strings.Join(lines, "\n")
		}
	}
	return doubleQuoted(s)
}

var (
	// plainYAML needs no quotes, unless it is read as something else than text.
	plainYAML   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)
	notTextYAML = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|null|y|n)$`)
)

func notInBlock(r rune) bool { return r != '\n' && (unicode.IsControl(r) || !unicode.IsPrint(r)) }

// doubleQuoted has the escapes that YAML and Go share.
func doubleQuoted(s string) string {
	return strconv.QuoteToASCII(s)
}

// yamlList is a list of texts in one line.
func yamlList(all []string) string {
	quoted := make([]string, len(all))
	for n, s := range all {
		quoted[n] = yamlText(s, "")
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
