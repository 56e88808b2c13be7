package playground

import "net/http"

// socketState is what the Socket Mode half keeps, guarded by Server.mu.
type socketState struct{}

func (s *Server) initSockets()                  {}
func (s *Server) closeSockets()                 {}
func (s *Server) mountSockets(_ *http.ServeMux) {}
