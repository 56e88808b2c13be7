package alert

import (
	"slices"
	"strings"
	"unicode"
)

// Severity is how bad an alert is, from Info up to Critical.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	Error    Severity = "error"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// Severities lists every severity, worst first.
func Severities() []Severity { return []Severity{Critical, Error, Warning, Info} }

// Rank is 0 for critical to 3 for info, and 4 for an unknown severity.
func (s Severity) Rank() int {
	for i, known := range Severities() {
		if s == known {
			return i
		}
	}
	return len(Severities())
}

// unhyphenated joins the parts of a word.
var unhyphenated = strings.NewReplacer("-", "", "_", "", " ", "")

// bareWord is a severity in small letters, without what may stand around it, as in a line of a
// log or behind a picture.
func bareWord(word string) string {
	return strings.ToLower(strings.TrimFunc(word, func(r rune) bool {
		return unicode.IsSpace(r) || r > unicode.MaxASCII && !unicode.IsLetter(r) || strings.ContainsRune(":;,.!\"'`[](){}<>", r)
	}))
}

// ParseSeverity reads a severity in the words of any tool, in any case: of syslog,
// Prometheus, PagerDuty, Opsgenie (P1 to P5), Zabbix, Sentry and Python's logging. A
// number from 0 to 7 is a priority, so that lower is worse; 10 to 60 are Python's levels and Bunyan's.
// ok is false for an unknown word.
func ParseSeverity(word string) (s Severity, ok bool) {
	word = bareWord(word)
	if strings.HasPrefix(word, "-") { // -1 is not a priority
		return "", false
	}
	for _, s := range Severities() {
		if word == string(s) {
			return s, true
		}
	}
	// As in "SEV-1", "Priority 1", "not_classified", "3.0" and "5 - Disaster".
	plain := unhyphenated.Replace(strings.TrimSuffix(word, ".0"))
	for _, prefix := range []string{"priority", "severity"} {
		if digit, found := strings.CutPrefix(plain, prefix); found {
			plain = "sev" + digit
		}
	}
	for _, spelling := range []string{plain, strings.TrimLeft(plain, "0123456789.:")} {
		if s, ok = severityWords[spelling]; ok {
			return s, true
		}
		if s = Severity(spelling); s.Rank() < len(Severities()) {
			return s, true
		}
	}
	return severityOfParts(word)
}

// severityOfParts reads what says a severity more than once, or says that it is one, as
// "P1 - Critical", "LOG_CRIT" and "SEVERITY_HIGH" do. The worst counts. One part that says
// something else makes it unknown: "not critical".
func severityOfParts(word string) (worst Severity, ok bool) {
	for _, part := range strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(" -_:/,", r) }) {
		if slices.Contains([]string{"log", "severity", "sev", "level", "lvl", "priority", "prio", "syslog"}, part) {
			continue
		}
		if part == word {
			return "", false
		}
		s, known := ParseSeverity(part)
		if !known {
			return "", false
		}
		if !ok || s.Rank() < worst.Rank() {
			worst, ok = s, true
		}
	}
	return worst, ok
}

var severityWords = map[string]Severity{
	"crit": Critical, "fatal": Critical, "emergency": Critical, "emerg": Critical, "panic": Critical, "alert": Critical,
	"page": Critical, "disaster": Critical, "blocker": Critical, "urgent": Critical, "high": Critical, "highest": Critical,
	"severe": Critical, "extreme": Critical, "veryhigh": Critical, "catastrophic": Critical, "max": Critical, "red": Critical, "60": Critical,
	"s0": Critical, "s1": Critical, "p0": Critical, "p1": Critical, "sev0": Critical, "sev1": Critical, "0": Critical, "1": Critical, "50": Critical,
	"err": Error, "fail": Error, "problem": Error, "orange": Error, "major": Error, "danger": Error, "alarm": Error, "s2": Error, "average": Error, "failure": Error, "failed": Error, "p2": Error, "sev2": Error, "2": Error, "40": Error,
	"warn": Warning, "degraded": Warning, "yellow": Warning, "amber": Warning, "minor": Warning, "medium": Warning, "moderate": Warning, "warnings": Warning, "s3": Warning, "p3": Warning, "sev3": Warning, "3": Warning, "30": Warning,
	"information": Info, "min": Info, "verylow": Info, "negligible": Info, "notify": Info, "maintenance": Info, "green": Info, "blue": Info, "informational": Info, "notice": Info, "debug": Info, "trace": Info, "verbose": Info, "low": Info, "lowest": Info,
	"trivial": Info, "good": Info, "s4": Info, "s5": Info, "none": Info, "ok": Info, "okay": Info, "normal": Info, "success": Info, "notclassified": Info, "unclassified": Info,
	"p4": Info, "p5": Info, "sev4": Info, "sev5": Info, "4": Info, "5": Info, "6": Info, "7": Info, "10": Info, "20": Info,
}

// sameWord reports whether word is only another spelling of the severity, such as
// crit or warn, so that nothing is lost when it is replaced.
func (s Severity) sameWord(word string) bool {
	word = bareWord(word)
	return strings.HasPrefix(string(s), word) || strings.HasPrefix(word, string(s))
}
