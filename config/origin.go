package config

import (
	"fmt"
	"strings"
	"unicode"
)

type originKind string

const (
	fromSystemd    originKind = "systemd"
	fromFlag       originKind = "flag"
	fromEnv        originKind = "environment"
	fromCredential originKind = "credential"
	fromFile       originKind = "file"
	fromYAML       originKind = "config"
	fromDefault    originKind = "default"
)

// Origin says where a value came from.
type Origin struct {
	kind         originKind
	place        string // name of a socket, flag or variable, or path
	line, column int    // in a YAML file
}

// String returns the kind of the source and its name, such as
// "environment TOCSIN_LISTEN", "config /etc/tocsin/tocsin.yaml:3:8" or "default".
func (o Origin) String() string {
	if o.kind == fromDefault {
		return string(fromDefault)
	}
	return string(o.kind) + " " + o.where()
}

// MarshalText returns what String does.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

func (o Origin) where() string {
	switch {
	case o.kind == fromFlag:
		return "--" + o.place
	case o.kind == fromSystemd:
		return "socket " + o.place
	case o.kind == fromYAML:
		return fmt.Sprintf("%s:%d:%d", o.place, o.line, o.column)
	}
	return o.place
}

func (o Origin) problem(message, fix string) Problem {
	return Problem{Where: o.where(), Message: onOneLine(message), Fix: onOneLine(fix), line: o.line, column: o.column}
}

// onOneLine removes what could end the line or control a terminal from a text that
// quotes a file.
func onOneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// assign returns how value is written at this origin: as a flag, a variable, the
// content of a file, or a line of YAML.
func (o Origin) assign(opt spec, value string) string {
	switch o.kind {
	case fromSystemd:
		return "ListenStream=" + value + " into the socket unit"
	case fromFlag:
		return "--" + opt.flag + " " + shellQuote(value)
	case fromEnv:
		return opt.env + "=" + shellQuote(value)
	case fromCredential, fromFile:
		return value + " into the file"
	case fromDefault:
		if opt.env != "" {
			return opt.env + "=" + shellQuote(value)
		}
	}
	return opt.name() + ": " + yamlQuote(value)
}

func shellQuote(value string) string {
	if strings.ContainsAny(value, " #;&|<>*?$'\"`\\()") {
		return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	return value
}

func yamlQuote(value string) string {
	if strings.HasPrefix(value, "#") || strings.HasPrefix(value, "@") {
		return `"` + value + `"`
	}
	return value
}
