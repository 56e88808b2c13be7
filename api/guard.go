package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// refuseBrowsers refuses requests from web pages of another origin. Browsers mark
// them with Origin or Sec-Fetch-Site (Fetch standard; RFC 6454).
func (a *API) refuseBrowsers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		foreign := site != "" && site != "same-origin" && site != "none"
		if origin := r.Header.Get("Origin"); origin != "" {
			u, err := url.Parse(origin)
			foreign = foreign || err != nil || u.Host != r.Host
		}
		if foreign && !isPage(r) { // people may follow a link to the page
			a.fail(w, r, &httpError{http.StatusForbidden, "requests from web pages of another origin are refused", "send the alert from a server, a script or a cron job"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// readOnly marks the context of requests that may not act.
type readOnly struct{}

// markReadOnly marks all requests for next as ones that may not act.
func markReadOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), readOnly{}, true)))
	})
}

// refuseAct answers a request that acts on a listener where nobody may.
func refuseAct(*http.Request) (any, error) {
	return nil, &httpError{http.StatusForbidden, "over TCP without a token, alerts can be sent and read, but nothing else can be changed",
		"use the Unix socket, or set TOCSIN_API_TOKEN and send it; listen.trust_loopback: true lets every user of the daemon's machine act"}
}

// needsNoToken reports whether a path says nothing that is secret.
func needsNoToken(path string) bool {
	switch path {
	case "/healthz", "/readyz", openAPIPath:
		return true
	}
	return false
}

// authorize requires a token, except where none is needed. If none is configured, it
// requires a loopback host name.
func (a *API) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(a.credentials) == 0 {
			if !loopbackHost(r.Host) {
				a.fail(w, r, &httpError{http.StatusForbidden, "the host " + r.Host + " is not this machine", "address it as 127.0.0.1 or localhost, or set TOCSIN_API_TOKEN"})
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		if needsNoToken(r.URL.Path) || isPage(r) {
			next.ServeHTTP(w, r)
			return
		}
		_, pattern := a.hooks.Handler(r)
		if a.verifies(pattern, r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		known := a.find(tokenOf(r, pattern != ""))
		if known == nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="tocsin"`)
			a.fail(w, r, &httpError{http.StatusUnauthorized, "the token is missing or wrong", "send the header Authorization: Bearer … with the value of TOCSIN_API_TOKEN or a token of listen.tokens; for a webhook also as the password of basic authentication, or as ?token=…"})
			return
		}
		if err := known.token().Permit(a.powerFor(r)); err != nil {
			a.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, withCaller(r, known))
	})
}

// verifies reports whether the webhook of this pattern checks access itself: by a
// signature, or because its path is secret.
func (a *API) verifies(pattern, path string) bool {
	if pattern == services {
		_, known := a.serviceChannel(strings.TrimPrefix(path, "/services/"))
		return known
	}
	return slices.ContainsFunc(a.opts.Webhooks, func(w Webhook) bool { return w.Verify != nil && "POST "+w.Path == pattern })
}

// tokenOf returns the token of a request. Tools that can send no header of their own may
// send it to a webhook as a password or in the address.
func tokenOf(r *http.Request, hook bool) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return token
	}
	if !hook {
		return ""
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	return r.URL.Query().Get("token")
}

// loopbackHost reports whether a Host header is a loopback name or address.
func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}
