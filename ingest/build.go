package ingest

import (
	"errors"
	"fmt"
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
	if address = strings.TrimSpace(address); !isAddress(address) {
		return links
	}
	return appendLink(links, label, address)
}

// appendLink adds a link unless its address is there already.
func appendLink(links []alert.Link, label, address string) []alert.Link {
	shown := links[:min(len(links), alert.MaxLinks)]
	if slices.ContainsFunc(shown, func(l alert.Link) bool { return l.URL == address }) {
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

// link adds a link to an alert. A note says so if it has an address that nobody could follow.
func link(a *alert.Alert, label, address string) {
	if address, ok := addressIn(a, label, address); ok {
		a.Links = appendLink(a.Links, label, address)
	}
}

// image is link for an image.
func image(a *alert.Alert, address, alt string) {
	if address, ok := addressIn(a, "image", address); ok {
		a.Images = append(a.Images, alert.Image{URL: address, Alt: alt})
	}
}

// addressIn returns an address without blanks, and whether it is one.
func addressIn(a *alert.Alert, what, address string) (trimmed string, ok bool) {
	trimmed = strings.TrimSpace(address)
	if ok = isAddress(trimmed); !ok && !isBlank(trimmed) {
		a.Notes = append(a.Notes, fmt.Sprintf("%s: %q is not a web address: left out", what, shortened(trimmed)))
	}
	return trimmed, ok
}

// isBlank reports whether an address says no place at all: a form was left empty, or the tool
// does not know its own address.
func isBlank(address string) bool {
	return address == "" || address == "https://" || address == "http://" || address[0] == '?'
}

// happened sets when an alert was, of which name is the member.
func happened(a *alert.Alert, name string, t text) {
	at := timeOf(t)
	if said := or(t); at.IsZero() && said != "" && !strings.HasPrefix(said, zeroTime) {
		a.Notes = append(a.Notes, fmt.Sprintf("%s: %q is not a time: left out", name, shortened(said)))
	}
	a.At = at
}

// zeroTime begins Go's zero, which means none.
const zeroTime = "0001-01-01T00:00:00"

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
