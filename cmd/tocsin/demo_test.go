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

	"tocsin/alert"
	"tocsin/playground"
)

func TestTheDemoRunsByItselfAndLeavesNothing(t *testing.T) {
	t.Parallel()
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
	page, server := addressesOf(t, out)
	awaitPage(ctx, t, page, "Checkout answers 7 %", "S0PG")
	sh := &shell{t: t, home: t.TempDir(), env: map[string]string{"TOCSIN_SERVER": server}}
	if status, out, said := sh.tocsin("ack", "last"); status != exitOK {
		t.Errorf("a command has exit status %d: %s%s", status, out, said)
	}
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

// addressesOf reads from what the demo says where its page is, and its API.
func addressesOf(t *testing.T, out io.Reader) (page, server string) {
	t.Helper()
	address := regexp.MustCompile(`(The page: +|export TOCSIN_SERVER=)(http://[^\s;]+)`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch found := address.FindStringSubmatch(lines.Text()); {
		case found == nil:
		case page == "":
			page = found[2]
		default:
			return page, found[2]
		}
	}
	t.Fatal("the demo does not say where it is")
	return "", ""
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

func TestAPreviewAddsTheConversationsThatTheSmallSlackLacksOnce(t *testing.T) {
	s := slack(t, playground.Options{})
	had := len(s.Channels())
	c := demoCmd{
		shown:   []alert.Alert{{Title: "a"}, {Title: "b"}},
		routing: alert.Routing{Default: "#alerts", Routes: []alert.Route{{Name: "all", To: []string{"#alerts", "#dba", "@ann", "@zoe"}}}},
	}
	people := len(s.Users())
	c.addConversations(s)
	if channels, users := s.Channels(), s.Users(); len(channels) != had+1 || len(users) != people+1 {
		t.Errorf("there are the channels %+v and %d people, who were %d", channels, len(users), people)
	}
}
