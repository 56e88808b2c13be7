package alert

import "fmt"

// Secret is a token or password. However it is printed, logged or encoded, it
// shows as ***; only Reveal gives its value.
type Secret string

const mask = "***"

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// String is ***, or empty for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString is as String.
func (s Secret) GoString() string { return s.String() }

// Format writes String whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText is as String, and so is JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
