package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tocsin/alert"
)

// childStore tells the test binary to be the child of the crash test.
const childStore = "TOCSIN_CRASH_CHILD"

// TestCrashChild commits without end and prints the id of each alert that was
// acknowledged. It does nothing unless the crash test starts it.
func TestCrashChild(t *testing.T) {
	url := os.Getenv(childStore)
	if url == "" {
		return
	}
	d, err := Open(context.Background(), url, Options{})
	must(t, err)
	var print sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				c := fire(incident(alert.NewID(), "#db", 1))
				if d.Commit(context.Background(), c) != nil {
					return
				}
				print.Lock()
				_, _ = fmt.Fprintln(os.Stdout, "acknowledged", c.Alerts[0].ID) // the parent reads it
				print.Unlock()
			}
		})
	}
	all.Go(func() {
		for deliverOne(d, "#db") == nil {
		}
	})
	all.Wait()
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "tocsin.db")
	var acknowledged []string
	for round := range 4 {
		acknowledged = append(acknowledged, killedChild(t, url, 150+70*round)...)
		d, err := Open(t.Context(), url, Options{})
		must(t, err)
		for _, id := range acknowledged {
			if _, _, err := d.record(t.Context(), id); err != nil {
				t.Errorf("alert %s was acknowledged: %v", id, err)
			}
		}
		balanced(t, d)
		must(t, d.Close())
	}
}

// killedChild runs a child on the store, kills it in the middle of its work,
// and returns the alerts it was told are safe.
func killedChild(t *testing.T, url string, after int) []string {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), childStore+"="+url)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	var ids []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "acknowledged "); ok && len(id) == 36 {
			ids = append(ids, id)
		}
		if len(ids) == after {
			must(t, child.Process.Kill())
		}
	}
	if err := child.Wait(); err == nil || len(ids) < after {
		t.Fatalf("the child ended by itself after %d alerts: %v", len(ids), err)
	}
	return ids
}
