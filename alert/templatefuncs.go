package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode"
)

// templateFuncs are the functions of a template: Alertmanager's, those of Prometheus' that
// need no server, and Go's own, of which those that make texts are limited.
func templateFuncs(now time.Time) template.FuncMap {
	return template.FuncMap{
		"toUpper": strings.ToUpper, "toLower": strings.ToLower, "title": titleCase, "trimSpace": strings.TrimSpace,
		"len":          length,
		"join":         func(sep string, all []string) (string, error) { return limited(strings.Join(all, sep)) },
		"stringSlice":  func(all ...string) []string { return all },
		"match":        matchText,
		"reReplaceAll": replaceAll,
		"safeHtml":     func(s string) string { return s },
		"safeUrl":      func(s string) string { return s },
		"urlUnescape":  url.QueryUnescape,
		"toJson":       toJSON,
		"date":         func(layout string, t time.Time) (string, error) { return limited(t.Format(layout)) },
		"tz":           inZone,
		"since":        func(t time.Time) time.Duration { return now.Sub(t) },

		"humanize":           humanizeWith(humanize),
		"humanize1024":       humanizeWith(humanize1024),
		"humanizePercentage": humanizeWith(func(v float64) string { return fmt.Sprintf("%.4g%%", v*100) }),
		"humanizeDuration":   humanizeWith(humanizeDuration),
		"humanizeTimestamp":  humanizeWith(humanizeTimestamp),
		"toTime":             toTime,
		"parseDuration":      durationSeconds,
		"stripPort":          stripPort,
		"stripDomain":        stripDomain,

		"print":    func(all ...any) (string, error) { return limited(fmt.Sprint(all...)) },
		"println":  func(all ...any) (string, error) { return limited(fmt.Sprintln(all...)) },
		"printf":   printf,
		"html":     func(all ...any) (string, error) { return limited(template.HTMLEscaper(all...)) },
		"js":       func(all ...any) (string, error) { return limited(template.JSEscaper(all...)) },
		"urlquery": func(all ...any) (string, error) { return limited(template.URLQueryEscaper(all...)) },
	}
}

// length is Go's len, and of a list of alerts how many there are, listed or not.
func length(of any) (int, error) {
	if alerts, ok := of.(templateAlerts); ok {
		return alerts.count(), nil
	}
	switch v := reflect.ValueOf(of); v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len(), nil
	default:
		return 0, fmt.Errorf("%v has no length", of)
	}
}

func limited(s string) (string, error) {
	if len(s) > maxTemplateText {
		return "", errTemplateText
	}
	return s, nil
}

// wide matches a verb that would be wider than any text needs, or as wide as an argument.
var wide = regexp.MustCompile(`%[^a-zA-Z%]*([0-9]{4,}|\*)`)

func printf(format string, all ...any) (string, error) {
	if wide.MatchString(format) {
		return "", errors.New("a verb is too wide")
	}
	return limited(fmt.Sprintf(format, all...))
}

// titleCase is a text whose words begin with a capital and go on with small letters.
func titleCase(s string) string {
	within := false
	return strings.Map(func(r rune) rune {
		first := !within
		within = unicode.IsLetter(r) || unicode.IsDigit(r) || within && (r == '\'' || r == '’' || r == '_')
		if first {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func compilePattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxMatcher {
		return nil, fmt.Errorf("the pattern is longer than %d bytes", maxMatcher)
	}
	if err := checkRegexp(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile(pattern)
}

func matchText(pattern, text string) (bool, error) {
	re, err := compilePattern(pattern)
	return err == nil && re.MatchString(text), err
}

func replaceAll(pattern, replacement, text string) (string, error) {
	re, err := compilePattern(pattern)
	switch {
	case err != nil:
		return "", err
	case len(replacement) > maxMatcher:
		return "", fmt.Errorf("the replacement is longer than %d bytes", maxMatcher)
	}
	return limited(re.ReplaceAllString(text, replacement))
}

func toJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return limited(string(b))
}

func inZone(name string, t time.Time) (time.Time, error) {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return t, fmt.Errorf("%q is not a time zone", name)
	}
	return t.In(zone), nil
}

// number is what Prometheus' functions take: a number, a text with one, or a duration in
// seconds.
func number(v any) (float64, error) {
	switch n := v.(type) {
	case float64:
		return n, nil
	case int:
		return float64(n), nil
	case time.Duration:
		return n.Seconds(), nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
		if err != nil {
			return 0, fmt.Errorf("%.40q is not a number", n)
		}
		return f, nil
	}
	return 0, fmt.Errorf("%v is not a number", v)
}

func humanizeWith(write func(float64) string) func(any) (string, error) {
	return func(v any) (string, error) {
		n, err := number(v)
		switch {
		case err != nil:
			return "", err
		case math.IsNaN(n) || math.IsInf(n, 0):
			return fmt.Sprintf("%.4g", n), nil
		}
		return write(n), nil
	}
}

var (
	smallPrefixes  = [...]string{"m", "u", "n", "p", "f", "a", "z", "y"}
	largePrefixes  = [...]string{"k", "M", "G", "T", "P", "E", "Z", "Y"}
	binaryPrefixes = [...]string{"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"}
)

// smaller is a number below one with the prefix that makes it at least one.
func smaller(v float64) string {
	prefix := ""
	for _, p := range smallPrefixes {
		if math.Abs(v) >= 1 {
			break
		}
		prefix, v = p, v*1000
	}
	return fmt.Sprintf("%.4g%s", v, prefix)
}

// larger is a number with the prefix that makes it smaller than base.
func larger(v, base float64, prefixes []string) string {
	prefix := ""
	for _, p := range prefixes {
		if math.Abs(v) < base {
			break
		}
		prefix, v = p, v/base
	}
	return fmt.Sprintf("%.4g%s", v, prefix)
}

func humanize(v float64) string {
	if v != 0 && math.Abs(v) < 1 {
		return smaller(v)
	}
	return larger(v, 1000, largePrefixes[:])
}

func humanize1024(v float64) string { return larger(v, 1024, binaryPrefixes[:]) }

// humanizeDuration writes seconds as 1d 2h 3m 4s, from the largest unit that is not zero.
func humanizeDuration(v float64) string {
	switch {
	case v == 0:
		return "0s"
	case math.Abs(v) < 1:
		return smaller(v) + "s"
	case v < 0:
		return "-" + humanizeDuration(-v)
	case v < 60:
		return fmt.Sprintf("%.4gs", v)
	}
	all := int64(min(v, math.MaxInt64/2))
	days, hours, minutes, seconds := all/86400, all/3600%24, all/60%60, all%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd %dh %dm %ds", days, hours, minutes, seconds)
	case hours > 0:
		return fmt.Sprintf("%dh %dm %ds", hours, minutes, seconds)
	}
	return fmt.Sprintf("%dm %ds", minutes, seconds)
}

func secondsTime(v float64) time.Time {
	return time.UnixMilli(int64(math.Round(v * 1000))).UTC()
}

func humanizeTimestamp(v float64) string { return fmt.Sprint(secondsTime(v)) }

func toTime(v any) (time.Time, error) {
	n, err := number(v)
	return secondsTime(n), err
}

// durationSeconds is a duration such as 1d or 5m in seconds.
func durationSeconds(s string) (float64, error) {
	d, err := ParseDuration(s)
	return d.Seconds(), err
}

func stripPort(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// stripDomain is a host without its domain, and with its port.
func stripDomain(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if net.ParseIP(host) != nil {
		return address
	}
	host, _, _ = strings.Cut(host, ".")
	if port != "" {
		return host + ":" + port
	}
	return host
}
