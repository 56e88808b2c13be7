package main

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// The bounds of the output that an alert shows.
const (
	tailLines = 30
	tailLine  = 500  // bytes of a line
	tailBytes = 6000 // of all lines
)

// tail keeps the last lines that were written to it.
type tail struct {
	mu    sync.Mutex
	lines [tailLines][]byte // a ring, whose buffers are used again
	count int               // of all lines
}

func (t *tail) add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.count % tailLines
	t.lines[at] = append(t.lines[at][:0], line...)
	t.count++
}

// writer returns a writer for one stream. The lines of several come in the order in which
// they end.
func (t *tail) writer() *tailWriter { return &tailWriter{tail: t} }

// tailWriter divides a stream into lines.
type tailWriter struct {
	tail *tail
	line []byte // the beginning of the line that has not ended
	back bool   // a carriage return came last: what follows overwrites the line
}

// Write implements io.Writer. It never fails.
func (w *tailWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		w.extend(line)
		if ended {
			w.end()
		}
		rest = after
	}
	return len(p), nil
}

// extend adds to the line. What is behind a carriage return overwrites it, as on a
// terminal: of a progress bar the last state counts.
func (w *tailWriter) extend(part []byte) {
	if last := bytes.LastIndexByte(bytes.TrimRight(part, "\r"), '\r'); last >= 0 {
		w.line, part = w.line[:0], part[last+1:]
	} else if w.back && len(bytes.TrimRight(part, "\r")) > 0 {
		w.line = w.line[:0]
	}
	if len(part) == 0 {
		return
	}
	text := bytes.TrimRight(part, "\r")
	w.back = len(text) < len(part)
	w.line = append(w.line, text[:min(len(text), max(tailLine+1-len(w.line), 0))]...)
}

// end ends the line.
func (w *tailWriter) end() {
	w.tail.add(w.line)
	w.line, w.back = w.line[:0], false
}

// close ends a last line without a line end.
func (w *tailWriter) close() {
	if len(w.line) > 0 {
		w.end()
	}
}

// text returns the last lines as text, without what steers a terminal, and how many lines
// are missing before them.
func (t *tail) text() (text string, missing int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	used := 0
	first := max(t.count-tailLines, 0)
	for n := t.count - 1; n >= first; n-- {
		line := plain(t.lines[n%tailLines])
		if used += len(line) + 1; used > tailBytes {
			break
		}
		lines = append(lines, line)
	}
	missing = t.count - len(lines)
	var b strings.Builder
	for n := len(lines) - 1; n >= 0; n-- {
		b.WriteString(lines[n] + "\n")
	}
	return strings.Trim(b.String(), "\n"), missing
}

// escapes are the sequences with which programs steer a terminal: colours and movements
// (CSI), titles and links (OSC), and the short ones.
var escapes = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b]*(\x07|\x1b\\)?|[ -/]*[0-~])`)

// plain is a line as people read it.
func plain(line []byte) string {
	text := string(line[:min(len(line), tailLine)])
	text = escapes.ReplaceAllString(text, "")
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	if len(line) > tailLine {
		text = strings.TrimRight(text, "\uFFFD") + "…"
	}
	return strings.TrimRight(text, " \t")
}

// longRun is more backquotes than a fence may have.
var (
	backquoteRun = regexp.MustCompile("`+")
	longRun      = regexp.MustCompile("`{29,}")
)

// fenced is text as a fenced block, which nothing in it can end.
func fenced(text string) string {
	text = longRun.ReplaceAllString(text, "…")
	mark := "```"
	for _, run := range backquoteRun.FindAllString(text, -1) {
		mark = strings.Repeat("`", max(len(mark), len(run)+1))
	}
	return mark + "\n" + text + "\n" + mark
}
