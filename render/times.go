package render

import "tocsin/alert"

// moreTimes are when an incident was received, if that was long after it began, and when
// it expires.
func moreTimes(i alert.Incident) (parts []string) {
	if at := i.ReceivedLate(); !at.IsZero() {
		parts = append(parts, "received "+date(at))
	}
	if i.State != alert.StateResolved && !i.ExpiresAt.IsZero() && !i.Repeated {
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
