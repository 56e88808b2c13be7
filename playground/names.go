package playground

import "tocsin/playground/mrkdwn"

// namesLocked resolves the names that people type. The result must be used under the lock.
func (s *Server) namesLocked() mrkdwn.Names {
	return mrkdwn.Names{
		User: func(name string) (string, bool) {
			if u := s.userLocked(name); u != nil {
				return u.ID, true
			}
			return "", false
		},
		Group: func(handle string) (string, bool) {
			if g := s.groupLocked(handle); g != nil && !g.Disabled {
				return g.ID, true
			}
			return "", false
		},
		Channel: func(name string) (string, bool) {
			if c := s.channelLocked("#" + name); c != nil && !c.IsIM {
				return c.ID, true
			}
			return "", false
		},
	}
}

// linkLocked is what Slack makes of a text that an app sends; a bare name never links a private channel.
func (s *Server) linkLocked(text string, mode mrkdwn.Mode) string {
	names := s.namesLocked()
	names.Channel = func(name string) (string, bool) {
		if c := s.channelLocked("#" + name); c != nil && !c.IsIM && !c.IsPrivate {
			return c.ID, true
		}
		return "", false
	}
	return mrkdwn.Link(text, mode, names)
}
