package alert

import "fmt"

// mostNotes is how many notes an answer has: more than anybody reads.
const mostNotes = 50

// FewNotes returns notes; of more than an answer has, the first and how many more there are.
func FewNotes(notes []string) []string {
	if len(notes) <= mostNotes {
		return notes
	}
	return append(notes[:mostNotes-1:mostNotes-1], fmt.Sprintf("and %d more", len(notes)-mostNotes+1))
}
