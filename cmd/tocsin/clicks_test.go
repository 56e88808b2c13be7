package main

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"tocsin/playground"
)

// incidentsPage is the page of a workspace with three incidents that nobody has
// looked at: one in #alerts, one in #ops, one in #random.
func incidentsPage(t *testing.T) (*page, *playground.Server, *process) {
	t.Helper()
	ctx := browser(t)
	s := slack(t, playground.Options{})
	proc := prepare(t, s, nil)
	proc.start()
	until(t, s, "a connection", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) >= 1 })
	for _, a := range []map[string]any{
		{"key": "checkout/5xx", "title": "Checkout answers with 5xx", "severity": "critical", "labels": map[string]string{"service": "checkout"}},
		{"key": "db-3/disk", "title": "Disk 96 % full on db-3", "severity": "error", "labels": map[string]string{"service": "postgres"}, "channel": "#ops"},
		{"key": "backup", "title": "Nightly backup failed", "severity": "warning", "channel": "#random"},
	} {
		proc.settle(proc.mustPush(a)...)
	}
	p := &page{t: t, ctx: ctx}
	p.do("open the page", chromedp.Navigate(s.URL()), chromedp.WaitVisible(chromedp.CSS("body.ready")))
	return p, s, proc
}

// choose picks an option of a select as a person would.
func (p *page) choose(selector, value string) {
	p.t.Helper()
	script := fmt.Sprintf(`(() => { const e = document.querySelector(%s); if (!e?.checkVisibility()) return false; e.value = %s; e.dispatchEvent(new Event("change", {bubbles: true})); return e.value === %s; })()`,
		quoted(selector), quoted(value), quoted(value))
	p.do("choose "+value, chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(patience/2)))
}

// gone waits until nothing matches selector.
func (p *page) gone(selector string) {
	p.t.Helper()
	script := fmt.Sprintf(`![...document.querySelectorAll(%s)].some(e => e.checkVisibility())`, quoted(selector))
	p.do(selector+" goes away", chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(patience/2)))
}

// unsee waits until nothing that selector finds holds text.
func (p *page) unsee(selector, text string) {
	p.t.Helper()
	script := fmt.Sprintf(`![...document.querySelectorAll(%s)].some(e => e.textContent.includes(%s))`, quoted(selector), quoted(text))
	p.do(fmt.Sprintf("see no more %q in %s", text, selector), chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(patience/2)))
}

// inMessages and inHome say where on the page something is.
func inMessages(id string) string { return "#messages " + at(id) }
func inHome(id string) string     { return "#home " + at(id) }

func TestPeopleDealWithIncidentsInABrowser(t *testing.T) {
	p, s, proc := incidentsPage(t)
	p.acknowledgesOnTheCard()
	p.silencesByTheDialog()
	p.assignsFromTheMenu()
	p.pagesThroughAList(proc)
	p.seesTheChart(s)
	p.actsOnTheHomeTab()
}

func (p *page) acknowledgesOnTheCard() {
	p.t.Helper()
	p.click(inMessages("action-ack"))
	p.see(inMessages("message"), "Acknowledged by @ann")
	p.gone(inMessages("action-ack"))
	p.see(inMessages("replies"), "1 reply")
	p.click(inMessages("replies"))
	p.see("#thread "+at("message"), "@ann")
	p.click(at("thread-close"))
}

// silencesByTheDialog is told at the field what is wrong, corrects it, has the
// incidents counted again, and sees the card say that it is quiet.
func (p *page) silencesByTheDialog() {
	p.t.Helper()
	p.click(inMessages("action-silence"))
	p.see(at("modal"), "Silence alerts")
	p.fill(at("field-matchers"), `service=~"("`)
	p.click(at("modal-submit"))
	p.see(at("error-matchers"), "service")
	p.fill(at("field-matchers"), `severity=~"error|critical"`)
	p.do("press Enter", pressEnter())
	p.see(at("modal"), "2 open incidents")
	p.fill(at("field-matchers"), `service="checkout"`)
	p.choose(at("field-duration"), "30m")
	p.fill(at("field-reason"), "It is being rolled back.")
	p.click(at("modal-submit"))
	p.gone(at("modal"))
	p.see(inMessages("message"), "Silenced until")
}

func (p *page) assignsFromTheMenu() {
	p.t.Helper()
	p.click(at("channel-ops"))
	p.see(inMessages("message"), "Disk 96 % full on db-3")
	p.click(inMessages("action-more"))
	p.click(`[data-testid^="option-assign:"]`)
	p.see(at("modal"), "Assign")
	p.choose(at("field-person"), "U0CAROL")
	p.click(at("modal-submit"))
	p.gone(at("modal"))
	p.see(inMessages("message"), "@carol")
}

// pagesThroughAList has more incidents than one page shows.
func (p *page) pagesThroughAList(proc *process) {
	p.t.Helper()
	for n := range 12 {
		a := inChannel(firing(fmt.Sprintf("queue-%d", n), fmt.Sprintf("Queue %d is stuck", n)), []string{"#alerts", "#ops", "#random"}[n%3])
		proc.mustPush(a)
	}
	p.say("/notify list")
	p.see(at("ephemeral"), "1 to 10 of 15")
	p.click(at("ephemeral") + " " + at("action-page:older"))
	p.see(at("ephemeral"), "11 to 15 of 15")
	p.click(at("ephemeral") + " " + at("action-page:newer"))
	p.see(at("ephemeral"), "1 to 10 of 15")
}

// seesTheChart gets a picture, and Slack's own chart where none can be uploaded.
func (p *page) seesTheChart(s *playground.Server) {
	p.t.Helper()
	p.say("/notify stats")
	p.pictured(at("ephemeral"))
	if err := s.SetFault(playground.Fault{Kind: playground.FaultError, Method: "files.getUploadURLExternal", Error: "missing_scope"}); err != nil {
		p.t.Fatal(err)
	}
	p.say("/notify stats 7d")
	p.see(at("ephemeral")+" "+at("chart"), "Critical")
	p.do("the chart has bars", chromedp.WaitVisible(chromedp.CSS(at("ephemeral")+" "+at("chart")+" .chart-bar")))
	s.ClearFaults()
}

// pictured waits until a picture in what selector finds has been loaded.
func (p *page) pictured(selector string) {
	p.t.Helper()
	script := fmt.Sprintf(`[...document.querySelectorAll(%s)].some(e => e.naturalWidth > 100)`, quoted(selector+" img.picture"))
	p.do("a picture in "+selector, chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(patience/2)))
}

func (p *page) actsOnTheHomeTab() {
	p.t.Helper()
	p.click(at("channel-tocsin"))
	p.click(at("tab-home"))
	p.see(at("home-view"), "Open incidents")
	p.see(at("home-view"), "It is being rolled back.")
	p.pictured(at("home-view"))
	p.see(at("home-view"), "Checkout answers with 5xx")
	p.click(inHome("action-resolve"))
	p.unsee(at("home-view"), "Checkout answers with 5xx")
	p.click(inHome("action-ack"))
	p.see(at("home-view"), "acknowledged")
	p.click(inHome("action-expire"))
	p.click(at("confirm-ok"))
	p.gone(inHome("action-expire"))
}
