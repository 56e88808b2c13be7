package config

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

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

// Show writes one line for each option: its key, its value with secrets
// masked, and where the value came from.
func (c *Config) Show(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range c.settings {
		value := s.Value
		if value == "" {
			value = "(not set)"
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", s.Key, value, s.Origin); err != nil {
			return fmt.Errorf("show configuration: %w", err)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("show configuration: %w", err)
	}
	return nil
}

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
