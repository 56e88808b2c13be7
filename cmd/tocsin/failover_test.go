package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// followed starts a second server that follows d, which from then on confirms only what
// both have. Both listen at Unix sockets in their folders.
func (d *database) followed() *database {
	d.t.Helper()
	f := &database{t: d.t, bin: d.bin, dir: d.folder()}
	data := filepath.Join(f.dir, "data")
	d.run("setpriv", d.asPostgres("pg_basebackup", "-D", data, "-h", d.dir, "-U", "tocsin", "-R", "--checkpoint=fast", "--no-sync")...)
	f.serve(data)
	d.run("setpriv", d.asPostgres("psql", "-h", d.dir, "-U", "tocsin", "-d", "postgres", "-c", "ALTER SYSTEM SET synchronous_standby_names = '*'", "-c", "SELECT pg_reload_conf()")...)
	return f
}

// serve runs the server in data, which ends with the test, until it takes connections.
func (d *database) serve(data string) {
	d.t.Helper()
	log := &logBuffer{}
	d.server = exec.Command("setpriv", d.asPostgres("postgres", "-D", data, "-k", d.dir, "-c", "listen_addresses=", "-c", "fsync=off")...)
	d.server.Dir, d.server.Stdout, d.server.Stderr = "/", log, log
	if err := d.server.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = d.server.Process.Signal(syscall.SIGQUIT)
		err := d.server.Wait()
		if d.t.Failed() {
			d.t.Logf("PostgreSQL ended with %v, its log:\n%s", err, log)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for exec.Command(filepath.Join(d.bin, "pg_isready"), "-h", d.dir, "-U", "tocsin").Run() != nil {
		if !pause(ctx, 50*time.Millisecond) {
			d.t.Fatalf("PostgreSQL does not start:\n%s", log)
		}
	}
}

// soloDatabase starts a server that is reached at a Unix socket alone.
func soloDatabase(t testing.TB) *database {
	t.Helper()
	programs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(programs) == 0 || os.Geteuid() != 0 {
		const why = "needs root, and PostgreSQL in /usr/lib/postgresql"
		if os.Getenv("TOCSIN_CI_STRICT") != "" {
			t.Fatal(why + ", and no test may be skipped here")
		}
		t.Skip(why)
	}
	d := &database{t: t, bin: programs[len(programs)-1]}
	d.dir = d.folder()
	data := filepath.Join(d.dir, "data")
	d.run("setpriv", d.asPostgres("initdb", "-D", data, "-U", "tocsin", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")...)
	d.serve(data)
	return d
}

func TestAFailOverToAPromotedServerLosesNothing(t *testing.T) {
	t.Parallel()
	primary := soloDatabase(t)
	next := primary.followed()
	s := slack(t, playground.Options{})
	channels := addChannels(s, 10)
	var all []*process
	for range 2 {
		p := prepare(t, s, map[string]string{
			"TOCSIN_STORE": fmt.Sprintf("postgres://tocsin@/postgres?host=%s,%s&port=5432,5432&target_session_attrs=read-write", primary.dir, next.dir),
		})
		p.start()
		all = append(all, p)
	}
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
	next.run("setpriv", next.asPostgres("pg_ctl", "promote", "-w", "-D", filepath.Join(next.dir, "data"))...)
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

// What is found is a server that takes no writes: whoever reads the line has to know why.
func TestAServerThatOnlyFollowsIsRefusedWithTheRemedy(t *testing.T) {
	t.Parallel()
	primary := soloDatabase(t)
	next := primary.followed()
	p := prepare(t, slack(t, playground.Options{}), map[string]string{"TOCSIN_STORE": next.local()})
	p.launch()
	if err := <-p.exited; err == nil {
		t.Error("it ended without an error")
	}
	p.cmd = nil
	if said := []byte(p.log.String()); !bytes.Contains(said, []byte("target_session_attrs=read-write")) || bytes.Count(said, []byte("\n")) != 1 {
		t.Errorf("it says\n%s", said)
	}
}
