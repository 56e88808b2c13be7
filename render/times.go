package render

import "tocsin/alert"

// prometheus is the source of alerts that are repeated as long as they last. That moves when
// they expire and edits no card, so that cards don't say it.
const prometheus = "prometheus"

// moreTimes are when an incident was received, if that was long after it began, and when
// it expires.
func moreTimes(i alert.Incident) (parts []string) {
	if at := i.ReceivedLate(); !at.IsZero() {
		parts = append(parts, "received "+date(at))
	}
	if i.State != alert.StateResolved && !i.ExpiresAt.IsZero() && i.Source != prometheus {
		parts = append(parts, "expires "+date(i.ExpiresAt))
	}
	return parts
}

// resolvedWord is what became of an incident that is over.
func resolvedWord(expired bool) string {
	if expired {
		return "Expired"
	}
	return "Resolved"
}
