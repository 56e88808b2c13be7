package playground

import "net/http"

func (s *Server) mountPage(_ *http.ServeMux) {}
