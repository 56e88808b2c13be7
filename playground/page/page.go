// Package page is the playground's web page: hand-written HTML, CSS and ES modules, and what keeps other sites away from them.
//
// It knows nothing of the workspace: what the page shows and does goes through the playground's own endpoints, which SameOrigin guards.
package page

import (
	"embed"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
)

//go:embed static
var files embed.FS

// Policy lets the page load nothing but its own files, except for images, which cards may link from anywhere.
const Policy = "default-src 'self'; img-src 'self' data: http: https:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Mount serves the page at / and its files below /static/.
func Mount(mux *http.ServeMux) {
	mux.Handle("GET /static/", withPolicy(http.FileServerFS(files)))
	mux.Handle("GET /{$}", withPolicy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "static/index.html")
	})))
}

// withPolicy sets the headers that protect a page which shows other people's text.
func withPolicy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", Policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// SameOrigin answers 403 to what another site makes a browser send. The Host has to be an address or localhost, so that no foreign name
// can be pointed at this listener.
func SameOrigin(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !localHost(r.Host):
			Refuse(w, http.StatusForbidden, "forbidden", "open the page by an IP address or as localhost")
			return
		case foreign(r):
			Refuse(w, http.StatusForbidden, "forbidden", "only the playground's own page may do this")
			return
		}
		next(w, r)
	}
}

func localHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(strings.Trim(host, "[]")) != nil
}

func foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// Refusal is the answer to what the page asked for in vain; hint is for people.
func Refusal(code, hint string) map[string]any {
	return map[string]any{"ok": false, "error": code, "hint": hint}
}

// Refuse answers with a Refusal.
func Refuse(w http.ResponseWriter, status int, code, hint string) {
	Answer(w, status, Refusal(code, hint))
}

// Answer writes body, which JSON can always express, as the answer to the page.
func Answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error here means that the page has gone away.
	_ = json.NewEncoder(w).Encode(body)
}
