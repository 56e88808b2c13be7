package alert

import (
	"regexp"
	"slices"
	"strings"
)

// Passage is a part of a text: prose, or what is between the lines of a fence.
type Passage struct {
	Text string
	Code bool
}

// Passages splits text at its fenced blocks, as Markdown writes them: lines of three or
// more backquotes, or of three or four tildes, around code. The lines of the fence are
// not part of any passage, unless they say more than a language. A block of backquotes
// may also begin and end within a line, as in Slack, and lasts to the end of the text if
// it is not closed.
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

// fence is a fenced block: byte offsets of the opening line, the code, and what follows
// the closing line; and the mark that closes it.
type fence struct {
	open, from, to, end int
	mark                string
}

var (
	backquotes = regexp.MustCompile("^[ \t]*(`{3,30})([^`\n]*)(`*)[ \t\r]*$")
	tildes     = regexp.MustCompile(`^ {0,3}(~{3,4})([^~\n]*)()[ \t\r]*$`)
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

// opened returns the fenced block that the line at an offset opens, if it does. It
// remembers in unclosed the marks that close no block from there on.
func opened(text string, at int, line string, unclosed map[string]bool) (fence, bool) {
	bare := strings.TrimSuffix(line, "\n")
	found := backquotes.FindStringSubmatchIndex(bare)
	if found == nil {
		found = tildes.FindStringSubmatchIndex(bare)
	}
	if found == nil {
		return fence{}, false
	}
	f := fence{open: at, from: at + len(line), mark: bare[found[2]:found[3]]}
	info, closing := bare[found[4]:found[5]], bare[found[6]:found[7]]
	named := isLanguage(strings.TrimSpace(info))
	switch {
	case closing == f.mark && strings.TrimSpace(info) != "":
		f.from, f.to, f.end = at+found[4], at+found[5], at+len(line)
		return f, true
	case closing != "":
		return fence{}, false
	case !named:
		f.from = at + found[4]
	}
	if !unclosed[f.mark] && f.close(text, at+len(line)) {
		return f, true
	}
	unclosed[f.mark] = true
	f.to, f.end = len(text), len(text)
	return f, named && f.mark[0] == '`'
}

// close finds where the block ends, from an offset on.
func (f *fence) close(text string, at int) bool {
	for at < len(text) {
		line := lineAt(text, at)
		bare := strings.TrimRight(line, " \t\r\n")
		marks := len(bare) - len(strings.TrimRight(bare, f.mark[:1]))
		before := bare[:len(bare)-marks]
		if marks >= len(f.mark) {
			switch {
			case strings.TrimSpace(before) == "":
				f.to, f.end = at, at+len(line)
				return true
			case f.mark[0] == '`' && marks == len(f.mark) && !strings.Contains(before, "`"):
				f.to, f.end = at+len(before), at+len(line)
				return true
			}
		}
		at += len(line)
	}
	return false
}

// isLanguage says whether what follows an opening fence only names a language. Anything
// else is the first line of the code.
func isLanguage(info string) bool {
	return info == "" || slices.Contains([]string{
		"bash", "c", "c++", "cfg", "conf", "console", "cpp", "csharp", "css", "csv", "diff", "dockerfile", "go", "golang", "graphql", "hcl", "html",
		"http", "ini", "java", "javascript", "js", "json", "jsx", "kotlin", "log", "logs", "lua", "makefile", "markdown", "md", "nginx", "perl", "php",
		"plain", "plaintext", "powershell", "promql", "properties", "proto", "py", "python", "rb", "ruby", "rust", "scala", "sh", "shell", "sql",
		"swift", "terraform", "text", "toml", "ts", "tsx", "txt", "typescript", "xml", "yaml", "yml", "zsh",
	}, strings.ToLower(info))
}

// pager splits a text into pages.
type pager struct {
	fences []fence
	pages  []string
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

// page adds the page of text that begins at an offset, and returns where the next one
// begins and what it begins with. A fenced block that it cuts is closed at its end, and
// opened again at the beginning of the next.
func (p *pager) page(text string, at int, begin string) (next int, reopened string) {
	for reserved := 0; ; {
		end := at + pageEnd(text[at:], PageSize-len(begin)-reserved)
		f, cut := p.inside(end)
		if !cut {
			p.pages = append(p.pages, begin+text[at:end])
			return end, ""
		}
		if need := len(f.mark) + len("\n"); need > reserved {
			reserved = need
			continue
		}
		page := begin + text[at:end]
		if !strings.HasSuffix(page, "\n") {
			page += "\n"
		}
		p.pages = append(p.pages, page+f.mark)
		if end >= f.to {
			return f.end, ""
		}
		return end, f.mark + "\n"
	}
}
