package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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

func TestReloadAndSIGTERMGoWellAlthoughTheServiceManagerReadsNothing(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	conn, err := net.Dial("unixgram", p.env["NOTIFY_SOCKET"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for err == nil { // until the manager's queue is full
		_, err = fmt.Fprint(conn, "STATUS=busy")
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if said := p.command("config", "reload"); !strings.Contains(said, "nothing has changed") {
		t.Errorf("config reload says %q", said)
	}
	until(t, s, "both connections", func(sn *playground.Snapshot) bool { return len(sn.Sockets()) == 2 }) // the status line changes
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestTheDaemonRunsAlthoughItsServiceManagerIsGone(t *testing.T) {
	t.Parallel()
	p := prepare(t, slack(t, playground.Options{}), nil)
	p.env["NOTIFY_SOCKET"] = filepath.Join(t.TempDir(), "gone")
	p.launch()
	for deadline, body := time.Now().Add(patience), (readyBody{}); p.ask("/readyz", &body) != nil; {
		if !pause(t.Context(), 10*time.Millisecond) || time.Now().After(deadline) {
			t.Fatal("it does not answer")
		}
	}
	p.settle(p.mustPush(firing("a", "heard"))...)
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestAFullDiskShowsInReadyzUntilThereIsRoomAgain(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("needs the right to mount a small disk: %v", err)
	}
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_STORE": "sqlite:" + filepath.Join(disk, "tocsin.db")})
	p.start()
	// Unmounting needs the daemon to be gone, which its own clean-up sees to.
	t.Cleanup(func() {
		p.kill()
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	kept := p.mustPush(firing("a", "before"))
	p.settle(kept...)
	until(t, s, "both connections", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) == 2 })
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	for {
		big := firing("b", "during")
		big["text"] = strings.Repeat("x", 100_000)
		if _, err := p.push(big); err != nil {
			break
		}
	}
	if status, body := readiness(t, p); status != http.StatusServiceUnavailable || !strings.Contains(body, "make room") {
		t.Errorf("on a full disk /readyz answers %d with %s", status, body)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		status, body := readiness(t, p)
		if status == http.StatusOK {
			break
		}
		if !pause(t.Context(), 100*time.Millisecond) || time.Now().After(deadline) {
			t.Fatalf("with room again /readyz answers %d with %s", status, body)
		}
	}
	p.settle(append(kept, p.mustPush(firing("c", "after"))...)...)
}

func readiness(t testing.TB, p *process) (status int, body string) {
	t.Helper()
	resp, err := p.client().http.Get("http://localhost/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(all)
}
