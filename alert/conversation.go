package alert

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	slackID     = regexp.MustCompile(`^[CGDUW][A-Z0-9]{2,}$`)
	slackLink   = regexp.MustCompile(`^<[#@]([CGDUW][A-Z0-9]{2,})(\|[^>]*)?>$`)
	channelName = regexp.MustCompile(`^#?([\p{Ll}\p{Lo}\p{N}_-]{1,80})$`)
	mentionID   = regexp.MustCompile(`^[USW][A-Z0-9]{2,}$`)
	userName    = regexp.MustCompile(`^@[A-Za-z0-9._-]{1,80}$`)
	mailAddress = regexp.MustCompile(`^[^\s@<>|]+@[^\s@<>|]+\.[^\s@<>|]+$`)
)

// shortestID is the length from which a word of capitals is an id: some ids have no
// digit, and channel names have no capitals.
const shortestID = 9

// longestConversation is how many bytes the name of a conversation may have, as Slack's own
// spelling has it: an address of mail has up to 254.
const longestConversation = 500

// ParseConversation normalizes the name of a conversation to a Slack id (C… G… D… U…
// W…), #name, @user or user@mail. It also reads Slack's <#C…|name> and <@U…>; a bare
// word is a channel's name. The error is an *InputError.
func ParseConversation(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > longestConversation {
		return "", notConversation(s)
	}
	if m := slackLink.FindStringSubmatch(s); m != nil {
		return m[1], nil
	}
	if id := strings.TrimLeft(s, "#@"); slackID.MatchString(id) && (len(id) >= shortestID || strings.ContainsAny(id, "0123456789")) {
		return id, nil
	}
	lower := strings.ToLower(s)
	if m := channelName.FindStringSubmatch(lower); m != nil {
		return "#" + m[1], nil
	}
	if userName.MatchString(s) || mailAddress.MatchString(s) {
		return lower, nil
	}
	return "", notConversation(s)
}

func notConversation(s string) error {
	return &InputError{
		Message: fmt.Sprintf("channel %.80q is not a conversation", s),
		Hint:    "write a channel id (C0123ABCD), #name, @user or user@example.com",
	}
}
