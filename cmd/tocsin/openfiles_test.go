package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/playground"
)

// limited makes the program start with limits of open files, as ulimit sets them.
func (p *process) limited(ulimit string) {
	p.t.Helper()
	script := filepath.Join(p.dir, "limited")
	if err := writeProgram(script, fmt.Appendf(nil, "#!/bin/sh\n%s || exit 9\nexec %s \"$@\"\n", ulimit, p.path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	p.path = script
}

func TestIdleClientsDoNotUseUpTheDescriptors(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.limited("ulimit -n 256")
	p.start()
	for range 400 {
		conn, err := net.Dial("unix", p.env["TOCSIN_SOCKET"])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	p.settle(p.mustPush(firing("a", "disk full"))...)
	if log := p.log.String(); strings.Contains(log, "too many open files") || !strings.Contains(log, "too many connections") {
		t.Error("the descriptors ran out, or nothing was logged")
	}
}

func TestRequestsThatNeverEndDoNotUseUpTheDescriptors(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": signingSecret})
	p.limited("ulimit -n 256")
	p.configure("slack: {mode: http, listen: \"127.0.0.1:0\"}")
	p.start()
	var body readyBody
	if err := p.ask("/readyz", &body); err != nil {
		t.Fatal(err)
	}
	for range 400 {
		conn, err := net.Dial("tcp", body.RequestsAt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = fmt.Fprintf(conn, "POST /slack/events HTTP/1.1\r\nHost: tocsin\r\nX-Slack-Signature: v0=%064d\r\nX-Slack-Request-Timestamp: %d\r\nContent-Length: 9\r\n\r\n{", 0, time.Now().Unix()) // it may be closed already
	}
	p.settle(p.mustPush(firing("a", "disk full"))...)
	if log := p.log.String(); strings.Contains(log, "too many open files") || !strings.Contains(log, "too many connections") {
		t.Error("the descriptors ran out, or nothing was logged")
	}
}

func TestALowSoftLimitOfOpenFilesIsRaisedAndALowHardOneRefused(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.limited("ulimit -Sn 64")
	p.start()
	p.settle(p.mustPush(firing("a", "disk full"))...)

	q := prepare(t, slack(t, playground.Options{}), nil)
	q.limited("ulimit -n 64")
	q.launch()
	err := <-q.exited
	q.cmd = nil
	if log := q.log.String(); err == nil || !strings.Contains(log, "only 64 files can be open at once") || !strings.Contains(log, "LimitNOFILE=") {
		t.Errorf("it ended with %v and said %q", err, log)
	}
}
