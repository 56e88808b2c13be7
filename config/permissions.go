package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tocsin/alert"
)

// What a permission may be instead of a list of people.
const (
	everyone = "everyone"
	nobody   = "nobody"
)

var (
	memberID   = regexp.MustCompile(`^[UWSCG][A-Z0-9]{8,}$|^[UWSCG][A-Z]*[0-9][A-Z0-9]+$`) // some ids have no digit
	teamID     = regexp.MustCompile(`^[TE][A-Z]*[0-9][A-Z0-9]+$`)
	memberName = regexp.MustCompile(`^@[A-Za-z0-9._-]{1,80}$|^[^\s@<>|,]+@[^\s@<>|,]+\.[^\s@<>|,]+$`)
)

func parsePermit(value string) (string, *flaw) {
	value = strings.TrimSpace(value)
	switch lower := strings.ToLower(value); {
	case lower == everyone, lower == nobody, memberName.MatchString(value):
		return lower, nil
	case memberID.MatchString(value):
		return value, nil
	case strings.HasPrefix(value, "#"):
		if channel, err := alert.ParseConversation(value); err == nil {
			return channel, nil
		}
	}
	return "", &flaw{
		message: printable(value) + " is not a person, group or channel", write: []string{everyone, nobody, "@name", "name@example.com", "#channel"},
		advice: "or the id of a person (U…), a user group (S…) or a channel (C…)",
	}
}

// parseMentionable reads a mention that senders may use, everyone or nobody.
func parseMentionable(value string) (string, *flaw) {
	switch word := strings.ToLower(strings.TrimSpace(value)); word {
	case everyone, nobody:
		return word, nil
	}
	mention, f := parseMention(value)
	if f != nil {
		f.write = append([]string{nobody, everyone}, f.write...)
	}
	return mention, f
}

// parseExternal is parsePermit that also takes teams.
func parseExternal(value string) (string, *flaw) {
	if value = strings.TrimSpace(value); teamID.MatchString(value) {
		return value, nil
	}
	return parsePermit(value)
}

// checkPermissions finds everyone or nobody together with other entries.
func (l *loader) checkPermissions() {
	may := l.config.Permissions
	for key, who := range map[string][]string{keyMayAck: may.Ack, keyMaySilence: may.Silence, keyMaySend: may.Send, keyMayAdmin: may.Admin, keyExternal: may.External, keyMayMention: l.config.Routing.Mentionable} {
		for _, word := range []string{everyone, nobody} {
			if len(who) > 1 && slices.Contains(who, word) {
				l.fail(l.values[key].origin.problem(fmt.Sprintf("%s says %s and others", key, word), "write "+word+" alone, or leave it out"))
			}
		}
	}
}
