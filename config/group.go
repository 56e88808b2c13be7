package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// group describes options that belong together, such as those of one route, and
// that are read into a T.
type group[T any] struct {
	path    string
	example string // how one begins in a list
	options []option[T]
	// inner reads a group inside this one, and reports whether there is one of
	// this path; nil means that there is none.
	inner func(target *T, path string, node ast.Node) bool
	// done is called when a group has been read: it finds what is missing, and
	// what is good alone and wrong together.
	done func(target *T, p placed)
}

// placed is where a group is in the file, and which of its options it has.
type placed struct {
	at    Origin
	given map[string]bool // by key: also those that are wrong
	good  map[string]bool
}

// readGroups reads a list of groups.
func readGroups[T any](l *loader, kind group[T], node ast.Node) []T {
	var all []T
	switch n := node.(type) {
	case *ast.NullNode: // every line is commented out
	case *ast.SequenceNode:
		for _, item := range n.Values {
			if one, ok := readGroup(l, kind, item); ok {
				all = append(all, one)
			}
		}
	default:
		l.fail(l.at(node).problem(
			fmt.Sprintf("%s is %s where a list belongs", kind.path, describe(node)),
			"begin each of them with - as in - "+kind.example))
	}
	return all
}

// readGroup reads one group.
func readGroup[T any](l *loader, kind group[T], node ast.Node) (target T, ok bool) {
	var entries []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	default:
		l.fail(l.at(node).problem(
			fmt.Sprintf("%s has %s where options belong", kind.path, describe(node)),
			"write them as name: value, one to a line: "+strings.Join(below(kind.path), ", ")))
		return target, false
	}
	p := placed{at: l.at(node), given: map[string]bool{}, good: map[string]bool{}}
	meant := l.eachEntry(kind.path, entries, func(path string, entry *ast.MappingValueNode, from Origin) bool {
		p.given[path] = true
		for _, o := range kind.options {
			if o.key == path {
				g, ok := l.readValue(o.spec, entry.Value, from)
				p.good[path] = ok && setAll(l, o, g, &target)
				return true
			}
		}
		return kind.inner != nil && kind.inner(&target, path, entry.Value)
	})
	for _, key := range meant {
		p.given[key] = true
	}
	kind.done(&target, p)
	return target, true
}

// setAll sets what was given for an option, without the values that are wrong. It
// reports whether there is a good one.
func setAll[T any](l *loader, o option[T], g given, target *T) bool {
	_, sets := check(l, o, g)
	for _, set := range sets {
		set(target)
	}
	return len(sets) > 0
}
