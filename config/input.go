package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// Input is everything a configuration is read from.
type Input struct {
	// Getenv returns a variable or the empty string.
	Getenv func(string) string
	// ReadFile returns a file's content.
	ReadFile func(string) ([]byte, error)
	// Flags are the given flags, by name without dashes (see FlagNames). Secrets have no
	// flags, because every user can see a command line.
	Flags map[string]string
	// Bound are the sockets that systemd has bound for the daemon, by the flags that say
	// where it listens otherwise. They come before any other source.
	Bound map[string]Bound
	// Mode is the slack.mode of a daemon that runs, which no reload changes; empty before the
	// start.
	Mode string
	// UID is the user's number, for the socket's folder under the temporary
	// directory.
	UID int
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Expressions is what is known of expressions.
	Expressions Expressions
}

// Bound is a socket that listens already: its name in systemd, and its path or host:port.
type Bound struct{ Name, Address string }

func (in Input) now() time.Time {
	if in.Now == nil {
		return time.Now()
	}
	return in.Now()
}

const systemConfig = "/etc/tocsin/tocsin.yaml"

// configPaths returns where the YAML file may be, and whether the user named it and
// it must exist.
func (in Input) configPaths() (paths []string, from Origin, named bool) {
	if path := in.Flags["config"]; path != "" {
		return []string{path}, Origin{kind: fromFlag, place: "config"}, true
	}
	if path := unquoted(in.Getenv("TOCSIN_CONFIG")); path != "" {
		return []string{path}, Origin{kind: fromEnv, place: "TOCSIN_CONFIG"}, true
	}
	paths = []string{systemConfig}
	if home := in.xdg("XDG_CONFIG_HOME", ".config"); home != "" {
		paths = append(paths, filepath.Join(home, "tocsin", "tocsin.yaml"))
	}
	return paths, Origin{kind: fromDefault}, false
}

// variable returns what the environment has for an option, without the quotation marks
// that some readers of env files, such as Docker's, leave around it. The check of the
// tokens reports theirs.
func (in Input) variable(opt spec) string {
	if opt.env == "" {
		return ""
	}
	value := in.Getenv(opt.env)
	if opt.token {
		return value
	}
	return unquoted(value)
}

// quotationMarks are those that people, and the editors that change what they type, put
// around values.
const quotationMarks = `"'` + "`“”„‘’‚«»"

// unquoted returns a value without the quotation marks around it.
func unquoted(value string) string {
	inner := strings.TrimSpace(value)
	first, begin := utf8.DecodeRuneInString(inner)
	last, end := utf8.DecodeLastRuneInString(inner)
	ascii := first < utf8.RuneSelf || last < utf8.RuneSelf
	if begin+end > len(inner) || ascii && first != last || !strings.ContainsRune(quotationMarks, first) || !strings.ContainsRune(quotationMarks, last) {
		return value
	}
	return inner[begin : len(inner)-end]
}

// xdg returns a base directory of the XDG specification, which says that
// relative paths in these variables are to be ignored.
func (in Input) xdg(variable, underHome string) string {
	if dir := in.Getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	if home := in.Getenv("HOME"); underHome != "" && filepath.IsAbs(home) {
		return filepath.Join(home, underHome)
	}
	return ""
}

// systemdDir returns the first of the directories that systemd created for the
// service. Several are separated by colons.
func (in Input) systemdDir(variable string) string {
	first, _, _ := strings.Cut(in.Getenv(variable), ":")
	return first
}

const socketName = "tocsin.sock"

func (in Input) defaultSocket() string {
	if dir := in.systemdDir("RUNTIME_DIRECTORY"); dir != "" {
		return filepath.Join(dir, socketName)
	}
	if dir := in.xdg("XDG_RUNTIME_DIR", ""); dir != "" {
		return filepath.Join(dir, "tocsin", socketName)
	}
	return in.temporarySocket()
}

func (in Input) temporarySocket() string {
	dir := in.Getenv("TMPDIR")
	if !filepath.IsAbs(dir) {
		dir = "/tmp"
	}
	return filepath.Join(dir, fmt.Sprintf("tocsin-%d", in.UID), socketName)
}

// defaultStore returns the empty string if neither systemd nor the user's environment
// names a directory for state.
func (in Input) defaultStore() string {
	if dir := in.systemdDir("STATE_DIRECTORY"); dir != "" {
		return "sqlite:" + filepath.Join(dir, "tocsin.db")
	}
	if dir := in.xdg("XDG_STATE_HOME", filepath.Join(".local", "state")); dir != "" {
		return "sqlite:" + filepath.Join(dir, "tocsin", "tocsin.db")
	}
	return ""
}
