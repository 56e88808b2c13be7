package api

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// refuseBrowsers refuses requests from web pages of another origin. Browsers mark
// them with Origin or Sec-Fetch-Site (Fetch standard; RFC 6454).
func refuseBrowsers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		foreign := site != "" && site != "same-origin" && site != "none"
		if origin := r.Header.Get("Origin"); origin != "" {
			u, err := url.Parse(origin)
			foreign = foreign || err != nil || u.Host != r.Host
		}
		if foreign {
			writeJSON(w, http.StatusForbidden, map[string]string{
				"error": "requests from web pages of another origin are refused",
				"hint":  "send the alert from a server, a script or a cron job",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuseAct answers a request that acts on a listener where nobody may.
func refuseAct(*http.Request) (any, error) {
	return nil, &httpError{http.StatusForbidden, "over TCP without a token, alerts can be sent and read, but nothing else can be changed",
		"use the Unix socket, or set TOCSIN_API_TOKEN and send it; listen.trust_loopback: true lets every user of the daemon's machine act"}
}

// authorize requires the token, except for health checks. If none is configured, it
// requires a loopback host name.
func (a *API) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.opts.Token == "" {
			if !loopbackHost(r.Host) {
				a.fail(w, r, &httpError{http.StatusForbidden, "the host " + r.Host + " is not this machine", "address it as 127.0.0.1 or localhost, or set TOCSIN_API_TOKEN"})
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
			next.ServeHTTP(w, r)
			return
		}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(a.opts.Token.Reveal())) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="tocsin"`)
			a.fail(w, r, &httpError{http.StatusUnauthorized, "the token is missing or wrong", "send the header Authorization: Bearer … with the value of TOCSIN_API_TOKEN"})
			return
		}
		next.ServeHTTP(w, r)
	})
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
