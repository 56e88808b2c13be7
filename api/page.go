package api

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
)

// pageHTML is the page at /, in which withPage fills in what depends on the listener.
//
//go:embed page.html
var pageHTML string

// page is the page of one listener.
type page struct {
	html, policy string
}

// forToken matches what the page shows only where a token is needed.
var forToken = regexp.MustCompile(`(?s)<!--token-->.*?<!--/token-->`)

// newPage returns the page of a listener where a token is needed, or not.
func newPage(token bool) page {
	shown := pageHTML
	if token {
		shown = strings.NewReplacer("<!--token-->", "", "<!--/token-->", "").Replace(shown)
	} else {
		shown = forToken.ReplaceAllString(shown, "")
	}
	policy := fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		hashOf(shown, "style"), hashOf(shown, "script"))
	return page{html: shown, policy: policy}
}

// hashOf is the source expression of the element's text (Content Security Policy Level 3).
func hashOf(page, element string) string {
	_, rest, _ := strings.Cut(page, "<"+element+">")
	text, _, _ := strings.Cut(rest, "</"+element+">")
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// withPage answers who asks for HTML at / with the page, in which the daemon has the address
// that they used, and passes on everything else.
// token is whether requests need one.
func withPage(token bool, next http.Handler) http.Handler {
	p := newPage(token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isPage(r) {
			next.ServeHTTP(w, r)
			return
		}
		header := w.Header()
		header.Set("Vary", "Accept")
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Security-Policy", p.policy)
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-cache")
		origin := html.EscapeString("http://" + r.Host)
		_, _ = strings.NewReplacer("%ORIGIN%", origin).WriteString(w, p.html) // the caller has gone
	})
}

// isPage reports whether a request asks for the page: at the root, unless it wants JSON.
func isPage(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	html := accept == "" || strings.Contains(accept, "text/html") || strings.Contains(accept, "*/*")
	return r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && html
}
