package alert

import "strings"

// The characters that begin an escape sequence of ECMA-48: ESC, and the one-character forms of
// DCS, SOS, CSI, ST, OSC, PM and APC.
const (
	escape         = "\x1b"
	terminalBegins = escape + "\u0090\u0098\u009b\u009c\u009d\u009e\u009f"
	controlBegin   = "\u009b"
	stringEnd      = "\u009c"
	bell           = "\x07"
)

// withoutTerminalCodes returns s without escape sequences: control sequences (colours, cursor),
// strings such as links and titles up to their end, and all others.
func withoutTerminalCodes(s string) string {
	var out strings.Builder
	for {
		n := strings.IndexAny(s, terminalBegins)
		if n < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:n])
		s = s[n+terminalCodeSize(s[n:]):]
	}
}

// terminalCodeSize is how many bytes the sequence has that s begins with.
func terminalCodeSize(s string) int {
	const oneCharacter = len(controlBegin)
	switch {
	case strings.HasPrefix(s, controlBegin):
		return oneCharacter + controlSize(s[oneCharacter:])
	case strings.HasPrefix(s, stringEnd):
		return oneCharacter
	case s[0] != escape[0]:
		return oneCharacter + stringSize(s[oneCharacter:])
	case len(s) == 1:
		return 1
	case s[1] == '[':
		return 2 + controlSize(s[2:])
	case strings.IndexByte("]PX^_", s[1]) >= 0:
		return 2 + stringSize(s[2:])
	}
	n := 1 + bytesIn(s[1:], ' ', '/')
	return n + min(bytesIn(s[n:], '0', '~'), 1)
}

// controlSize is the size of a control sequence behind its beginning.
func controlSize(s string) int {
	n := bytesIn(s, '0', '?')
	n += bytesIn(s[n:], ' ', '/')
	return n + min(bytesIn(s[n:], '@', '~'), 1)
}

// stringSize is the size of a string behind its beginning, with its end. Without one it ends
// with the line.
func stringSize(s string) int {
	n := strings.IndexAny(s, bell+escape+stringEnd+"\n")
	if n < 0 {
		return len(s)
	}
	for _, end := range []string{bell, escape + `\`, stringEnd} {
		if strings.HasPrefix(s[n:], end) {
			return n + len(end)
		}
	}
	return n
}

// bytesIn is how many bytes from low to high s begins with.
func bytesIn(s string, low, high byte) int {
	n := 0
	for n < len(s) && s[n] >= low && s[n] <= high {
		n++
	}
	return n
}
