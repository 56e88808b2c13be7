package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tocsin/playground"
)

// browser starts Chromium, or skips where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("TOCSIN_CI_STRICT") != "" {
			t.Fatal("Chromium is not installed, and this run is to skip nothing: apt-get install chromium")
		}
		t.Skip("Chromium is not installed: apt-get install chromium runs the browser tests too")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1440, 900), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancelAlloc)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// page is the playground's page in a browser.
type page struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps the tab itself in it
}

func (p *page) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.shoot(filepath.Join(os.TempDir(), "tocsin-browser-failure.png"))
		p.t.Fatalf("%s: %v", what, err)
	}
}

// at finds an element by its data-testid.
func at(id string) string { return fmt.Sprintf(`[data-testid=%q]`, id) }

// act runs a method of the element that selector (CSS) finds, once it is
// visible. It is found and used in one step, because live updates redraw.
func (p *page) act(selector, method string) {
	p.t.Helper()
	script := fmt.Sprintf(`(() => { const e = document.querySelector(%s); if (!e?.checkVisibility() || e.disabled) return false; e.%s(); return true; })()`, quoted(selector), method)
	p.do(method+" "+selector, chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(patience/2)))
}

func (p *page) click(selector string) {
	p.t.Helper()
	p.act(selector, "click")
}

// fill replaces an input's text as a person would.
func (p *page) fill(selector, text string) {
	p.t.Helper()
	p.act(selector, "focus")
	p.act(selector, "select")
	p.do("type "+text, chromedp.KeyEvent(text))
}

// say types into the composer and sends it.
func (p *page) say(text string) {
	p.t.Helper()
	p.act(at("composer"), "focus")
	p.do("say "+text, chromedp.KeyEvent(text), chromedp.KeyEvent(kb.Escape), pressEnter())
}

// pressEnter presses Enter as a keyboard does: what stops the key, stops the line
// break as well, which chromedp sends by itself.
func pressEnter() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
			key := input.DispatchKeyEventParams{Type: kind, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13}
			if kind == input.DispatchKeyEventTypeKeyDown {
				key.Text = "\r"
			}
			if _, err := cdp.Call(ctx, tab, input.DispatchKeyEvent, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// see waits until an element that matches selector holds text.
func (p *page) see(selector, text string) {
	p.t.Helper()
	script := fmt.Sprintf(`[...document.querySelectorAll(%s)].some(e => e.checkVisibility() && e.textContent.includes(%s))`, quoted(selector), quoted(text))
	p.do(fmt.Sprintf("see %q in %s", text, selector), chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(patience/2)))
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

// shoot writes a screenshot of the window.
func (p *page) shoot(file string) {
	if png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot()); err == nil {
		_ = os.WriteFile(file, png, 0o644) // a picture of a failure, or of what the test below looks at
	}
}

func TestAPersonInABrowser(t *testing.T) {
	ctx := browser(t)
	var daemon *client
	s := slack(t, playground.Options{Push: func(ctx context.Context, alert []byte) error {
		return daemon.call(ctx, http.MethodPost, "/v1/alerts", json.RawMessage(alert), &struct{}{})
	}})
	proc := prepare(t, s, map[string]string{"TOCSIN_LISTEN": "127.0.0.1:0"})
	proc.start()
	daemon = proc.client()
	until(t, s, "a connection", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) >= 1 })
	p := &page{t: t, ctx: ctx}
	p.do("open the page", chromedp.Navigate(s.URL()), chromedp.WaitVisible(chromedp.CSS("body.ready")))
	p.pushesAnAlertAndSeesItsCardChange(s)
	p.typesACommand()
	p.readsTheHomeTab()
	p.sendsATestByTheDialog()
	p.writesADirectMessage()
	p.readsFurtherUp()
}

func (p *page) pushesAnAlertAndSeesItsCardChange(s *playground.Server) {
	p.t.Helper()
	p.fill(at("alert-title"), "disk full on db-3")
	p.click(at("alert-push"))
	p.see(at("message"), "disk full on db-3")
	p.click(at("alert-push"))
	until(p.t, s, "the card's edit", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindMessageChanged) > 0 })
	p.see(at("message"), "2 times")
	if top, _ := cards(s.Messages("#alerts")); len(top) != 1 {
		p.t.Errorf("the channel shows %d cards, want the one", len(top))
	}
}

func (p *page) typesACommand() {
	p.t.Helper()
	p.act(at("composer"), "focus")
	p.do("type a slash", chromedp.KeyEvent("/"))
	p.see(at("command-menu"), "/notify-test")
	p.say("notify-test warning")
	p.see(at("ephemeral"), "Only visible to you")
	p.see(at("ephemeral"), "Slack")
}

func (p *page) readsTheHomeTab() {
	p.t.Helper()
	p.click(at("channel-tocsin"))
	p.click(at("tab-home"))
	p.see(at("home-view"), "disk full on db-3")
	p.see(at("home-view"), "curl")
}

func (p *page) sendsATestByTheDialog() {
	p.t.Helper()
	button := at("home-view") + " button"
	script := fmt.Sprintf(`[...document.querySelectorAll(%s)].find(b => b.textContent.includes("test alert")).click()`, quoted(button))
	p.do("click the test button", chromedp.Evaluate[chromedp.Void](script))
	p.see(at("modal"), "Send a test alert")
	p.fill(at("field-channel"), "two words")
	p.click(at("modal-submit"))
	p.see(at("error-channel"), "without blanks")
	p.fill(at("field-channel"), "#ops")
	p.fill(at("field-title"), "Is anybody there?")
	p.click(at("modal-submit"))
	p.do("the dialog closes", chromedp.WaitNotPresent(chromedp.CSS(at("modal"))))
	p.click(at("channel-ops"))
	p.see(at("message"), "Is anybody there?")
}

func (p *page) writesADirectMessage() {
	p.t.Helper()
	p.click(at("channel-tocsin"))
	p.click(at("tab-messages"))
	p.say("help")
	p.see(at("message"), "/notify-test")
}

// readsFurtherUp finds the way back to the end offered above the messages, not
// beside them.
func (p *page) readsFurtherUp() {
	p.t.Helper()
	p.do("make the window low", chromedp.EmulateViewport(1000, 400))
	script := fmt.Sprintf(`(() => { const at = (s) => document.querySelector(s); at("#scroller").scrollTop = 0;
		return at(%s).checkVisibility() && at("#head").offsetWidth === at("#conversation").offsetWidth; })()`, quoted(at("to-end")))
	p.do("scroll up", chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(patience/2)))
	p.do("make the window as it was", chromedp.EmulateViewport(1440, 900))
}

// colourScheme makes the browser's person prefer light or dark.
func colourScheme(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}
