package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/playground"
)

// onePixel is a PNG.
const onePixel = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"

// imageServer is a Grafana that nobody but Tocsin reaches. slow answers once release is
// closed.
func imageServer(t *testing.T) (at *url.URL, release chan struct{}) {
	t.Helper()
	release = make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/img.png", func(w http.ResponseWriter, r *http.Request) {
		if from := r.Referer(); from != "" {
			t.Errorf("a redirect passes on the address, which may have a password in it: %s", from)
		}
		_, _ = w.Write([]byte(onePixel))
	})
	mux.HandleFunc("/slow.png", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		_, _ = w.Write([]byte(onePixel))
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>log in")) })
	mux.HandleFunc("/big.png", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(onePixel + strings.Repeat("\x00", 5<<20)))
	})
	mux.Handle("/moved", http.RedirectHandler("http://169.254.169.254/latest/meta-data", http.StatusFound))
	mux.Handle("/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	mux.Handle("/moved-here", http.RedirectHandler("/img.png", http.StatusFound))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return at, release
}

func TestAnImageThatSlackCannotReachIsShownInTheThread(t *testing.T) {
	t.Parallel()
	grafana, release := imageServer(t)
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.env["TOCSIN_CONFIG"] = filepath.Join(p.dir, "tocsin.yaml")
	if err := os.WriteFile(p.env["TOCSIN_CONFIG"], []byte(`ingest: {image_hosts: ["`+grafana.Host+`"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	send := func(title, address string) {
		p.settle(p.mustPush(map[string]any{"title": title, "images": []map[string]string{{"url": address, "alt": "the graph"}}})...)
	}
	inThread := func(title string, ok func(playground.Message) bool) (found playground.Message) {
		t.Helper()
		until(t, s, "the image of "+title, func(sn *playground.Snapshot) bool {
			top, threads := cards(sn.Messages("#alerts"))
			for _, m := range threads {
				if about := saying(top, title); len(about) > 0 && m.ThreadTS == about[0].TS && ok(m) {
					found = m
					return true
				}
			}
			return false
		})
		return found
	}

	send("the slow one", grafana.JoinPath("slow.png").String())
	send("another", grafana.JoinPath("img.png").String()) // no card waits for the image
	close(release)
	inThread("the slow one", func(m playground.Message) bool { return len(m.Files) == 1 })
	for _, path := range []string{"img.png", "moved-here"} {
		send("shown "+path, grafana.JoinPath(path).String())
		file := inThread("shown "+path, func(m playground.Message) bool { return len(m.Files) == 1 }).Files[0]
		if content, _ := s.File(file.ID); string(content) != onePixel || !strings.HasSuffix(file.Name, ".png") || file.Title != "the graph" {
			t.Errorf("%s is shown as %+v", path, file)
		}
		mustSay(t, cardOf(t, s, "shown "+path), grafana.JoinPath(path).String())
	}
	for path, why := range map[string]string{
		"login": "text/html", "big.png": "more than 4 MiB", "moved": "169.254.169.254, which ingest.image_hosts does not list", "missing": "answered 404",
		"file": "it is at file:, which",
	} {
		send("not "+path, grafana.JoinPath(path).String())
		inThread("not "+path, func(m playground.Message) bool {
			return strings.Contains(shown(m), why) && strings.Contains(shown(m), grafana.JoinPath(path).String())
		})
	}
	send("elsewhere", "http://localhost:"+grafana.Port()+"/img.png")
	if card := shown(cardOf(t, s, "elsewhere")); !strings.Contains(card, "http://localhost:"+grafana.Port()+"/img.png") {
		t.Errorf("an image of a host that is not listed is no link: %s", card)
	}
	p.balanced(10)
}
