package alert

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Passage is a part of a text: prose, or what is between the lines of a fence.
type Passage struct {
	Text string
	Code bool
}

// Passages splits text at its fenced blocks. As in Markdown, these are lines of three or
// more backquotes, or of three or four tildes, around code; one of backquotes that begins a
// line and is never closed lasts to the end of the text. As in Slack, a block of backquotes
// may also begin or end within a line, but then it has to be closed. The fences are not part
// of any passage, unless they say more than a language.
func Passages(text string) []Passage {
	var all []Passage
	add := func(part string, code bool) {
		if part != "" {
			all = append(all, Passage{part, code})
		}
	}
	at := 0
	for _, f := range fences(text) {
		add(text[at:f.open], false)
		add(text[f.from:f.to], true)
		at = f.end
	}
	add(text[at:], false)
	return all
}

// fence is a fenced block: byte offsets of the opening fence, the code, and what follows
// the closing fence; and the mark that closes it.
type fence struct {
	open, from, to, end int
	mark                string
	// within is set if the block begins within a line, or with code in the line of the
	// fence. As in Slack, it may end within a line then.
	within bool
}

var (
	// oneLine is a block in a line of its own.
	oneLine = regexp.MustCompile("^[ \t]*(`{3,30})([^`]+)(`{3,30})[ \t\r]*$")
	// tildes open a block with an info string.
	tildes = regexp.MustCompile(`^ {0,3}(~{3,4})([^~]*)$`)
	// lineStart is what may be in front of a fence that begins a line.
	lineStart = regexp.MustCompile(`^ {0,3}$`)
	// oneWord is an info string that names a language, possibly with attributes.
	oneWord = regexp.MustCompile(`^(?:[A-Za-z][\w+#./-]{0,29}(?: ?\{[^{}]*\})?|\{\.?[\w, =.-]+\})?$`)
	// prose follows a closing fence in its line.
	prose = regexp.MustCompile(`^[,.;:)]|^[ \t]+\S+[ \t]+\S`)
	// proseWithin is the same for a block that may end within a line.
	proseWithin = regexp.MustCompile(`^[\s,.;:)]`)
)

// fences finds the fenced blocks of a text, in order.
func fences(text string) []fence {
	if !strings.Contains(text, "```") && !strings.Contains(text, "~~~") {
		return nil
	}
	var all []fence
	unclosed := map[string]bool{}
	for at := 0; at < len(text); {
		line := lineAt(text, at)
		f, ok := opened(text, at, line, unclosed)
		if !ok {
			at += len(line)
			continue
		}
		all = append(all, f)
		at = f.end
	}
	return all
}

// lineAt returns the line that begins at an offset, with its line end.
func lineAt(text string, at int) string {
	if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
		return text[at : at+n+1]
	}
	return text[at:]
}

// opened returns the fenced block that opens in the line at an offset, if there is one. It
// remembers in unclosed the marks that close no block from there on.
func opened(text string, at int, line string, unclosed map[string]bool) (fence, bool) {
	bare := strings.TrimRight(line, "\r\n")
	if m := oneLine.FindStringSubmatchIndex(bare); m != nil && m[3]-m[2] == m[7]-m[6] && strings.TrimSpace(bare[m[4]:m[5]]) != "" {
		return fence{open: at, from: at + m[4], to: at + m[5], end: at + len(line), mark: bare[m[2]:m[3]]}, true
	}
	f, info, ok := openedBy(bare, at)
	if !ok {
		return fence{}, false
	}
	code := at + len(bare) - len(info)
	f.from = at + len(line)
	memo := f.mark
	if f.within {
		memo += "within"
	}
	closed := false
	if !unclosed[memo] {
		closed = f.close(text, f.from)
		unclosed[memo] = !closed
	}
	ok = closed
	if !closed {
		f.to, f.end = len(text), len(text)
		ok = !f.within && f.mark[0] == '`' && strings.TrimSpace(text[f.from:]) != ""
	}
	if !isLanguage(strings.TrimSpace(info)) {
		f.from = code
	}
	return f, ok
}

// openedBy returns the block that a line at an offset would open, and what follows the
// fence.
func openedBy(bare string, at int) (f fence, info string, ok bool) {
	from, to, ok := openMark(bare)
	if !ok {
		return fence{}, "", false
	}
	info = bare[to:]
	said := strings.TrimSpace(info)
	f = fence{open: at, mark: bare[from:to], within: !lineStart.MatchString(bare[:from]) || !oneWord.MatchString(said)}
	if strings.TrimSpace(bare[:from]) == "" {
		return f, info, true
	}
	f.open = at + from
	return f, info, info == said || said == "" // unlike in: use ``` for code
}

// openMark returns where in a line the marks are that may open a block: tildes at its
// beginning, or backquotes that nothing in the line closes.
func openMark(line string) (from, to int, ok bool) {
	if m := tildes.FindStringSubmatchIndex(line); m != nil {
		return m[2], m[3], true
	}
	for at := 0; ; {
		n := strings.IndexByte(line[at:], '`')
		if n < 0 {
			return 0, 0, false
		}
		from = at + n
		to = from + marksAt(line[from:], '`')
		at = closeSpan(line, to, to-from)
		if at > to {
			continue
		}
		if to-from >= 3 && to-from <= 30 {
			return from, to, !strings.Contains(line[to:], "`")
		}
	}
}

// marksAt counts the marks that s begins with.
func marksAt(s string, mark byte) int {
	n := 0
	for n < len(s) && s[n] == mark {
		n++
	}
	return n
}

// closeSpan returns where a code span ends that so many backquotes open in front of an
// offset of a line. It is the offset if nothing closes it.
func closeSpan(line string, at, marks int) int {
	for n := at; n < len(line); n++ {
		if found := marksAt(line[n:], '`'); found == marks {
			return n + found
		} else if found > 0 {
			n += found
		}
	}
	return at
}

// close finds where the block ends, from an offset on.
func (f *fence) close(text string, at int) bool {
	for at < len(text) {
		line := lineAt(text, at)
		if f.closeIn(at, line) {
			return true
		}
		at += len(line)
	}
	return false
}

// closeIn finds where the block ends in the line at an offset.
func (f *fence) closeIn(at int, line string) bool {
	n := strings.Index(line, f.mark)
	if n < 0 {
		return false
	}
	marks := marksAt(line[n:], f.mark[0])
	before, after := line[:n], line[n+marks:]
	f.to, f.end = at+n, at+len(line)
	first := strings.TrimSpace(before) == ""
	if first {
		f.to = at
	}
	switch {
	case first && strings.TrimSpace(after) == "":
		return true
	case f.mark[0] != '`' || marks != len(f.mark) || strings.Contains(before+after, "`"):
		return false
	case strings.TrimSpace(after) == "":
		return true
	}
	f.end = at + n + marks
	return first && prose.MatchString(after) || f.within && proseWithin.MatchString(after)
}

// attributes may follow a language, or stand for it.
var attributes = regexp.MustCompile(`^\{\.?[\w, =.-]+\}$|(\S) ?\{[^{}]*\}$`)

// isLanguage says whether what follows an opening fence names a language that is often
// written there. Anything else may say what happened, as ERROR does.
func isLanguage(info string) bool {
	info = attributes.ReplaceAllString(info, "$1")
	return info == "" || slices.Contains([]string{
		"asm", "awk", "bash", "bat", "c", "c#", "c++", "cfg", "clojure", "cmd", "code", "conf", "console", "cpp", "cs", "csharp", "css", "csv", "dart", "diff",
		"docker", "dockerfile", "elixir", "erlang", "flux", "fsharp", "go", "golang", "graphql", "groovy", "haskell", "hcl", "html", "http", "ini", "influxql",
		"java", "javascript", "jinja", "jinja2", "jq", "js", "json", "json5", "jsonc", "jsonl", "jsx", "julia", "kotlin", "kql", "kusto", "latex", "log", "logql",
		"logs", "lua", "makefile", "markdown", "md", "mermaid", "mysql", "nginx", "nix", "objc", "objective-c", "output", "patch", "perl", "php", "plain",
		"plaintext", "plpgsql", "plsql", "postgres", "postgresql", "powershell", "promql", "properties", "proto", "protobuf", "ps1", "puppet", "py", "python",
		"python3", "r", "rb", "rego", "ruby", "rust", "scala", "sh", "shell", "shell-session", "spl", "sql", "svg", "swift", "terraform", "text", "tf", "toml",
		"traceql", "ts", "tsql", "tsx", "txt", "typescript", "vb", "vim", "xml", "yaml", "yml", "zig", "zsh",
	}, strings.ToLower(info))
}

// pager splits a text into pages.
type pager struct {
	// rest is what no page has yet, and fences are its blocks.
	rest   string
	fences []fence
	pages  []string
}

// part is a page: its text, where in the rest it ends, and the block that goes on behind it.
type part struct {
	text  string
	end   int
	block fence
	cut   bool
}

// page takes a page off the rest. A fenced block that it cuts is closed at its end, and
// opened again at the beginning of the next.
func (p *pager) page() {
	end := p.lastEnd()
	if f, cut := p.inside(end); cut && f.open == 0 && end <= p.firstLine(f) && p.rest[:f.from] != f.mark+"\n" {
		p.reopen(f, f.from)
		return
	}
	one, ok := p.upTo(end)
	if !ok && len(p.pages) < mostChecked {
		for _, earlier := range p.earlierEnds(end) {
			if other, ok := p.upTo(earlier); ok {
				one = other
				break
			}
		}
	}
	p.pages = append(p.pages, one.text)
	if one.cut {
		p.reopen(one.block, one.end)
	} else {
		p.skip(one.end)
	}
}

// mostChecked is how many pages are made to say by themselves what the text says, where that
// takes long. A text of more is not shown in pages.
const mostChecked = 20 * maxPages

// lastEnd is where the longest page ends that has room for what closes its last block.
func (p *pager) lastEnd() int {
	for reserved := 0; ; {
		end := p.end(PageSize - reserved)
		f, cut := p.inside(end)
		need := len("\n") + len(f.mark)
		if !cut || need <= reserved {
			return end
		}
		reserved = need
	}
}

// firstLine is where the first line of a block's code ends.
func (p *pager) firstLine(f fence) int { return f.from + len(lineAt(p.rest[:f.to], f.from)) }

// upTo is the page that ends at an offset. ok is false if it would be read as something
// else than the text, or what follows it would.
func (p *pager) upTo(end int) (one part, ok bool) {
	f, cut := p.inside(end)
	switch {
	case !cut:
		one = part{text: p.rest[:end], end: end}
	case f.open > 0 && end <= p.firstLine(f): // else it would show the beginning of the code as a language, or nothing
		one = p.before(f)
	default:
		one = p.closed(f, min(end, f.to))
	}
	if one.end == f.to || one.end == f.from {
		return one, p.says(one)
	}
	next := strings.TrimLeft(p.rest[one.end:], " \t")
	begins := !strings.HasSuffix(p.rest[:one.end], "\n") && (strings.HasPrefix(next, "```") || strings.HasPrefix(next, "~~~"))
	return one, !begins && p.says(one)
}

// before is the page that ends in front of a block.
func (p *pager) before(f fence) part {
	return part{text: p.rest[:f.open], end: f.from, block: f, cut: true}
}

// closed is the page that ends at an offset in a block.
func (p *pager) closed(f fence, end int) part {
	page := p.rest[:end]
	if !strings.HasSuffix(page, "\n") {
		page += "\n"
	}
	page += f.mark
	if f.open > 0 && !slices.ContainsFunc(fences(page), func(o fence) bool { return o.open == f.open && o.from == f.from && o.end == len(page) }) {
		return p.before(f) // the added fence closes one in front that the text leaves open
	}
	return part{text: page, end: end, block: f, cut: true}
}

// says reports whether a page by itself is read as it is in the text.
func (p *pager) says(one part) bool {
	if !strings.Contains(one.text, "```") && !strings.Contains(one.text, "~~~") {
		return true
	}
	code, prose := said(one.text, fences(one.text), len(one.text))
	wantCode, wantProse := said(p.rest, p.fences, one.end)
	return code == wantCode && prose == wantProse
}

// said is what a text with these blocks has up to an offset, without blanks.
func said(text string, blocks []fence, end int) (code, prose string) {
	at := 0
	for _, f := range blocks {
		if f.open >= end {
			break
		}
		prose += text[at:f.open]
		code += text[min(f.from, end):min(f.to, end)]
		at = min(f.end, end)
	}
	blankless := func(s string) string { return strings.Join(strings.Fields(s), "") }
	return blankless(code), blankless(prose + text[at:end])
}

// earlierEnds are offsets in front of another at which a page may end without what is
// around them being read as a fence: in front of the last word or its last letter, and
// within marks, the last ones first.
func (p *pager) earlierEnds(end int) []int {
	var all []int
	for at := p.begin(); at < end; {
		marks := max(marksAt(p.rest[at:], '`'), marksAt(p.rest[at:], '~'))
		if inner := at + marks - 2; marks >= 3 && inner <= end {
			all = append(all, inner)
		}
		at += max(1, marks)
	}
	slices.Reverse(all)
	const most = 8
	if len(all) > most {
		all = append(all[:most], all[len(all)-1])
	}
	// What a page begins with in front of marks makes them no fence.
	said := strings.TrimRight(p.rest[p.begin():end], " \t`~")
	_, size := utf8.DecodeLastRuneInString(said)
	for _, at := range []int{len(said) - size, strings.LastIndexAny(said, " \t\n") + 1} {
		if at > 0 {
			all = slices.Insert(all, 0, p.begin()+at)
		}
	}
	return all
}

// begin is where on a page the code begins of the block that begins it; else 0.
func (p *pager) begin() int {
	if len(p.fences) > 0 && p.fences[0].open == 0 {
		return p.fences[0].from
	}
	return 0
}

// end is where a page of so many characters ends. It does not cut a line with a fence,
// whose parts might be read as others, unless the line begins the page.
func (p *pager) end(size int) int {
	end := pageEnd(p.rest, size)
	line := strings.LastIndex(p.rest[:end], "\n") + 1
	if said := lineAt(p.rest, line); line > p.begin() && line < end && (strings.Contains(said, "```") || strings.Contains(said, "~~~")) {
		return line
	}
	return end
}

// inside returns the fenced block that a page which ends at an offset leaves open, if
// any.
func (p *pager) inside(at int) (fence, bool) {
	for _, f := range p.fences {
		endless := at == f.to && at == f.end
		if f.open < at && at < f.end || endless {
			return f, true
		}
	}
	return fence{}, false
}

// skip removes what is in front of an offset outside the blocks.
func (p *pager) skip(at int) {
	p.rest = p.rest[at:]
	p.follow(at, -at)
}

// follow keeps the blocks that open at an offset or behind it, moved by this much.
func (p *pager) follow(at, by int) {
	all := p.fences[:0]
	for _, f := range p.fences {
		if f.open >= at {
			f.open, f.from, f.to, f.end = f.open+by, f.from+by, f.to+by, f.end+by
			all = append(all, f)
		}
	}
	p.fences = all
}

// reopen begins the rest with what a block has from an offset on, between fences in lines
// of their own: a fence that ended within a line would not end what begins a line.
func (p *pager) reopen(f fence, at int) {
	code := p.rest[at:f.to]
	if strings.TrimSpace(code) == "" {
		p.skip(f.end)
		return
	}
	if !strings.HasSuffix(code, "\n") {
		code += "\n"
	}
	begin := f.mark + "\n" + code
	again := fence{from: len(f.mark) + len("\n"), to: len(begin), mark: f.mark}
	begin += f.mark
	if f.end < len(p.rest) {
		begin += "\n"
	}
	again.end = len(begin)
	p.rest = begin + p.rest[f.end:]
	p.follow(f.end, len(begin)-f.end)
	p.fences = slices.Insert(p.fences, 0, again)
}
