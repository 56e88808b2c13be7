package playground

import (
	"net/http"
)

// apiError is a failed call as Slack answers it: ok:false with a code, and details where there are some.
type apiError struct {
	Code string
	// Messages are the details of a refused block, view or argument; an entry names the place as [json-pointer:/…].
	Messages []string
}

// upload is a file that was announced with files.getUploadURLExternal.
type upload struct {
	file     File
	length   int64
	received bool
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request)    { http.NotFound(w, r) }
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request)   { http.NotFound(w, r) }
func (s *Server) serveHook(w http.ResponseWriter, r *http.Request)   { http.NotFound(w, r) }
