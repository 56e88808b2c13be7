package config

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is an option that has another value than in another configuration.
type Change struct {
	// Key is the dotted name in YAML, such as listen.tcp.
	Key string `json:"option"`
	// What is what is different, without secrets: "5 → 10", or "db is new, web is changed"
	// for a list of routes and the like.
	What string `json:"what"`
	// Restart is set for an option that is only read at a start.
	Restart bool `json:"-"`
}

// String returns the change on one line.
func (c Change) String() string { return c.Key + ": " + c.What }

// state is an option as it can be compared with a later one.
type state struct {
	shown string
	hash  [sha256.Size]byte // of everything that is said about it, also in files of secrets
	// items are the hashes of a list of groups by name, and names their order.
	items map[string][sha256.Size]byte
	names []string
}

// Changes returns which options a later configuration changes, in the order of
// config/example.yaml.
func (c *Config) Changes(later *Config) (all []Change) {
	for _, s := range c.settings {
		before, after := c.states[s.Key], later.states[s.Key]
		if before.hash == after.hash {
			continue
		}
		what := before.itemsChanged(after)
		switch {
		case what != "":
		case before.shown != after.shown:
			what = cmp.Or(before.shown, "(not set)") + " → " + cmp.Or(after.shown, "(not set)")
		case before.shown == masked:
			what = "another secret"
		default:
			what = "changed"
		}
		opt, _ := specOf(s.Key)
		isNew := before.shown == "" || after.shown == ""
		all = append(all, Change{s.Key, onOneLine(what), opt.restart || opt.restartIfNew && isNew})
	}
	return all
}

// Hash is the same for configurations that differ only in what belongs to one machine: where
// it listens, its log and its files.
func (c *Config) Hash() string {
	sum := sha256.New()
	for _, s := range c.settings {
		own := s.Key == keyStore || s.Key == keyCAFile || s.Key == "slack.listen" || strings.HasPrefix(s.Key, "listen.") || strings.HasPrefix(s.Key, "log.")
		if !own {
			hash := c.states[s.Key].hash
			sum.Write(append([]byte(s.Key), hash[:]...))
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// itemsChanged says which groups of a list are different; nothing for an option that is none.
func (s state) itemsChanged(after state) string {
	var parts []string
	for _, name := range after.names {
		switch was, known := s.items[name]; {
		case !known:
			parts = append(parts, name+" is new")
		case was != after.items[name]:
			parts = append(parts, name+" is changed")
		}
	}
	for _, name := range s.names {
		if _, kept := after.items[name]; !kept {
			parts = append(parts, name+" is gone")
		}
	}
	if len(parts) == 0 && len(after.names) > 0 {
		return "in another order"
	}
	return strings.Join(parts, ", ")
}

// states returns all options as they can be compared.
func (l *loader) states(shown []Setting) map[string]state {
	all := map[string]state{}
	for _, s := range shown {
		one := state{shown: s.Value, items: map[string][sha256.Size]byte{}}
		text := s.Value + "\n" + l.values[s.Key].value
		if path := l.values[s.Key].value; path != "" && slices.Contains([]string{keyCertFile, keyKeyFile, keyClientCAFile, keyCAFile}, s.Key) {
			content, _ := l.in.ReadFile(path) // one that can't be read is a mistake
			text += "\n" + string(content)
		}
		for n, group := range l.doc.groups[s.Key] {
			name, said := groupName(s.Key, n, group), group.said()
			if s.Key == keyTokens { // the token itself may be in a file
				said += fmt.Sprintf("%x", l.config.Listen.Tokens[n].Hash)
			}
			text += "\n" + name + "\n" + said
			before := one.items[name] // of another one that is called the same
			one.items[name], one.names = sha256.Sum256(append(before[:], said...)), with(one.names, name)
		}
		one.hash = sha256.Sum256([]byte(text))
		all[s.Key] = one
	}
	return all
}

// groupName is how the n-th group of a list is called.
func groupName(key string, n int, group section) string {
	for _, name := range []string{".name", ".channel", ".source"} {
		if value := group.values[key+name].value; value != "" {
			return value
		}
	}
	return fmt.Sprintf("number %d", n+1)
}

// said is everything that a section says, without where it says it.
func (s section) said() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		fmt.Fprintf(&b, "%s: %s\n", key, s.values[key].said())
	}
	for _, key := range slices.Sorted(maps.Keys(s.groups)) {
		for _, group := range s.groups[key] {
			fmt.Fprintf(&b, "%s:\n%s-\n", key, group.said())
		}
	}
	return b.String()
}

func (g given) said() string {
	text := fmt.Sprintf("%q %q", g.name, g.value)
	for _, item := range g.items {
		text += "\n  " + item.said()
	}
	return text
}
