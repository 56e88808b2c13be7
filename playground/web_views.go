package playground

import (
	"encoding/json"

	"tocsin/playground/blockkit"
)

// viewsPublish makes a view a person's Home tab; with hash only if it is still the one that the app has seen.
func (s *Server) viewsPublish(c *call) (reply, *apiError) {
	if err := c.args.require("user_id", "view"); err != nil {
		return nil, err
	}
	u := s.userLocked(c.args.text("user_id"))
	if u == nil || u.ID != c.args.text("user_id") || u.IsBot {
		return nil, invalidArguments("user not found: user_id")
	}
	v, err := s.parseViewLocked(c.args.text("view"), blockkit.Home)
	if err != nil {
		return nil, err
	}
	if hash := c.args.text("hash"); hash != "" {
		if old := s.ws.homes[u.ID]; old == nil || old.Hash != hash {
			return nil, &apiError{Code: "hash_conflict"}
		}
	}
	return reply{"view": s.publishHomeLocked(u.ID, v)}, nil
}

// viewsOpen shows a modal to the person whose gesture the trigger_id stands for. From inside a modal it goes on top of it.
func (s *Server) viewsOpen(c *call) (reply, *apiError) {
	v, t, err := s.triggeredLocked(c)
	if err != nil {
		return nil, err
	}
	if t.viewID == "" {
		s.closeModalLocked(t.user, "", true)
	}
	return modalReply(s.pushModalLocked(t.user, v))
}

// viewsPush shows a modal on top of the one in which the person acted.
func (s *Server) viewsPush(c *call) (reply, *apiError) {
	v, t, err := s.triggeredLocked(c)
	if err != nil {
		return nil, err
	}
	if len(s.ws.modals[t.user]) == 0 {
		return nil, &apiError{Code: "not_found"}
	}
	return modalReply(s.pushModalLocked(t.user, v))
}

func modalReply(v *View, err *apiError) (reply, *apiError) {
	if err != nil {
		return nil, err
	}
	return reply{"view": v}, nil
}

// triggeredLocked checks the view before it uses the trigger up, so that a client may correct a refused view within the 3 s.
func (s *Server) triggeredLocked(c *call) (View, *trigger, *apiError) {
	if err := c.args.require("trigger_id", "view"); err != nil {
		return View{}, nil, err
	}
	v, err := s.parseViewLocked(c.args.text("view"), blockkit.Modal)
	if err != nil {
		return View{}, nil, err
	}
	if s.externalLocked(v.ExternalID) != nil {
		return View{}, nil, &apiError{Code: "duplicate_external_id"}
	}
	t, err := s.redeemTriggerLocked(c.args.text("trigger_id"))
	return v, t, err
}

func (s *Server) externalLocked(id string) *View {
	if id == "" {
		return nil
	}
	return s.findViewLocked(func(v *View) bool { return v.ExternalID == id })
}

// viewsUpdate replaces an open modal or a Home tab, named by view_id or external_id.
func (s *Server) viewsUpdate(c *call) (reply, *apiError) {
	if err := c.args.require("view"); err != nil {
		return nil, err
	}
	var open *View
	switch {
	case c.args.given("view_id"):
		open = s.viewLocked(c.args.text("view_id"))
	case c.args.given("external_id"):
		open = s.externalLocked(c.args.text("external_id"))
	default:
		return nil, invalidArguments("missing required field: view_id")
	}
	if open == nil {
		return nil, &apiError{Code: "not_found"}
	}
	next, err := s.parseViewLocked(c.args.text("view"), blockkit.Surface(open.Type))
	if err != nil {
		return nil, err
	}
	if hash := c.args.text("hash"); hash != "" && hash != open.Hash {
		return nil, &apiError{Code: "hash_conflict"}
	}
	if other := s.externalLocked(next.ExternalID); other != nil && other != open {
		return nil, &apiError{Code: "duplicate_external_id"}
	}
	s.replaceViewLocked(open, next)
	return reply{"view": open}, nil
}

// maxView is how many bytes a view may have.
const maxView = 250000

// parseViewLocked checks a view's JSON against the rules of its surface and normalises its blocks. It is also used for the views
// in the ack of a view_submission.
func (s *Server) parseViewLocked(raw string, where blockkit.Surface) (View, *apiError) {
	if len(raw) > maxView {
		return View{}, &apiError{Code: "view_too_large"}
	}
	fields, ok := decodeObject(raw)
	if !ok {
		return View{}, invalidArguments("must be a valid view object [json-pointer:/view]")
	}
	if messages := blockkit.View(where, fields, s.blockOptionsLocked()); len(messages) > 0 {
		return View{}, invalidArguments(messages...)
	}
	blocks, _ := fields["blocks"].([]any)
	fields["blocks"] = s.normalizeBlocksLocked(blocks)
	delete(fields, "state")
	var v View
	if err := json.Unmarshal(encodeJSON(fields), &v); err != nil {
		return View{}, invalidArguments("must be a valid view object [json-pointer:/view]")
	}
	v.ID, v.Hash = "", ""
	return v, nil
}
