package alert

import "fmt"

// mostNotes is how many notes an answer has: more than anybody reads.
const mostNotes = 50

// Notes collects notes: it keeps as many as an answer has and counts the others.
type Notes struct {
	kept []string
	more int
}

// Add adds a note.
func (n *Notes) Add(format string, args ...any) {
	if len(n.kept) == mostNotes {
		n.more++
		return
	}
	n.kept = append(n.kept, fmt.Sprintf(format, args...))
}

// All returns the notes; of more than an answer has, the first and how many more there are.
func (n *Notes) All() []string {
	if n.more == 0 {
		return n.kept
	}
	return append(n.kept[:mostNotes-1:mostNotes-1], fmt.Sprintf(moreNotes, n.more+1))
}

// moreNotes says that there are so many more notes.
const moreNotes = "and %d more"

// FewNotes returns notes; of more than an answer has, the first and how many more there are.
func FewNotes(notes []string) []string {
	if len(notes) <= mostNotes {
		return notes
	}
	more := 0
	for _, note := range notes[mostNotes-1:] {
		counted := 1
		if _, err := fmt.Sscanf(note, moreNotes, &counted); err != nil { // it is not the last one of a list
			counted = 1
		}
		more += counted
	}
	return append(notes[:mostNotes-1:mostNotes-1], fmt.Sprintf(moreNotes, more))
}
