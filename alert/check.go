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

// worst is the most serious result; CheckOK if nothing was looked at.
func worst(checks []Check) CheckResult {
	result := CheckOK
	for _, c := range checks {
		if c.Result == CheckError || c.Result == CheckWarning && result == CheckOK {
			result = c.Result
		}
	}
	return result
}

// Checkup is all that was looked at together.
type Checkup struct {
	// Result is the worst of Checks.
	Result CheckResult `json:"result"`
	Checks []Check     `json:"checks"`
}

// NewCheckup returns the checks with their result.
func NewCheckup(checks []Check) Checkup { return Checkup{worst(checks), checks} }
