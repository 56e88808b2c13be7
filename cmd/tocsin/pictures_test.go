package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"tocsin/playground"
)

var screenshots = flag.String("screenshots", "", "folder to write the README's screenshots to; empty writes none that are kept")

// demonstration is the workspace of tocsin demo before the end of its story.
func demonstration(t *testing.T) *playground.Server {
	t.Helper()
	s := slack(t, playground.Options{})
	if err := peopleDemo(s); err != nil {
		t.Fatal(err)
	}
	proc := prepare(t, s, nil)
	proc.env["TOCSIN_CONFIG"] = filepath.Join(proc.dir, "demo.yaml")
	if err := os.WriteFile(proc.env["TOCSIN_CONFIG"], demoConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	proc.start()
	until(t, s, "a connection", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) >= 1 })
	var story []scene
	if err := json.Unmarshal(demoStory, &story); err != nil {
		t.Fatal(err)
	}
	for _, scene := range story[:len(story)-1] {
		if scene.On != "" {
			until(t, s, scene.On, func(sn *playground.Snapshot) bool { return says(sn.Messages(scene.Channel), scene.On) })
		}
		if err := scene.happen(t.Context(), s, proc.client()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(scene.Command, " silence ") { // Slack has its ack before there is the silence
			proc.eventually("the silence", func() bool { return strings.Contains(proc.page("/v1/silences"), `"s-`) })
		}
	}
	return s
}

// says tells whether one of the messages has these words on it.
func says(messages []playground.Message, words string) bool {
	for _, m := range messages {
		if strings.Contains(shown(m), words) {
			return true
		}
	}
	return false
}

// demoPage opens a browser for the demo, and names the folder for its pictures.
func demoPage(t *testing.T) (s *playground.Server, p *page, folder string) {
	t.Helper()
	ctx := browser(t)
	if folder = *screenshots; folder == "" {
		folder = t.TempDir()
	}
	return demonstration(t), &page{t: t, ctx: ctx}, folder
}

func TestTheDemoShowsTheWholeProduct(t *testing.T) {
	s, p, folder := demoPage(t)
	for _, scheme := range []string{"light", "dark"} {
		p.do("choose "+scheme, colourScheme(scheme))
		p.picturesOf(s, filepath.Join(folder, "%s-"+scheme+".png"))
	}
}

// picturesOf walks through the demo as ann; name takes what a picture shows.
func (p *page) picturesOf(s *playground.Server, name string) {
	p.t.Helper()
	p.do("open the page", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(s.URL()+"/?user=ann#alerts"), chromedp.WaitVisible(chromedp.CSS("body.ready")))
	p.see(at("message"), "Acknowledged by @bob")
	p.see(at("message"), "@oncall")
	p.see(at("message"), "A silence hides a critical alert")
	p.click(`#messages .message:has([data-user="U0BOB"]) ` + at("replies"))
	p.see("#thread "+at("message"), "@bob")
	p.picture(fmt.Sprintf(name, "playground"))
	p.click(at("thread-close"))
	p.click(inMessages("action-silence"))
	p.see(at("modal"), "Silence alerts")
	p.picture(fmt.Sprintf(name, "dialog"))
	p.click(at("modal-close"))
	p.gone(at("modal"))
	p.click(at("channel-ops"))
	p.say("/notify stats")
	p.pictured(at("ephemeral"))
	p.picture(fmt.Sprintf(name, "stats"))
	p.click(at("channel-tocsin"))
	p.click(at("tab-home"))
	p.pictured(at("home-view"))
	p.see(at("home-view"), "the export is being moved")
	p.do("make the window high", chromedp.EmulateViewport(1440, 1560))
	p.picture(fmt.Sprintf(name, "home"))
}

// picture keeps what is on the screen, which must not be nothing.
func (p *page) picture(file string) {
	p.t.Helper()
	p.shoot(file)
	if info, err := os.Stat(file); err != nil || info.Size() < 20_000 {
		p.t.Errorf("%s is empty: %v", filepath.Base(file), err)
	}
}
