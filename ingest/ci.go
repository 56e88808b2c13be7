package ingest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"tocsin/alert"
)

// finished begins the alert about CI work that has ended in this way: a failure fires,
// a success resolves what is open. ok is false for what is neither.
func finished(outcome string) (a alert.Alert, ok bool) {
	switch outcome {
	case "success":
		return alert.Alert{Status: alert.Resolved, Severity: alert.Info, OnlyIfOpen: true}, true
	case "", "cancelled", "canceled", "canceling", "skipped", "neutral", "stale", "inactive",
		"created", "waiting", "waiting_for_resource", "waiting_for_callback", "preparing", "pending", "queued", "requested", "in_progress", "running", "manual", "scheduled":
		return alert.Alert{}, false
	case "failure", "failed", "error", "timed_out", "startup_failure":
		return alert.Alert{Status: alert.Firing, Severity: alert.Error}, true
	}
	return alert.Alert{Status: alert.Firing, Severity: alert.Warning}, true
}

// outcomeWord is how work ended, as a part of a sentence.
func outcomeWord(outcome string) string {
	switch outcome {
	case "failure", "error":
		return "failed"
	case "success":
		return "succeeded"
	}
	return strings.ReplaceAll(outcome, "_", " ")
}

// ignored says that a request is understood and no alert.
func ignored(what, name string) string {
	if name == "" {
		return "this " + what + " is not an alert: nothing was done"
	}
	return "the " + what + " " + name + " is not an alert: nothing was done"
}

// signedWith reports whether sum is the HMAC-SHA256 of a body in hexadecimal.
func signedWith(secret string, body []byte, sum string) bool {
	got, err := hex.DecodeString(sum)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hmac.Equal(got, mac.Sum(nil))
}

// said makes labels of names and values, without empty ones.
func said(namesAndValues ...string) labels {
	l := labels{}
	for n := 0; n+1 < len(namesAndValues); n += 2 {
		l.addSaid(namesAndValues[n], namesAndValues[n+1])
	}
	return l
}

// seconds is a number of seconds as a person writes it, such as 3m41s.
func seconds(t text) string {
	n, err := strconv.ParseFloat(or(t), 64)
	if err != nil || n < 0 || n > 1e9 {
		return or(t)
	}
	return (time.Duration(n*1000) * time.Millisecond).Round(time.Second).String()
}
