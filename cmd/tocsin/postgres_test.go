package main

import (
	"os"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

func TestCrashOverPostgreSQLLosesNothing(t *testing.T) {
	url := os.Getenv("TOCSIN_TEST_POSTGRES")
	if url == "" {
		if os.Getenv("TOCSIN_CI_STRICT") != "" {
			t.Fatal("TOCSIN_TEST_POSTGRES is not set, and this run is to skip nothing")
		}
		t.Skip("needs PostgreSQL: set TOCSIN_TEST_POSTGRES to a postgres:// URL")
	}
	s := slack(t, playground.Options{})
	channels := addChannels(s, 20)
	p := prepare(t, s, map[string]string{"TOCSIN_STORE": url})
	p.start()
	var accepted []alert.Accepted
	run := alert.NewID() // the database may hold what an earlier run left
	for _, ch := range channels {
		accepted = append(accepted, p.mustPush(inChannel(firing(run+ch, "kept in PostgreSQL"), ch))...)
	}
	p.kill()
	p.start()
	p.settle(accepted...)
	for _, ch := range channels {
		if top, _ := cards(s.Messages(ch)); len(top) != 1 || !strings.Contains(top[0].Text, "kept in PostgreSQL") {
			t.Errorf("%s shows %d cards", ch, len(top))
		}
	}
}
