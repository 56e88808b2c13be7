package alert

import (
	"cmp"
	"mime"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PageSize is the most characters of text one page holds. Escaping turns one
// character into at most five (&amp;), and a Slack section takes 3,000
// (docs/slack.md §2.6); 2,800 escaped characters leave room for what a view adds.
const PageSize = 2800

// EscapedLen is the length of s in characters with & < > escaped as &amp; &lt; &gt;.
func EscapedLen(s string) int {
	return utf8.RuneCountInString(s) + strings.Count(s, "&")*(escapedCost('&')-1) +
		(strings.Count(s, "<")+strings.Count(s, ">"))*(escapedCost('<')-1)
}

func escapedCost(r rune) int {
	switch r {
	case '&':
		return len("&amp;")
	case '<', '>':
		return len("&lt;")
	}
	return 1
}

// Pages splits text so that each page, once escaped, has at most PageSize
// characters. It breaks after a line or a word if one ends in the last third of a
// page. A card shows the first page, and its thread the others. The pages joined are
// the text, except that a fenced block that spans pages is closed at the end of one
// and opened again on the next, between fences in lines of their own. An empty text has one empty page.
// There are at most so many pages, because all of a long text take long.
func Pages(text string, most int) []string {
	if EscapedLen(text) <= PageSize {
		return []string{text}
	}
	p := pager{rest: text, fences: fences(text)}
	for p.rest != "" && len(p.pages) < most {
		p.page()
	}
	return p.pages
}

// maxPages is the most pages of one text in Slack. A longer text is a file.
const maxPages = 5

// AfterFirstPage returns the notes that say what the first page of a text does not: one
// for each further page, or the whole text as a file.
func AfterFirstPage(text string) []Note {
	pages := Pages(text, maxPages+1)
	if len(pages) > maxPages {
		return []Note{{Topic: TopicText, Text: text}}
	}
	notes := make([]Note, 0, len(pages)-1)
	for _, page := range pages[1:] {
		notes = append(notes, Note{Topic: TopicMore, Text: page})
	}
	return notes
}

// LongestAddress is the most characters of a web address in a text, once escaped, that is
// a link. A page has room for it; the part of a longer one that fits is longer than this.
const LongestAddress = PageSize - 2*maxBlankStart

// maxBlankStart is how many characters of a page may be in front of an address that is
// longer than the rest of it.
const maxBlankStart = 50

// pageEnd returns the byte offset of the end of the first page of at most size
// characters. An address is not cut, unless it is longer than a page: then the next page
// does not begin with what looks like one.
func pageEnd(text string, size int) int {
	end := roughEnd(text, size)
	if end == len(text) {
		return end
	}
	if begin := addressAt(text, end); begin > maxBlankStart {
		return begin
	} else if begin >= 0 && strings.HasPrefix(strings.ToLower(text[end:]), "http") {
		return end - 1
	}
	return end
}

// addressAt returns where the web address begins that an offset of a text is within, or -1.
func addressAt(text string, at int) int {
	begin := strings.LastIndexFunc(text[:at], EndsAddress) + 1
	if next, _ := utf8.DecodeRuneInString(text[at:]); begin == at || EndsAddress(next) {
		return -1
	}
	word := strings.ToLower(text[begin:min(len(text), at+len("https://"))])
	first := -1
	for _, scheme := range []string{"http://", "https://"} {
		if n := strings.Index(word, scheme); n >= 0 && begin+n < at && (first < 0 || begin+n < first) {
			first = begin + n
		}
	}
	return first
}

// EndsAddress reports whether a character can't be in a web address in a text: blanks,
// characters that draw nothing, marks around an address, a backslash, which begins an
// escape such as \n, and punctuation that people of East Asia write without a blank.
func EndsAddress(r rune) bool {
	return unicode.IsSpace(r) || r >= utf8.RuneSelf && unicode.In(r, unicode.Z, unicode.Cf) || strings.ContainsRune("<>\"`\\“”„«»。，、；！？（）「」『』【】《》〈〉", r)
}

// roughEnd is pageEnd but for addresses.
func roughEnd(text string, size int) int {
	used, line, word := 0, 0, 0
	for i, r := range text {
		cost := escapedCost(r)
		if used+cost > size {
			switch {
			case line > 0:
				return line
			case word > 0:
				return word
			}
			return i
		}
		used += cost
		late := used > size*2/3
		if late && r == '\n' {
			line = i + 1
		}
		if late && unicode.IsSpace(r) {
			word = i + utf8.RuneLen(r)
		}
	}
	return len(text)
}

// firstLine returns the first line of text that says something, which no fence does,
// shortened to at most limit characters with an ellipsis, and whether it is the whole text.
func firstLine(text string, limit int) (line string, whole bool) {
	trimmed := strings.TrimSpace(text)
	if line = mailSubject(trimmed); line == "" {
		line = cmp.Or(lineThat(hasWord, trimmed), lineThat(Visible, trimmed))
	}
	whole = line == trimmed
	if utf8.RuneCountInString(line) > limit {
		return string([]rune(line)[:limit-1]) + "…", false
	}
	return line, whole
}

// lineThat returns the first line of a text that does something, without blanks around it.
func lineThat(does func(string) bool, text string) string {
	for _, p := range Passages(text) {
		lines := strings.Split(p.Text, "\n")
		if n := slices.IndexFunc(lines, does); n >= 0 {
			return strings.TrimSpace(lines[n])
		}
	}
	return ""
}

// hasWord reports whether a line has a letter, a digit or a picture in it: it is not a ruler such
// as ======.
func hasWord(line string) bool {
	return strings.ContainsFunc(line, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.So, r) })
}

// mailHeader is a line of a mail's head, or one that continues it.
var mailHeader = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9-]*:|[ \t]+\S|From )`)

// mailSubject is the subject of a text that is a mail with its head, such as what cron pipes to
// a command; empty for others.
func mailSubject(text string) (subject string) {
	head := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		if !mailHeader.MatchString(line) {
			return ""
		}
		head++
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Subject") {
			subject = strings.TrimSpace(value)
		}
	}
	if head < 2 { // a text may begin like one line of it
		return ""
	}
	if plain, err := new(mime.WordDecoder).DecodeHeader(subject); err == nil {
		subject = plain
	}
	return subject
}

// Visible reports whether anything of s can be seen: it has more than blanks and characters
// that draw nothing, such as U+200B. The Arabic signs that Unicode counts as formatting are
// drawn.
func Visible(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		switch {
		case r >= 0x0600 && r <= 0x0605, r == 0x06DD, r == 0x070F, r == 0x08E2:
			return true
		case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x2800, r == 0x3164, r == 0xFFA0, unicode.Is(unicode.Variation_Selector, r):
			return false
		}
		return unicode.IsGraphic(r) && !unicode.IsSpace(r)
	})
}

// ValidText says whether every store can keep s: it is valid UTF-8 and has no NUL
// character, which PostgreSQL refuses.
func ValidText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// Preformatted is s between fences, so that it is shown in fixed width and as it is.
// The fences are longer than those in s. It is empty for a text that says nothing.
func Preformatted(s string) string {
	if s = strings.Trim(s, "\r\n"); strings.TrimSpace(s) == "" {
		return ""
	}
	longest, run := 2, 0
	for n := range len(s) {
		if run++; s[n] != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	return fence + "\n" + s + "\n" + fence
}

// Reorders says whether a character embeds, overrides or isolates a direction of writing.
func Reorders(r rune) bool { return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 }
