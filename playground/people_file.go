package playground

import (
	"fmt"
	"net/url"

	"tocsin/playground/mrkdwn"
)

// DMFile sends the bot a file in the Messages tab, as a message with subtype file_share, and returns its ts.
func (p *Person) DMFile(name, text string, content []byte) (string, error) {
	return p.post("@"+p.ref, "", func(n mrkdwn.Names) Message {
		return Message{Subtype: "file_share", Text: mrkdwn.MessageText(mrkdwn.Typed(text, n)), Files: []File{p.s.keepFileLocked(p.ref, name, content)}}
	})
}

// keepFileLocked stores a file of a person so that url_private serves it.
func (s *Server) keepFileLocked(user, name string, content []byte) File {
	id := s.ws.newID("F00PG")
	file := File{
		ID: id, Name: name, Title: name, Mimetype: mimeOf(name), Filetype: filetypeOf(name), Size: int64(len(content)),
		User: s.userLocked(user).ID, URLPrivate: fmt.Sprintf("%s/files/%s/%s", s.base, id, url.PathEscape(name)),
		Created: s.now().Unix(), Mode: "hosted",
	}
	s.ws.files[id], s.ws.fileData[id] = &file, content
	return file
}
