package alert

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// links drops what no button can open. An address that says something is kept as a line
// of text.
func (r *repair) links() {
	kept := make([]Link, 0, len(r.Links))
	swapped := false
	for n, l := range r.Links {
		l.URL = strings.TrimSpace(l.URL)
		flaw, asText := linkFlaw(l.URL)
		if label := strings.TrimSpace(l.Label); flaw != "" && opens(label) {
			r.note("%s: %s, so it leads to its label", linkName(n), flaw)
			l, flaw, swapped = Link{URL: label}, "", true
		}
		switch {
		case flaw == "" && len(kept) < MaxLinks:
			kept = append(kept, l)
		case flaw == "":
			r.after = append(r.after, strings.TrimPrefix(l.Label+": "+l.URL, ": "))
			r.moved("%s moved into the text: there are more than %d", linkName(n), MaxLinks)
		case asText:
			r.after = append(r.after, strings.TrimPrefix(l.Label+": "+l.URL, ": "))
			r.note("%s moved into the text: %s", linkName(n), flaw)
		default:
			r.note("%s dropped: %s", linkName(n), flaw)
		}
	}
	if len(kept) < len(r.Links) || swapped {
		r.Links = kept
	}
}

// opens reports whether a button can open an address.
func opens(address string) bool {
	flaw, _ := linkFlaw(address)
	return flaw == ""
}

// images keeps those that Slack can fetch, which is what is behind a public https
// address. The others become links.
func (r *repair) images() {
	var kept []Image
	for _, i := range r.Images {
		i.URL = strings.TrimSpace(i.URL)
		switch flaw, _ := linkFlaw(i.URL); {
		case flaw != "":
			r.note("image dropped: %s", flaw)
		case len(kept) < MaxImages && i.Fetch:
			kept = append(kept, i)
			if len(r.Links) < MaxLinks {
				r.Links = append(r.Links, Link{Label: "Image", URL: i.URL})
			}
		case len(kept) < MaxImages && public(i.URL):
			kept = append(kept, i)
		case len(r.Links) < MaxLinks:
			r.Links = append(r.Links, Link{Label: "Image", URL: i.URL})
			r.note("image %s became a link: Slack shows at most %d images, each from a public https address", brief(i.URL), MaxImages)
		default:
			r.after = append(r.after, i.URL)
		}
	}
	r.Images = kept
}

// public reports whether everybody on the Internet may have access to an address, as far
// as it tells.
func public(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || !strings.Contains(u.Hostname(), ".") {
		return false
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	for _, private := range []string{".local", ".localhost", ".internal", ".lan", ".home", ".corp", ".home.arpa"} {
		if strings.HasSuffix(host, private) {
			return false
		}
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || ip.IsGlobalUnicast() && !ip.IsPrivate()
}

// linkFlaw says why an address can't be a button, or is empty if it can, and whether it
// is worth a line of text.
func linkFlaw(address string) (flaw string, asText bool) {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return "it has no address", false
	case len(address) > MaxURL, len(address) > MaxURL/longestEscape && err == nil && len(u.String()) > MaxURL: // as it is sent, with %C3%A9 for é
		return fmt.Sprintf("its address is longer than %d bytes", MaxURL), true
	case err != nil:
		return brief(address) + " is not a web address", true
	case u.Scheme == "http" || u.Scheme == "https":
		if u.Hostname() == "" {
			return brief(address) + " has no host", false
		}
		return "", false
	case u.Scheme == "":
		return brief(address) + " is not a complete web address", true
	case slices.Contains([]string{"javascript", "data", "vbscript"}, u.Scheme):
		return u.Scheme + ": is not a web address", false
	}
	return u.Scheme + ": is not a web address", true
}

// room moves the addresses of links and images into the text for which a card has no room.
// It may have a whole page of text then.
func (r *repair) room() {
	if r.surelyFits() {
		return
	}
	needed := 0
	for _, l := range r.Links {
		needed += addressSize(l.URL)
	}
	for _, i := range r.Images {
		needed += imageSize(i)
	}
	if needed <= CardRoom-EscapedLen(r.Title)-EscapedLen(Pages(r.wholeText(), 1)[0]) {
		return
	}
	title := EscapedLen(r.Title)
	if title == 0 {
		title = EscapedLen("&") * titleFromText // it will be made from the text
	}
	left := CardRoom - title - PageSize
	links := slices.Clone(r.Links)
	r.Links = r.Links[:0:0]
	for n, l := range links {
		if size := addressSize(l.URL); size <= left {
			left -= size
			r.Links = append(r.Links, l)
			continue
		}
		r.after = append(r.after, strings.TrimPrefix(l.Label+": "+l.URL, ": "))
		r.moved("link %q moved into the text: the addresses are too long for one card", brief(cmp.Or(l.Label, linkName(n))))
	}
	images := slices.Clone(r.Images)
	r.Images = nil
	for _, i := range images {
		if size := imageSize(i); size <= left {
			left -= size
			r.Images = append(r.Images, i)
			continue
		}
		r.after = append(r.after, strings.TrimPrefix(i.Alt+": "+i.URL, ": "))
		r.moved("image %s became a line of text: the addresses are too long for one card", brief(i.URL))
	}
}

// surelyFits reports whether there is room for the addresses however many of their
// characters are escaped, as for nearly all alerts: to count them costs more than the rest of
// the repair.
func (r *repair) surelyFits() bool {
	most := 0
	for _, l := range r.Links {
		most += len(l.URL) * longestEscape
	}
	for _, i := range r.Images {
		most += len(i.URL)*longestEscape + EscapedLen(i.Alt)
	}
	return most == 0 || most+EscapedLen(r.Title)+min(EscapedLen(r.wholeText()), PageSize) <= CardRoom
}

// longestEscape is the most characters of an address for one byte: %20, or one that counts
// as three.
const longestEscape = 3

// addressSize is the most characters of a valid address in the form in which a button has it.
func addressSize(address string) int {
	u, err := url.Parse(address)
	if err != nil {
		return len(address)
	}
	sent := u.String()
	return utf8.RuneCountInString(sent) + 2*(strings.Count(sent, "|")+strings.Count(sent, "<")+strings.Count(sent, ">")+strings.Count(sent, " "))
}

// imageSize is the most characters of an image with what it shows in words.
func imageSize(i Image) int { return addressSize(i.URL) + min(EscapedLen(i.Alt), 200) }

// linkName names the n-th link from 0 for a person.
func linkName(n int) string { return fmt.Sprintf("link %d", n+1) }
