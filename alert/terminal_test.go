package alert

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzTerminalCodes compares what is removed with the expression that says what it is, which
// takes ten times as long.
func FuzzTerminalCodes(f *testing.F) {
	codes := regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?" +
		"|(?:\x1b[\\]PX^_]|[\u0090\u0098\u009d\u009e\u009f])[^\x07\x1b\u009c\n]*(?:\x07|\x1b\\\\|\u009c)?" +
		"|\x1b[ -/]*[0-~]?|\u009c")
	for _, s := range []string{
		"", "x", "\x1b", "\x1b[31mred\x1b[0m", "\u009b1;2 qx", "\x1b]8;;https://e.example\x1b\\link\x1b]8;;\x07", "\x1bP a\nb", "\u009dx\u009cy",
		"\x1b(B\x1b 7", "\x1b[", "\x1b]", "\x1b\x1b[", "\u009c\u0090é\u0098\n", "\x1b[1\x1b[2", "\x1b!\x7f", "\u0085",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "")
		if got, want := withoutTerminalCodes(s), codes.ReplaceAllString(s, ""); got != want {
			t.Errorf("of %q remains %q, want %q", s, got, want)
		}
	})
}
