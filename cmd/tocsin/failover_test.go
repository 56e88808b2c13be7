package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// followed starts a second server that follows d, which from then on confirms only what
// both have. It listens at a Unix socket in its folder and, at another port, over the same cables.
func (d *database) followed() *database {
	d.t.Helper()
	f := &database{t: d.t, bin: d.bin, dir: d.folder(), port: d.port, space: d.space, cables: d.cables}
	if f.space != "" {
		f.port = map[string]string{"5432": "5433", "5433": "5432"}[d.port]
	}
	d.run("setpriv", d.asPostgres("pg_basebackup", "-D", f.data(), "-h", d.dir, "-p", d.port, "-U", "tocsin", "-R", "--checkpoint=fast", "--no-sync")...)
	f.start()
	d.run("setpriv", d.asPostgres("psql", "-h", d.dir, "-p", d.port, "-U", "tocsin", "-d", "postgres", "-c", "ALTER SYSTEM SET synchronous_standby_names = '*'", "-c", "SELECT pg_reload_conf()")...)
	return f
}

// promote makes a server that follows another one take writes.
func (d *database) promote() {
	d.t.Helper()
	d.run("setpriv", d.asPostgres("pg_ctl", "promote", "-w", "-D", d.data())...)
}

func TestAFailOverToAPromotedServerLosesNothing(t *testing.T) {
	t.Parallel()
	primary := soloDatabase(t)
	next := primary.followed()
	s := slack(t, playground.Options{})
	channels := addChannels(s, 10)
	all := replicasAt(t, s, fmt.Sprintf("postgres://tocsin@/postgres?host=%s,%s&port=5432,5432&target_session_attrs=read-write", primary.dir, next.dir), 2)
	var accepted []alert.Accepted
	send := func(p *process, title string) {
		for _, ch := range channels {
			accepted = append(accepted, p.mustPush(inChannel(firing(title+ch, title), ch))...)
		}
	}
	send(active(t, all), "before")
	if err := primary.server.Process.Signal(syscall.SIGQUIT); err != nil { // as if its machine had died
		t.Fatal(err)
	}
	for _, p := range all {
		p.eventually("not ready without a database", func() bool { return p.ask("/readyz", &struct{}{}) != nil })
	}
	began := time.Now()
	next.promote()
	promoted := time.Now()
	p := active(t, all)
	t.Logf("promoting took %s, until a replica was active it took %s more", promoted.Sub(began), time.Since(promoted))
	send(p, "after")
	p.settle(accepted...)
	for _, p := range all {
		p.eventually("ready again", func() bool { return p.ask("/readyz", &struct{}{}) == nil })
	}
	if l := p.ledger(); l.Total.Accepted != int64(len(accepted)) {
		t.Errorf("%d alerts were accepted, the ledger is %+v", len(accepted), l.Total)
	}
	for _, ch := range channels {
		if top, _ := cards(s.Messages(ch)); len(top) != 2 {
			t.Errorf("%s shows %d cards, want 2", ch, len(top))
		}
	}
}

// What is found is a server that takes no writes, and later one that does not run: whoever
// looks has to know which, and nobody has to start the daemon again.
func TestADaemonThatStartsWithoutAWritableDatabaseWaitsAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	primary := soloDatabase(t)
	next := primary.followed()
	p := prepare(t, slack(t, playground.Options{}), map[string]string{"TOCSIN_STORE": next.local()})
	p.start()
	p.mustRefuse()
	says := func(what string) {
		t.Helper()
		p.eventually(what+" in /readyz", func() bool {
			h := p.readyz()
			return !h.Ready && len(h.Problems) == 1 && strings.Contains(h.Problems[0].What+h.Problems[0].Fix, what)
		})
		if said := p.log.String(); strings.Count(said, what) != 1 {
			t.Errorf("the log does not say once %q:\n%s", what, said)
		}
	}
	says("make PostgreSQL take writes")
	next.end(syscall.SIGQUIT)
	says("check that PostgreSQL runs")
	next.start()
	next.promote()
	p.eventually("ready", func() bool { return p.readyz().Ready })
	p.settle(p.mustPush(firing("a", "accepted"))...)
	if err := p.terminate(); err != nil {
		t.Error(err)
	}
}

// What does not pass by itself ends the daemon with one line.
func TestADaemonWhoseDatabaseRefusesItEndsWithTheReason(t *testing.T) {
	t.Parallel()
	d := soloDatabase(t)
	for url, want := range map[string]string{
		"postgres://nobody@/postgres?host=" + d.dir: `role "nobody" does not exist`,
		"postgres://tocsin@/nothing?host=" + d.dir:  `database "nothing" does not exist`,
	} {
		p := prepare(t, slack(t, playground.Options{}), map[string]string{"TOCSIN_STORE": url})
		p.launch()
		if err := <-p.exited; err == nil {
			t.Error("it ended without an error")
		}
		p.cmd = nil
		if said := p.log.String(); !strings.Contains(said, want) || strings.Count(said, "\n") != 1 {
			t.Errorf("it says\n%s\nwant %s", said, want)
		}
	}
}
