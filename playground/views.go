package playground

import (
	"fmt"
	"slices"
)

// maxViews is how many modals a person can have on top of each other.
const maxViews = 3

func (s *Server) homeLocked(user string) (View, bool) {
	if u := s.userLocked(user); u != nil && s.ws.homes[u.ID] != nil {
		return *s.ws.homes[u.ID], true
	}
	return View{}, false
}

func (s *Server) modalLocked(user string) (View, bool) {
	if u := s.userLocked(user); u != nil {
		if stack := s.ws.modals[u.ID]; len(stack) > 0 {
			return *stack[len(stack)-1], true
		}
	}
	return View{}, false
}

// viewLocked finds a Home tab or an open modal by its id; nil when it is not open.
func (s *Server) viewLocked(id string) *View {
	return s.findViewLocked(func(v *View) bool { return v.ID == id })
}

func (s *Server) findViewLocked(match func(*View) bool) *View {
	for _, v := range s.ws.homes {
		if match(v) {
			return v
		}
	}
	for _, stack := range s.ws.modals {
		if i := slices.IndexFunc(stack, match); i >= 0 {
			return stack[i]
		}
	}
	return nil
}

// publishHomeLocked makes v (already checked) the Home tab of a person.
func (s *Server) publishHomeLocked(user string, v View) *View {
	s.ownViewLocked(user, &v)
	if old := s.ws.homes[user]; old != nil {
		v.ID, v.RootViewID = old.ID, old.ID
	}
	s.ws.homes[user] = &v
	s.recordViewLocked(KindHome, &v)
	return &v
}

// pushModalLocked puts v (already checked) on top of a person's modals.
func (s *Server) pushModalLocked(user string, v View) (*View, *apiError) {
	stack := s.ws.modals[user]
	if len(stack) >= maxViews {
		return nil, &apiError{Code: "push_limit_reached"}
	}
	s.ownViewLocked(user, &v)
	if len(stack) > 0 {
		below := stack[len(stack)-1]
		v.RootViewID, v.PreviousViewID = below.RootViewID, &below.ID
	}
	s.ws.modals[user] = append(stack, &v)
	s.recordViewLocked(KindModalOpen, &v)
	return &v, nil
}

// replaceViewLocked shows next (already checked) in place of an open view, which keeps its id and place. The values of inputs that next
// still has are kept.
func (s *Server) replaceViewLocked(v *View, next View) {
	old := *v
	s.ownViewLocked(old.User, &next)
	next.ID, next.RootViewID, next.PreviousViewID = old.ID, old.RootViewID, old.PreviousViewID
	next.State = old.State
	*v = next
	kind := KindModalUpdate
	if v.Type == "home" {
		kind = KindHome
	}
	s.recordViewLocked(kind, v)
}

// closeModalLocked closes the view with this id and those above it; with all set it closes the person's whole stack.
func (s *Server) closeModalLocked(user, viewID string, all bool) {
	stack := s.ws.modals[user]
	keep := slices.IndexFunc(stack, func(v *View) bool { return v.ID == viewID })
	if all {
		keep = 0
	}
	if keep < 0 {
		return
	}
	for i := len(stack) - 1; i >= keep; i-- {
		s.recordViewLocked(KindModalClose, stack[i])
	}
	s.ws.modals[user] = stack[:keep:keep]
}

func (s *Server) ownViewLocked(user string, v *View) {
	s.ws.nextID++
	v.ID = fmt.Sprintf("V0PG%04d", s.ws.nextID)
	v.RootViewID, v.User = v.ID, user
	v.TeamID, v.AppInstalledTeamID = s.ws.teamID, s.ws.teamID
	v.AppID, v.BotID = s.ws.appID, s.ws.botID
	v.Hash = fmt.Sprintf("%d.%08x", s.now().Unix(), s.ws.nextID*2654435761%(1<<32))
	if v.State.Values == nil {
		v.State.Values = emptyValues()
	}
}

func (s *Server) recordViewLocked(kind string, v *View) {
	shown := *v
	s.recordLocked(Entry{Kind: kind, User: v.User, View: &shown})
}
