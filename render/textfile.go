package render

import (
	"fmt"
	"strings"

	"tocsin/alert"
)

// File is a file to share: its title, its bytes, and the message it is shared with.
type File struct {
	Title   string
	Message Message
	Content []byte
}

// maxFileTitle is the most characters of a file's title.
const maxFileTitle = 200

// TextFile is a text of an incident that is too long for messages (alert.TopicText).
func TextFile(i alert.Incident, n alert.Note) File {
	about := title(i.Title)
	return File{
		Title:   cut(about, maxFileTitle),
		Message: Message{Text: "*The whole text*, " + plural(strings.Count(n.Text, "\n")+1, "line") + ": " + fit(literal(about), maxFileTitle)},
		Content: []byte(n.Text),
	}
}

// unsharedText says where a text is that could not be shared as a file.
func unsharedText(i alert.Incident, n alert.Note) string {
	shown := strings.TrimRight(alert.Pages(n.Text)[0], "\n")
	more := max(strings.Count(n.Text, "\n")-strings.Count(shown, "\n"), 1)
	return fmt.Sprintf("*%s*: %s", plural(more, "more line"), quoted("tocsin incidents show "+orDash(i.ID)))
}
