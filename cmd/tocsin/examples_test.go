package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/playground"
)

// example returns a file of examples with the address of the daemon in it.
func (p *process) example(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join("../../examples", name))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "http://127.0.0.1:8126", "http://"+p.env["TOCSIN_LISTEN"])
}

// overTCP starts a daemon that listens on loopback as well.
func overTCP(t testing.TB, s *playground.Server, config string) *process {
	t.Helper()
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	if config != "" {
		p.configure(config)
	}
	p.start()
	return p
}

// python returns Debian's Python, which has these packages.
func python(t testing.TB, packages ...string) string {
	t.Helper()
	const path = "/usr/bin/python3"
	out, err := exec.CommandContext(t.Context(), path, "-c", "import "+strings.Join(append(packages, "json"), ", ")).CombinedOutput()
	if err != nil {
		if os.Getenv("TOCSIN_CI_STRICT") != "" {
			t.Fatalf("%s: %v: %s", path, err, out)
		}
		t.Skipf("%s lacks %v", path, packages)
	}
	return path
}

// runTool runs a program to its end, or fails.
func runTool(t testing.TB, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := toolCommand(t.Context(), dir, env, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", filepath.Base(name), err, out)
	}
	return string(out)
}

func toolCommand(ctx context.Context, dir string, env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	return cmd
}

// startTool starts a program that runs until the end of the test, and waits until it answers
// at url.
func startTool(t testing.TB, env []string, url, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := toolCommand(ctx, t.TempDir(), env, name, args...)
	var log logBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was ended
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(name), &log)
		}
	})
	waiting, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	for {
		if resp, err := http.Get(url); err == nil {
			_ = resp.Body.Close()
			return cmd
		}
		if !pause(waiting, 20*time.Millisecond) {
			t.Fatalf("%s does not answer at %s", filepath.Base(name), url)
		}
	}
}

// post sends a request of a tool's user and returns the status and the answer.
func post(t testing.TB, url, body string) (status int, answer string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(said)
}

// startFastAPI runs the example application, and returns its address.
func (p *process) startFastAPI() string {
	p.t.Helper()
	port := freeAddress(p.t.Context(), "127.0.0.1:0")
	_, number, _ := strings.Cut(port, ":")
	folder, err := filepath.Abs("../../examples/fastapi")
	if err != nil {
		p.t.Fatal(err)
	}
	startTool(p.t, []string{"TOCSIN_SERVER=http://" + p.env["TOCSIN_LISTEN"], "PYTHONDONTWRITEBYTECODE=1"}, "http://"+port+"/docs",
		python(p.t, "fastapi", "uvicorn", "httpx"), "-m", "uvicorn", "app:app", "--port", number, "--app-dir", folder)
	return "http://" + port
}

// startAlertmanager runs Debian's Alertmanager with an example, and returns its address. It
// sends what has changed, or was not accepted, again after a second. The file is changed by
// pairs of an old and a new text.
func (p *process) startAlertmanager(name string, changes ...string) string {
	p.t.Helper()
	dir := p.t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	text := strings.NewReplacer(append(changes, "group_interval: 10s", "group_interval: 1s")...).Replace(p.example(name))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	runTool(p.t, dir, nil, debian(p.t, "amtool"), "check-config", file)
	address := freeAddress(p.t.Context(), "127.0.0.1:0")
	startTool(p.t, nil, "http://"+address+"/-/ready", debian(p.t, "prometheus-alertmanager"),
		"--config.file="+file, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=")
	return "http://" + address
}

// alertmanagerAlert is an alert for Alertmanager's API, which ends at a time if that is not
// empty.
func alertmanagerAlert(name, ends string) string {
	if ends != "" {
		ends = fmt.Sprintf(`,"endsAt":%q`, ends)
	}
	return fmt.Sprintf(`[{"labels":{"alertname":%q,"severity":"critical"},"annotations":{"summary":"%s is down"}%s}]`, name, name, ends)
}

func TestExampleFastAPITellsOfFailuresReportsAndExceptions(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	app := overTCP(t, s, "").startFastAPI()
	if status, answer := post(t, app+"/orders/7/fail", ""); status != http.StatusOK || !strings.Contains(answer, `"incident"`) {
		t.Errorf("a failed order: answered %d %s", status, answer)
	}
	if status, answer := post(t, app+"/reports/sales", ""); status != http.StatusAccepted {
		t.Errorf("a report: answered %d %s", status, answer)
	}
	if resp, err := http.Get(app + "/broken"); err != nil || resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("an exception: answered %v, %v", resp, err)
	}
	until(t, s, "the cards", func(now *playground.Snapshot) bool {
		all := now.Messages("#alerts")
		return len(saying(all, "payment of order 7 failed")) == 1 && len(saying(all, "report sales is done")) == 1 &&
			len(saying(all, "ValueError in GET /broken")) == 1 && len(saying(all, "ValueError: this is a bug")) == 1
	})
}

func TestExamplePythonNeedsNoPackages(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := overTCP(t, s, "")
	env := []string{"TOCSIN_SERVER=http://" + p.env["TOCSIN_LISTEN"]}
	script, err := filepath.Abs("../../examples/python/notify.py")
	if err != nil {
		t.Fatal(err)
	}
	if said := runTool(t, t.TempDir(), env, python(t), script, "disk full on db-3", "severity=critical", "key=db-3/disk", "channel=#ops"); !strings.Contains(said, "db-3/disk") {
		t.Errorf("it says %s", said)
	}
	until(t, s, "the card", func(now *playground.Snapshot) bool {
		return len(saying(now.Messages("#ops"), "disk full on db-3")) == 1
	})
	out, err := toolCommand(t.Context(), t.TempDir(), env, python(t), script, "").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "'hint'") {
		t.Errorf("without a title it ends with %v: %s", err, out)
	}
}

func TestExampleAlertmanagerFiresAndResolves(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"alertmanager.yml", "alertmanager-slack.yml"} {
		s := slack(t, playground.Options{})
		manager := overTCP(t, s, "").startAlertmanager("alertmanager/" + name)
		for _, ends := range []string{"", time.Now().Format(time.RFC3339Nano)} {
			if status, answer := post(t, manager+"/api/v2/alerts", alertmanagerAlert("Web", ends)); status != http.StatusOK {
				t.Fatalf("%s: Alertmanager answered %d %s", name, status, answer)
			}
			until(t, s, "a card of "+name, func(now *playground.Snapshot) bool {
				top, _ := cards(now.Messages("#alerts"))
				return len(top) == 1 && strings.Contains(shown(top[0]), "Web") && (ends == "" || strings.Contains(shown(top[0]), "Resolved"))
			})
		}
	}
}

// TestExampleGrafanaPostsWhereItsBodiesAreRead posts a body of Grafana's to the address in
// the file, because Grafana is not in Debian.
func TestExampleGrafanaPostsWhereItsBodiesAreRead(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := overTCP(t, s, "")
	url := regexp.MustCompile(`url: (http\S+)`).FindStringSubmatch(p.example("grafana/contact-points.yaml"))
	if url == nil {
		t.Fatal("the contact point has no address")
	}
	if status, answer := post(t, url[1], string(sampleBody(t, "grafana-12.json"))); status != http.StatusAccepted || strings.Contains(answer, "notes") {
		t.Errorf("answered %d %s", status, answer)
	}
}

// TestExampleGitHubOpensAndResolves runs the step of the workflow, and that of the page, as a
// runner does. GitHub writes what is in ${{ }} into a script as it is, also the name of a
// branch that somebody else has chosen.
func TestExampleGitHubOpensAndResolves(t *testing.T) {
	t.Parallel()
	debian(t, "jq")
	for name, read := range map[string]func(*process) string{
		"the example": func(p *process) string { return p.example("github/tocsin.yml") },
		"the page": func(p *process) string {
			page, _, _ := strings.Cut(p.page("/"), `id="alertmanager"`)
			step, _, _ := strings.Cut(page[strings.LastIndex(page, "<pre>"):], "</pre>")
			return strings.ReplaceAll(html.UnescapeString(step), "http://localhost/", "http://"+p.env["TOCSIN_LISTEN"]+"/")
		},
	} {
		s := slack(t, playground.Options{})
		p := overTCP(t, s, "")
		_, block, found := strings.Cut(read(p), "Tell Tocsin\n")
		_, script, also := strings.Cut(block, "run: |\n")
		if !found || !also || strings.Contains(script, "${{") {
			t.Fatalf("%s has no such step, or its script has what others choose: %s", name, block)
		}
		env := []string{"TOCSIN_SERVER=http://" + p.env["TOCSIN_LISTEN"], "TOCSIN_API_TOKEN=", "GITHUB_WORKFLOW=test", "GITHUB_REF_NAME=main", "GITHUB_REPOSITORY=team/web",
			"GITHUB_JOB=test", "GITHUB_SHA=0123456", "GITHUB_ACTOR=ann", "GITHUB_SERVER_URL=https://github.com", "GITHUB_RUN_ATTEMPT=1"}
		for run, of := range []string{"main success", "main success failure", "side$(false) success", "main success cancelled", "main skipped", "main success skipped"} {
			branch, results, _ := strings.Cut(of, " ")
			status := "resolved"
			if strings.Contains(results, "failure") {
				status = "firing"
			}
			if name == "the page" && (run == 3 || run == 4) { // its step is for success or failure
				continue
			}
			runTool(t, t.TempDir(), append(env, "GITHUB_REF_NAME="+branch, fmt.Sprint("GITHUB_RUN_ID=", run), "RESULTS="+results, "STATUS="+status), "/bin/bash", "-e", "-o", "pipefail", "-c", script)
			until(t, s, "the card of "+name, func(now *playground.Snapshot) bool {
				top, _ := cards(now.Messages("#alerts"))
				switch run {
				case 0: // a success without a failure says nothing
					return len(top) == 0
				case 1, 2, 3, 4: // nor does that of another branch, or what was not run to its end
					return len(top) == 1 && strings.Contains(shown(top[0]), "test failed on main") && !strings.Contains(shown(top[0]), "Resolved")
				}
				return len(top) == 1 && strings.Contains(shown(top[0]), "Resolved")
			})
		}
	}
}

// asProgram makes this test binary a program called tocsin, and returns its folder.
func (p *process) asProgram() string {
	p.t.Helper()
	program, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	folder := p.t.TempDir()
	if err := os.Symlink(program, filepath.Join(folder, "tocsin")); err != nil {
		p.t.Fatal(err)
	}
	return folder
}

// writeScript writes a program of the shell.
func writeScript(t testing.TB, path, text string) {
	t.Helper()
	if err := writeProgram(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestExampleCronAlertsAndResolves runs the line as cron does: with sh, and with what the
// file sets as its environment.
func TestExampleCronAlertsAndResolves(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	folder := p.asProgram()
	line := regexp.MustCompile(`(?m)^(?:[\d*/,-]+\s+){5}[a-z]+\s+(.*)$`).FindStringSubmatch(p.example("cron/tocsin"))
	if line == nil {
		t.Fatal("the file has no line for cron")
	}
	backup := filepath.Join(folder, "backup")
	command := strings.ReplaceAll(line[1], "/usr/local/bin/backup", backup)
	env := []string{"PATH=" + folder + ":/usr/bin:/bin", beTocsin + "=1", "TOCSIN_SOCKET=" + p.env["TOCSIN_SOCKET"]}
	for _, c := range []struct{ script, card string }{{"echo no space left; exit 3", "no space left"}, {"echo done", "Resolved"}} {
		writeScript(t, backup, c.script)
		out, err := toolCommand(t.Context(), p.dir, env, "/bin/sh", "-c", command).CombinedOutput()
		if failed := err != nil; failed != strings.Contains(c.script, "exit") {
			t.Errorf("%s: it ends with %v: %s", c.script, err, out)
		}
		until(t, s, "the card to say "+c.card, func(now *playground.Snapshot) bool {
			top, _ := cards(now.Messages("#alerts"))
			return len(top) == 1 && strings.Contains(shown(top[0]), c.card)
		})
	}
}

// TestTheFailureUnitSendsTheUnitsNameAndItsLastLines runs what tocsin-failure@.service runs,
// with a journal that is a script.
func TestTheFailureUnitSendsTheUnitsNameAndItsLastLines(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	folder := p.asProgram()
	writeScript(t, filepath.Join(folder, "journalctl"), `echo "asked for: $*"; echo "No space left on *device*"`)
	unit, err := os.ReadFile("../../systemd/tocsin-failure@.service")
	if err != nil {
		t.Fatal(err)
	}
	_, command, found := strings.Cut(string(unit), "ExecStart=:/bin/sh -c '")
	script, arguments, closed := strings.Cut(command, "' \\\n  tocsin-failure ")
	arguments, _, _ = strings.Cut(arguments, "\n")
	if !found || !closed || arguments != "%i %H" {
		t.Fatalf("the unit does not run a script of the shell with its unit and host: %q", arguments)
	}
	script = strings.NewReplacer("\\\n", "", "/usr/local/bin/tocsin", filepath.Join(folder, "tocsin")).Replace(script)
	env := []string{"PATH=" + folder + ":" + os.Getenv("PATH"), beTocsin + "=1", "TOCSIN_SOCKET=" + p.env["TOCSIN_SOCKET"], "MONITOR_SERVICE_RESULT=exit-code"}
	for range 2 {
		runTool(t, p.dir, env, "/bin/sh", "-c", script, "tocsin-failure", "backup@db-3.service", "db-3.example.com")
	}
	until(t, s, "the card", func(now *playground.Snapshot) bool {
		top, _ := cards(now.Messages("#alerts"))
		if len(top) != 1 {
			return false
		}
		card := shown(top[0])
		return strings.Contains(card, "backup@db-3.service failed on db-3.example.com") && strings.Contains(card, "asked for: --unit=backup@db-3.service") &&
			strings.Contains(card, "No space left on *device*") && strings.Contains(card, "exit-code")
	})
}
