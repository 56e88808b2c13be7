package alert

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Person is who did something: a Slack user, whose ID (U…) is known, or only a name,
// such as a shell user or the source of an alert.
type Person struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// personID is a person's id in Slack.
var personID = regexp.MustCompile(`^[UW][A-Z0-9]{2,}$`)

// ParsePerson reads what String writes. What is not a Slack id is a name.
func ParsePerson(s string) Person {
	id, name, both := strings.Cut(s, "|")
	switch {
	case both:
		return Person{ID: id, Name: name}
	case personID.MatchString(s):
		return Person{ID: s}
	}
	return Person{Name: s}
}

// String is the person in one word, U0ANN|ann as in Slack's <@U0ANN|ann>. A name that
// could be read as something else gets a bar in front.
func (p Person) String() string {
	switch {
	case p.ID == "" && !strings.Contains(p.Name, "|") && !personID.MatchString(p.Name):
		return p.Name
	case p.Name == "" && personID.MatchString(p.ID):
		return p.ID
	}
	return p.ID + "|" + p.Name
}

// Is reports whether both are the same person, by id if both have one.
func (p Person) Is(other Person) bool {
	if p.ID != "" && other.ID != "" {
		return p.ID == other.ID
	}
	return p == other
}

// UnmarshalJSON reads a person, or a name alone as earlier versions wrote it.
func (p *Person) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*p = Person{}
		return json.Unmarshal(data, &p.Name)
	}
	type plain Person
	return json.Unmarshal(data, (*plain)(p))
}
