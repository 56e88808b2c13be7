package main

import (
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// holds waits until a condition of the page is true.
func (p *page) holds(what, script string) {
	p.t.Helper()
	p.do(what, chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(patience/2)))
}

func TestThePageFitsAPhoneAndAKeyboard(t *testing.T) {
	s, p, folder := demoPage(t)
	for _, scheme := range []string{"light", "dark"} {
		name := func(what string) string { return filepath.Join(folder, "phone-"+what+"-"+scheme+".png") }
		p.do("choose "+scheme, colourScheme(scheme))
		p.do("open the page", chromedp.EmulateViewport(390, 844), chromedp.Navigate(s.URL()+"/?user=ann#alerts"), chromedp.WaitVisible(chromedp.CSS("body.ready")))
		p.see(at("message"), "Acknowledged by @bob")
		p.holds("one column, as wide as the window", `document.documentElement.scrollWidth <= 390 && document.querySelector("#scroller").clientWidth >= 380 && document.querySelector("#conversation").clientHeight === innerHeight && !document.querySelector("#sidebar").checkVisibility({visibilityProperty: true})`)
		p.holds("nothing is cut off at the side", `[...document.querySelectorAll("#messages article")].every(e => e.getBoundingClientRect().right <= 390 && e.scrollWidth <= e.clientWidth)`)
		p.picture(name("messages"))

		p.click(at("open-sidebar"))
		p.holds("the sidebar is on top", `(() => { const side = document.querySelector("#sidebar"); return side.checkVisibility({visibilityProperty: true}) && side.contains(document.elementFromPoint(40, 300)); })()`)
		p.picture(name("sidebar"))
		p.click(at("channel-ops"))
		p.holds("it closes with the choice", `!document.body.classList.contains("sidebar-open") && !document.querySelector("#conversation").inert`)
		p.click(at("open-panel"))
		p.holds("the panel is on top", `document.querySelector("#panel").contains(document.elementFromPoint(20, 400))`)
		p.picture(name("panel"))
		p.click(at("panel-close"))
		p.holds("the focus is where the panel was opened", `document.activeElement.id === "open-panel"`)
		p.click(at("open-sidebar"))
		p.click(at("channel-alerts"))
		p.click(`#messages .message:has([data-user="U0BOB"]) ` + at("replies"))
		p.holds("the thread is on top", `document.querySelector("#thread").contains(document.elementFromPoint(20, 400))`)
		p.picture(name("thread"))
		p.click(at("thread-close"))
		p.click(at("open-sidebar"))
		p.click(at("channel-tocsin"))
		p.click(at("tab-home"))
		p.see(at("home-view"), "the export is being moved")
		p.holds("the Home tab fits", `document.querySelector("#home").scrollWidth <= 390`)
		p.picture(name("home"))
	}
	p.usesTheKeyboard(s.URL())
}

// usesTheKeyboard goes through the messages: each is one stop of the Tab key, and its
// buttons are reached with the arrow keys.
func (p *page) usesTheKeyboard(url string) {
	p.t.Helper()
	p.do("open the page", chromedp.EmulateViewport(1280, 800), chromedp.Navigate(url+"/?user=carol#alerts"), chromedp.WaitVisible(chromedp.CSS("body.ready")))
	p.see(at("message"), "Acknowledged by @bob")
	p.holds("one stop for each message", `(() => { const stops = [...document.querySelectorAll("#messages *")].filter(e => e.tabIndex >= 0 && e.checkVisibility()); return stops.length > 1 && stops.every(e => e.matches("#messages > [data-rove]")) && stops.length === document.querySelectorAll("#messages > [data-rove]").length; })()`)
	press := func(key string) { p.do("press "+key, chromedp.KeyEvent(key)) }
	p.do("focus a card", chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#messages > [data-rove]")].find(e => e.querySelector("[data-testid=action-ack], [data-testid=action-silence]")).focus()`))
	press(kb.ArrowRight)
	p.holds("a control of the card has the focus", `document.activeElement.closest("[data-rove]") !== document.activeElement && document.activeElement.closest("#messages") !== null`)
	press(kb.ArrowLeft)
	p.holds("the message has the focus again", `document.activeElement.matches("#messages > [data-rove]")`)
	p.do("follow the link to the conversation", chromedp.Evaluate[chromedp.Void](`document.querySelector("[href='#conversation']").focus()`), pressEnter())
	p.holds("the conversation has the focus, and a Tab leads to its messages", `document.activeElement.id === "conversation"`)
	p.do("focus the skip link", chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=skip-composer]").focus()`))
	p.holds("it is shown", `document.querySelector("[data-testid=skip-composer]").getBoundingClientRect().top >= 0`)
	p.do("follow it", pressEnter())
	p.holds("the composer has the focus", `document.activeElement.dataset.testid === "composer"`)
}
