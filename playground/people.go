package playground

// peopleState is what the people half keeps, guarded by Server.mu.
type peopleState struct{}

func (s *Server) initPeople() {}
