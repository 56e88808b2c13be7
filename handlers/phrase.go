package handlers

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is one word a person wrote; bare words are in lower case in key,
// without the punctuation around them.
type token struct {
	raw, key string
	at       int  // where it begins in its phrase's text
	flag     bool // key is the word that a flag stands for
}

// phrase is what a person wrote: its text without what can't be seen, and the
// words of it.
type phrase struct {
	text  string
	words []token
}

// read splits what a person wrote into words. It forgives what keyboards and
// Slack's clients add: smart quotes, non-breaking and zero-width blanks,
// entities, and punctuation at a word's ends. Slack's own <…> stays one word.
func read(text string) phrase {
	p := phrase{text: strings.TrimSpace(strings.Map(visible, strings.ToValidUTF8(text, "\uFFFD")))}
	for at := 0; at < len(p.text); {
		end := at + wordEnd(p.text[at:])
		if word := p.text[at:end]; strings.TrimSpace(word) != "" {
			p.words = append(p.words, newToken(word, at))
		}
		at = end
		for at < len(p.text) {
			r, size := utf8.DecodeRuneInString(p.text[at:])
			if !unicode.IsSpace(r) {
				break
			}
			at += size
		}
	}
	return p
}

// visible drops what nobody sees, such as marks of direction. What joins letters
// stays: some scripts and emoji need it.
func visible(r rune) rune {
	switch {
	case unicode.Is(unicode.Join_Control, r), unicode.IsSpace(r):
		return r
	case unicode.Is(unicode.Cf, r), unicode.IsControl(r):
		return -1
	}
	return r
}

func newToken(word string, at int) token {
	raw := word
	if !strings.HasPrefix(word, "<") {
		raw = trim(unescape(strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Join_Control, r) {
				return -1
			}
			return r
		}, word)))
	}
	return token{raw: raw, key: strings.ToLower(raw), at: at}
}

// wordEnd is where the first word of text ends: at white space outside of <…>.
func wordEnd(text string) int {
	if text[0] == '<' {
		if end := strings.IndexByte(text, '>'); end > 0 {
			return end + 1
		}
	}
	for i, r := range text {
		if i > 0 && (unicode.IsSpace(r) || r == '<') {
			return i
		}
	}
	return len(text)
}

// trim takes quotes, markup and the end of a sentence off a word. A word of
// nothing else stays, so that it can be answered.
func trim(word string) string {
	const around = "\"'`*~“”„‟‘’‚‛«»‹›()[]"
	bare := strings.TrimRight(strings.Trim(word, around), ".,!?;:…")
	if bare = strings.Trim(bare, around); bare == "" {
		return word
	}
	return bare
}

func (p phrase) from(n int) phrase {
	if n >= len(p.words) {
		return phrase{}
	}
	return read(p.text[p.words[n].at:])
}

// until is the phrase before its n-th word.
func (p phrase) until(n int) phrase { return read(p.text[:p.words[n].at]) }

// prose is the text as people read it, for a note or a reason: Slack's <…> are
// what they show, and nothing in it can ping or lead elsewhere than it says.
func (p phrase) prose() string { return unescape(unlink(p.text, spoken)) }

// code is the text as it was typed, to search for: an address that Slack's
// clients made a link of is the address again, and a channel or a person is its id.
func (p phrase) code() string { return unescape(unlink(p.text, typed)) }

// unlink replaces each of Slack's <…> by what show makes of its two halves.
func unlink(text string, show func(target, label string) string) string {
	var b strings.Builder
	for {
		start := strings.IndexByte(text, '<')
		end := strings.IndexByte(text[max(start, 0):], '>')
		if start < 0 || end < 0 {
			return b.String() + text
		}
		target, label, _ := strings.Cut(text[start+1:start+end], "|")
		b.WriteString(text[:start])
		b.WriteString(show(target, label))
		text = text[start+end+1:]
	}
}

func spoken(target, label string) string {
	switch {
	case target == "":
		return label
	case target[0] == '@' || target[0] == '#':
		if label == "" {
			return target
		}
		return target[:1] + strings.TrimLeft(label, "@#")
	case target[0] == '!':
		name, _, _ := strings.Cut(target[1:], "^")
		if label != "" {
			return label
		}
		return "@" + name
	case label == "":
		return strings.TrimPrefix(target, "mailto:")
	case sameAddress(target, label):
		return label
	}
	return label + " (" + target + ")"
}

func typed(target, label string) string {
	switch {
	case target == "":
		return label
	case target[0] == '@' || target[0] == '#':
		return target[1:]
	case label != "" && sameAddress(target, label):
		return label
	}
	return spoken(target, "")
}

// named is typed with the name of a channel or a person, where Slack sends it.
func named(target, label string) string {
	if label != "" && target != "" && strings.Contains("@#", target[:1]) {
		return spoken(target, label)
	}
	return typed(target, label)
}

// sameAddress tells a link that Slack made of an address somebody typed.
func sameAddress(target, label string) bool {
	_, bare, found := strings.Cut(target, ":")
	if !found {
		bare = target
	}
	return strings.TrimPrefix(bare, "//") == label || target == label
}

// Literal is text that nobody typed into Slack, in the form in which Slack sends it: < and
// > are not markup, and &lt; is these four letters.
func Literal(text string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;").Replace(text)
}

// unescape undoes Slack's three entities, once.
func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}
