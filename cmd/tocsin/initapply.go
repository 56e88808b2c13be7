package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/config"
)

// initPlan is what is to be written.
type initPlan struct {
	files []fileChange
	// lines say it to people.
	lines []string
	// restart is set if a running service does not read it at a reload, units if systemd has
	// to read its units again.
	restart, units bool
}

func (p *initPlan) add(c fileChange, what string) {
	p.files = append(p.files, c)
	p.lines = append(p.lines, c.path+": "+what)
}

// apply writes everything, has the daemon use it, and sends the first alert.
func (c *initCmd) apply(ctx context.Context, t *target, was *config.Setup, want wanted) error {
	p, err := c.agreed(ctx, t, was, want)
	if err == nil {
		err = t.lockNew()
	}
	if err != nil {
		return c.asBefore(ctx, err)
	}
	if t.booted() && !t.noStart {
		t.was = &serviceState{Active: t.serviceIs(ctx, "is-active"), Enabled: t.serviceIs(ctx, "is-enabled")}
	}
	undo, err := t.replace(p.files)
	if err != nil {
		return c.asBefore(ctx, fmt.Errorf("write the setup: %w", err))
	}
	c.print("\nWritten:\n  %s\n", strings.Join(p.lines, "\n  "))
	running, err := t.use(ctx, p)
	if err != nil {
		return errors.Join(err, t.restore(context.WithoutCancel(ctx), undo, p, running))
	}
	if err := undo.done(); err != nil {
		return fmt.Errorf("remove the copies of what was there before: %w", err)
	}
	if !running {
		c.print("%s", t.howToStart())
		return nil
	}
	return c.firstAlert(ctx, t, want)
}

// agreed is the plan, once it is checked and the person has confirmed it.
func (c *initCmd) agreed(ctx context.Context, t *target, was *config.Setup, want wanted) (*initPlan, error) {
	p, err := t.plan(ctx, was, want)
	if err == nil {
		err = t.checkPlan(p, want)
	}
	if err == nil && c.ask.asks() {
		err = c.confirm(ctx, p, want)
	}
	if err == nil {
		err = ctx.Err()
	}
	return p, err
}

// plan decides what goes where.
func (t *target) plan(ctx context.Context, was *config.Setup, want wanted) (*initPlan, error) {
	p := &initPlan{}
	var values []config.Assignment
	if want.newChannel {
		values = append(values, config.Assignment{Key: "default_channel", Value: want.channel})
	}
	if want.newAddress {
		values = append(values, config.Assignment{Key: "slack.api_url", Value: want.apiURL})
		p.restart = true
	}
	for _, token := range []struct {
		name, key, file string
		value           alert.Secret
		isNew           bool
	}{
		{botCredential, "slack.bot_token", was.BotFile, want.bot, want.newBot},
		{appCredential, "slack.app_token", was.AppFile, want.app, want.newApp},
	} {
		switch {
		case !token.isNew:
		case t.service:
			if err := t.planCredential(ctx, p, token.name, []byte(token.value.Reveal()+"\n")); err != nil {
				return nil, err
			}
		case token.file != "":
			p.add(fileChange{path: token.file, content: []byte(token.value.Reveal() + "\n"), mode: 0o600, gid: -1, most: 0o770}, "the token "+token.key)
		default:
			values = append(values, config.Assignment{Key: token.key, Value: token.value.Reveal()})
		}
	}
	if len(values) == 0 {
		return p, nil
	}
	return p, t.planFile(p, values)
}

// newFile begins a configuration that nobody has written before.
const newFile = `# Tocsin's configuration, written by tocsin init. "tocsin config example" prints all options.
`

// planFile changes the YAML file.
func (t *target) planFile(p *initPlan, values []config.Assignment) error {
	c := fileChange{path: t.file, mode: 0o600, gid: -1}
	content, err := os.ReadFile(t.file)
	switch {
	case !exists(t.file):
		content = []byte(newFile)
	case err != nil:
		return fmt.Errorf("read the configuration: %w", err)
	}
	if t.service { // the daemon has a user of its own
		c.mode = 0o644
	}
	if c.content, err = config.Edit(t.file, content, values); err != nil {
		return err
	}
	var said []string
	for _, v := range values {
		if strings.HasSuffix(v.Key, "_token") {
			c.most = 0o700
			v.Value = "a new token"
		}
		said = append(said, v.Key+" is "+v.Value)
	}
	p.add(c, strings.Join(said, ", "))
	return nil
}

// planCredential keeps a token of the service where it is kept now, or as --credentials says.
func (t *target) planCredential(ctx context.Context, p *initPlan, name string, token []byte) error {
	auto := t.credentials == credentialsAuto
	if t.credentials == credentialsPlain || auto && exists(filepath.Join(t.dir, name)) {
		t.planPlain(p, name, token)
		return nil
	}
	sealed, err := t.seal(ctx, name, token)
	switch {
	case err == nil:
		t.planEncrypted(p, name, token, sealed)
	case auto && !exists(t.encrypted(name)) && ctx.Err() == nil: // there is no key
		t.planPlain(p, name, token)
	default:
		return err
	}
	return nil
}

// planPlain keeps a token in a file that only root and the daemon can read.
func (t *target) planPlain(p *initPlan, name string, token []byte) {
	c := fileChange{path: filepath.Join(t.dir, name), content: token, mode: 0o600, gid: -1, most: 0o770}
	if id, ok := tokensGroupID(); ok {
		c.mode, c.gid = 0o640, id
	}
	// Without the group the daemon has the copy that systemd makes at the start.
	if info, err := os.Stat(c.path); c.gid < 0 || err == nil && info.Mode()&0o040 == 0 {
		p.restart = true
	}
	p.add(c, "the token")
	if exists(t.encrypted(name)) {
		p.restart = true
		p.add(fileChange{path: t.encrypted(name)}, "removed")
		t.planDropIn(p, name, false)
	}
}

// tokensGroupID is the number of the group in which only the daemon is, which may read the
// tokens.
func tokensGroupID() (int, bool) {
	group, err := user.LookupGroup("tocsin-tokens")
	if err != nil {
		return 0, false
	}
	id, err := strconv.Atoi(group.Gid)
	return id, err == nil
}

// planEncrypted has systemd decrypt a token at each start.
func (t *target) planEncrypted(p *initPlan, name string, token, sealed []byte) {
	p.restart = true
	p.add(fileChange{path: t.encrypted(name), content: sealed, plain: token, mode: 0o600, gid: -1, most: 0o770}, "the token, encrypted for this machine")
	if plain := filepath.Join(t.dir, name); exists(plain) {
		p.add(fileChange{path: plain}, "removed") // it would come first
	}
	t.planDropIn(p, name, true)
}

const dropInHead = `# Written by tocsin init: these tokens are encrypted for this machine, and systemd decrypts
# them when it starts the daemon. "tocsin init" changes them.
[Service]
`

// planDropIn adds a credential to those that systemd decrypts, or removes it.
func (t *target) planDropIn(p *initPlan, name string, decrypt bool) {
	c := fileChange{path: t.dropIn, mode: 0o644, gid: -1}
	at := slices.IndexFunc(p.files, func(f fileChange) bool { return f.path == t.dropIn })
	if at >= 0 {
		c.content = p.files[at].content
	} else {
		c.content, _ = os.ReadFile(t.dropIn) // there may be none
	}
	content := cmp.Or(string(c.content), dropInHead)
	line := fmt.Sprintf("LoadCredentialEncrypted=%s:%s\n", name, strings.TrimPrefix(t.encrypted(name), t.root))
	if strings.Contains(content, line) == decrypt {
		return
	}
	content = strings.ReplaceAll(content, line, "")
	if decrypt {
		content += line
	}
	if c.content = []byte(content); content == dropInHead {
		c.content = nil
	}
	p.units = true
	if at >= 0 {
		p.files[at] = c
		return
	}
	p.add(c, "what systemd decrypts")
}

// checkPlan reads the configuration as the daemon will, before anything is written.
func (t *target) checkPlan(p *initPlan, want wanted) error {
	_, before := config.Load(t.input(nil))
	cfg, err := config.Load(t.input(p.files))
	if err != nil {
		return newMistakes(before, err)
	}
	wrong := map[string]bool{
		"slack.app_token": cfg.Slack.AppToken != want.app, "slack.bot_token": cfg.Slack.BotToken != want.bot,
		"slack.api_url": cfg.Slack.APIURL != want.apiURL, "default_channel": cfg.DefaultChannel != want.channel,
	}
	for _, s := range cfg.Settings() {
		if wrong[s.Key] {
			return fmt.Errorf("%s would have no effect, because %s comes first: remove it there (the service's environment is in /etc/tocsin/tocsin.env)", s.Key, s.Origin)
		}
	}
	return nil
}

// newMistakes is err unless it has only files that could not be read before either: this
// command may not see all that the daemon sees.
func newMistakes(before, err error) error {
	wrong, ok := errors.AsType[*config.Errors](err)
	earlier, had := errors.AsType[*config.Errors](before)
	if !ok || !had {
		return err
	}
	for _, problem := range wrong.Problems {
		if !strings.Contains(problem.Message, " cannot be read") || !slices.ContainsFunc(earlier.Problems, func(p config.Problem) bool { return p.Message == problem.Message }) {
			return err
		}
	}
	return nil
}

// confirm shows what is about to change and what stays, and asks.
func (c *initCmd) confirm(ctx context.Context, p *initPlan, want wanted) error {
	var stays []string
	for what, isNew := range map[string]bool{"the app-level token": want.newApp, "the bot token": want.newBot, "the channel " + want.channel: want.newChannel} {
		if !isNew {
			stays = append(stays, what)
		}
	}
	slices.Sort(stays)
	c.print("\n5. This will be written:\n     %s\n   Everything else stays as it is", strings.Join(p.lines, "\n     "))
	if len(stays) > 0 {
		c.print(", so do %s", strings.Join(stays, " and "))
	}
	c.print(".\n")
	said, err := c.ask.line(ctx, "   Go ahead? [Y/n] ")
	if err == nil && said != "" && !strings.EqualFold(said, "y") && !strings.EqualFold(said, "yes") {
		err = errors.New("you said no")
	}
	return err
}

// booted reports whether systemd runs here.
func (t *target) booted() bool { return t.service && exists(t.root+"/run/systemd/system") }

// use has the daemon use what is written. It reports whether one runs.
func (t *target) use(ctx context.Context, p *initPlan) (running bool, err error) {
	switch {
	case t.noStart:
		return false, nil
	case t.booted():
		return true, t.startService(ctx, p)
	}
	return t.reloadOwn(ctx)
}

// serviceIs asks systemctl is-active or is-enabled.
func (t *target) serviceIs(ctx context.Context, what string) bool {
	_, err := t.command(ctx, nil, t.systemctl, what, "--quiet", "tocsin.service")
	return err == nil
}

// startService enables and starts the service, or has one that runs use what is new.
func (t *target) startService(ctx context.Context, p *initPlan) error {
	verb := "reload"
	if p.units {
		if _, err := t.command(ctx, nil, t.systemctl, "daemon-reload"); err != nil {
			return err
		}
	}
	if p.restart {
		verb = "restart"
	}
	args := []string{verb, "tocsin.service"}
	if !t.was.Active {
		args = []string{"enable", "--now", "tocsin.service"}
	}
	if _, err := t.command(ctx, nil, t.systemctl, args...); err != nil {
		return fmt.Errorf("the service does not work with this: %w (journalctl -u tocsin says why)", err)
	}
	if t.was.Active && !t.was.Enabled {
		if _, err := t.command(ctx, nil, t.systemctl, "enable", "tocsin.service"); err != nil {
			return fmt.Errorf("the service would not start when the machine does: %w", err)
		}
	}
	t.print("The service runs (systemctl %s).\n", strings.Join(args, " "))
	return nil
}

// reloadOwn has a daemon of this file read it again, if one runs.
func (t *target) reloadOwn(ctx context.Context) (running bool, err error) {
	if t.service {
		return false, nil
	}
	daemon, err := t.daemon()
	if err != nil {
		return false, nil //nolint:nilerr // it listens nowhere
	}
	var done api.Reloaded
	err = daemon.call(ctx, http.MethodPost, "/v1/config/reload", nil, &done)
	// Another program may listen at the address, or another daemon that wants another token.
	if refused, ok := errors.AsType[*answerError](err); ok && !refused.foreign && refused.status == http.StatusBadRequest {
		return true, fmt.Errorf("the daemon that runs does not take this: %w", err)
	}
	if err != nil || !sameFile(done.File, t.file) {
		return false, ctx.Err()
	}
	t.print("The daemon that runs uses it.\n")
	for _, o := range done.Restart {
		t.print("It has to be restarted for %s (%s).\n", o.Option, o.What)
	}
	return true, nil
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// restore puts everything back, and has the daemon use that again.
func (t *target) restore(ctx context.Context, undo *undoList, p *initPlan, running bool) error {
	if err := undo.undo(); err != nil {
		return err
	}
	if !t.booted() {
		if running {
			_, _ = t.reloadOwn(ctx) // it goes on with the old one in any case
		}
		return errors.New("everything is as it was before" + undo.except())
	}
	if err := t.serviceBack(ctx, p); err != nil {
		return fmt.Errorf("the files are as they were before%s, but the service is not: %w", undo.except(), err)
	}
	return errors.New("everything is as it was before" + undo.except())
}

// serviceBack has the service be as it was before.
func (t *target) serviceBack(ctx context.Context, p *initPlan) (all error) {
	run := func(args ...string) {
		_, err := t.command(ctx, nil, t.systemctl, args...)
		all = errors.Join(all, err)
	}
	if p.units {
		run("daemon-reload")
	}
	if t.was.Active && !t.was.Enabled {
		run("disable", "tocsin.service")
	}
	switch {
	case !t.was.Active && t.was.Enabled:
		run("stop", "tocsin.service")
	case !t.was.Active:
		run("disable", "--now", "tocsin.service", "tocsin.socket")
	case p.restart:
		run("restart", "tocsin.service")
	default:
		run("reload", "tocsin.service")
	}
	return all
}

// useRecovered has a daemon that runs use what an interrupted setup had changed. What does
// not work is said: the setup that follows may mend it.
func (t *target) useRecovered(ctx context.Context, undone *undoList) {
	switch {
	case t.noStart:
	case !t.booted():
		if _, err := t.reloadOwn(ctx); err != nil {
			t.print("Warning: %s\n", err)
		}
	case undone.Service != nil && !undone.Service.Active: // perhaps it was started, and enabled
		t.was = undone.Service
		if err := t.serviceBack(ctx, &initPlan{units: true}); err != nil {
			t.print("Warning: the service is not as it was: %s\n", err)
		}
	default:
		for _, args := range [][]string{{"daemon-reload"}, {"try-restart", "tocsin.service"}} {
			if _, err := t.command(ctx, nil, t.systemctl, args...); err != nil {
				t.print("Warning: the service does not work with it: %s\n", err)
			}
		}
	}
}

// howToStart says what is left to be done.
func (t *target) howToStart() string {
	if t.service {
		return "Start it: systemctl enable --now tocsin\nThen send the first alert: tocsin test\n"
	}
	return fmt.Sprintf("Start it: tocsin serve --config %[1]s\nThen send the first alert: tocsin test --config %[1]s\n", t.file)
}

// daemon is the way to the daemon that was set up.
func (t *target) daemon() (*client, error) {
	c := &clientCmd{world: t.world, config: t.file}
	if t.service {
		c.socket = t.root + "/run/tocsin/tocsin.sock"
	}
	return c.connect()
}

// firstAlertFor is how long the first alert may take: a new connection to Slack included.
const firstAlertFor = time.Minute

// firstAlert sends an alert and waits until Slack shows it.
func (c *initCmd) firstAlert(ctx context.Context, t *target, want wanted) error {
	daemon, err := t.daemon()
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	a := alert.Alert{
		Title: "Tocsin is set up on " + cmp.Or(host, "this machine"), Text: "Alerts that name no conversation come here. Try: /notify-test",
		Severity: alert.Info, Source: "tocsin", Key: "tocsin-init-" + alert.NewID(), Channel: want.channel, IdempotencyKey: alert.NewID(),
	}
	ctx, cancel := context.WithTimeout(ctx, firstAlertFor)
	defer cancel()
	send := sendCmd{clientCmd: &clientCmd{world: c.world, noSpool: true}, wait: true, timeout: firstAlertFor, timed: true}
	got, _, err := send.sendOne(ctx, daemon, a)
	if err != nil {
		return fmt.Errorf("send the first alert: %w", err)
	}
	rec, err := send.await(ctx, daemon, got)
	switch {
	case err != nil:
		return fmt.Errorf("the first alert is accepted and kept, but it is not known whether Slack shows it: %w", err)
	case rec.TS == "":
		return fmt.Errorf("the first alert is accepted and kept, but %s does not show it: %s; tocsin doctor says what to do", want.channel, cmp.Or(rec.Reason, "tocsin status says why"))
	}
	link, err := c.client(want).Permalink(ctx, rec.Conversation, rec.TS)
	if err != nil {
		link = "look into it"
	}
	c.print("The first alert arrived in %s: %s\n", want.channel, link)
	return nil
}
