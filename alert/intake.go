package alert

// Intake is what the request of another tool asks for.
type Intake struct {
	Alerts []Alert
	// Beats are the signs of life in it.
	Beats []Beat
	// Acked are the keys whose open incidents are acknowledged in that tool, by By, and Unacked
	// those whose acknowledged incidents are so no longer. Note is what By wrote about it.
	Acked, Unacked []string
	By             Person
	Note           string
	// Refused say which alerts of the request can't be taken, and why, a sentence each. The
	// others are.
	Refused []string
	// Notes say what was left out of the request, and why, a sentence each.
	Notes []string
}
