package config

import "encoding/json"

// Setting is one option with its value and where that came from.
type Setting struct {
	// Key is the dotted name in YAML, such as listen.tcp.
	Key string `json:"key"`
	// Value is what is used; secrets and passwords are ***, and what is not
	// set is empty.
	Value string `json:"value"`
	// Origin is the source that won.
	Origin Origin `json:"origin"`
}

const masked = "***"

func (l *loader) settings() []Setting {
	var all []Setting
	for _, opt := range specsOf(options()) {
		g := l.values[opt.key]
		value := g.value
		switch {
		case opt.secret && value != "":
			value = masked
		case opt.key == keyStore:
			value = StoreURL(value).String()
		}
		all = append(all, Setting{Key: opt.key, Value: value, Origin: g.origin})
	}
	return all
}

// Settings returns every option in the order of config/example.yaml.
func (c *Config) Settings() []Setting { return append([]Setting(nil), c.settings...) }

// MarshalJSON returns {"file", "settings": [{"key", "value", "origin"}],
// "warnings": [{"where", "message", "fix"}]} with secrets masked.
func (c *Config) MarshalJSON() ([]byte, error) {
	shown := struct {
		File     string    `json:"file,omitempty"`
		Settings []Setting `json:"settings"`
		Warnings []Problem `json:"warnings"`
	}{c.File, c.settings, c.Warnings}
	if shown.Warnings == nil {
		shown.Warnings = []Problem{}
	}
	return json.Marshal(shown)
}
