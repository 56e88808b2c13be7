package alert

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

var errTime = errors.New("not a time such as 2026-01-02T15:04:05Z, or seconds since 1970")

// ParseTime reads a time as tools write it: RFC 3339, with a blank for the T, with a
// zone as +0000 or UTC or none (which is UTC), a day alone, or the seconds, milli-, micro-
// or nanoseconds since 1970. The zero time is what many tools write for none; it is
// returned as time.Time{}.
func ParseTime(text string) (time.Time, error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return fromEpoch(n)
	}
	for _, zone := range []string{"UTC", "GMT"} {
		if rest, ok := strings.CutSuffix(text, zone); ok {
			text = strings.TrimSpace(rest) + "Z"
		}
	}
	if len(text) > len(time.DateOnly) && text[len(time.DateOnly)] == ' ' {
		text = text[:len(time.DateOnly)] + "T" + text[len(time.DateOnly)+1:]
	}
	text = strings.ReplaceAll(text, " ", "") // before a zone
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", time.DateOnly,
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return known(t)
		}
	}
	return time.Time{}, errTime
}

// fromEpoch tells the units apart by their size: each is good for times from 1973 to 5138.
func fromEpoch(n float64) (time.Time, error) {
	switch {
	case n == 0:
		return time.Time{}, nil
	case n < 0 || n >= 1e20 || n != n:
		return time.Time{}, errTime
	}
	micros := n * 1e6
	for n >= 1e11 {
		n /= 1e3
		micros = n * 1e6
	}
	return known(time.UnixMicro(int64(micros)).UTC())
}

func known(t time.Time) (time.Time, error) {
	if t.Year() <= 1 {
		return time.Time{}, nil
	}
	return t, nil
}
