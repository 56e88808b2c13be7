package ingest

import (
	"strings"

	"tocsin/alert"
)

// colourSeverity is the severity that a colour stands for: one of Slack's names, or the
// hue of a colour such as #d00000. It is empty without a colour.
func colourSeverity(colour string) alert.Severity {
	named := map[string]alert.Severity{
		"": "", "danger": alert.Error, "red": alert.Error, "warning": alert.Warning, "yellow": alert.Warning, "orange": alert.Warning,
	}
	if s, ok := named[strings.ToLower(colour)]; ok {
		return s
	}
	red, green, blue, ok := rgb(colour)
	if reddish := ok && red > 120 && blue < red*2/3; !reddish || green >= red*11/10 {
		return alert.Info
	}
	if green < red/2 {
		return alert.Error
	}
	return alert.Warning
}

func rgb(colour string) (red, green, blue int, ok bool) {
	hex := strings.TrimPrefix(colour, "#")
	if len(hex) != 6 {
		return 0, 0, 0, false
	}
	var parts [3]int
	for n := range hex {
		digit := strings.IndexByte("0123456789abcdef", hex[n]|0x20)
		if hex[n] < 'A' {
			digit = strings.IndexByte("0123456789", hex[n])
		}
		if digit < 0 {
			return 0, 0, 0, false
		}
		parts[n/2] = parts[n/2]*16 + digit
	}
	return parts[0], parts[1], parts[2], true
}
