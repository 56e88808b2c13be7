package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"tocsin/alert"
)

// secretLike matches what must not be printed if somebody puts it into the wrong
// variable: tokens, webhook URLs and signing secrets.
var secretLike = regexp.MustCompile(`(?i)(xox[a-z]|xapp)[-.][^\s"']+|hooks\.slack\.com/\S+|\b(?:tocsin_)?[0-9a-f]{32,}\b|//[^/@\s]*:[^/@\s]*@`)

func printableTokens(text string) string { return secretLike.ReplaceAllString(text, "***") }

// printable quotes a value for a message: short, on one line, and with secrets
// replaced.
func printable(value string) string {
	value = printableTokens(value)
	if runes := []rune(value); len(runes) > 80 {
		value = string(runes[:80]) + "…"
	}
	return strconv.Quote(value)
}

func anything(value string) (string, *flaw) { return value, nil }

func parsePath(value string) (string, *flaw) {
	if !strings.HasPrefix(value, "/") {
		return "", &flaw{message: printable(value) + " is not an absolute path", advice: "begin it with /"}
	}
	return value, nil
}

func oneOf[T ~string](choices ...T) func(string) (T, *flaw) {
	return func(value string) (T, *flaw) {
		if slices.Contains(choices, T(value)) {
			return T(value), nil
		}
		all := words(choices)
		f := &flaw{message: printable(value) + " is not one of " + strings.Join(all, ", "), write: all}
		if near := nearest(value, all); near != "" {
			f.write = []string{near}
		}
		return "", f
	}
}

// oneSeverity is oneOf for severities, which may be in the words of any tool.
func oneSeverity(choices ...alert.Severity) func(string) (alert.Severity, *flaw) {
	return func(value string) (alert.Severity, *flaw) {
		if s, ok := alert.ParseSeverity(value); ok {
			value = string(s)
		}
		return oneOf(choices...)(value)
	}
}

func parseDuration(value string) (time.Duration, *flaw) {
	d, err := alert.ParseDuration(value)
	if err != nil {
		return 0, &flaw{message: printable(value) + " is not a duration", write: []string{"24h", "90m", "30d"}}
	}
	if d == 0 {
		return 0, &flaw{message: printable(value) + " is zero", write: []string{"24h"}}
	}
	return d, nil
}

// parseDurationOrForever accepts a duration, or forever, which is 0.
func parseDurationOrForever(value string) (time.Duration, *flaw) {
	if value == forever {
		return 0, nil
	}
	d, f := parseDuration(value)
	if f != nil {
		f.write = append([]string{forever}, f.write...)
	}
	return d, f
}

// parseMany accepts 1_000_000 as YAML does.
func parseMany(value string) (int64, *flaw) {
	n, err := strconv.ParseInt(strings.ReplaceAll(value, "_", ""), 10, 64)
	if err != nil || n < 1 {
		return 0, &flaw{message: printable(value) + " is not a number from 1 up", write: []string{"1000000"}}
	}
	return n, nil
}

// meansOff reports whether value is a word for off.
func meansOff(value string) bool {
	return slices.Contains([]string{"off", "no", "none", "false", "disabled", "disable", "-"}, strings.ToLower(value))
}

// mostCounted is the limit of parseCount: a digest above more would come too late.
const mostCounted = 1000

func parseCount(value string) (int, *flaw) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > mostCounted {
		return 0, &flaw{message: fmt.Sprintf("%s is not a number from 1 to %d", printable(value), mostCounted), write: []string{"5"}}
	}
	return n, nil
}

func parseTCP(value string) (string, *flaw) {
	if value == off {
		return off, nil
	}
	if meansOff(value) {
		return "", &flaw{message: printable(value) + " is not an address", write: []string{off}}
	}
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return "", &flaw{message: printable(value) + " is not host:port", write: []string{guessAddress(value), off}}
	}
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case !isHost(host) && err == nil:
		return "", &flaw{message: printable(value) + " has no host that can be listened on", write: []string{fmt.Sprintf("127.0.0.1:%d", number)}}
	case !isHost(host):
		return "", &flaw{message: printable(value) + " has neither a host nor a port that can be listened on", write: []string{"127.0.0.1:8126"}}
	case err != nil:
		return "", &flaw{message: fmt.Sprintf("%s has no port between 0 and 65535", printable(value)), write: []string{net.JoinHostPort(host, "8126")}}
	}
	return value, nil
}

// parseRequestsAddress reads where Slack's requests are received, which can't be off.
func parseRequestsAddress(value string) (string, *flaw) {
	if meansOff(value) {
		return "", &flaw{message: printable(value) + " is not an address", write: []string{"127.0.0.1:8127"}}
	}
	return parseTCP(value)
}

// guessAddress completes a bare port or host, or extracts the address from a URL.
func guessAddress(value string) string {
	if _, err := strconv.ParseUint(value, 10, 16); err == nil {
		return "127.0.0.1:" + value
	}
	if u, err := url.Parse(value); err == nil && u.Host != "" && u.Port() != "" {
		return u.Host
	}
	if host := strings.Trim(value, "[]"); isHost(host) && host != "" {
		return net.JoinHostPort(host, "8126")
	}
	return "127.0.0.1:8126"
}

// isHost accepts the empty host, which listens on every address.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return !(r == '-' || r == '.' || r == '_' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)))
	})
}

func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// maxSocketPath is what Linux's sockaddr_un holds, less the closing NUL.
const maxSocketPath = 107

func parseSocket(value string) (string, *flaw) {
	switch {
	case value == off:
		return off, nil
	case meansOff(value):
		return "", &flaw{message: printable(value) + " is not a path", write: []string{off}}
	case strings.HasPrefix(value, "unix:"):
		return "", &flaw{message: printable(value) + " is not an absolute path", write: []string{"/" + strings.TrimLeft(strings.TrimPrefix(value, "unix:"), "/")}}
	case !strings.HasPrefix(value, "/"), strings.HasSuffix(value, "/"):
		return "", &flaw{message: printable(value) + " is not an absolute path of a socket", write: []string{"/run/tocsin/tocsin.sock", off}}
	case strings.ContainsFunc(value, unicode.IsControl):
		return "", &flaw{message: printable(value) + " contains a control character", write: []string{"/run/tocsin/tocsin.sock"}}
	case len(value) > maxSocketPath:
		return "", &flaw{
			message: fmt.Sprintf("%s is %d bytes long; Linux limits a socket path to %d", printable(value), len(value), maxSocketPath),
			write:   []string{"/run/tocsin/tocsin.sock"},
		}
	}
	return value, nil
}

func parseAPIURL(value string) (string, *flaw) {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", &flaw{message: printable(value) + " is not a web address", write: []string{"https://slack.com/api/"}}
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", &flaw{message: printable(value) + " has more than scheme, host and path", write: []string{u.Scheme + "://" + u.Host + u.Path}}
	}
	return strings.TrimSuffix(value, "/") + "/", nil
}

// spacedTraceID is alert.TraceIDPlaceholder as it may be written.
var spacedTraceID = regexp.MustCompile(`\{\{\s*trace_id\s*\}\}`)

// parseTraceURL checks the address with an id in it, as links have it.
func parseTraceURL(value string) (string, *flaw) {
	value = spacedTraceID.ReplaceAllLiteralString(strings.TrimSpace(value), alert.TraceIDPlaceholder)
	const example = "https://tempo.example.com/trace/" + alert.TraceIDPlaceholder
	id := strings.Repeat("f", 32)
	u, err := url.Parse(strings.ReplaceAll(value, alert.TraceIDPlaceholder, id))
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return "", &flaw{message: printable(value) + " is not a web address", write: []string{example}}
	case !strings.Contains(value, alert.TraceIDPlaceholder):
		return "", &flaw{message: printable(value) + " has no place for the id of the trace", write: []string{example}}
	case strings.Contains(u.Host, id) || u.User != nil || strings.Contains(u.String(), "{{") || strings.Contains(u.String(), "%7B%7B"):
		return "", &flaw{message: printable(value) + " can't be filled in: only " + alert.TraceIDPlaceholder + " can, in path, query or fragment, and there can be no password", write: []string{example}}
	case len(u.String()) > alert.MaxURL:
		return "", &flaw{message: fmt.Sprintf("%s is longer than %d bytes", printable(value), alert.MaxURL), write: []string{example}}
	}
	return value, nil
}

func parseBearer(value string) (string, *flaw) {
	token := strings.TrimSpace(value)
	switch {
	case strings.HasPrefix(token, "Bearer "):
		return "", &flaw{message: "begins with the word Bearer", advice: "write the token alone; the client adds the word"}
	case token == "":
		return "", &flaw{message: "is empty", advice: "write a token (openssl rand -hex 32 makes one)"}
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= unicode.MaxASCII }):
		return "", &flaw{message: "contains blanks or characters that are not allowed in an HTTP header", advice: "use letters and digits (openssl rand -hex 32 makes one)"}
	}
	return token, nil
}

// parseChannel normalizes a conversation as for alerts.
func parseChannel(value string) (string, *flaw) {
	f := &flaw{
		message: printable(value) + " is not a conversation",
		write:   []string{"C0123456789", "#alerts", "@name", "name@example.com"},
	}
	if secretLike.MatchString(value) {
		f.message = "is a token or webhook address where a conversation belongs"
		return "", f
	}
	conversation, err := alert.ParseConversation(value)
	if err != nil {
		return "", f
	}
	return conversation, nil
}
