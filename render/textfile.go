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

// TextFile is a text of an incident that is too long for messages (alert.TopicText). What
// the incident is called is the title only, because Slack reads marks in the text of a
// message with a file.
func TextFile(i alert.Incident, n alert.Note) File {
	return File{
		Title:   cut(title(i.Title), maxFileTitle),
		Message: answer("The whole text, " + plural(strings.Count(n.Text, "\n")+1, "line")),
		Content: []byte(n.Text),
	}
}

// unsharedText says where a text is that could not be shared as a file.
func unsharedText(i alert.Incident, n alert.Note) string {
	shown := strings.TrimRight(alert.Pages(n.Text, 1)[0], "\n")
	more := max(strings.Count(n.Text, "\n")-strings.Count(shown, "\n"), 1)
	return fmt.Sprintf("*%s*: %s", plural(more, "more line"), quoted(showCommand(i)))
}

// showCommand is the command that shows all of an incident.
func showCommand(i alert.Incident) string { return "tocsin incidents show " + orDash(i.ID) }

// ImageAlt is what an image shows in words (alert.TopicImage), as plain text.
func ImageAlt(i alert.Incident, n alert.Note) string {
	for _, image := range i.Images {
		if image.URL == n.Text && visible(image.Alt) {
			return cut(oneLine(image.Alt), maxFileTitle)
		}
	}
	return cut(title(i.Title), maxFileTitle)
}

// MissingImage says in place of an image (alert.TopicImage) why there is none.
func MissingImage(n alert.Note, reason string) Message {
	words := "The image can't be shown here: " + fit(oneLine(reason), maxReason)
	if address, ok := webAddress(n.Text); ok {
		words += ". " + link("Open it", address)
	}
	return answer(words)
}

// maxReason is the most characters of a reason why there is no image.
const maxReason = 300
