package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTheDemoRunsByItselfAndLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "demo", "--no-browser", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
	tmp := t.TempDir()
	cmd.Env = []string{beTocsin + "=1", "HOME=" + tmp, "TMPDIR=" + tmp}
	var log logBuffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	page := pageOf(t, out)
	awaitPage(ctx, t, page, "Checkout answers 7 %", "S0PG")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the demo ended with %v\n%s", err, &log)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("the demo left %v behind: %v", left, err)
	}
	if said := log.String(); strings.Contains(said, "ERROR") {
		t.Errorf("the demo complained:\n%s", said)
	}
}

// pageOf reads the page's address from what the demo says.
func pageOf(t *testing.T, out io.Reader) string {
	t.Helper()
	address := regexp.MustCompile(`The page: +(http://\S+)`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if found := address.FindStringSubmatch(lines.Text()); found != nil {
			return found[1]
		}
	}
	t.Fatal("the demo does not say where its page is")
	return ""
}

// awaitPage waits until everything the page shows to ann has these words in it.
func awaitPage(ctx context.Context, t *testing.T, page string, words ...string) {
	t.Helper()
	for {
		state := pageShows(ctx, t, page)
		missing := ""
		for _, w := range words {
			if !strings.Contains(state, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if !pause(ctx, 50*time.Millisecond) {
			t.Fatalf("the page never showed %q", missing)
		}
	}
}

func pageShows(ctx context.Context, t *testing.T, page string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page+"/playground/state?user=ann", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var state struct{ Messages, Groups json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		t.Fatal(err)
	}
	return string(state.Messages) + string(state.Groups)
}
