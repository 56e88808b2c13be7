package ingest

import (
	"strconv"
	"strings"

	"tocsin/alert"
)

// colourSeverity is the severity that a colour stands for: one of Slack's names, a common
// one of CSS, or the hue of a colour such as #d00000. It is empty for any other, which
// says nothing.
func colourSeverity(colour string) alert.Severity {
	colour = strings.ToLower(strings.TrimSpace(colour))
	switch colour {
	case "danger", "red", "darkred", "crimson", "firebrick", "indianred", "maroon", "tomato":
		return alert.Error
	case "warning", "orange", "darkorange", "amber", "yellow", "gold", "goldenrod":
		return alert.Warning
	case "good", "green", "darkgreen", "lime", "limegreen", "teal", "blue", "darkblue", "navy", "cyan", "purple", "gray", "grey", "black", "white":
		return alert.Info
	}
	red, green, blue, ok := rgb(colour)
	if !ok {
		return ""
	}
	switch hue, coloured := hueOf(red, green, blue); {
	case !coloured, hue > 65 && hue < 330:
		return alert.Info
	case hue >= 20 && hue < 330:
		return alert.Warning
	}
	return alert.Error
}

// hueOf is the angle of a colour in degrees: red is 0, yellow 60, green 120. coloured is
// false for what looks grey, black or pale.
func hueOf(red, green, blue int) (hue int, coloured bool) {
	most, least := max(red, green, blue), min(red, green, blue)
	chroma := most - least
	if chroma < 40 || chroma*5 < most*2 {
		return 0, false
	}
	switch most {
	case red:
		return (60*(green-blue)/chroma + 360) % 360, true
	case green:
		return 60*(blue-red)/chroma + 120, true
	}
	return 60*(red-green)/chroma + 240, true
}

// rgb reads the hexadecimal digits of a colour, one or two for each part. Those of its
// transparency, if there are some, say nothing.
func rgb(colour string) (red, green, blue int, ok bool) {
	hex, marked := strings.CutPrefix(colour, "#")
	if marked && (len(hex) == 3 || len(hex) == 4) {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]}) + hex[3:] + hex[3:]
	}
	value, err := strconv.ParseUint(hex, 16, 32)
	switch {
	case err != nil || len(hex) != 6 && len(hex) != 8:
		return 0, 0, 0, false
	case len(hex) == 8:
		value >>= 8
	}
	return int(value >> 16), int(value >> 8 & 0xff), int(value & 0xff), true
}
