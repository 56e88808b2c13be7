package playground

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"tocsin/playground/blockkit"
)

// maxShare is to how many channels one completeUploadExternal can share a file; maxUpload bounds a file in memory.
const (
	maxShare   = 100
	maxAltText = 1000
	maxUpload  = 64 << 20
)

// upload is a file that was announced with files.getUploadURLExternal.
type upload struct {
	file     File
	length   int
	received bool
}

// filesGetUploadURL announces a file of length bytes and says where to send it.
func (s *Server) filesGetUploadURL(c *call) (reply, *apiError) {
	if err := c.args.require("filename", "length"); err != nil {
		return nil, err
	}
	length, ok := c.args.number("length", 0)
	if !ok || length <= 0 {
		return nil, invalidArguments("must be greater than 0: length")
	}
	if length > maxUpload {
		return nil, &apiError{Code: "file_upload_size_restricted"}
	}
	if utf8.RuneCountInString(c.args.text("alt_txt")) > maxAltText {
		return nil, &apiError{Code: "alt_txt_too_large"}
	}
	name := path.Base(c.args.text("filename"))
	id := s.ws.newID("F00PG")
	s.uploads[id] = &upload{length: length, file: File{
		ID: id, Name: name, Title: name, Mimetype: mimeOf(name), Filetype: filetypeOf(name), Size: int64(length), User: s.ws.bot.ID,
		URLPrivate: fmt.Sprintf("%s/files/%s/%s", s.base, id, url.PathEscape(name)), Created: s.now().Unix(), Mode: "hosted", AltTxt: c.args.text("alt_txt"),
	}}
	return reply{"upload_url": s.base + "/upload/" + id, "file_id": id}, nil
}

// serveUpload receives a file's bytes, raw or as the first part of a multipart form, and answers "OK - n".
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	if s.refused(w, "upload") {
		return
	}
	data, err := uploadBody(r)
	c := &call{name: "upload", request: request{args: args{"id": r.PathValue("id"), "length": fmt.Sprint(len(data))}}}
	s.mu.Lock()
	fault := s.nextFaultLocked("upload", "", false)
	ans, done := faultAnswer(fault)
	if !done {
		ans = s.receiveLocked(r.PathValue("id"), data, err)
	}
	s.recordCallLocked(KindUpload, c, fault, ans)
	s.mu.Unlock()
	s.send(w, r, fault, ans)
}

func (s *Server) receiveLocked(id string, data []byte, err error) answer {
	up := s.uploads[id]
	switch {
	case up == nil || up.received:
		return plainText(http.StatusNotFound, "upload not found")
	case err != nil:
		return plainText(http.StatusBadRequest, "upload broken off")
	case len(data) != up.length:
		return plainText(http.StatusBadRequest, fmt.Sprintf("announced %d bytes and got %d", up.length, len(data)))
	}
	up.received = true
	s.ws.fileData[id] = data
	return plainText(http.StatusOK, fmt.Sprintf("OK - %d", len(data)))
}

func plainText(status int, text string) answer {
	ans := answer{status: status, body: []byte(text), html: true}
	if status != http.StatusOK {
		ans.errorCode = text
	}
	return ans
}

func uploadBody(r *http.Request) ([]byte, error) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return io.ReadAll(io.LimitReader(r.Body, maxUpload+1))
	}
	reader, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	for {
		part, err := reader.NextPart()
		if err != nil {
			return nil, err
		}
		if part.FileName() != "" {
			return io.ReadAll(io.LimitReader(part, maxUpload+1))
		}
	}
}

// filesCompleteUpload shares uploaded files. The message is shown at once, but as in Slack its ts is not in the answer.
func (s *Server) filesCompleteUpload(c *call) (reply, *apiError) {
	files, err := s.uploadedLocked(c.args)
	if err != nil {
		return nil, err
	}
	rooms, err := s.shareTargetsLocked(c.args)
	if err != nil {
		return nil, err
	}
	body, err := s.contentLocked(args{"text": c.args.text("initial_comment"), "blocks": c.args.text("blocks")}, maxUpdateText)
	if err != nil {
		return nil, err
	}
	for _, room := range rooms {
		m := s.botMessageLocked(body)
		m.Files, m.Subtype = files, "file_share"
		if err := s.threadLocked(room, c.args, &m); err != nil {
			return nil, err
		}
		c.ts = s.postLocked(room, m).TS
	}
	for i := range files {
		files[i].scanned = s.now().Add(s.opts.FileScan)
		s.ws.files[files[i].ID] = &files[i]
		delete(s.uploads, files[i].ID)
	}
	return reply{"files": s.filesNowLocked(files...)}, nil
}

// filesInfo tells about one file; its type is empty until Slack has looked at it.
func (s *Server) filesInfo(c *call) (reply, *apiError) {
	if err := c.args.require("file"); err != nil {
		return nil, err
	}
	file := s.ws.files[c.args.text("file")]
	if file == nil {
		return nil, &apiError{Code: "file_not_found"}
	}
	return reply{"file": s.filesNowLocked(*file)[0]}, nil
}

// filesNowLocked are files as calls show them: while Slack still checks one, its type is not known.
func (s *Server) filesNowLocked(files ...File) []File {
	out := slices.Clone(files)
	for i := range out {
		if s.now().Before(out[i].scanned) {
			out[i].Mimetype, out[i].Filetype = "", ""
		}
	}
	return out
}

// blockOptionsLocked says which files blocks may show, and which blocks the active faults refuse.
func (s *Server) blockOptionsLocked() blockkit.Options {
	unknown := map[string]bool{}
	for _, f := range s.faults.active {
		if f.Kind == FaultBlock {
			unknown[f.Block] = true
		}
	}
	return blockkit.Options{Unknown: unknown, Picture: s.isPictureLocked}
}

// isPictureLocked says whether blocks can show a file: png, jpg and gif, once Slack has checked it.
func (s *Server) isPictureLocked(id, address string) bool {
	file := s.ws.files[id]
	for _, f := range s.ws.files {
		if id == "" && f.URLPrivate == address {
			file = f
		}
	}
	return file != nil && !s.now().Before(file.scanned) && slices.Contains([]string{"image/png", "image/jpeg", "image/gif"}, file.Mimetype)
}

// uploadedLocked reads the files argument; each file has to be announced and received.
func (s *Server) uploadedLocked(a args) ([]File, *apiError) {
	var wanted []struct{ ID, Title string }
	if json.Unmarshal([]byte(a.text("files")), &wanted) != nil || len(wanted) == 0 {
		return nil, invalidArguments("missing required field: files")
	}
	files := make([]File, 0, len(wanted))
	for _, want := range wanted {
		up := s.uploads[want.ID]
		if up == nil || !up.received {
			return nil, &apiError{Code: "file_not_found"}
		}
		file := up.file
		file.Title = orDefault(want.Title, file.Name)
		files = append(files, file)
	}
	return files, nil
}

// shareTargetsLocked reads channel_id or channels; the bot has to be a member of each. None at all keeps the files private.
func (s *Server) shareTargetsLocked(a args) ([]*channelState, *apiError) {
	var refs []string
	switch {
	case a.given("channel_id"):
		refs = []string{a.text("channel_id")}
	case a.given("channels"):
		refs = strings.Split(a.text("channels"), ",")
	}
	if len(refs) > maxShare {
		return nil, invalidArguments("no more than 100 items allowed: channels")
	}
	var rooms []*channelState
	for _, ref := range refs {
		room, err := s.visibleLocked(strings.TrimSpace(ref), false)
		switch {
		case err != nil:
			return nil, err
		case !room.IsMember:
			return nil, &apiError{Code: "not_in_channel"}
		case room.IsArchived:
			return nil, &apiError{Code: "is_archived"}
		}
		rooms = append(rooms, room)
	}
	return rooms, nil
}

// serveFile gives a file's bytes. Only pictures are shown in place: anything else could run script in the page's origin.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	file, data := s.ws.files[r.PathValue("id")], s.ws.fileData[r.PathValue("id")]
	s.mu.Unlock()
	if file == nil {
		http.NotFound(w, r)
		return
	}
	kind := "application/octet-stream"
	switch file.Mimetype {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		kind = file.Mimetype
	default:
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}))
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// An error here means that the browser has gone away.
	_, _ = w.Write(data)
}

// File returns the bytes of a file that was shared or uploaded, by its id.
func (s *Server) File(id string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.ws.fileData[id]
	return data, ok
}

func mimeOf(name string) string {
	kind, _, _ := strings.Cut(mime.TypeByExtension(path.Ext(name)), ";")
	return orDefault(kind, "text/plain")
}

func filetypeOf(name string) string {
	return orDefault(strings.TrimPrefix(path.Ext(name), "."), "text")
}
