package config

import (
	"strconv"
	"strings"
	"unicode"
)

// placeIn returns the place in the file of a line and column of a value, which are from 1. YAML
// joins lines, takes away what they are indented by, and reads escapes, so that the characters
// of the value are looked for in the file one after the other, blanks apart. It is where the
// value begins if they are not there.
func (l *loader) placeIn(g given, line, column int) Origin {
	value := []rune(g.value)
	target := offsetOf(value, line, column)
	w := l.written(g.origin)
	after, place := 0, w.at // behind the last character that is not blank
	for n, r := range value[:min(target+1, len(value))] {
		if unicode.IsSpace(r) {
			continue
		}
		at, found := w.next()
		switch {
		case found != r:
			return g.origin
		case n == target:
			return at
		}
		after, place = n+1, w.at
	}
	place.column += target - after
	return place
}

// offsetOf is the index in value of a line and column, at most its length.
func offsetOf(value []rune, line, column int) int {
	n := 0
	for ; line > 1 && n < len(value); n++ {
		if value[n] == '\n' {
			line--
		}
	}
	return min(n+column-1, len(value))
}

// written is a value as it is in the file.
type written struct {
	doc document
	// at is where the next character is.
	at Origin
	// quote is " or ' for a value in quotes, else 0.
	quote rune
}

// written returns the value that begins at a place.
func (l *loader) written(at Origin) *written {
	w := &written{doc: l.doc, at: at}
	switch first := w.peek(0); first {
	case '|', '>':
		w.at.line, w.at.column = at.line+1, 1
	case '"', '\'':
		w.quote = first
		w.at.column++
	}
	return w
}

// peek returns a character of the line, after some others; 0 behind its end.
func (w *written) peek(after int) rune {
	line, n := []rune(w.doc.line(w.at.line)), w.at.column-1+after
	if n < 0 || n >= len(line) {
		return 0
	}
	return line[n]
}

// next returns the next character that is not blank, and where it is; 0 at the end of the file.
func (w *written) next() (at Origin, found rune) {
	for w.at.line <= len(w.doc.lines) {
		at, found = w.at, w.peek(0)
		switch {
		case found == 0:
			w.at.line, w.at.column = w.at.line+1, 1
			continue
		case found == '\\' && w.quote == '"':
			found = w.escaped()
		case found == '\'' && w.quote == '\'':
			w.at.column += 2
		default:
			w.at.column++
		}
		if !unicode.IsSpace(found) {
			return at, found
		}
	}
	return w.at, 0
}

// escaped reads what follows a backslash in double quotes. What stands for a blank, or ends
// the line, is a blank.
func (w *written) escaped() rune {
	kind := w.peek(1)
	w.at.column += 2
	digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[kind]
	switch {
	case digits > 0:
		var code strings.Builder
		for n := range digits {
			code.WriteRune(w.peek(n))
		}
		w.at.column += digits
		value, err := strconv.ParseUint(code.String(), 16, 32)
		if err != nil {
			return unicode.ReplacementChar
		}
		return rune(value)
	case strings.ContainsRune("0abe", kind):
		return map[rune]rune{'0': 0, 'a': '\a', 'b': '\b', 'e': 0x1b}[kind]
	case strings.ContainsRune("tnvfrN_LP \t\x00", kind):
		return ' '
	}
	return kind
}
