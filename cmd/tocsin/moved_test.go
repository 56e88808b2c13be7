package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// storeFolder moves the store into a folder of its own and returns that.
func storeFolder(p *process) string {
	dir := filepath.Join(p.dir, "state")
	p.env["TOCSIN_STORE"] = "sqlite:" + filepath.Join(dir, "tocsin.db")
	return dir
}

// mustSayMoved checks that a push and /readyz answer 503 with the remedy.
func (p *process) mustSayMoved() {
	p.t.Helper()
	p.mustRefuse()
	_, err := p.push(firing("refused", "nobody may believe that this is kept"))
	if err == nil || !strings.Contains(err.Error(), "removed, moved, replaced or truncated while it was open: put it back if it was moved, else restart Tocsin") {
		p.t.Errorf("a push got %v", err)
	}
	if status, body := readiness(p.t, p); status != http.StatusServiceUnavailable || !strings.Contains(body, "put the store's files back if they were moved") {
		p.t.Errorf("/readyz answers %d with %s", status, body)
	}
}

func TestAStoreThatIsMovedAwayIsAnsweredWith503UntilItIsBack(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	dir := storeFolder(p)
	p.start()
	before := p.mustPush(firing("before", "before"))
	p.settle(before...)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	p.mustSayMoved()
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	p.settle(p.mustPush(firing("after", "after"))...)
	p.eventually("ready again", func() bool { return p.ask("/readyz", &struct{}{}) == nil })
	p.kill()
	p.start()
	p.settle(before...)
	if l := p.ledger(); l.Total.Accepted != 2 {
		t.Errorf("the ledger is %+v", l.Total)
	}
}

func TestAStoreThatIsRemovedIsAnsweredWith503UntilTheDaemonIsRestarted(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	dir := storeFolder(p)
	p.start()
	p.settle(p.mustPush(firing("before", "before"))...)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	p.eventually("not ready, without a push", func() bool { return p.ask("/readyz", &struct{}{}) != nil })
	p.mustSayMoved()
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	p.start()
	p.settle(p.mustPush(firing("after", "after"))...)
}

func TestWhatIsPendingInAMovedStoreIsShownOnceWhenItIsOpenedThere(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	channels := addChannels(s, 30)
	p := prepare(t, s, nil)
	dir := storeFolder(p)
	p.start()
	var accepted []alert.Accepted
	for _, ch := range channels {
		moved := inChannel(firing("moved"+ch, "moved"), ch)
		moved["severity"] = "critical" // in doubt, it is looked for in less time
		accepted = append(accepted, p.mustPush(moved)...)
	}
	if err := os.Rename(dir, dir+".moved"); err != nil { // while some are being sent
		t.Fatal(err)
	}
	p.mustSayMoved()
	p.kill()
	p.env["TOCSIN_STORE"] = "sqlite:" + filepath.Join(dir+".moved", "tocsin.db")
	p.start()
	p.settle(accepted...)
	for _, ch := range channels {
		if top, _ := cards(s.Messages(ch)); len(top) != 1 {
			t.Errorf("%s shows %d cards", ch, len(top))
		}
	}
}

func TestASecondDaemonCannotUseTheStoreUnderAnotherNameOrWithoutItsLockFile(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	dir := storeFolder(p)
	p.start()
	path := filepath.Join(dir, "tocsin.db")
	if err := errors.Join(os.Link(path, path+".link"), os.Remove(path+".lock")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + ".link"} {
		second := prepare(t, s, map[string]string{"TOCSIN_STORE": "sqlite:" + name})
		second.launch()
		if second.awaitReady() {
			t.Fatalf("a second daemon uses %s", name)
		}
		if err := <-second.exited; err == nil {
			t.Error("it ended without an error")
		}
		second.cmd = nil
		if !strings.Contains(second.log.String(), "another tocsin uses it") {
			t.Errorf("it says\n%s", second.log)
		}
	}
	p.mustSayMoved() // the lock file is not the one that was opened
}
