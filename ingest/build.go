package ingest

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"tocsin/alert"
)

// errNothing is for a JSON object that has nothing of the tool's.
var errNothing = errors.New("it has no member that says what happened")

// addLink adds a link, unless nobody could follow it: tools write empty and relative
// addresses, and https:// alone.
func addLink(links []alert.Link, label, address string) []alert.Link {
	if u, err := url.Parse(strings.TrimSpace(address)); err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return links
	}
	return append(links, alert.Link{Label: label, URL: strings.TrimSpace(address)})
}

// timeOf reads a time; none for one that can't be read.
func timeOf(t text) time.Time {
	at, err := alert.ParseTime(string(t))
	if err != nil {
		return time.Time{}
	}
	return at
}

// paragraphs joins the texts that say something.
func paragraphs(all ...string) string {
	var said []string
	for _, s := range all {
		if s = strings.Trim(s, "\r\n"); strings.TrimSpace(s) != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, "\n\n")
}
