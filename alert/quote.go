package alert

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quoting is what a quoted text can't hold as it is.
var quoting = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func quote(s string) string {
	s = quoting.Replace(s)
	if !strings.ContainsFunc(s, hidden) {
		return `"` + s + `"`
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return `"` + b.String() + `"`
}

// hidden reports whether a character is shown by its code, because a reader would not see
// it, or would see the text in another order.
func hidden(r rune) bool {
	return r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// hiddenCode is a character that hidden means, after its backslash.
var hiddenCode = regexp.MustCompile(`^(?:x[01789][0-9a-f]|u[0-9a-f]{4})`)

// readHidden returns the character that s begins with the code of, and the code's length.
// What only looks like one, as in C:\x64, is literal.
func readHidden(s string) (char string, size int) {
	code := hiddenCode.FindString(s)
	if code == "" {
		return "", 0
	}
	n, err := strconv.ParseUint(code[1:], 16, 32)
	if r := rune(n); err == nil && hidden(r) {
		return string(r), len(code)
	}
	return "", 0
}
