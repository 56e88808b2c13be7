package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// prepareShort is prepare with limits of seconds.
func prepareShort(t *testing.T, s *playground.Server, limits string) *process {
	t.Helper()
	p := prepare(t, s, nil)
	p.env["TOCSIN_CONFIG"] = filepath.Join(p.dir, "tocsin.yaml")
	if err := os.WriteFile(p.env["TOCSIN_CONFIG"], []byte("health: {"+limits+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// readyz asks the daemon whether it is ready. It has to answer at once.
func (p *process) readyz() (r readyBody) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/readyz", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := p.client().http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		p.t.Fatal(err)
	}
	if r.Ready != (resp.StatusCode == http.StatusOK) {
		p.t.Errorf("/readyz answers %s with %+v", resp.Status, r)
	}
	return r
}

// untilReady waits until the daemon is ready.
func (p *process) untilReady() {
	p.t.Helper()
	p.untilHealth("ready", func(r readyBody) bool { return r.Ready && r.Connections == 2 })
}

// untilProblem waits until /readyz reports a problem of this kind, and returns it.
func (p *process) untilProblem(code string) (found alert.Problem) {
	p.t.Helper()
	p.untilHealth(code, func(r readyBody) bool {
		at := slices.IndexFunc(r.Problems, func(p alert.Problem) bool { return p.Code == code })
		if at >= 0 {
			found = r.Problems[at]
		}
		return at >= 0
	})
	if found.Fix == "" || found.Since.IsZero() {
		p.t.Errorf("the problem is %+v, without what to do or since when", found)
	}
	return found
}

func (p *process) untilHealth(what string, ok func(readyBody) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for r := p.readyz(); !ok(r); r = p.readyz() {
		if !pause(ctx, 20*time.Millisecond) {
			p.t.Fatalf("waiting for %s, /readyz says %+v", what, r)
		}
	}
}

// mustReport checks that all others say the same as /readyz.
func (p *process) mustReport(found alert.Problem) {
	p.t.Helper()
	if metric := fmt.Sprintf("tocsin_problem{problem=%q} 1\n", found.Code); !strings.Contains(p.page("/metrics"), metric) {
		p.t.Errorf("the metrics lack %q", metric)
	}
	what, _, _ := strings.Cut(found.What, ": ") // Slack's latest answer may be another one by now
	said, code := p.try("status")
	if code != exitFailure || !strings.Contains(said, what) || !strings.Contains(said, found.Fix) {
		p.t.Errorf("tocsin status ends with %d and says %s", code, said)
	}
	p.untilStatusLine(what, found.Fix)
}

// page is a page of the daemon as text.
func (p *process) page(path string) string {
	p.t.Helper()
	resp, err := p.client().http.Get("http://localhost" + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}

// try runs a command of the program against the daemon, in this process.
func (p *process) try(args ...string) (said string, code int) {
	var out bytes.Buffer
	code = run(p.t.Context(), append(args, "--socket", p.env["TOCSIN_SOCKET"]), world{stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard, getenv: func(string) string { return "" }})
	return out.String(), code
}

// untilStatusLine waits until the daemon tells its service manager all of this.
func (p *process) untilStatusLine(parts ...string) {
	p.t.Helper()
	if err := p.notify.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for said := ""; ; {
		n, err := p.notify.Read(buf)
		if err != nil {
			p.t.Fatalf("the last status line was %q, want %q: %v", said, parts, err)
		}
		said = string(buf[:n])
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(said, part) }) {
			return
		}
	}
}

// cutSockets ends all connections without a close frame.
func cutSockets(t *testing.T, s *playground.Server) {
	t.Helper()
	for _, socket := range s.Sockets() {
		_ = s.Cut(socket.ID, playground.CutForget) // it may have ended by itself
	}
}

func TestSlackGoneAfterAGoodStartIsReportedWithItsRemedy(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepareShort(t, s, "connection: 1s, delivery: 1s")
	p.start()
	p.untilReady()
	p.settle(p.mustPush(firing("a", "all is well"))...)

	fault(t, s, playground.Fault{Kind: playground.FaultRefuse})
	cutSockets(t, s)
	critical := firing("b", "the machine room is on fire")
	critical["severity"] = "critical"
	kept := p.mustPush(critical)
	late := p.untilProblem(alert.ProblemDelivery)
	if !strings.Contains(late.What, "#alerts") {
		t.Errorf("it reports %+v", late)
	}
	p.mustReport(late)
	p.mustReport(p.untilProblem(alert.ProblemConnection))

	s.ClearFaults()
	p.settle(kept...)
	p.untilReady()
}

func TestATypoInAChannelIsANoteAndSlackGoneIsAProblem(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepareShort(t, s, "connection: 1s, delivery: 1s")
	p.start()
	p.untilReady()
	p.mustPush(inChannel(firing("typo", "nobody sees this"), "#nosuch"))
	var note alert.Problem
	p.untilHealth("the note", func(r readyBody) bool {
		if !r.Ready || len(r.Notes) != 1 {
			return false
		}
		note = r.Notes[0]
		return time.Since(note.Since) > 2*time.Second // longer than a delivery may fail for another reason
	})
	if note.Lane != "#nosuch" || !note.Blocks || !strings.Contains(note.What, "channel_not_found") || !strings.Contains(note.Fix, "spelling") {
		t.Errorf("the note is %+v", note)
	}
	said, code := p.try("status")
	if code != exitOK || !strings.Contains(said, "ready") || !strings.Contains(said, note.What) || !strings.Contains(said, note.Fix) {
		t.Errorf("tocsin status ends with %d and says %s", code, said)
	}
	if metrics := p.metrics(); !strings.Contains(metrics, "\ntocsin_broken_destinations 1\n") {
		t.Error("no metric counts the conversation")
	}
	p.untilStatusLine(note.What, note.Fix)
	p.mustTellPeople(s, note)
	p.settle(p.mustPush(firing("fine", "everybody else is served"))...)
	var pending struct{ Deliveries []alert.Delivery }
	if err := p.ask("/v1/deliveries?state=pending", &pending); err != nil || len(pending.Deliveries) != 1 {
		t.Fatalf("pending are %+v: %v", pending, err)
	}
	if said := p.command("queue", "drop", pending.Deliveries[0].ID); !strings.Contains(said, "1 delivery dropped, 1 alert is dead") {
		t.Errorf("dropping says %s", said)
	}
	p.untilHealth("that nothing waits for the channel", func(r readyBody) bool { return len(r.Notes) == 1 && !r.Notes[0].Blocks })
	if l := p.ledger(); l.Total != (alert.Counts{Accepted: 2, Delivered: 1, Dead: 1}) {
		t.Errorf("the ledger is %+v", l.Total)
	}

	fault(t, s, playground.Fault{Kind: playground.FaultRefuse})
	p.mustPush(firing("late", "waits for Slack"))
	p.untilProblem(alert.ProblemDelivery)
	s.ClearFaults()
	p.untilReady()
}

func TestPeopleHearThatMessagesDoNotGetThrough(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepareShort(t, s, "connection: 1s, delivery: 1s")
	p.start()
	p.untilReady()
	fault(t, s, playground.Fault{Kind: playground.FaultError, Error: "service_unavailable", Method: "chat.postMessage"})
	kept := p.mustPush(firing("a", "nobody sees this"))
	p.mustTellPeople(s, p.untilProblem(alert.ProblemDelivery))
	s.ClearFaults()
	p.settle(kept...)
	p.untilReady()
}

// mustTellPeople checks that the Home tab and /notify status say what the problem is
// and what to do.
func (p *process) mustTellPeople(s *playground.Server, problem alert.Problem) {
	p.t.Helper()
	ann := s.User("ann")
	run, err := ann.Command(p.t.Context(), "#alerts", "/notify", "status")
	if err != nil || !run.Acked {
		p.t.Fatalf("the command got %+v, %v", run, err)
	}
	// An address in it is a link, and what is in brackets may have one.
	remedy := strings.TrimSpace(problem.Fix[:strings.IndexAny(problem.Fix+":", ":(")])
	until(p.t, s, "the answer to /notify status", func(sn *playground.Snapshot) bool {
		return slices.ContainsFunc(sn.Ephemerals("ann", "#alerts"), func(m playground.Message) bool { return strings.Contains(shown(m), remedy) })
	})
	if err := ann.OpenHome(); err != nil {
		p.t.Fatal(err)
	}
	until(p.t, s, "the Home tab", func(sn *playground.Snapshot) bool {
		view, ok := sn.Home("ann")
		body, err := json.Marshal(view)
		return ok && err == nil && strings.Contains(string(body), remedy)
	})
}

func TestConnectionsThatAreNeverUsableAreReported(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(t *testing.T, s *playground.Server){
		"accepted and dropped": func(_ *testing.T, s *playground.Server) { s.SetConnectFault(playground.ConnectDrop) },
		"no hello":             func(_ *testing.T, s *playground.Server) { s.SetConnectFault(playground.ConnectNoHello) },
		"dropped after hello":  dropAfterHello,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := slack(t, playground.Options{})
			p := prepareShort(t, s, "connection: 1s, delivery: 1s")
			p.start()
			p.untilReady()
			ctx, over := context.WithCancel(t.Context())
			t.Run("broken", func(t *testing.T) {
				breaks(t, s)
				cutSockets(t, s)
				p.mustReport(p.untilProblem(alert.ProblemConnection))
				p.settle(p.mustPush(firing("a", "delivered all the same"))...)
			})
			over()
			<-ctx.Done()
			s.SetConnectFault(playground.ConnectOK)
			p.untilReady()
		})
	}
}

// dropAfterHello cuts each connection once it has got its hello, until the test ends.
func dropAfterHello(t *testing.T, s *playground.Server) {
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() {
		stop()
		<-ended
	})
	go func() {
		defer close(ended)
		for {
			err := s.Wait(ctx, func(sn *playground.Snapshot) bool { return len(sn.Sockets()) > 0 })
			if err != nil {
				return
			}
			cutSockets(t, s)
		}
	}()
}

// freezable is a file system on a disk of its own, which only root can make, and
// functions that freeze and thaw it.
func freezable(t *testing.T) (dir string, freeze, thaw func()) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "disk")
	image := dir + ".img"
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(image, nil, 0o600), os.Truncate(image, 64<<20)); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"mkfs.ext4", "-q", image}, {"mount", "-o", "loop", image, dir}} {
		if said, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			if os.Getenv("TOCSIN_CI_STRICT") != "" {
				t.Fatalf("no disk can be mounted, and this run is to skip nothing: %v: %v %s", command, err, said)
			}
			t.Skipf("needs root, to mount a disk: %v: %v %s", command, err, said)
		}
	}
	t.Cleanup(func() {
		if said, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, said)
		}
	})
	// The shell thaws the disk when its input ends, also if this process is killed.
	const script = `fsfreeze -f "$0" && echo frozen && cat; fsfreeze -u "$0"`
	shell := exec.Command("sh", "-c", script, dir)
	input, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	freeze = func() {
		if err := shell.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(output, make([]byte, len("frozen\n"))); err != nil {
			t.Fatal(err)
		}
	}
	thaw = func() {
		if shell.Process == nil || shell.ProcessState != nil {
			return
		}
		if err := errors.Join(input.Close(), shell.Wait()); err != nil {
			t.Error(err)
		}
	}
	return dir, freeze, thaw
}

func TestADiskThatHangsIsReportedAndRefusesUntilItAnswers(t *testing.T) {
	t.Parallel()
	dir, freeze, thaw := freezable(t)
	s := slack(t, playground.Options{})
	p := prepareShort(t, s, "store: 2s")
	p.env["TOCSIN_STORE"] = "sqlite:" + filepath.Join(dir, "tocsin.db")
	t.Cleanup(func() {
		thaw() // or the daemon could not be killed
		p.kill()
	})
	p.start()
	p.untilReady()
	p.pushUntilAccepted("a")

	freeze()
	p.mustRefuseStuck(firing("b", "an alert"))
	stuck := p.untilProblem(alert.ProblemStoreStuck)
	p.mustRefuseStuck(firing("c", "an alert"))
	p.mustReport(stuck)
	p.mustTellPeople(s, stuck)
	thaw()

	p.untilReady()
	for _, key := range []string{"b", "c", "d"} {
		p.pushUntilAccepted(key)
	}
	if l := p.ledger().Total; l.Accepted != l.Delivered+l.Folded || l.Accepted < 4 {
		t.Errorf("the ledger is %+v", l)
	}
	if top, _ := cards(s.Messages("#alerts")); len(top) != 4 {
		t.Errorf("%d cards are shown, want one for each of the 4 keys", len(top))
	}
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// mustRefuseStuck checks that a push is answered with 503 although the store hangs.
func (p *process) mustRefuseStuck(a map[string]any) {
	p.t.Helper()
	_, err := p.push(a)
	if refusal, ok := errors.AsType[*answerError](err); !ok || refusal.status != http.StatusServiceUnavailable || refusal.retryAfter == 0 {
		p.t.Errorf("a push got %v, want 503", err)
	}
}

// pushUntilAccepted repeats what is refused: a store that gives up soon may do so on a
// busy machine as well.
func (p *process) pushUntilAccepted(key string) {
	p.t.Helper()
	for {
		accepted, err := p.push(firing(key, "an alert"))
		if err == nil {
			p.settle(accepted...)
			return
		}
		if !pause(p.t.Context(), 100*time.Millisecond) {
			p.t.Fatal(err)
		}
	}
}

// lockTable keeps everybody from a table until release is called or the test ends.
func lockTable(t *testing.T, server, table string) (release func()) {
	t.Helper()
	session := exec.Command("psql", "-q", server)
	input, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		if err := errors.Join(input.Close(), session.Wait()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	_, err = io.WriteString(input, "BEGIN; LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE;\n\\echo locked\n")
	if _, short := io.ReadFull(output, make([]byte, len("locked\n"))); err != nil || short != nil {
		t.Fatal(err, short)
	}
	return release
}

func TestPostgreSQLReadersThatHangAreReportedAndRefuseUntilTheyAnswer(t *testing.T) {
	t.Parallel()
	store := sharedStore(t)
	at, err := url.Parse(store)
	if err != nil {
		t.Fatal(err)
	}
	s := slack(t, playground.Options{})
	p := prepareShort(t, s, "store: 2s")
	p.env["TOCSIN_STORE"] = store
	t.Cleanup(p.kill) // before its schema goes
	p.start()
	p.untilReady()
	p.pushUntilAccepted("a")

	release := lockTable(t, os.Getenv("TOCSIN_TEST_POSTGRES"), at.Query().Get("search_path")+".incidents")
	p.mustRefuseStuck(firing("b", "an alert"))
	stuck := p.untilProblem(alert.ProblemStoreStuck)
	p.mustRefuseStuck(firing("c", "an alert"))
	p.mustReport(stuck)
	p.mustTellPeople(s, stuck)
	release()

	p.untilReady()
	for _, key := range []string{"b", "c", "d"} {
		p.pushUntilAccepted(key)
	}
	if top, _ := cards(s.Messages("#alerts")); len(top) != 4 {
		t.Errorf("%d cards are shown, want one for each of the 4 keys", len(top))
	}
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestPostsThatGetOnlyShortPausesAreAProblem(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepareShort(t, s, "delivery: 1s")
	p.start()
	p.untilReady()
	fault(t, s, playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", RetryAfter: 1})
	p.mustPush(firing("a", "throttled for ever"))
	if found := p.untilProblem(alert.ProblemDelivery); !strings.Contains(found.What, "Slack answers only with pauses") || !strings.Contains(found.Fix, "group_by") {
		t.Errorf("the problem is %+v", found)
	}
	s.ClearFaults()
	p.untilReady()
}

func TestAFallbackThatFailsIsAProblem(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.configure("fallback_channel: '#random'\nhealth: {delivery: 1s}\n")
	p.start()
	p.untilReady()
	archive(t, s.Archive, "#ops")
	p.settle(p.mustPush(inChannel(firing("a", "first"), "#ops"))...)
	fault(t, s, playground.Fault{Kind: playground.FaultError, Error: "service_unavailable", Method: "chat.postMessage"})
	p.mustPush(inChannel(firing("b", "second"), "#ops"))
	if found := p.untilProblem(alert.ProblemDelivery); !strings.Contains(found.What, "#ops") || !strings.Contains(found.What, "service_unavailable") {
		t.Errorf("the problem is %+v", found)
	}
	s.ClearFaults()
	p.untilReady()
}
