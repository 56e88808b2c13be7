package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tocsin/playground"
)

// TestTheListenersPageSendsATestAlert uses the page at / as a person does: with a token and
// without, on a phone, in the dark, and by keyboard.
func TestTheListenersPageSendsATestAlert(t *testing.T) {
	p := &page{t: t, ctx: browser(t)}
	folder := *screenshots
	if folder == "" {
		folder = t.TempDir()
	}
	s := slack(t, playground.Options{})
	for _, token := range []string{"", "0123456789abcdef"} {
		address := freeAddress(t.Context(), "127.0.0.1:0")
		daemon := prepare(t, s, map[string]string{"TOCSIN_LISTEN": address, "TOCSIN_API_TOKEN": token})
		daemon.start()
		p.sends(s, "http://"+address, token)
	}
	for _, scheme := range []string{"light", "dark"} {
		p.do("choose "+scheme, colourScheme(scheme), chromedp.EmulateViewport(1280, 1000))
		p.picture(filepath.Join(folder, "listener-"+scheme+".png"))
	}
	p.do("use a phone", chromedp.EmulateViewport(390, 844))
	p.holds("nothing is wider than the window", `document.documentElement.scrollWidth <= 390`)
	p.picture(filepath.Join(folder, "phone-listener.png"))
}

func (p *page) sends(s *playground.Server, url, token string) {
	p.t.Helper()
	title := "the page works with the token " + strconv.FormatBool(token != "")
	p.do("open the page", chromedp.EmulateViewport(1280, 1000), chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("#state.good")))
	p.holds("the examples have this address", fmt.Sprintf(`document.querySelector("#curl pre").textContent.includes(%s)`, quoted(url+"/v1/alerts")))
	p.holds("one stop of the Tab key for all tools", `document.querySelectorAll("[role=tab][tabindex='0']").length === 1`)
	p.act("#tab-curl", "focus")
	p.do("go to the next tool", chromedp.KeyEvent(kb.ArrowRight))
	p.holds("FastAPI is shown", `document.activeElement.id === "tab-fastapi" && document.querySelector("#fastapi").checkVisibility() && !document.querySelector("#curl").checkVisibility()`)
	p.fill("#title", title)
	if token != "" {
		p.fill("#token", "guess")
		p.do("send", pressEnter())
		p.see("#result .bad", "the token is missing or wrong")
		p.see("#result .bad", "Authorization: Bearer")
		p.fill("#token", token)
	}
	p.fill("#channel", "#nonesuch")
	p.do("send", pressEnter())
	p.do("see the problem while the daemon waits for another result", chromedp.Poll[chromedp.Void](
		`document.querySelector("#result").textContent.includes("#nonesuch can't be reached")`, chromedp.WithPollingTimeout(15*time.Second)))
	p.fill("#channel", "#alerts")
	p.do("send", pressEnter())
	p.see("#result .good", "Accepted")
	p.see("#result .good", "Delivered to #alerts")
	until(p.t, s, "the card", func(now *playground.Snapshot) bool {
		top, _ := cards(now.Messages("#alerts"))
		return len(top) > 0 && strings.Contains(shown(top[len(top)-1]), title)
	})
}
