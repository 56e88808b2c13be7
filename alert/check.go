package alert

// Check is one thing that was looked at, what was found, and the remedy.
type Check struct {
	// Name is the kind of check, About what was looked at; About is empty if there is only one.
	Name   string      `json:"check"`
	About  string      `json:"about,omitempty"`
	Result CheckResult `json:"result"`
	// Found is what was found, or why nothing was looked at.
	Found string `json:"found"`
	// Fix is what to do; empty if there is nothing to do.
	Fix string `json:"hint,omitempty"`
}

// CheckResult is how a check went.
type CheckResult string

// The results: it works; it works with a restriction; something does not work; it was not
// looked at.
const (
	CheckOK      CheckResult = "ok"
	CheckWarning CheckResult = "warning"
	CheckError   CheckResult = "error"
	CheckSkipped CheckResult = "skipped"
)

// Worst is the most serious result; CheckOK if nothing was looked at.
func Worst(checks []Check) CheckResult {
	worst := CheckOK
	for _, c := range checks {
		if c.Result == CheckError || c.Result == CheckWarning && worst == CheckOK {
			worst = c.Result
		}
	}
	return worst
}
