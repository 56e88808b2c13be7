package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"tocsin/playground"
)

// setup is a machine on which tocsin init runs, as a program of its own.
type setup struct {
	t     *testing.T
	slack *playground.Server
	dir   string
	file  string // the configuration
	env   map[string]string
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	s := slack(t, playground.Options{})
	dir := t.TempDir()
	return &setup{t: t, slack: s, dir: dir, file: filepath.Join(dir, "tocsin.yaml"), env: map[string]string{
		beTocsin: "1", "HOME": dir, "TMPDIR": dir, "SLACK_API_URL": s.APIURL(), "TOCSIN_LISTEN": "off", "TOCSIN_SOCKET": filepath.Join(dir, "tocsin.sock"), "TOCSIN_STORE": "sqlite:" + filepath.Join(dir, "tocsin.db"),
	}}
}

func (s *setup) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"init", "--config", s.file}, args...)...)
	for k, v := range s.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

// init runs it without a terminal.
func (s *setup) init(extra map[string]string, args ...string) (status int, said string) {
	s.t.Helper()
	before := s.env
	s.env = maps.Clone(before)
	maps.Copy(s.env, extra)
	defer func() { s.env = before }()
	var out bytes.Buffer
	cmd := s.command(s.t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	s.hides(out.String())
	return cmd.ProcessState.ExitCode(), out.String()
}

// hides fails if something shows a token.
func (s *setup) hides(said string) {
	s.t.Helper()
	for _, token := range []string{s.slack.AppToken(), s.slack.BotToken()} {
		if strings.Contains(said, token) {
			s.t.Errorf("a token is shown: %s", said)
		}
	}
}

func (s *setup) tokens() map[string]string {
	return map[string]string{"SLACK_APP_TOKEN": s.slack.AppToken(), "SLACK_BOT_TOKEN": s.slack.BotToken()}
}

// files are the contents of all files there are, by name.
func (s *setup) files() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, path := range walk(s.t, s.dir, "") {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			all[path] = info.Mode().String() + "\n" + read(s.t, path)
		}
	}
	return all
}

// unchanged runs f, and fails if there are other files afterwards.
func (s *setup) unchanged(f func()) {
	s.t.Helper()
	before := s.files()
	f()
	if after := s.files(); !maps.Equal(before, after) {
		s.t.Errorf("the files were %v and are %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}
}

// daemon starts the daemon with what init has written alone.
func (s *setup) daemon() *process {
	s.t.Helper()
	env := maps.Clone(s.env)
	maps.Copy(env, map[string]string{"SLACK_APP_TOKEN": "", "SLACK_BOT_TOKEN": "", "SLACK_CHANNEL_ID": "", "SLACK_API_URL": "", "TOCSIN_CONFIG": s.file})
	p := prepare(s.t, s.slack, env)
	p.start()
	return p
}

func TestInitWritesWhatADaemonNeedsAndASecondRunChangesTheChannelOnly(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	status, said := s.init(s.tokens(), "--channel", "alerts")
	if status != exitOK || !strings.Contains(said, "tocsin serve --config "+s.file) {
		t.Fatalf("ends with %d and says %s", status, said)
	}
	if info, err := os.Stat(s.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode of the configuration: %v, %v", info.Mode(), err)
	}
	s.daemon()
	before := read(t, s.file)

	status, said = s.init(nil, "--channel", "#ops")
	if status != exitOK || !strings.Contains(said, "The first alert arrived in #ops: "+s.slack.URL()) {
		t.Errorf("ends with %d and says %s", status, said)
	}
	if now := read(t, s.file); now != strings.Replace(before, "#alerts", "#ops", 1) {
		t.Errorf("the configuration is now %s", now)
	}
	if got := saying(s.slack.Messages("#ops"), "Tocsin is set up"); len(got) != 1 {
		t.Errorf("#ops shows %v", got)
	}
	s.unchanged(func() {
		if status, said := s.init(nil); status != exitOK || !strings.Contains(said, "nothing was changed") {
			t.Errorf("with nothing new it ends with %d and says %s", status, said)
		}
	})
}

func TestInitKeepsCommentsAndOptions(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	const mine = "# mine\n\ndefault_channel: '#alerts' # ours\n\nslack:\n  # the app's\n  #app_token: xapp-…\n\nroutes:\n  - name: database # theirs\n    match: service=db\n"
	if err := os.WriteFile(s.file, []byte(mine), 0o640); err != nil {
		t.Fatal(err)
	}
	if status, said := s.init(s.tokens()); status != exitOK {
		t.Fatalf("ends with %d and says %s", status, said)
	}
	now := read(t, s.file)
	for _, line := range []string{s.slack.AppToken(), s.slack.BotToken(), s.slack.APIURL()} {
		if !strings.Contains(now, line) {
			t.Errorf("it lacks %s", line)
		}
		now = strings.ReplaceAll(now, line, "")
	}
	now = strings.NewReplacer("  app_token: \n", "", "  bot_token: \n", "", "  api_url: \n", "").Replace(now)
	if now != mine {
		t.Errorf("the rest is now\n%s", now)
	}
	if info, err := os.Stat(s.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode with tokens in it is %v, %v", info.Mode(), err)
	}
}

func TestInitRefusesWhatDoesNotWorkAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	if status, said := s.init(s.tokens(), "--channel", "#alerts"); status != exitOK {
		t.Fatalf("ends with %d and says %s", status, said)
	}
	app, bot := s.slack.AppToken(), s.slack.BotToken()
	revoked := "xoxb-1-1-revoked"
	s.slack.Accept(revoked)
	s.slack.Revoke(revoked)
	for name, c := range map[string]struct {
		env    map[string]string
		args   []string
		file   string // in place of the configuration, if not empty
		status int
		says   string
	}{
		"a bot token for the app":       {env: map[string]string{"SLACK_APP_TOKEN": bot}, status: exitUsage, says: "App-Level Tokens"},
		"an app token for the bot":      {env: map[string]string{"SLACK_BOT_TOKEN": app}, status: exitUsage, says: "Bot User OAuth Token"},
		"a user's token":                {env: map[string]string{"SLACK_BOT_TOKEN": "xoxp-1-1-a"}, status: exitUsage, says: "a user's token"},
		"a signing secret":              {env: map[string]string{"SLACK_APP_TOKEN": strings.Repeat("0a", 16)}, status: exitUsage, says: "signing or client secret"},
		"a revoked token":               {env: map[string]string{"SLACK_BOT_TOKEN": revoked}, status: exitFailure, says: "token_revoked"},
		"an app token nobody has given": {env: map[string]string{"SLACK_APP_TOKEN": "xapp-1-A0TOCSIN-1-a"}, status: exitFailure, says: "invalid_auth"},
		"a file without a token":        {args: []string{"--bot-token-file", os.DevNull}, status: exitUsage, says: "no token in"},
		"no such file":                  {args: []string{"--bot-token-file", filepath.Join(s.dir, "none")}, status: exitUsage, says: "no such file"},
		"a channel without the bot":     {args: []string{"--channel", "#random"}, status: exitFailure, says: "/invite @tocsin (it is in #alerts, #ops)"},
		"a private channel by its id":   {args: []string{"--channel", "C0SECRET"}, status: exitFailure, says: "/invite @tocsin"},
		"no channel's name":             {args: []string{"--channel", "two words"}, status: exitUsage, says: "is not a conversation"},
		"a kind of credentials":         {args: []string{"--credentials", "paper"}, status: exitUsage, says: "auto, encrypted, plain"},
		"a broken configuration":        {file: "default_channel: [\n", args: []string{"--channel", "#ops"}, status: exitUsage, says: "is not YAML"},
		"requests by HTTP":              {file: "slack: {mode: http}\n", args: []string{"--channel", "#ops"}, status: exitUsage, says: "slack.mode: http"},
		"no tokens":                     {file: "log: {level: warn}\n", args: []string{"--channel", "#ops"}, status: exitUsage, says: "there is no app-level token"},
		"an option that is there twice": {file: "default_channel: '#a'\ndefault_channel: '#b'\n", env: s.tokens(), args: []string{"--channel", "#ops"}, status: exitUsage, says: "other.yaml:2:1: "},
		"no channel":                    {file: "log: {level: warn}\n", env: s.tokens(), status: exitUsage, says: "the bot is in #alerts, #ops"},
	} {
		t.Run(name, func(t *testing.T) {
			one := *s
			one.t = t
			if c.file != "" {
				one.file = filepath.Join(s.dir, "other.yaml")
				if err := os.WriteFile(one.file, []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			one.unchanged(func() {
				if status, said := one.init(c.env, c.args...); status != c.status || !strings.Contains(said, c.says) {
					t.Errorf("ends with %d and says %s", status, said)
				}
			})
		})
	}
}

func TestInitFindsItsDaemonBehindASymbolicLink(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	if status, said := s.init(s.tokens(), "--channel", "#alerts"); status != exitOK {
		t.Fatalf("ends with %d and says %s", status, said)
	}
	link := filepath.Join(s.dir, "link.yaml")
	if err := os.Symlink(s.file, link); err != nil {
		t.Fatal(err)
	}
	s.file = link
	s.daemon()
	if status, said := s.init(nil, "--channel", "#ops"); status != exitOK || !strings.Contains(said, "The first alert arrived in #ops") {
		t.Errorf("ends with %d and says %s", status, said)
	}
}

func TestInitTakesNoOtherProgramForItsDaemon(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Unsupported method ('POST')", http.StatusNotImplemented)
	}))
	t.Cleanup(other.Close)
	s.env["TOCSIN_LISTEN"] = other.Listener.Addr().String()
	if status, said := s.init(s.tokens(), "--channel", "#alerts"); status != exitOK || !strings.Contains(said, "tocsin serve --config "+s.file) {
		t.Errorf("ends with %d and says %s", status, said)
	}
}

func TestInitWaitsForNoOtherInitAndUndoesNothingOfIt(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	p := s.atTerminal(t)
	p.await("(it is not shown)")
	s.unchanged(func() {
		if status, said := s.init(s.tokens(), "--channel", "#alerts"); status != exitFailure || !strings.Contains(said, "another tocsin init is at work in "+s.dir) {
			t.Errorf("beside another one it ends with %d and says %s", status, said)
		}
	})
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.ends()
	if status, said := s.init(s.tokens(), "--channel", "#alerts"); status != exitOK {
		t.Errorf("after the other one it ends with %d and says %s", status, said)
	}

	// Both began before there was a folder.
	s.file = filepath.Join(s.dir, "new", "tocsin.yaml")
	p = s.atTerminal(t)
	p.pastes(s.slack.AppToken())
	p.pastes(s.slack.BotToken())
	p.await("look again: ")
	if status, said := s.init(s.tokens(), "--channel", "#alerts"); status != exitOK {
		t.Fatalf("ends with %d and says %s", status, said)
	}
	s.unchanged(func() {
		p.types("#ops\n")
		p.await("[Y/n] ")
		p.types("\n")
		p.await("has written " + s.file + " meanwhile: run this again; nothing was changed")
		p.ends()
	})
}

func TestInitUndoesNothingThatAnotherUserSays(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	other := filepath.Join(s.dir, "other")
	for path, content := range map[string]string{other: "mine", filepath.Join(s.dir, "list"): `{"files":[{"path":"` + other + `"}]}`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("list", filepath.Join(s.dir, ".tocsin-init.undo")); err != nil {
		t.Fatal(err)
	}
	s.unchanged(func() {
		if status, said := s.init(s.tokens(), "--channel", "#alerts"); status != exitFailure || !strings.Contains(said, "is not a file of this user: remove it") {
			t.Errorf("ends with %d and says %s", status, said)
		}
	})
}

func TestInitRefusesTokensOfTwoApps(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.slack.SetBotApp("A0OTHER")
	s.unchanged(func() {
		if status, said := s.init(s.tokens(), "--channel", "#alerts"); status != exitFailure || !strings.Contains(said, "take both tokens from the pages of one app") {
			t.Errorf("ends with %d and says %s", status, said)
		}
	})
}

// terminal is a person at a terminal in which a program runs.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	screen logBuffer
	read   int // how much of it was awaited
	ended  chan error
}

// ioctl asks about a terminal.
func ioctl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	err = conn.Control(func(fd uintptr) { _, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg)) })
	if err == nil && errno != 0 {
		err = errno
	}
	return err
}

// atTerminal runs init at a terminal.
func (s *setup) atTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	const unlock, number = syscall.TIOCSPTLCK, syscall.TIOCGPTN
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var locked, n int32
	if err := ioctl(master, unlock, unsafe.Pointer(&locked)); err != nil {
		t.Fatal(err)
	}
	if err := ioctl(master, number, unsafe.Pointer(&n)); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &terminal{t: t, master: master, cmd: s.command(context.Background(), args...), ended: make(chan error, 1)}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := slave.Close(); err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			_, _ = p.screen.Write(buf[:n])
			if err != nil { // it has ended
				p.ended <- p.cmd.Wait()
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = master.Close()
		s.hides(p.screen.String())
	})
	return p
}

// await waits until the screen shows a text behind what was awaited before.
func (p *terminal) await(text string) {
	p.t.Helper()
	p.eventually("the screen to show "+text, func() bool {
		screen := strings.ReplaceAll(p.screen.String(), "\r\n", "\n")
		at := strings.Index(screen[min(p.read, len(screen)):], text)
		if at >= 0 {
			p.read += at + len(text)
		}
		return at >= 0
	})
}

func (p *terminal) eventually(what string, ok func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !ok() {
		if !pause(ctx, 10*time.Millisecond) {
			p.t.Fatalf("waiting for %s; it shows:\n%s", what, p.screen.String())
		}
	}
}

func (p *terminal) types(text string) {
	p.t.Helper()
	if _, err := p.master.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}

// pastes types a token once the terminal does not show what is typed.
func (p *terminal) pastes(token string) {
	p.t.Helper()
	p.await("(it is not shown)")
	p.eventually("the terminal to hide what is typed", func() bool {
		var settings syscall.Termios
		return ioctl(p.master, syscall.TCGETS, unsafe.Pointer(&settings)) == nil && settings.Lflag&syscall.ECHO == 0
	})
	p.types(token + "\n")
}

// ends returns the exit status.
func (p *terminal) ends() int {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.t.Log(err)
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("it does not end; it shows:\n%s", p.screen.String())
		return 0
	}
}

func TestInitAsksAtATerminal(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	p := s.atTerminal(t)
	p.await("https://api.slack.com/apps?new_app=1")
	p.await("connections:write")
	p.pastes(s.slack.BotToken())
	p.await("App-Level Tokens")
	p.pastes("\"" + s.slack.AppToken() + "\" ")
	p.await("Slack accepts it")
	p.pastes(s.slack.AppToken())
	p.await("Bot User OAuth Token")
	p.pastes("xoxb-1-1-wrong")
	p.await("invalid_auth")
	p.pastes(s.slack.BotToken())
	p.await("Slack accepts it")
	p.await("@tocsin in the workspace")
	p.await("1  #alerts")
	p.await("2  #ops")
	p.await("look again: ")
	p.types("random\n")
	p.await("type there /invite @tocsin")
	p.await("look again: ")
	p.types("2\n")
	p.await(s.file)
	p.await("Go ahead? [Y/n] ")
	p.types("\n")
	p.await("tocsin serve --config " + s.file)
	if status := p.ends(); status != exitOK {
		t.Fatalf("ends with %d", status)
	}
	for _, want := range []string{"default_channel: \"#ops\"", "app_token: " + s.slack.AppToken(), "bot_token: " + s.slack.BotToken()} {
		if now := read(t, s.file); !strings.Contains(now, want) {
			t.Errorf("the configuration lacks %s: %s", want, now)
		}
	}

	s.daemon()
	before := read(t, s.file)
	p = s.atTerminal(t)
	p.pastes("")
	p.await("Slack accepts it")
	p.pastes("")
	p.await("Enter to keep #ops: ")
	p.types("#alerts\n")
	p.await("default_channel is #alerts")
	p.await("stays as it is, so do the app-level token and the bot token")
	p.types("y\n")
	p.await("The first alert arrived in #alerts: " + s.slack.URL())
	if status := p.ends(); status != exitOK {
		t.Fatalf("ends with %d", status)
	}
	if now := read(t, s.file); now != strings.Replace(before, "#ops", "#alerts", 1) {
		t.Errorf("the configuration is now %s", now)
	}
}

func TestInitInterruptedAtAnyQuestionChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	answers := []func(p *terminal){
		func(p *terminal) { p.pastes(s.slack.AppToken()) },
		func(p *terminal) { p.pastes(s.slack.BotToken()) },
		func(p *terminal) { p.await("look again: "); p.types("1\n") },
		func(p *terminal) { p.await("[Y/n] ") },
	}
	questions := []string{"2. The app-level", "3. The bot", "look again: ", "[Y/n] "}
	for n, question := range questions {
		for how, stop := range map[string]func(p *terminal){
			"Ctrl-C":          func(p *terminal) { p.types("\x03") },
			"Ctrl-D":          func(p *terminal) { p.types("\x04") },
			"Ctrl-\\":         func(p *terminal) { p.types("\x1c") },
			"Ctrl-C, at once": func(p *terminal) { _ = p.cmd.Process.Signal(syscall.SIGINT) },
			"a kill":          func(p *terminal) { _ = p.cmd.Process.Kill() },
			"a closed window": func(p *terminal) { _ = p.cmd.Process.Signal(syscall.SIGHUP) },
		} {
			t.Run(fmt.Sprintf("%s %d", how, n+1), func(t *testing.T) {
				s.unchanged(func() {
					p := s.atTerminal(t)
					for _, answer := range answers[:n] {
						answer(p)
					}
					p.await(question)
					if n < 2 {
						p.await("(it is not shown)")
					}
					stop(p)
					if status := p.ends(); status == exitOK || strings.HasPrefix(how, "Ctrl-") && !strings.Contains(p.screen.String(), map[bool]string{true: "there is no answer", false: "interrupted"}[how == "Ctrl-D"]+"; nothing was changed") {
						t.Errorf("ends with %d and shows %s", status, p.screen.String())
					}
				})
			})
		}
	}
}
