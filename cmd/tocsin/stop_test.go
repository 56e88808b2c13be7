package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"tocsin/playground"
)

func TestSIGTERMEndsCleanlyAlthoughAClientNeverFinishesItsRequest(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.start()
	conn, err := net.Dial("unix", p.env["TOCSIN_SOCKET"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprint(conn, "POST /v1/alerts HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("the daemon answered %q, %v", line, err)
	}
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
