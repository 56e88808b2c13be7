package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress shows how much of something is done: a bar on a terminal, else a line for
// each tenth, on standard error.
type progress struct {
	out         io.Writer
	width       int // of the terminal; 0 for none
	read, total int64
	began       time.Time
	tenths      int64 // that were shown
	drawn       bool
}

func newProgress(w world, total int64) progress {
	p := progress{out: w.stderr, total: total, began: time.Now()}
	if file, ok := w.stderr.(*os.File); ok && isTerminal(file) {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			p.width = width
		}
	}
	return p
}

// show shows how far a file is.
func (p *progress) show(r fileResult) {
	rate := float64(r.Lines) / max(time.Since(p.began).Seconds(), 1e-3)
	p.draw(fmt.Sprintf("%s  %.0f/s", counted(r.Lines, "alert"), rate))
}

// draw shows how far it is, with more words.
func (p *progress) draw(more string) {
	part := float64(p.read) / float64(max(p.total, 1))
	says := fmt.Sprintf("%3.0f%%  %s", part*100, more)
	switch room := p.width - len(says) - 5; {
	case p.width > 0 && room > 0:
		full := int(part * float64(room))
		p.drawn = true
		_, _ = fmt.Fprintf(p.out, "\r\x1b[K[%s%s] %s", strings.Repeat("=", full), strings.Repeat(" ", room-full), says)
	case p.width > 0: // too narrow for a bar
		p.drawn = true
		_, _ = fmt.Fprintf(p.out, "\r\x1b[K%s", says[:min(len(says), p.width-1)])
	case int64(part*10) > p.tenths && p.read < p.total:
		p.tenths = int64(part * 10)
		_, _ = fmt.Fprintf(p.out, "tocsin: %s\n", strings.TrimSpace(says))
	}
}

// clear removes the bar, so that a line can be written.
func (p *progress) clear() {
	if p.drawn {
		p.drawn = false
		_, _ = io.WriteString(p.out, "\r\x1b[K")
	}
}
