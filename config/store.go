package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// StoreURL is the address of the store: sqlite:PATH or postgres://…. It may contain a
// password, which only Reveal shows.
type StoreURL string

// Reveal returns the address with its password, to open the store.
func (s StoreURL) Reveal() string { return string(s) }

var queryPassword = regexp.MustCompile(`(?i)((?:ssl)?password=)[^&\s]*`)

// String returns the address with *** in place of a password.
func (s StoreURL) String() string {
	if !strings.HasPrefix(string(s), "postgres:") {
		return string(s)
	}
	u, err := url.Parse(string(s))
	if err != nil {
		return "postgres://***"
	}
	u.RawQuery = queryPassword.ReplaceAllString(u.RawQuery, "${1}***")
	return strings.Replace(u.Redacted(), ":xxxxx@", ":***@", 1)
}

// GoString returns what String does, for %#v.
func (s StoreURL) GoString() string { return s.String() }

// MarshalText returns what String does, for JSON and logs.
func (s StoreURL) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

const exampleStore = "sqlite:/var/lib/tocsin/tocsin.db"

func parseStore(value string) (string, *flaw) {
	scheme, rest, found := strings.Cut(value, ":")
	switch {
	case found && scheme == "sqlite":
		return checkSQLite(value, rest)
	case found && slices.Contains([]string{"postgres", "postgresql"}, scheme):
		return checkPostgres(rest)
	case found && strings.HasPrefix(scheme, "postgresql+"):
		return "", &flaw{message: "names a driver of another language", advice: "write postgres:// and leave the rest as it is"}
	case strings.HasPrefix(value, "/"):
		return "", &flaw{message: printable(value) + " does not say which kind of store it is", write: []string{"sqlite:" + value}}
	}
	return "", &flaw{
		message: "is neither sqlite:PATH nor a postgres:// address",
		write:   []string{exampleStore, "postgres://user@host/database"},
	}
}

func checkSQLite(value, path string) (string, *flaw) {
	switch {
	case strings.HasPrefix(path, "//"):
		return "", &flaw{message: printable(value) + " has slashes of a web address", write: []string{"sqlite:" + strings.TrimPrefix(path, "//")}}
	case path == ":memory:":
		return "", &flaw{message: "is kept in memory and would forget accepted alerts", write: []string{exampleStore}}
	case path == "" || strings.HasSuffix(path, "/"):
		return "", &flaw{message: printable(value) + " names no file", write: []string{exampleStore}}
	case strings.ContainsAny(path, "?#%\x00"):
		return "", &flaw{message: printable(value) + " has more than a path", write: []string{exampleStore}}
	}
	return value, nil
}

// checkPostgres never repeats the address, which may contain a password, nor the
// parser's message, which repeats the address.
func checkPostgres(rest string) (string, *flaw) {
	value := "postgres:" + rest
	u, err := url.Parse(value)
	if err != nil || !strings.HasPrefix(rest, "//") {
		return "", &flaw{
			message: "is not a postgres:// address",
			write:   []string{"postgres://user@host/database"},
			advice:  "write special characters of a password as %XX",
		}
	}
	if u.Host == "" && u.Query().Get("host") == "" {
		return "", &flaw{
			message: "names no host",
			write:   []string{"postgres://user@host/database", "postgres:///database?host=/run/postgresql"},
		}
	}
	return value, nil
}
