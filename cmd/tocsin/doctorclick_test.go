package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// doctorSaying runs doctor with these arguments beside the daemon, and calls do as soon as it
// has said something.
func doctorSaying(p *process, do func(), args ...string) (status int, found alert.Checkup, said string) {
	p.t.Helper()
	var out, all bytes.Buffer
	heard, saying := io.Pipe()
	w := world{stdin: strings.NewReader(""), stdout: &out, stderr: saying, getenv: func(name string) string {
		return map[string]string{"HOME": p.dir, "TOCSIN_SOCKET": p.env["TOCSIN_SOCKET"]}[name]
	}}
	ended := make(chan int, 1)
	go func() {
		ended <- run(p.t.Context(), append([]string{"doctor", "--json"}, args...), w)
		_ = saying.Close() // a pipe's never fails
	}()
	first := make([]byte, 4096)
	n, _ := heard.Read(first) // what is missing is missed below
	all.Write(first[:n])
	if n > 0 {
		do()
	}
	_, _ = all.ReadFrom(heard)
	status = <-ended
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		p.t.Fatalf("%v in %s%s", err, &out, &all)
	}
	return status, found, all.String()
}

// fromSlackResults are the results of what was to come from Slack, by its name.
func fromSlackResults(found alert.Checkup) map[string]alert.CheckResult {
	results := map[string]alert.CheckResult{}
	for _, c := range found.Checks {
		if c.Name == fromSlackCheck {
			results[c.About] = c.Result
		}
	}
	return results
}

func TestDoctorSeesWhetherWhatPeopleDoComesFromSlack(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	ann := s.User("ann")
	_, found, said := doctorSaying(p, func() {
		if err := ann.OpenHome(); err != nil {
			t.Error(err)
		}
		p.eventually("the Home tab", func() bool {
			_, ok := ann.Home()
			return ok
		})
		if _, err := ann.Click(t.Context(), playground.AtHome(), "home_refresh"); err != nil {
			t.Error(err)
		}
		if _, err := ann.Command(t.Context(), "#alerts", "/notify", "help"); err != nil {
			t.Error(err)
		}
	}, "--click")
	for _, what := range []string{"event", "click", "command"} {
		if got := fromSlackResults(found); got[what] != alert.CheckOK || !strings.Contains(said, "the "+what+" has arrived") {
			t.Errorf("the %s: %v, and it said\n%s", what, got, said)
		}
	}

	status, found, _ := doctorSaying(p, func() {}, "--click", "--timeout", "1ms")
	missing := slices.DeleteFunc(found.Checks, func(c alert.Check) bool {
		return c.Name != fromSlackCheck || c.Result != alert.CheckWarning || c.Fix == ""
	})
	if len(missing) != 3 || status == exitOK {
		t.Errorf("with nobody in Slack, status %d and %+v", status, found)
	}
}

func TestDoctorReadsTheStoreThatNoDaemonHasOpen(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	p.settle(p.mustPush(firing("a", "a"))...)
	p.kill()
	said, _ := p.tocsin("doctor", "--click", "--json") // other checks may have something to say
	var found alert.Checkup
	if err := json.Unmarshal([]byte(said), &found); err != nil {
		t.Fatalf("%v in %s", err, said)
	}
	if !slices.ContainsFunc(found.Checks, func(c alert.Check) bool { return c.Name == "store content" && c.Result == alert.CheckOK }) {
		t.Errorf("the store is not read: %+v", found)
	}
	if got := fromSlackResults(found); got[""] != alert.CheckSkipped {
		t.Errorf("without a daemon, what comes from Slack is %v", got)
	}
}
