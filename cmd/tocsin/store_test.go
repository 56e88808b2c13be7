package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// tocsin runs a command in the daemon's environment and returns what it printed.
func (p *process) tocsin(args ...string) (string, error) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.path, args...)
	for k, v := range p.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A backup that is made while alerts are pushed, shown and acknowledged is a store that
// the daemon goes on with.
func TestABackupMadeUnderLoadIsRestoredAndBalances(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	file := filepath.Join(p.dir, "backup.db")
	before := p.mustPush(firing("first", "disk full on db-1"))
	p.settle(before...)

	stop, pushed := make(chan struct{}), make(chan error, 1)
	started := make(chan struct{})
	go func() {
		var err error
		for n := 0; err == nil; n++ {
			_, err = p.push(inChannel(firing(fmt.Sprint("load-", n), "disk full"), "#load"))
			if n == 20 {
				close(started)
			}
			select {
			case <-stop:
				pushed <- err
				return
			default:
			}
		}
		pushed <- err
	}()
	select {
	case <-started:
	case err := <-pushed:
		t.Fatal(err)
	}
	said, err := p.tocsin("store", "backup", file)
	close(stop)
	if err = errors.Join(err, <-pushed); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if said, err := p.tocsin("store", "restore", file); err == nil || !strings.Contains(said, "stop the daemon first") {
		t.Errorf("while the daemon runs, restore says %q, %v", said, err)
	}
	after := p.mustPush(firing("second", "only in the old store"))
	p.kill()

	said, err = p.tocsin("store", "restore", file)
	if err != nil || !strings.Contains(said, "what was there is in "+filepath.Join(p.dir, "tocsin.db.")) {
		t.Fatalf("restore says %q, %v", said, err)
	}
	p.start()
	if said, err := p.tocsin("store", "check"); err != nil || !strings.HasPrefix(said, "good: ") {
		t.Errorf("check says %q, %v", said, err)
	}
	l := p.ledger().Total
	if l.Accepted < 21 || l.Accepted != l.Pending+l.Delivered+l.Folded+l.Silenced+l.Dead {
		t.Errorf("the ledger is %+v", l)
	}
	var rec alert.Record
	if err := p.ask("/v1/alerts/"+before[0].ID, &rec); err != nil || rec.Standing != alert.StandDelivered {
		t.Errorf("the alert of before is %+v, %v", rec, err)
	}
	if err := p.ask("/v1/alerts/"+after[0].ID, &rec); err == nil {
		t.Errorf("the alert of after is %+v", rec)
	}
	p.settle(p.mustPush(firing("third", "it goes on"))...)
}

// A daemon moves to PostgreSQL and back: nothing that was accepted is lost or shown twice, and
// its cards are edited where they are.
func TestTheStoreMovesToPostgreSQLAndBack(t *testing.T) {
	t.Parallel()
	url := sharedStore(t)
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	first := p.env["TOCSIN_STORE"]
	p.start()
	disk := p.mustPush(firing("disk", "disk full on db-1"))
	p.settle(disk...)
	if said, err := p.tocsin("store", "copy", "--to", url); err == nil || !strings.Contains(said, "another tocsin uses it") {
		t.Errorf("while the daemon runs, copy says %q, %v", said, err)
	}
	fault(t, s, playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", RetryAfter: 1})
	waiting := p.mustPush(firing("net", "no route to db-1"))
	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct{ from, to string }{{first, url}, {url, "sqlite:" + filepath.Join(p.dir, "back.db")}} {
		said, err := p.tocsin("store", "copy", "--from", c.from, "--to", c.to)
		for tries := 0; err != nil && strings.Contains(said, "another tocsin uses it") && tries < 1000; tries++ {
			said, err = p.tocsin("store", "copy", "--from", c.from, "--to", c.to) // the server ends a session a little later
		}
		if err != nil || !strings.Contains(said, " 2 alerts: 1 pending, 1 delivered") {
			t.Fatalf("copy says %q, %v", said, err)
		}
		p.env["TOCSIN_STORE"] = c.to
	}
	if said, err := p.tocsin("store", "copy", "--from", first, "--to", url); err == nil || !strings.Contains(said, "is not empty") {
		t.Errorf("a copy onto the copy says %q, %v", said, err)
	}
	s.ClearFaults()
	p.start()
	p.settle(waiting...)
	p.mustPush(resolved(firing("disk", "disk full on db-1")))
	until(t, s, "the card is edited", func(sn *playground.Snapshot) bool {
		top, _ := cards(sn.Messages("#alerts"))
		return len(top) == 2 && strings.Contains(strings.ToLower(top[0].Text), "resolved")
	})
}

// On a terminal the bar keeps its place while the numbers grow, and a narrow one shows at least
// how much is done.
func TestTheProgressBarKeepsItsPlaceAndFits(t *testing.T) {
	t.Parallel()
	for width, want := range map[int][]string{
		60: {"[                            ]   0%       1 of 100000 rows", "[==============              ]  50%   50000 of 100000 rows"},
		20: {"  0%       1 of 100", " 50%   50000 of 100"},
		4:  {"  0", " 50"},
	} {
		var out strings.Builder
		p := progress{out: &out, width: width, total: 100_000}
		for n, done := range []int64{1, 50_000} {
			out.Reset()
			p.read = done
			p.draw(rowsWords(done, p.total))
			if got := strings.TrimPrefix(out.String(), "\r\x1b[K"); got != want[n] || len(got) >= width {
				t.Errorf("with %d columns it is %q, want %q", width, got, want[n])
			}
		}
	}
}
