package alert

import (
	"net/url"
	"slices"
	"strings"
)

// ImageHosts are the hosts from which images are fetched: host, which stands for all of
// its ports, or host:port.
type ImageHosts []string

// Allow reports whether an image at this address is fetched.
func (h ImageHosts) Allow(u *url.URL) bool {
	if u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Hostname() == "" {
		return false
	}
	return slices.Contains(h, strings.ToLower(u.Host)) || slices.Contains(h, strings.ToLower(u.Hostname()))
}

// Mark returns the images with Fetch set where one is fetched.
func (h ImageHosts) Mark(images []Image) []Image {
	marked := slices.Clone(images)
	for n := range marked {
		u, err := url.Parse(strings.TrimSpace(marked[n].URL))
		marked[n].Fetch = err == nil && h.Allow(u)
	}
	return marked
}
