package render

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tocsin/alert"
)

var (
	scheme = regexp.MustCompile("(?i)https?://")
	// secondAddress is another address behind the first one in a list without blanks.
	secondAddress = regexp.MustCompile(`(?i)[,;|](?:[\w.-]+=)?https?://`)
	// escapedMark is a mark of HTML that some senders escape where no HTML is read.
	escapedMark = regexp.MustCompile(`&(?:[lg]t|quot|apos|nbsp|#39|#34);`)
	// placeholder stands for a part of an address, as in https://x.example/<id>/log.
	placeholder = regexp.MustCompile(`^<([A-Za-z][\w .-]*)>`)
)

// addressesIn finds the web addresses in a text, as byte offsets. One that is not whole,
// because an ellipsis or a placeholder stands for a part of it, leads elsewhere: it is left
// out.
func addressesIn(s string) [][]int {
	var all [][]int
	for at := 0; ; {
		found := scheme.FindStringIndex(s[at:])
		if found == nil {
			return all
		}
		begin, end := at+found[0], at+found[1]
		if n := strings.IndexFunc(s[end:], alert.EndsAddress); n >= 0 {
			end += n
		} else {
			end = len(s)
		}
		at = end
		// A longer one may be cut at the end of a page.
		if startsWithin(s[:begin]) || alert.EscapedLen(s[begin:end]) > alert.LongestAddress {
			continue
		}
		size, separated := wholeAddress(s[:begin], s[begin:end])
		if separated {
			at = begin + size
		}
		size = addressEnd(s[:begin], s[begin:begin+size])
		if u, err := url.Parse(s[begin : begin+size]); err == nil && u.Hostname() != "" && !shortened(s[begin:end], s[end:]) {
			all = append(all, []int{begin, begin + size})
		}
	}
}

// longAddresses finds the web addresses in a page of Markdown that are too long to be links,
// because they may be cut at its end, as byte offsets. With one goes the bracket that makes
// it the address of a link.
func longAddresses(s string) (all [][2]int) {
	for _, found := range scheme.FindAllStringIndex(s, -1) {
		begin, end := found[0], len(s)
		if len(all) > 0 && begin < all[len(all)-1][1] {
			continue
		}
		if n := strings.IndexFunc(s[begin:], alert.EndsAddress); n >= 0 {
			end = begin + n
		}
		size, _ := wholeAddress(s[:begin], s[begin:end])
		end = begin + size
		if alert.EscapedLen(s[begin:end]) <= alert.LongestAddress {
			continue
		}
		if strings.HasSuffix(s[:begin], "](") {
			begin--
		}
		all = append(all, [2]int{begin, end})
	}
	return all
}

// continued is how many bytes of a page that is not the first continue an address which is
// longer than a page, and have in them what looks like another; else 0.
func continued(s string) int {
	end := strings.IndexFunc(s, alert.EndsAddress)
	if end < 0 {
		end = len(s)
	}
	if found := scheme.FindStringIndex(s[:end]); found == nil || found[0] == 0 {
		return 0
	}
	return end
}

// startsWithin reports whether what follows a text continues its last word. In scripts
// without blanks, a word and an address have none between them.
func startsWithin(before string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	return wordRune(last) && !unicode.In(last, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// shortened reports whether a part of an address is left out: raw is what was written of
// it, in front of after.
func shortened(raw, after string) bool {
	if strings.Contains(raw, ellipsis) {
		return true
	}
	m := placeholder.FindStringSubmatch(after)
	if m == nil || slices.Contains([]string{"br", "p", "hr", "li", "td", "tr", "div"}, strings.ToLower(m[1])) {
		return false
	}
	const within = "/=-_.:?&#%@~+"
	next := after[len(m[0]):]
	return strings.ContainsAny(raw[len(raw)-1:], within) || next != "" && strings.ContainsAny(next[:1], within)
}

// closedBy has the marks that end an address in front of which the key stands.
var closedBy = map[rune]string{'<': "|", '|': "|", '\'': "'", '‘': "’", '’': "’", '‹': "›"}

// wholeAddress is the length of the address that a word without blanks begins with, behind
// some text, and whether the word may have another one behind it.
func wholeAddress(before, word string) (size int, separated bool) {
	size = len(word)
	end := func(at int) {
		if at >= 0 && at < size {
			size, separated = at, true
		}
	}
	last, _ := utf8.DecodeLastRuneInString(before)
	if marks := closedBy[last]; marks != "" {
		end(strings.IndexAny(word, marks))
	}
	if m := escapedMark.FindStringIndex(word); m != nil {
		end(m[0])
	}
	// In a query, an address may be a value.
	if m := secondAddress.FindStringIndex(word); m != nil && !strings.ContainsAny(word[:m[0]], "?#") {
		end(m[0])
	}
	end(unopened(word))
	return size, separated
}

// unopened is where a word closes a bracket that it has not opened, or -1.
func unopened(word string) int {
	const opening, closing = "([{", ")]}"
	var open [len(opening)]int
	for at, r := range word {
		if n := strings.IndexRune(opening, r); n >= 0 {
			open[n]++
		} else if n := strings.IndexRune(closing, r); n >= 0 {
			if open[n]--; open[n] < 0 {
				return at
			}
		}
	}
	return -1
}

// addressEnd is where an address ends that stands in a sentence behind some text: before
// the sentence's punctuation, and before the marks that close what is bold or italic there.
func addressEnd(before, s string) int {
	for s != "" {
		last, size := utf8.DecodeLastRuneInString(s)
		switch {
		case strings.ContainsRune("*_~", last):
			marks := s[len(strings.TrimRight(s, string(last))):]
			size = min(len(marks), opening(before, last))
			if size == 0 {
				return len(s)
			}
		case strings.ContainsRune(".,;:!?'|…’：", last):
		default:
			return len(s)
		}
		s = s[:len(s)-size]
	}
	return 0
}

// opening counts the marks that were opened last in the line that before ends with, and
// not closed: they begin a word.
func opening(before string, mark rune) int {
	line := before[strings.LastIndex(before, "\n")+1:]
	end := strings.LastIndex(line, string(mark)) + 1
	begin := len(strings.TrimRight(line[:end], string(mark)))
	previous, _ := utf8.DecodeLastRuneInString(line[:begin])
	next, _ := utf8.DecodeRuneInString(line[end:])
	if wordRune(previous) || unicode.IsSpace(next) {
		return 0
	}
	return end - begin
}
