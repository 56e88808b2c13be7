package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tocsin/playground"
)

// fill leaves no room on the disk of dir, until free is called.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "fill")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(file.Close(), os.Remove(path)); err != nil {
			t.Error(err)
		}
	}
}

// mustRefuse checks that clients hear 503, and why.
func (p *process) mustRefuse() {
	p.t.Helper()
	_, err := p.push(firing("a", "disk full"))
	refusal, ok := errors.AsType[*answerError](err)
	if !ok || refusal.status != http.StatusServiceUnavailable || refusal.retryAfter == 0 {
		p.t.Errorf("a push got %v", err)
	}
	var health struct{ Ready bool }
	if err := p.ask("/readyz", &health); err == nil {
		p.t.Error("it says that it is ready")
	}
	if err := p.ask("/healthz", &struct{}{}); err != nil {
		p.t.Errorf("it says that it is not alive: %v", err)
	}
	if metrics := p.metrics(); !strings.Contains(metrics, `tocsin_problem{problem="store"} 1`) && !strings.Contains(metrics, `tocsin_problem{problem="store_changed"} 1`) {
		p.t.Errorf("the metrics don't say that the store is the problem:\n%s", metrics)
	}
}

func TestADaemonStartsOnAFullDiskAndContinuesWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(p *process){
		"a new store":        func(*process) {},
		"a store":            func(p *process) { p.start(); p.settle(p.mustPush(firing("b", "before"))...); _ = p.terminate() },
		"a store of a crash": func(p *process) { p.start(); p.settle(p.mustPush(firing("b", "before"))...); p.kill() },
	} {
		t.Run(name, func(t *testing.T) {
			disk := smallDisk(t)
			p := prepare(t, slack(t, playground.Options{}), map[string]string{"TOCSIN_STORE": "sqlite:" + filepath.Join(disk, "tocsin.db")})
			begin(p)
			free := fill(t, disk)
			p.start()
			p.mustRefuse()
			if err := p.terminate(); err != nil {
				t.Errorf("stopped while it waited, it ended with %v", err)
			}
			p.start()
			p.mustRefuse()
			free()
			var taken bool
			for !taken {
				accepted, err := p.push(firing("a", "disk full"))
				if taken = err == nil; taken {
					p.settle(accepted...)
				}
				if err != nil && !pause(t.Context(), openAgain/10) {
					t.Fatal(err)
				}
			}
			if err := p.terminate(); err != nil {
				t.Error(err)
			}
		})
	}
}
