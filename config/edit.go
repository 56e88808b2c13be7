package config

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"strings"
)

// Assignment is an option, by its dotted key, with the text that it is to have.
type Assignment struct{ Key, Value string }

// Edit returns a YAML file in which options have other values. Everything else in it, with
// comments and blanks, is as it was. path is for messages. A file that can't be read is an
// *Errors.
func Edit(path string, content []byte, values []Assignment) ([]byte, error) {
	before, err := readText(path, content)
	if err != nil {
		return nil, err
	}
	text := string(content)
	for _, v := range values {
		l, err := readText(path, []byte(text))
		if err != nil {
			return nil, err
		}
		text = l.assign(v)
	}
	after, err := readText(path, []byte(text))
	if err != nil || !before.differsOnlyIn(after, values) {
		return nil, fmt.Errorf("%s is written in a way that can't be changed by a program; write this by hand: %s", path, assigned(values))
	}
	return []byte(text), nil
}

// readText reads a file that is not on disk.
func readText(path string, content []byte) (*loader, error) {
	l := newLoader(Input{
		Getenv: func(string) string { return "" },
		Flags:  map[string]string{"config": path},
		ReadFile: func(name string) ([]byte, error) {
			if name == path {
				return content, nil
			}
			return nil, fs.ErrNotExist
		},
	})
	l.readDocument()
	if l.doc.broken {
		return nil, &Errors{Problems: inOrder(l.problems)}
	}
	return l, nil
}

// assigned shows assignments without secrets.
func assigned(values []Assignment) string {
	var parts []string
	for _, v := range values {
		if opt, _ := specOf(v.Key); opt.secret {
			v.Value = masked
		}
		parts = append(parts, v.Key+": "+yamlQuote(v.Value))
	}
	return strings.Join(parts, ", ")
}

// differsOnlyIn reports whether after has these values, and otherwise says the same as l.
func (l *loader) differsOnlyIn(after *loader, values []Assignment) bool {
	rest, restAfter := l.doc.section, after.doc.section
	rest.values, restAfter.values = maps.Clone(rest.values), maps.Clone(restAfter.values)
	for _, v := range values {
		if restAfter.values[v.Key].value != v.Value {
			return false
		}
		delete(rest.values, v.Key)
		delete(restAfter.values, v.Key)
	}
	return rest.said() == restAfter.said()
}

// assign returns the text of the file with another value of one option.
func (l *loader) assign(v Assignment) string {
	lines, value := strings.Split(strings.Join(l.doc.lines, "\n"), "\n"), yamlQuote(v.Value)
	if g, ok := l.doc.values[v.Key]; ok {
		at := g.origin.line - 1
		lines[at] = replaceScalar(lines[at], g.origin.column-1, value)
		return strings.Join(lines, "\n")
	}
	section, name := "", v.Key
	if dot := strings.LastIndexByte(v.Key, '.'); dot >= 0 {
		section, name = v.Key[:dot], v.Key[dot+1:]
	}
	if at, ok := l.doc.mentioned[v.Key]; ok { // without a value
		empty := regexp.MustCompile(regexp.QuoteMeta(name) + `:(\s+(null|Null|NULL|~)\b|\s+~)?`)
		lines[at.line-1] = strings.Replace(lines[at.line-1], empty.FindString(lines[at.line-1]), name+": "+value, 1)
		return strings.Join(lines, "\n")
	}
	at, ok := l.doc.mentioned[section]
	switch {
	case section == "":
		lines = insertBelow(lines, 0, "", name, value)
	case !ok:
		lines = insertAtEnd(lines, section+":", "  "+name+": "+value)
	case strings.Contains(lines[at.line-1], "{"):
		lines[at.line-1] = strings.Replace(lines[at.line-1], "{", "{"+name+": "+value+", ", 1)
	default:
		lines = insertBelow(lines, at.line, indentBelow(lines, at.line), name, value)
	}
	return strings.Join(lines, "\n")
}

// replaceScalar replaces the value that begins at a column.
func replaceScalar(line string, column int, value string) string {
	runes := []rune(line)
	begin, rest := string(runes[:min(column, len(runes))]), string(runes[min(column, len(runes)):])
	end := len(strings.TrimRight(rest, " \t\r"))
	switch quote := rest[:min(1, len(rest))]; quote {
	case "|", ">": // it goes on below
		return line
	case `"`, "'":
		if closing := strings.Index(rest[1:], quote); closing >= 0 {
			end = closing + 2
		}
	default:
		if m := regexp.MustCompile(`\s+#`).FindStringIndex(rest); m != nil {
			end = m[0]
		}
		if m := strings.IndexAny(rest[:end], ",}"); strings.Contains(begin, "{") && m >= 0 {
			end = len(strings.TrimRight(rest[:m], " "))
		}
	}
	return begin + value + rest[end:]
}

// indentBelow is how far the options are indented that begin at a line.
func indentBelow(lines []string, from int) string {
	for _, line := range lines[from:] {
		text := strings.TrimLeft(line, " ")
		if strings.TrimSpace(text) == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if len(text) < len(line) {
			return line[:len(line)-len(text)]
		}
		break
	}
	return "  "
}

// insertBelow adds an option to those that begin at a line: below the comment that shows
// it, or else first in a section and last in the file.
func insertBelow(lines []string, from int, indent, name, value string) []string {
	added := indent + name + ": " + value
	example := regexp.MustCompile(`^\s*#\s?` + regexp.QuoteMeta(name) + `:(\s|$)`)
	for n, line := range lines[from:] {
		if example.MatchString(line) && strings.HasPrefix(line, indent) {
			return insert(lines, from+n+1, added)
		}
		if indent != "" && line != "" && line[0] != ' ' && line[0] != '#' { // another section
			break
		}
	}
	if indent == "" {
		return insertAtEnd(lines, added)
	}
	return insert(lines, from, added)
}

func insertAtEnd(lines []string, added ...string) []string {
	at := len(lines)
	if lines[at-1] == "" { // behind the last line end
		at--
	} else {
		added = append(added, "")
	}
	return insert(lines, at, added...)
}

func insert(lines []string, at int, added ...string) []string {
	return append(append(append([]string{}, lines[:at]...), added...), lines[at:]...)
}
