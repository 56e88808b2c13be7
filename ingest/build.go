package ingest

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// errNothing is for a JSON object that has nothing of the tool's.
var errNothing = errors.New("it has no member that says what happened")

// addLink adds a link, unless it is there already or nobody could follow it: tools write
// empty and relative addresses, and https:// alone.
func addLink(links []alert.Link, label, address string) []alert.Link {
	address = strings.TrimSpace(address)
	shown := links[:min(len(links), alert.MaxLinks)]
	if !isAddress(address) || slices.ContainsFunc(shown, func(l alert.Link) bool { return l.URL == address }) {
		return links
	}
	return append(links, alert.Link{Label: label, URL: address})
}

func isAddress(s string) bool {
	// Most texts are none, and to parse one costs more than to read a label.
	if len(s) < len("http://x") || !strings.EqualFold(s[:len("http")], "http") {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Hostname() != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// addImage is addLink for an image.
func addImage(images []alert.Image, address, alt string) []alert.Image {
	if address = strings.TrimSpace(address); !isAddress(address) {
		return images
	}
	return append(images, alert.Image{URL: address, Alt: alt})
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
